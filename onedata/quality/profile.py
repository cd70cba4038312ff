"""Profile of one delivery: volume, and per column missing, distinct and most frequent values. Kept in ops.profile.

Rows and nulls are exact and come from the metadata of the Parquet files. The rest comes from a sample of about
`SAMPLE_ROWS` rows in blocks spread over the source file by row number, so that the same delivery has the same profile
however its rows were grouped, ordered or written.
"""

import math
from collections.abc import Sequence
from datetime import date

import duckdb
import polars as pl

from onedata.contracts.model import Column, Feed
from onedata.ledger.belongings import add, remove
from onedata.ledger.paths import staged_files
from onedata.readers.base import file_literal
from onedata.settings import Settings
from onedata.sql import transaction

SAMPLE_ROWS = 20_000
BLOCKS = 5
MOST_VALUES = 50  # of a text column whose values are listed
REPEATED = 0.1  # and the largest share of different values it may have
QUANTILES = {"p05": 0.05, "p25": 0.25, "p50": 0.5, "p75": 0.75, "p95": 0.95}
TIMES, TEXTS = ("date", "timestamp"), ("text", "boolean")
Metric = tuple[str, str, str, float]


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
            metrics += _describe(sample[column.name].drop_nulls(), column, ds)
    con.register("new_profile", pl.DataFrame(metrics, ["column_name", "metric", "bucket", "value"], orient="row"))
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


def _describe(values: pl.Series, column: Column, ds: date) -> list[Metric]:
    """Metrics of one column of the sample: share of distinct values, quantiles, and shares of values or size
    classes."""
    if values.is_empty():
        return []
    different = values.n_unique()
    metrics: list[Metric] = [(column.name, "distinct_share", "", different / len(values))]
    if column.classification != "public":
        return metrics
    if column.type in TEXTS:
        few = different <= min(MOST_VALUES, REPEATED * len(values))
        counts = values.cast(pl.String).value_counts().iter_rows() if few else ()
        return metrics + [(column.name, "share", value, count / len(values)) for value, count in counts]
    numbers = _numbers(values, column, ds)
    finite = numbers.filter(numbers.is_finite())
    metrics += [
        (column.name, name, "", float(finite.quantile(at, "linear") or 0))
        for name, at in QUANTILES.items()
        if len(finite)
    ]
    return metrics + [(column.name, "share", bucket, count / len(values)) for bucket, count in _size_classes(numbers)]


def _numbers(values: pl.Series, column: Column, ds: date) -> pl.Series:
    """The values as numbers: times as hours before the end of the night, so that nights can be compared."""
    if column.type in TIMES:
        # As stored, days or microseconds since 1970: Polars does not support every day that DuckDB supports.
        stored = values.to_physical().cast(pl.Float64)
        days = (ds - date(1970, 1, 1)).days + 1
        return (days - stored) * 24 if column.type == "date" else (days * 8.64e10 - stored) / 3.6e9
    return values.cast(pl.Float64)


def _size_classes(numbers: pl.Series) -> list[tuple[str, int]]:
    """Each size class with its count, named by its smallest number: half a power of two wide, relative like the buckets
    of DDSketch (Masson, Rim and Lee 2019)."""
    exponents = (2 * numbers.abs().log(2)).floor()
    classes = pl.DataFrame({"sign": numbers.sign(), "exponent": exponents}).group_by("sign", "exponent").len()
    return [(_named(sign, exponent), count) for sign, exponent, count in classes.iter_rows()]


def _named(sign: float, exponent: float) -> str:
    return (
        "0"
        if sign == 0
        else f"{sign * 2 ** (exponent / 2):.4g}"
        if math.isfinite(exponent) and not math.isnan(sign)
        else "not finite"
    )
