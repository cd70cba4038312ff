"""Metrics of the sampled values of one column, for the profile of a delivery."""

import math
from collections.abc import Sequence
from datetime import date

import polars as pl

from onedata.contracts.model import Column

MOST_VALUES = 50  # of a text column whose values are listed
REPEATED = 0.1  # and the largest share of different values it may have
QUANTILES = {"p05": 0.05, "p25": 0.25, "p50": 0.5, "p75": 0.75, "p95": 0.95}
TIMES, TEXTS = ("date", "timestamp"), ("text", "boolean")
Metric = tuple[str, str, str, float]


def as_frame(metrics: Sequence[Metric]) -> pl.DataFrame:
    """One row per metric, as ops.profile has them."""
    return pl.DataFrame(metrics, ["column_name", "metric", "bucket", "value"], orient="row")


def describe(values: pl.Series, column: Column, ds: date) -> list[Metric]:
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
