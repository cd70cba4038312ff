"""What one delivery looks like: volume, and per column missing, different and most frequent values. Kept in ops.profile.

Rows and nulls are exact and come from the metadata of the Parquet files. The rest is taken from a sample of some `SAMPLE_ROWS` rows in blocks
spread over the source file by row number, so that the same delivery has the same profile however its rows were grouped, ordered or written.
"""

import math
from collections.abc import Sequence
from datetime import date, timedelta
from pathlib import Path

import duckdb

from onedata.contracts.model import Column, Feed
from onedata.landing.places import staged_files
from onedata.readers.base import escape_glob
from onedata.settings import Settings
from onedata.sql import quote_text, transaction

SAMPLE_ROWS = 20_000
BLOCKS = 5
MOST_VALUES = 50  # of a text column whose values are listed
REPEATED = 0.1  # and the largest share of different values it may have
QUANTILES = {"p05": 0.05, "p25": 0.25, "p50": 0.5, "p75": 0.75, "p95": 0.95}
NUMBERS, TIMES, TEXTS = ("integer", "decimal", "double"), ("date", "timestamp"), ("text", "boolean")
Metric = tuple[str, str, float]


def staged_relation(settings: Settings, feed: str, batches: Sequence[str], function: str = "read_parquet") -> str:
    """SQL of the staged rows of some deliveries, or what another of DuckDB's functions says of their files."""
    files = [file for batch in batches for file in staged_files(settings, feed, batch)]
    return f"{function}([{', '.join(quote_text(escape_glob(str(file))) for file in files)}])"


def profile_delivery(con: duckdb.DuckDBPyConnection, settings: Settings, feed: Feed, ds: date, batch: str) -> int:
    """Write the profile of a staged delivery into ops.profile, in the place of the one it may have.

    Values are listed for public columns only: no name, number or id of a person is kept here.

    Returns:
        The rows of the delivery.
    """
    relation = staged_relation(settings, feed.name, [batch])
    columns = [item.column for item in feed.fields]
    rows, first, last, nulls = _from_metadata(con, staged_relation(settings, feed.name, [batch], "parquet_metadata"))
    received = con.execute("select sum(received) from ops.file where feed = ? and batch_id = ? and status = 'landed'", [feed.name, batch]).fetchone()
    assert received is not None
    metrics: list[Metric] = [("", "received", float(received[0] or 0)), ("", "rows", float(rows))]
    with transaction(con):
        forget_profiles(con, [batch])
        if rows:
            metrics += [(column.name, "null_share", nulls[column.name] / rows) for column in columns]
            names = ", ".join(column.name for column in columns)
            con.register("profile_sample", con.execute(_sample(relation, names, rows, first, last)).to_arrow_table())
            described = _describe(con, columns, ds)
            metrics += described
            _write_shares(con, feed.name, ds, batch, columns, described)
            con.unregister("profile_sample")
        values = ", ".join(f"({quote_text(column)}, {quote_text(metric)}, {value!r}::double)" for column, metric, value in metrics if math.isfinite(value))
        con.execute(f"insert into ops.profile select ?, ?, ?, c, m, '', v from (values {values}) t(c, m, v)", [feed.name, ds, batch])
    return int(rows)


def _from_metadata(con: duckdb.DuckDBPyConnection, metadata: str) -> tuple[int, int, int, dict[str, int]]:
    """Rows, first and last row number, nulls by column, without reading a value: DuckDB writes them for every row group."""
    found = con.execute(
        "select path_in_schema, sum(num_values)::bigint, sum(stats_null_count)::bigint, "
        "min(try_cast(stats_min_value as bigint)), max(try_cast(stats_max_value as bigint)) "
        f"from {metadata} group by 1"
    ).fetchall()
    by_column = {name: rest for name, *rest in found}
    rows, _, first, last = by_column.get("_row", (0, 0, 0, 0))
    return rows, first, last, {name: nulls for name, (_, nulls, *_) in by_column.items()}


def forget_profiles(con: duckdb.DuckDBPyConnection, batches: Sequence[str]) -> None:
    """Remove the profiles of deliveries that are refused or forgotten."""
    con.execute("delete from ops.profile where batch_id in (select unnest(?::varchar[]))", [list(batches)])


def _sample(relation: str, names: str, rows: int, first: int, last: int) -> str:
    """Blocks of rows spread evenly over the file; by row number, so that Parquet skips the row groups between."""
    if rows <= SAMPLE_ROWS:
        return f"select {names} from {relation}"
    span = last - first + 1
    width = max(1, round(span * SAMPLE_ROWS / rows / BLOCKS))
    starts = [first + (span * (2 * number + 1)) // (2 * BLOCKS) - width // 2 for number in range(BLOCKS)]
    return " union all ".join(f"select {names} from {relation} where _row between {start} and {start + width - 1}" for start in starts)


def _describe(con: duckdb.DuckDBPyConnection, columns: Sequence[Column], ds: date) -> list[Metric]:
    """The sample's size; share of different values among those present, and quantiles of public numbers and times."""
    measured = [column for column in columns if column.classification == "public" and column.type in NUMBERS + TIMES]
    parts = [f"count({column.name}), count(distinct {column.name})" for column in columns]
    parts += [f"quantile_cont({_number(column, ds)}, {list(QUANTILES.values())})" for column in measured]
    found = con.execute(f"select count(*), {', '.join(parts)} from profile_sample").fetchone()
    assert found is not None
    metrics: list[Metric] = [("", "sample_rows", float(found[0]))]
    for number, column in enumerate(columns):
        present, different = found[1 + 2 * number], found[2 + 2 * number]
        if present:
            metrics.append((column.name, "distinct_share", different / present))
    for column, quantiles in zip(measured, found[1 + 2 * len(columns) :], strict=True):
        metrics += [(column.name, name, float(value)) for name, value in zip(QUANTILES, quantiles or (), strict=False)]
    return metrics


def _write_shares(con: duckdb.DuckDBPyConnection, feed: str, ds: date, batch: str, columns: Sequence[Column], described: Sequence[Metric]) -> None:
    size = next(value for _, metric, value in described if metric == "sample_rows")
    different = {column: value for column, metric, value in described if metric == "distinct_share"}
    queries = []
    for column in columns:
        few = different.get(column.name, 1.0) <= min(REPEATED, MOST_VALUES / size)
        if column.classification == "public" and column.name in different and (column.type not in TEXTS or few):
            bucket = f"{column.name}::varchar" if column.type in TEXTS else _size_class(_number(column, ds))
            queries.append(
                f"select '{column.name}' as c, coalesce({bucket}, 'not finite') as b, count(*) / sum(count(*)) over () as v from profile_sample "
                f"where {column.name} is not null group by b"
            )
    if queries:
        con.execute(f"insert into ops.profile select ?, ?, ?, c, 'share', b, v from ({' union all '.join(queries)})", [feed, ds, batch])


def _number(column: Column, ds: date) -> str:
    """The column as a finite number: times as hours before the end of the night, so that nights can be compared."""
    if column.type in TIMES:
        end = f"timestamp '{ds + timedelta(days=1)} 00:00:00'"
        return f"case when isfinite({column.name}) then (epoch({end}) - epoch({column.name})) / 3600.0 end"
    value = f"{column.name}::double"
    return f"case when isfinite({value}) then {value} end"


def _size_class(value: str) -> str:
    """The smallest number of the size class: half a power of two, as relative as the buckets of DDSketch (Masson, Rim and Lee 2019)."""
    size = f"sign({value}) * pow(2, floor(2 * log2(abs(nullif({value}, 0)))) / 2)"
    return f"printf('%.4g', coalesce({size}, {value}))"
