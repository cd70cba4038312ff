"""CSV: any delimiter, quote and escape of the contract, multi-line values, columns matched by name. Other encodings are
converted to UTF-8 before, and comment lines marked.

Method: the header line is read first, then DuckDB reads the file with every column as text; records that DuckDB cannot
parse go to its rejects table.
"""

import codecs
import csv
import io
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import duckdb

from onedata.contracts.model import Feed
from onedata.readers.base import (
    Drift,
    FileProblem,
    Part,
    Piece,
    Reading,
    SourceFile,
    are_names,
    check_columns,
    file_literal,
)
from onedata.readers.csv_comments import MARK
from onedata.readers.csv_raw import MAX_RECORD_BYTES
from onedata.readers.encoding import is_utf8
from onedata.readers.lines import long_lines
from onedata.readers.mistaken import wide
from onedata.readers.pieces import pieces
from onedata.sql import json_of, quote_name, quote_text

REJECTS = "csv_rejects"
MAX_HEADER_BYTES = 1 << 20
LONG_LINE_BYTES = 1 << 13
TOO_MANY_FIELDS = 1000
MAX_NAMELESS = 100
NAMELESS = "\x1fcolumn "
"""Begins the name that a column without one has while it is read; no header holds this character."""
_SEPARATOR_LINE = re.compile(r"sep=(.)\r?\n", re.IGNORECASE)
_LINE_END, _ENDS = re.compile("\r\n|\n|\r"), re.compile(b"\r\n|\n|\r")


def read_csv(con: duckdb.DuckDBPyConnection, feed: Feed, files: Sequence[SourceFile]) -> Reading:
    """See `Reading`. An empty file is a problem: even a day without rows has a header."""
    con.execute(f"drop table if exists {REJECTS}; drop table if exists {REJECTS}_scans")
    reading = Reading()
    for file in files:
        header = list(feed.location.columns) or read_header(file.path, feed.location.options)
        if isinstance(header, str):
            reading.problems.append(FileProblem(file, header))
            continue
        if runaway := _runaway_line(file.path, header, feed.location.options):
            reading.problems.append(FileProblem(file, runaway))
            continue
        named = [name for name in header if name]
        refusal, drifts = check_columns(feed, file, named)
        reading.drifts += drifts + _nameless(file, header)
        if refusal:
            reading.problems.append(FileProblem(file, refusal))
        else:
            reading.columns[file.number] = tuple(named)
            reading.parts.append(_part(feed, file, header))
    reading.rejects_table = REJECTS if reading.parts else None
    return reading


def read_header(path: Path, options: Mapping[str, str]) -> list[str] | str:
    """The column names of a CSV file, or the error in its first line."""
    encoding = options.get("encoding", "utf-8")
    with path.open("rb") as stream:
        start = stream.read(MAX_HEADER_BYTES)
    if not start.strip():
        return "the file is empty: not even a header. Ask for it again; a day without rows still has a header line."
    if is_utf8(encoding) and (found := wide(path)):
        better = found.lower()
        return (
            f"the file is {found}, the contract says utf-8. Set encoding: {better} in the contract, or ask for UTF-8."
        )
    try:
        text = codecs.getincrementaldecoder("utf-8-sig")().decode(start)
    except UnicodeDecodeError as error:
        text = start[: error.start].decode("utf-8-sig")
        if "\n" not in text:
            byte = (
                f"byte {error.start} is {start[error.start]:#04x}"
                if is_utf8(encoding)
                else "some of its bytes are no text"
            )
            return f"the header is not {encoding}: {byte}. Set encoding in the contract, or ask for {encoding}."
    told = _SEPARATOR_LINE.match(text)
    if told and not int(options.get("skip", 0)):
        return (
            f"the first line is {told[0].strip()}, which Excel writes before the header. Set skip: 1 and delimiter: "
            f"{told[1]!r} in the contract, or ask for the file without it."
        )
    lines = io.StringIO(text, newline="")
    try:
        header = _first_record(lines, options)
    except csv.Error as error:
        return (
            f"the first lines are not CSV: {error}. A quote in them would swallow rows; check skip and quote in "
            "the contract, or ask for it again."
        )
    if "\x00" in text[: max(1000, lines.tell())]:
        return "the file is not text: it holds zero bytes. Check the format in the contract."
    if len(set(_LINE_END.findall(text[: lines.tell()]))) > 1:
        return (
            "the first lines end in different ways (\\r\\n, \\n, \\r), so that rows could be taken for a part of "
            "them. Ask for one line end."
        )
    if header.count("") > MAX_NAMELESS:
        return f"the header has {header.count(''):,} columns without a name. Ask for the file without them."
    twice = sorted(name for name, count in Counter(filter(None, header)).items() if count > 1)
    name = f"column {twice[0]!r}" if twice and are_names(twice) else "a value"
    return f"{name} stands twice in the header" if twice else header


def _first_record(lines: io.StringIO, options: Mapping[str, str]) -> list[str]:
    """The fields of the first record after the skipped lines. If quotes in these lines are malformed, DuckDB silently
    skips the rows in them too.

    Raises:
        csv.Error: a quote is open at the end of a skipped line or the header, or is in an invalid position.
    """
    delimiter, quote = options.get("delimiter", ","), options.get("quote", '"')
    escape = options.get("escape", quote)
    sound = _sound_record(delimiter, quote, escape)
    taken = [lines.readline() for _ in range(int(options.get("skip", 0)))]
    comment = _comment(options)
    header: list[str] = []

    def content() -> Iterator[str]:
        for line in iter(lines.readline, ""):
            if not (comment and line.startswith(comment)):
                header.append(line)
                yield line

    dialect: dict[str, Any] = {"delimiter": delimiter, "quotechar": quote, "skipinitialspace": True}
    if escape != quote:
        dialect |= {"doublequote": False, "escapechar": escape}
    names = next(csv.reader(content(), **dialect), [])
    for number, record in enumerate([*taken, "".join(header)], 1):
        if not sound.fullmatch(record):
            raise csv.Error(f"a quote is open, or stands where none may, in line {number}")
    return [name.strip() for name in names]


def _comment(options: Mapping[str, str]) -> str:
    """What begins the comment lines of a file that was prepared for reading (see `csv_comments`)."""
    return MARK if "comment" in options else ""


def _sound_record(delimiter: str, quote: str, escape: str) -> re.Pattern[str]:
    """Whether DuckDB accepts the record: each field is either quoted from start to end, apart from surrounding blanks,
    or does not start with a quote."""
    d, q, e = map(re.escape, (delimiter, quote, escape))
    inside = f"[^{q}]*(?:{q}{q}[^{q}]*)*" if escape == quote else f"[^{q}{e}]*(?:{e}.[^{q}{e}]*)*"
    blanks = "" if delimiter == " " else " *"
    field = f"{blanks}(?:{q}{inside}{q}{blanks}|[^{q}{d}\\r\\n{' ' if blanks else ''}][^{d}\\r\\n]*|)"
    return re.compile(f"{field}(?:{d}{field})*(?:\\r\\n|\\r|\\n)?", re.DOTALL)


def _runaway_line(path: Path, header: Sequence[str], options: Mapping[str, str]) -> str | None:
    """The error of a line with very many fields, for example after line ends were lost: DuckDB keeps a copy of the line
    for each surplus field, which exhausts memory.

    Only lines longer than `LONG_LINE_BYTES` are checked; delimiters within quotes do not count.
    """
    delimiter, quote = (options.get(name, default).encode() for name, default in (("delimiter", ","), ("quote", '"')))
    quoted = re.compile(b"%b[^%b]*%b" % (re.escape(quote), re.escape(quote), re.escape(quote)))
    for start, text in long_lines(path, LONG_LINE_BYTES):
        for line in text.split(b"\r"):
            fields = quoted.sub(b"", line).count(delimiter) + 1 if len(line) > LONG_LINE_BYTES else 0
            if fields > len(header) + TOO_MANY_FIELDS:
                return (
                    f"the line at byte {start:,} has {fields:,} fields and the header {len(header)}: were its line "
                    "ends lost? Ask for it again."
                )
    return None


def mixed_line_ends(path: Path, quote: str) -> str | None:
    """The error of a file whose lines end in different ways, which DuckDB refuses in words of its own; None if they do
    not. Line ends within quotes are part of a value."""
    first, line, inside, rest = b"", 0, False, b""
    with path.open("rb") as stream:
        while chunk := stream.read(MAX_HEADER_BYTES):
            # A carriage return may be the first half of a line end.
            text, rest = (rest + chunk, b"") if not chunk.endswith(b"\r") else ((rest + chunk)[:-1], b"\r")
            for place, part in enumerate(text.split(quote.encode())):
                inside = inside != (place > 0)
                for end in _ENDS.findall(part):
                    line += 1
                    first = first or (b"" if inside else end)
                    if not inside and end != first:
                        return (
                            f"line {line:,} ends in {_shown(end)} and those before it in {_shown(first)}, so that rows "
                            "could be taken for a part of others. Ask for one line end."
                        )
    return None


def _shown(end: bytes) -> str:
    return end.decode().replace("\r", "\\r").replace("\n", "\\n")


def _nameless(file: SourceFile, header: Sequence[str]) -> list[Drift]:
    """The report of columns without a name, as a delimiter at the end of the header makes one."""
    places = ", ".join(str(place) for place, name in enumerate(header, 1) if not name)
    if not places:
        return []
    return [
        Drift(
            file,
            "added",
            "",
            f"column {places} has no name and is dropped; a row with a value behind the last "
            "named column is quarantined",
        )
    ]


def _behind_names(header: Sequence[str]) -> list[int]:
    """The indexes of the columns behind the last one with a name."""
    last = max(place for place, name in enumerate(header) if name) if any(header) else -1
    return list(range(last + 1, len(header)))


def _part(feed: Feed, file: SourceFile, given: Sequence[str]) -> Part:
    options = feed.location.options
    header = [name or f"{NAMELESS}{place}" for place, name in enumerate(given)]
    behind = [quote_name(header[place]) for place in _behind_names(given)]
    broken = (
        f"case when coalesce({', '.join(behind)}) is not null then 'there is a value behind the last named column: a "
        "delimiter in a field without quotes?' end"
        if behind
        else None
    )
    columns = ", ".join(f"{quote_text(name)}: 'VARCHAR'" for name in header)
    quote = options.get("quote", '"')
    nulls = ", ".join(quote_text(text) for text in ("", *feed.location.null_values))
    absent = "".join(f", null::varchar as {quote_name(name)}" for name in feed.source_fields if name not in header)
    has_header, skip = options.get("header") != "false", int(options.get("skip", 0))

    def query(source: str, is_start: bool, before: int, more: str = "") -> str:
        return (
            f"select *{absent}, row_number() over () + {before} as _row from read_csv({source}, auto_detect=false, "
            f"header={is_start and has_header}, columns={{{columns}}}, "
            f"delim={quote_text(options.get('delimiter', ','))}, quote={quote_text(quote)}, "
            f"escape={quote_text(options.get('escape', quote))}, skip={skip if is_start else 0}, "
            f"comment={quote_text(_comment(options))}, "
            f"nullstr=[{nulls}], hive_partitioning=false, strict_mode=true, null_padding=false, "
            f"max_line_size={MAX_RECORD_BYTES}, {more}"
            f"store_rejects=true, rejects_table='{REJECTS}', rejects_scan='{REJECTS}_scans', rejects_limit=0)"
        )

    def cut(most: int) -> Sequence[Piece]:
        # By default DuckDB keeps sixteen records of the maximum size in memory for each piece.
        small = f"buffer_size={2 * MAX_RECORD_BYTES}, "
        return [
            Piece(query(span.source, not span.before, span.before, small), span.rows)
            for span in pieces(file.path, most, quote, skip + has_header)
        ]

    added = [name for name in given if name and name not in feed.known_fields]
    extra = json_of(added) if added else None
    return Part(file, query(file_literal(file.path), True, 0), json_of(header), broken=broken, extra=extra, cut=cut)
