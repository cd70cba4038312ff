"""Parquet: columns by name, as text like every other format's."""

from collections.abc import Sequence

import duckdb

from onedata.contracts.model import Feed
from onedata.readers.base import Drift, FileProblem, Reading, SourceFile, check_columns, escape_glob
from onedata.sql import quote_name, quote_text


def read_parquet(con: duckdb.DuckDBPyConnection, feed: Feed, files: Sequence[SourceFile]) -> Reading:
    """See `Reading`. A truncated file has no footer and is a problem."""
    problems: list[FileProblem] = []
    drifts: list[Drift] = []
    columns: dict[int, tuple[str, ...]] = {}
    queries: list[str] = []
    for file in files:
        source = f"read_parquet({quote_text(escape_glob(str(file.path)))}, hive_partitioning=false)"
        try:
            found = [str(row[0]) for row in con.execute(f"describe select * from {source}").fetchall()]
        except duckdb.Error as error:
            problems.append(FileProblem(file, f"the file cannot be read as Parquet: {str(error).splitlines()[0]}. Ask for it again."))
            continue
        refusal, more = check_columns(feed, file, found)
        drifts += more
        if refusal:
            problems.append(FileProblem(file, refusal))
        else:
            columns[file.number] = tuple(found)
            queries.append(_query(feed, file, source, found))
    return Reading(" union all ".join(queries) or None, problems, columns, drifts)


def _query(feed: Feed, file: SourceFile, source: str, found: Sequence[str]) -> str:
    fields = ", ".join(f"{quote_name(name) if name in found else 'null'}::varchar as {quote_name(name)}" for name in feed.source_fields)
    return f"select {file.number}::integer as _file_number, to_json(r)::varchar as _raw, null::varchar as _broken, {fields} from {source} r"
