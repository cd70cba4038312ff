"""Parquet: columns by name. Numbers, days, times and booleans keep their type; everything else becomes text, as in the
other formats."""

import re
from collections.abc import Mapping, Sequence

import duckdb

from onedata.contracts.model import Feed, placeholders
from onedata.readers.base import FileProblem, Part, Reading, SourceFile, check_columns, file_literal
from onedata.readers.digits import text_from_number
from onedata.readers.excel_told import KINDS, shown_columns, told_sql
from onedata.readers.jsonl import read_documents
from onedata.readers.parquet_nested import documents_of, is_nested, members_of, paths_there
from onedata.readers.parquet_wide import too_wide
from onedata.sql import json_of, quote_name, quote_text

NATIVE = re.compile(
    r"(TINY|SMALL|BIG|U|UTINY|USMALL|UBIG)?INT(EGER)?|DECIMAL\(\d+,\d+\)|DOUBLE|FLOAT|DATE|BOOLEAN|TIMESTAMP( WITH "
    r"TIME ZONE)?"
)


def read_parquet(con: duckdb.DuckDBPyConnection, feed: Feed, files: Sequence[SourceFile]) -> Reading:
    """See `Reading`. A truncated file has no footer and is a problem."""
    reading = Reading()
    for file in files:
        try:
            found = {
                str(row[0]): str(row[1])
                for row in con.execute(
                    f"describe select * from read_parquet({file_literal(file.path)}, hive_partitioning=false)"
                ).fetchall()
            }
            rows = con.execute(
                f"select num_rows, (select count(*) from read_parquet({file_literal(file.path)})) "
                f"from parquet_file_metadata({file_literal(file.path)})"
            ).fetchone()
        except duckdb.Error as error:
            reading.problems.append(
                FileProblem(
                    file, f"the file cannot be read as Parquet: {str(error).splitlines()[0]}. Ask for it again."
                )
            )
            continue
        if rows is None or rows[0] != rows[1]:
            said, there = rows or (0, 0)
            reading.problems.append(
                FileProblem(
                    file, f"the file says that it has {said:,} rows and there are {there:,} in it. Ask for it again."
                )
            )
            continue
        is_sheet = feed.location.format == "xlsx"
        for kind in KINDS if is_sheet else ():
            del found[kind]
        if not is_sheet and (wide := too_wide(con, feed, file)):
            reading.problems.append(FileProblem(file, wide))
            continue
        nested = not is_sheet and is_nested(feed, list(found))
        known = list(paths_there(con, feed, file)) if nested else list(found)
        refusal, drifts = check_columns(feed, file, known)
        reading.drifts += drifts
        if refusal:
            reading.problems.append(FileProblem(file, refusal))
        elif nested:
            read_documents(feed, file, members_of(con, feed, file), documents_of(con, feed, file), reading)
        else:
            reading.columns[file.number] = tuple(found)
            reading.column_types[file.number] = found
            reading.parts.append(_sheet_part(feed, file, found) if is_sheet else _part(feed, file, found))
    return reading


def _part(feed: Feed, file: SourceFile, found: Mapping[str, str]) -> Part:
    types = {name: kind for name, kind in found.items() if NATIVE.fullmatch(kind)}
    text = ", ".join(f"{_text(name, kind)} as {quote_name(name)}" for name, kind in found.items() if name not in types)
    absent = "".join(f", null::varchar as {quote_name(name)}" for name in feed.source_fields if name not in found)
    binary = [name for name, kind in found.items() if kind == "BLOB" and name in feed.source_fields]
    query = (
        f"select * {f'replace ({text})' if text else ''}{absent}{_no_text(binary)}, file_row_number + 1 as _row "
        f"from read_parquet({file_literal(file.path)}, file_row_number=true, hive_partitioning=false)"
    )
    added = [name for name in found if name not in feed.known_fields]
    return Part(
        file,
        query,
        raw=_raw(found, types),
        broken="_no_text" if binary else None,
        extra=json_of(added) if added else None,
        types=types,
        # The condition cannot be told of bytes that it reads and that are no text.
        is_told="false" if set(binary) & set(placeholders(feed.condition or "")) else "true",
    )


def _sheet_part(feed: Feed, file: SourceFile, found: Mapping[str, str]) -> Part:
    """A sheet's part: all its columns are texts, with what is told of their cells beside them (`excel_told`)."""
    text = ", ".join(f"{shown} as {quote_name(name)}" for name, shown in shown_columns(feed, found).items())
    absent = "".join(f", null::varchar as {quote_name(name)}" for name in feed.source_fields if name not in found)
    query = (
        f"select * exclude ({', '.join(map(quote_name, KINDS))}) {f'replace ({text})' if text else ''}{absent}, "
        f"{told_sql(feed, list(found))} as _told, file_row_number + 1 as _row "
        f"from read_parquet({file_literal(file.path)}, file_row_number=true, hive_partitioning=false)"
    )
    added = [name for name in found if name not in feed.known_fields]
    return Part(file, query, raw=_raw(found, {}), broken="_told", extra=json_of(added) if added else None)


def _raw(found: Mapping[str, str], types: Mapping[str, str]) -> str:
    """The record as a JSON object of texts: a number in JSON would go through a double when it is read again."""
    values = {name: quote_name(name) for name in found}
    for name, kind in types.items():
        if kind != "BOOLEAN":
            values[name] = f"coalesce({text_from_number(quote_name(name), kind)}, {quote_name(name)}::varchar)"
    pairs = ", ".join(f"{quote_text(name)}, {value}" for name, value in values.items())
    return f"json_object({pairs})::varchar"


def _text(name: str, kind: str) -> str:
    """A value as text; bytes are text where they are UTF-8, as many writers leave a string column."""
    if kind != "BLOB":
        return f"{quote_name(name)}::varchar"
    return f"coalesce(try(decode({quote_name(name)})), {quote_name(name)}::varchar)"


def _no_text(binary: Sequence[str]) -> str:
    """The column with the reason why a record's bytes are no text."""
    if not binary:
        return ""
    whens = "".join(
        f" when {quote_name(name)} is not null and try(decode({quote_name(name)})) is null "
        f"then {quote_text(f'the bytes of {name} are not UTF-8 text')}"
        for name in binary
    )
    return f", case{whens} end as _no_text"
