"""Profile of one delivery: volume, and per column missing, distinct and most frequent values. Kept in ops.profile.

Rows and nulls are exact and come from the metadata of the Parquet files. The rest comes from a sample of about
`SAMPLE_ROWS` rows in blocks spread over the source file by row number, so that the same delivery has the same profile
however its rows were grouped, ordered or written.
"""

from collections.abc import Sequence
from datetime import date
from pathlib import Path

import duckdb

from onedata.contracts.model import Feed
from onedata.ledger.belongings import add, remove
from onedata.ledger.lake import ods_rows
from onedata.ledger.paths import staged_files
from onedata.readers.base import file_literal
from onedata.settings import Settings
from onedata.sql import transaction

SAMPLE_ROWS = 20_000
BLOCKS = 5


def staged_relation(con: duckdb.DuckDBPyConnection, settings: Settings, feed: Feed, batches: Sequence[str]) -> str:
    """SQL of the staged rows of some deliveries."""
    return _rows(con, settings, feed, _files(settings, feed, batches))


def staged_parts(con: duckdb.DuckDBPyConnection, settings: Settings, feed: Feed, batches: Sequence[str]) -> list[str]:
    """SQL of the staged rows of some deliveries, file by file."""
    return [_rows(con, settings, feed, [file]) for file in _files(settings, feed, batches)]


def _rows(con: duckdb.DuckDBPyConnection, settings: Settings, feed: Feed, files: Sequence[Path]) -> str:
    """SQL of the rows of some files, as they are where all of them hold every column that the contract maps now: DuckDB
    answers a count of such a file from its metadata, and reads a dictionary in place of the rows."""
    listed = ", ".join(map(file_literal, files))
    mapped = {item.column.name for item in feed.fields}
    held = con.execute(
        f"select name from parquet_schema([{listed}]) group by name having count(distinct file_name) = ?", [len(files)]
    )
    if mapped.issubset(name for (name,) in held.fetchall()):
        return f"read_parquet([{listed}], hive_partitioning = false)"
    return ods_rows(settings, feed.entity, files)


def _files(settings: Settings, feed: Feed, batches: Sequence[str]) -> list[Path]:
    return [file for batch in batches for file in staged_files(settings, feed.name, batch)]


def profile_delivery(con: duckdb.DuckDBPyConnection, settings: Settings, feed: Feed, ds: date, batch: str) -> int:
    """Write the profile of a staged delivery into ops.profile, replacing an existing one.

    Values are listed for public columns only: no name, number or id of a person is stored here.

    Returns:
        The number of rows of the delivery.
    """
    from onedata.quality.sampled import Metric, as_frame, describe  # loads Polars, which few commands need

    relation = staged_relation(con, settings, feed, [batch])
    columns = [item.column for item in feed.fields]
    rows, first, last, nulls = _from_metadata(con, _files(settings, feed, [batch]))
    received = con.execute(
        "select sum(received) from ops.file where feed = ? and batch_id = ? and status = 'landed'", [feed.name, batch]
    ).fetchone()
    assert received is not None
    metrics: list[Metric] = [("", "received", "", float(received[0] or 0)), ("", "rows", "", float(rows))]
    if rows:
        metrics += [(column.name, "null_share", "", nulls.get(column.name, rows) / rows) for column in columns]
        sample = con.execute(_sample(relation, ", ".join(column.name for column in columns), rows, first, last)).pl()
        metrics.append(("", "sample_rows", "", float(sample.height)))
        for column in columns:
            metrics += describe(sample[column.name].drop_nulls(), column, ds)
    con.register("new_profile", as_frame(metrics))
    with transaction(con):
        remove(con, [batch], ("profile",))
        add(
            con, "profile", "select ? as feed, ?::date as ds, ? as batch_id, * from new_profile", [feed.name, ds, batch]
        )
    con.unregister("new_profile")
    return int(rows)


def _from_metadata(con: duckdb.DuckDBPyConnection, files: Sequence[Path]) -> tuple[int, int, int, dict[str, int]]:
    """Rows, first and last row number, nulls by column that the files hold, without reading a value: DuckDB writes them
    for every row group."""
    found = con.execute(
        "select path_in_schema, sum(num_values)::bigint, sum(stats_null_count)::bigint, "
        "min(try_cast(stats_min_value as bigint)), max(try_cast(stats_max_value as bigint)) "
        f"from parquet_metadata([{', '.join(map(file_literal, files))}]) group by 1"
    ).fetchall()
    by_column = {name: rest for name, *rest in found}
    rows, _, first, last = by_column.get("_row", (0, 0, 0, 0))
    return rows, first, last, {name: nulls for name, (_, nulls, *_) in by_column.items()}


def _sample(relation: str, names: str, rows: int, first: int, last: int) -> str:
    """Blocks of rows spread evenly over the file, by row number, so that Parquet skips the row groups in between."""
    if rows <= SAMPLE_ROWS:
        return f"select {names} from {relation}"
    span = last - first + 1
    width = max(1, round(span * SAMPLE_ROWS / rows / BLOCKS))
    starts = [first + (span * (2 * number + 1)) // (2 * BLOCKS) - width // 2 for number in range(BLOCKS)]
    return " union all ".join(
        f"select {names} from {relation} where _row between {start} and {start + width - 1}" for start in starts
    )
