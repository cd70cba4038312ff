"""Parquet: columns by name. Numbers, days, times and booleans keep their type; everything else becomes text, as in the
other formats."""

import re
from collections.abc import Mapping, Sequence

import duckdb

from onedata.contracts.model import Feed
from onedata.readers.base import FileProblem, Part, Reading, SourceFile, check_columns, file_literal
from onedata.sql import json_of, quote_name

NATIVE = re.compile(
    r"(TINY|SMALL|BIG|U|UTINY|USMALL|UBIG)?INT(EGER)?|DECIMAL\(\d+,\d+\)|DOUBLE|DATE|BOOLEAN|TIMESTAMP( WITH TIME "
    r"ZONE)?"
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
        refusal, drifts = check_columns(feed, file, list(found))
        reading.drifts += drifts
        if refusal:
            reading.problems.append(FileProblem(file, refusal))
        else:
            reading.columns[file.number] = tuple(found)
            reading.column_types[file.number] = found
            reading.parts.append(_part(feed, file, found))
    return reading


def _part(feed: Feed, file: SourceFile, found: Mapping[str, str]) -> Part:
    types = {name: kind for name, kind in found.items() if NATIVE.fullmatch(kind)}
    text = ", ".join(f"{quote_name(name)}::varchar as {quote_name(name)}" for name in found if name not in types)
    absent = "".join(f", null::varchar as {quote_name(name)}" for name in feed.source_fields if name not in found)
    query = (
        f"select * {f'replace ({text})' if text else ''}{absent}, file_row_number + 1 as _row "
        f"from read_parquet({file_literal(file.path)}, file_row_number=true, hive_partitioning=false)"
    )
    added = [name for name in found if name not in feed.known_fields]
    return Part(file, query, raw=json_of(list(found)), extra=json_of(added) if added else None, types=types)
