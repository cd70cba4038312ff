"""Sniff a sample file: its format, reader options, and the fields for a contract, each with values. Reads only the
start of the sample."""

import codecs
import csv
import io
import re
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import duckdb
from lxml import etree

from onedata.onboarding.encodings import is_utf8, plausible_encodings
from onedata.onboarding.sample import MOST_BYTES, SAMPLE_ROWS, Rows, Sniffed, SniffError, SourceField
from onedata.onboarding.sniff_json import is_json, sniff_json, sniff_json_lines
from onedata.sql import quote_text

HEAD_BYTES = 1 << 20
UTF_16 = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
SPACES = "\t\n\r\f\v"
HEAD_OF_TEXT = 4096
SEPARATOR_LINE = re.compile(r"\ufeff?sep=(.)\r?\n", re.IGNORECASE)
"""What Excel writes before the header to tell the delimiter."""
PACKED = {b"\x1f\x8b": "gzip", b"PK": "a zip archive (an Excel workbook is one)", b"\x28\xb5\x2f\xfd": "zstd"}


def sniff(file: Path) -> Sniffed:
    """Sniff a sample.

    Raises:
        SniffError: it is empty, packed, or no reader supports it.
        FileNotFoundError: the file does not exist.
    """
    with file.open("rb") as stream:
        head = stream.read(HEAD_BYTES)
    if head.startswith(b"PAR1"):
        return _parquet(file)
    for magic, kind in PACKED.items():
        if head.startswith(magic):
            raise SniffError(f"{file.name} is {kind}; give an unpacked sample")
    if b"\x00" in head and not head.startswith(UTF_16):
        raise SniffError(f"{file.name} is no text (it holds zero bytes), and nothing else that a reader takes")
    encodings, text = _decoded(file, head)
    if any(letter < " " and letter not in SPACES for letter in text[:HEAD_OF_TEXT]):
        raise SniffError(f"{file.name} is binary, and nothing that a reader takes")
    start = text.lstrip()[:1]
    if not start:
        raise SniffError(f"{file.name} is empty; give a sample with rows")
    lines = text.splitlines()
    if start == "<":
        return _xml(file)
    if start in "{[":
        one = file.suffix == ".json" and len(lines) == 1
        return (
            sniff_json(file, encodings[0])
            if start == "[" or one or not is_json(lines[0])
            else sniff_json_lines(file, lines)
        )
    return _csv(file, encodings, text)


def _decoded(file: Path, head: bytes) -> tuple[list[str], str]:
    """The encodings that a file may have, the likeliest first, and the text of its start; a character cut off at its
    end is dropped.

    Raises:
        SniffError: it is plausible text in none. XML names its encoding itself.
    """
    if head.startswith(UTF_16):
        return ["utf-16"], head.decode("utf-16", "ignore")
    with file.open("rb") as stream:
        content = stream.read(MOST_BYTES)
    if is_utf8(content):
        return ["utf-8"], codecs.getincrementaldecoder("utf-8-sig")("replace").decode(head)
    encodings = ["latin-1"] if head.lstrip().startswith(b"<") else plausible_encodings(content)
    if not encodings:
        raise SniffError(
            f"{file.name} is not UTF-8, and plausible text in no other known encoding; ask which it has, and give a "
            "sample that was converted to UTF-8. Then set encoding in the contract"
        )
    return encodings, codecs.getincrementaldecoder(encodings[0])().decode(head)


def _csv(file: Path, encodings: Sequence[str], text: str) -> Sniffed:
    """Detect the dialect with DuckDB's sniffer, on the decoded start, so that encoding and file name have no
    influence."""
    told = SEPARATOR_LINE.match(text)
    text = text[told.end() :] if told else text
    whole = text if len(text) < HEAD_BYTES // 4 else text[: text.rindex("\n") + 1] if "\n" in text else text
    with tempfile.TemporaryDirectory(prefix="onedata-sniff-") as folder, duckdb.connect() as con:
        copy = Path(folder) / "sample.csv"
        copy.write_text(whole, encoding="utf-8", newline="")
        try:
            header, delimiter, quote, rows = _dialect(con, file, copy, whole, told[1] if told else None)
        except (duckdb.Error, csv.Error) as error:
            raise SniffError(f"{file.name} does not read as CSV: {str(error).splitlines()[0]}") from None
    if not rows:
        raise SniffError(f"{file.name} has a header and no rows; give a sample with rows")
    encoding, *others = encodings
    given = {"delimiter": delimiter, "quote": quote, "encoding": encoding, "skip": "1" if told else "0"}
    defaults = {"delimiter": ",", "quote": '"', "encoding": "utf-8", "skip": "0"}
    also = f", and {' or '.join(others)} may be it too" if others else ""
    notes = (
        [f"It is not UTF-8; {encoding} is a guess{also}. Look at the letters that are not English."]
        if encoding not in ("utf-8", "utf-16")
        else []
    )
    return Sniffed(
        "csv",
        {name: value for name, value in given.items() if value != defaults[name]},
        [Rows(None, _columns(header, rows))],
        notes,
    )


def _dialect(
    con: duckdb.DuckDBPyConnection, file: Path, copy: Path, text: str, told: str | None
) -> tuple[list[str], str, str, list[tuple[Any, ...]]]:
    """Header, delimiter (as `told`, if so), quote and the first rows of `file`, whose start is in `copy` as UTF-8. Of
    empty columns without a name at the end, which delimiters there make, nothing is told."""
    dialect = con.execute(
        f"select Delimiter, Quote from sniff_csv({quote_text(str(copy))}, ignore_errors = true)"
    ).fetchone()
    delimiter, quote = dialect or ("", "")
    delimiter, quote = told or delimiter or ",", quote if quote not in ("", "\x00", "(empty)") else '"'
    header = [
        name.strip() for name in next(csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, quotechar=quote))
    ]
    named = len(header)
    while named and not header[named - 1]:
        named -= 1
    _plain_header(file, header[:named])
    names = [*header[:named], *(f"unnamed {number}" for number in range(len(header) - named))]
    columns = ", ".join(f"{quote_text(name)}: 'VARCHAR'" for name in names)
    rows = con.execute(
        f"from read_csv({quote_text(str(copy))}, auto_detect = false, header = true, columns = {{{columns}}}, "
        f"delim = {quote_text(delimiter)}, "
        f"quote = {quote_text(quote)}, escape = {quote_text(quote)}, nullstr = '', ignore_errors = true) limit "
        f"{SAMPLE_ROWS}"
    ).fetchall()
    if any(value is not None for row in rows for value in row[named:]):
        _plain_header(file, header)
    return header[:named], delimiter, quote, [row[:named] for row in rows]


def _plain_header(file: Path, header: Sequence[str]) -> None:
    """A CSV's first line must name its columns: readers match columns by name."""
    twice = [name for name in header if name and header.count(name) > 1]
    if twice:
        raise SniffError(
            f"{file.name}: {twice[0]!r} stands twice in the first line; every column needs a name of its own"
        )
    if not header or any(not name or name.replace(".", "").replace("-", "").isdigit() for name in header):
        raise SniffError(
            f"{file.name}: the first line ({', '.join(header)}) is no header. Ask for one, or write the contract by "
            "hand, with header: false and columns"
        )


def _parquet(file: Path) -> Sniffed:
    with duckdb.connect() as con:
        literal = "".join(f"[{letter}]" if letter in "*?[" else letter for letter in str(file))
        # Instants with a zone are shown as landing shows them, wherever the machine stands.
        con.execute("set timezone = 'UTC'")
        try:
            cursor = con.execute(
                f"select columns(*)::varchar from read_parquet({quote_text(literal)}, hive_partitioning = false) "
                f"limit {SAMPLE_ROWS}"
            )
        except duckdb.Error as error:
            raise SniffError(f"{file.name} does not read as Parquet: {str(error).splitlines()[0]}") from None
        names = [item[0] for item in cursor.description or []]
        return Sniffed("parquet", {}, [Rows(None, _columns(names, cursor.fetchall()))])


def _columns(names: Sequence[str], rows: Sequence[tuple[Any, ...]]) -> list[SourceField]:
    return [
        SourceField(name, [row[index].strip() for row in rows if row[index] and row[index].strip()])
        for index, name in enumerate(names)
    ]


def _xml(file: Path) -> Sniffed:
    if file.stat().st_size > MOST_BYTES:
        raise SniffError(f"{file.name} has more than {MOST_BYTES >> 20} MB; give a smaller sample")
    parser = etree.XMLParser(
        resolve_entities=False, no_network=True, load_dtd=False, huge_tree=False, remove_comments=True, remove_pis=True
    )
    try:
        element = etree.parse(str(file), parser).getroot()
    except etree.XMLSyntaxError as error:
        raise SniffError(f"{file.name} is not well-formed XML: {error}") from None
    records = [element]
    while len(children := list(element)) > 0:
        names = [_local(child) for child in children]
        most = max(names, key=names.count)
        if len(set(names)) > 1 and names.count(most) == 1:
            break  # the element is itself a record: its children are its fields
        records = [child for child in children if _local(child) == most][:SAMPLE_ROWS]
        if len(records) > 1:
            break
        element = records[0]
    own: dict[str, list[str]] = {}
    repeated: dict[str, None] = {}
    for record in records:
        repeated |= dict.fromkeys(_repeated(record, ""))
        for path, text in _leaves(record, ""):
            own.setdefault(path, []).extend([text] if text else [])
    fields = [SourceField(path, values) for path, values in own.items()]
    outer = [item for item in fields if not any(item.name.startswith(f"{path}/") for path in repeated)]
    ways = [Rows(path, [*outer, *(item for item in fields if item.name.startswith(f"{path}/"))]) for path in repeated]
    return Sniffed("xml", {"recordTag": _local(records[0])}, [Rows(None, outer), *ways])


def _local(element: etree._Element) -> str:
    return str(etree.QName(element).localname)


def _leaves(element: etree._Element, path: str) -> Iterator[tuple[str, str]]:
    """Path and text of every attribute and every leaf element below `element`."""
    for name, value in element.attrib.items():
        yield f"{path}@{etree.QName(str(name)).localname}", str(value).strip()
    for child in element:
        below = f"{path}{_local(child)}"
        if len(child):
            yield from _leaves(child, f"{below}/")
        else:
            yield below, (child.text or "").strip()
            yield from _leaves(child, f"{below}/")


def _repeated(element: etree._Element, path: str) -> Iterator[str]:
    """Paths of elements with children that are repeated among their siblings, outermost only."""
    names = [_local(child) for child in element]
    for child in element:
        if len(child) and names.count(_local(child)) > 1:
            yield f"{path}{_local(child)}"
        elif len(child):
            yield from _repeated(child, f"{path}{_local(child)}/")
