"""Profile of one delivery: volume, and per column missing, distinct and most frequent values. Kept in ops.profile.

Rows and nulls are exact and come from the metadata of the Parquet files. The rest comes from a sample of about
`SAMPLE_ROWS` rows in blocks spread over the source file by row number, so that the same delivery has the same profile
however its rows were grouped, ordered or written.
"""

from collections.abc import Sequence
from datetime import date

import duckdb

from onedata.contracts.model import Feed
from onedata.ledger.belongings import add, remove
from onedata.ledger.paths import staged_files
from onedata.readers.base import file_literal
from onedata.settings import Settings
from onedata.sql import transaction

SAMPLE_ROWS = 20_000
BLOCKS = 5


def staged_relation(settings: Settings, feed: str, batches: Sequence[str], function: str = "read_parquet") -> str:
    """SQL of the staged rows of some deliveries, or of another DuckDB function on their files."""
    files = [file for batch in batches for file in staged_files(settings, feed, batch)]
    return f"{function}([{', '.join(map(file_literal, files))}])"


def staged_parts(settings: Settings, feed: str, batches: Sequence[str]) -> list[str]:
    """SQL of the staged rows of some deliveries, file by file."""
    return [f"read_parquet({file_literal(file)})" for batch in batches for file in staged_files(settings, feed, batch)]


def profile_delivery(con: duckdb.DuckDBPyConnection, settings: Settings, feed: Feed, ds: date, batch: str) -> int:
    """Write the profile of a staged delivery into ops.profile, replacing an existing one.

    Values are listed for public columns only: no name, number or id of a person is stored here.

    Returns:
        The number of rows of the delivery.
    """
    from onedata.quality.sampled import Metric, as_frame, describe  # loads Polars, which few commands need

    relation = staged_relation(settings, feed.name, [batch])
    columns = [item.column for item in feed.fields]
    rows, first, last, nulls = _from_metadata(con, staged_relation(settings, feed.name, [batch], "parquet_metadata"))
    received = con.execute(
        "select sum(received) from ops.file where feed = ? and batch_id = ? and status = 'landed'", [feed.name, batch]
    ).fetchone()
    assert received is not None
    metrics: list[Metric] = [("", "received", "", float(received[0] or 0)), ("", "rows", "", float(rows))]
    if rows:
        metrics += [(column.name, "null_share", "", nulls[column.name] / rows) for column in columns]
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


def _from_metadata(con: duckdb.DuckDBPyConnection, metadata: str) -> tuple[int, int, int, dict[str, int]]:
    """Rows, first and last row number, nulls by column, without reading a value: DuckDB writes them for every row
    group."""
    found = con.execute(
        "select path_in_schema, sum(num_values)::bigint, sum(stats_null_count)::bigint, "
        "min(try_cast(stats_min_value as bigint)), max(try_cast(stats_max_value as bigint)) "
        f"from {metadata} group by 1"
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
