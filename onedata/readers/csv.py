"""CSV: any delimiter, quote and escape of the contract, multi-line values, columns found by name. Other encodings come here as UTF-8.

Method: the header line is read first and files with equal headers are read together by DuckDB with every column as text; records
that DuckDB cannot take apart go to its rejects table.
"""

import codecs
import csv
import io
from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path

import duckdb

from onedata.contracts.model import Feed
from onedata.readers.base import Drift, FileProblem, Reading, SourceFile, check_columns, file_number, path_list
from onedata.sql import quote_name, quote_text

REJECTS = "csv_rejects"
MAX_HEADER_BYTES = 1 << 20


def read_csv(con: duckdb.DuckDBPyConnection, feed: Feed, files: Sequence[SourceFile]) -> Reading:
    """See `Reading`. An empty file is a problem: even a day without rows has a header."""
    problems: list[FileProblem] = []
    drifts: list[Drift] = []
    groups: dict[tuple[str, ...], list[SourceFile]] = defaultdict(list)
    for file in files:
        header = list(feed.location.columns) or read_header(file.path, feed.location.options)
        if isinstance(header, str):
            problems.append(FileProblem(file, header))
            continue
        refusal, found = check_columns(feed, file, header)
        drifts += found
        if refusal:
            problems.append(FileProblem(file, refusal))
        else:
            groups[tuple(header)].append(file)
    con.execute(f"drop table if exists {REJECTS}; drop table if exists {REJECTS}_scans")
    query = " union all ".join(_query(feed, header, members) for header, members in groups.items())
    columns = {file.number: header for header, members in groups.items() for file in members}
    return Reading(query or None, problems, columns, drifts, REJECTS if query else None)


def read_header(path: Path, options: Mapping[str, str]) -> list[str] | str:
    """The column names of a CSV file, or what is wrong with its first line."""
    encoding = options.get("encoding", "utf-8")
    with path.open("rb") as stream:
        start = stream.read(MAX_HEADER_BYTES)
    if not start.strip():
        return "the file is empty: not even a header. Ask for it again; a day without rows still has a header line."
    if encoding == "utf-8" and start.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return "the file is UTF-16, the contract says utf-8. Set encoding: utf-16 in the contract, or ask for UTF-8."
    try:
        text = codecs.getincrementaldecoder("utf-8-sig")().decode(start)
    except UnicodeDecodeError as error:
        text = start[: error.start].decode("utf-8-sig")
        if "\n" not in text:
            byte = f"byte {error.start} is {start[error.start]:#04x}" if encoding == "utf-8" else "some of its bytes are no text"
            return f"the header is not {encoding}: {byte}. Set encoding in the contract, or ask for {encoding}."
    lines = io.StringIO(text, newline="")
    for _ in range(int(options.get("skip", 0))):
        lines.readline()
    comment = options.get("comment")
    content = (line for line in lines if not (comment and line.startswith(comment)))
    reader = csv.reader(content, delimiter=options.get("delimiter", ","), quotechar=options.get("quote", '"'))
    header = [name.strip() for name in next(reader, [])]
    if "\x00" in text[:1000]:
        return "the file is not text: it holds zero bytes. Check the format in the contract."
    twice = sorted({name for name in header if header.count(name) > 1})
    return f"column {twice[0]!r} stands twice in the header" if twice else header


def _query(feed: Feed, header: Sequence[str], files: Sequence[SourceFile]) -> str:
    """One read_csv over files with the same header."""
    options = feed.location.options
    columns = ", ".join(f"{quote_text(name)}: 'VARCHAR'" for name in header)
    quote = options.get("quote", '"')
    nulls = ", ".join(quote_text(text) for text in ("", *feed.location.null_values))
    names = [name for name in header if name]
    raw = ", ".join(f"{quote_name(name)} := {quote_name(name)}" for name in names)
    fields = ", ".join(f"{quote_name(name) if name in header else 'null::varchar'} as {quote_name(name)}" for name in feed.source_fields)
    return (
        f"select {file_number(files)} as _file_number, to_json(struct_pack({raw}))::varchar as _raw, null::varchar as _broken, {fields} "
        f"from read_csv({path_list(files)}, auto_detect=false, header={options.get('header', 'true')}, columns={{{columns}}}, "
        f"delim={quote_text(options.get('delimiter', ','))}, quote={quote_text(quote)}, escape={quote_text(options.get('escape', quote))}, "
        f"skip={options.get('skip', 0)}, comment={quote_text(options.get('comment', ''))}, nullstr=[{nulls}], filename=true, hive_partitioning=false, "
        f"strict_mode=true, null_padding=false, max_line_size=16000000, "
        f"store_rejects=true, rejects_table='{REJECTS}', rejects_scan='{REJECTS}_scans', rejects_limit=0)"
    )
