"""Trends: compare a night's profile with a band around the profiles of the same feed's trailing 28 days.

All deliveries of a night are judged together, against earlier nights only, so that any grouping of nights into runs
gives the same results. The band is median +- 6 x 1.4826 x MAD (the robust z-score of Iglewicz and Hoaglin, How to
Detect and Handle Outliers, 1993; 6 because a night has hundreds of these tests), never narrower than a floor: half to
double the volume, 2 points of null share, 10 points of distinct share, and an allowance for chance. Distributions are
compared by the Jensen-Shannon distance (Lin, Divergence measures based on the Shannon entropy, IEEE Trans. Inf. Theory
37, 1991; its root is a metric: Endres and Schindelin 2003) of the night's shares from the mean shares of those nights:
0 is equal, 1 has nothing in common; the floor 0.2 is about a population stability index of 0.2.
"""

from collections.abc import Mapping, Sequence
from datetime import date, timedelta
from typing import Any

import duckdb

from onedata.contracts.model import Feed, Trends
from onedata.contracts.words import bound
from onedata.ledger.trends import add_trends, forget_trends
from onedata.quality.results import CheckResult

TRAILING_DAYS = 28
FEWEST_NIGHTS = 7
FEWEST_ROWS = 30  # a night with fewer is judged only by its volume
SHOWN = 3
FAR = "abs(value - middle) / greatest(case when value > middle then high - middle else middle - low end, 1e-9)"
DESCRIPTIONS = {
    "received": "rows received, compared with the nights before",
    "rows": "rows accepted, compared with the nights before",
    "null_share": "share of missing values of each column, compared with the nights before",
    "distinct_share": "share of distinct values of each column, compared with the nights before",
    "distribution": "distribution of the values of each column, compared with the nights before",
}

# Every night's profile over all its deliveries: shares are weighted by the rows of their delivery.
NIGHTS = f"""
with history as (
    select p.ds, p.column_name, p.metric, p.bucket, p.value, w.value as weight
    from ops.profile as p
    inner join ops.delivery as d on p.batch_id = d.batch_id and d.status <> 'refused'
    inner join ops.profile as w on p.batch_id = w.batch_id and w.column_name = '' and w.metric = 'rows'
    where p.feed = $feed and p.ds between $first::date - {TRAILING_DAYS} and $last::date
),
night as (
    select ds, sum(value) filter (metric = 'rows') as rows, sum(value) filter (metric = 'sample_rows') as sample_rows
        from history group by ds
),
missing as (
    select ds, column_name, sum(value * weight) / sum(weight) as p from history where metric = 'null_share'
        and weight > 0 group by all
),
target as (select distinct ds from history where ds in (select unnest($nights::date[]))),
"""
SCALARS = f"""
scalar as (
    select ds, '' as column_name, metric, sum(value) as value from history where metric in ('received', 'rows')
        group by all
    union all
    select ds, column_name, metric, sum(value * weight) / sum(weight) from history inner join night using (ds)
    where metric in ('null_share', 'distinct_share') and night.rows >= {FEWEST_ROWS} group by all
),
compared as (
    select
        s.ds, s.column_name, s.metric, s.value, median(r.value) as middle, 6 * 1.4826 * mad(r.value) as spread,
            count(*) as nights,
        any_value(night.rows * case s.metric when 'distinct_share' then 1 - coalesce(missing.p, 0) else 1 end) as n
    from scalar as s
    inner join target using (ds)
    inner join night using (ds)
    inner join scalar as r on s.column_name = r.column_name and s.metric = r.metric
        and r.ds between s.ds - {TRAILING_DAYS} and s.ds - 1
    left join missing on s.ds = missing.ds and s.column_name = missing.column_name
    group by all having count(*) >= {FEWEST_NIGHTS}
)
select
    ds, column_name, metric, value, middle, nights,
    case metric
        when 'null_share' then greatest(0, middle - $tolerance * greatest(0.02 + chance, spread))
        when 'distinct_share' then greatest(0, middle - $tolerance * greatest(0.1 + chance, spread))
        else greatest(0, least(middle / (1 + $tolerance), middle - $tolerance * greatest(4 * sqrt(middle), spread)))
    end as low,
    case metric
        when 'null_share' then least(1, middle + $tolerance * greatest(0.02 + chance, spread))
        when 'distinct_share' then least(1, middle + $tolerance * greatest(0.1 + chance, spread))
        else greatest(middle * (1 + $tolerance), middle + $tolerance * greatest(4 * sqrt(middle), spread))
    end as high
from (select *, case when n > 0 then 4 * sqrt(least(greatest(middle, 1 / n), 0.5) * (1 - least(greatest(middle, 1 / n),
    0.5)) / n) end as chance from compared)
"""
DISTRIBUTIONS = f"""
share as (
    select ds, column_name, bucket, value / sum(value) over (partition by ds, column_name) as p
    from (
        select ds, column_name, bucket, sum(value * weight) as value from history inner join night using (ds)
        where metric = 'share' and night.rows >= {FEWEST_ROWS} group by all
    )
),
reference as (
    select *, count(*) over (partition by ds, column_name) as buckets
    from (
        select t.ds, r.column_name, r.bucket, sum(r.p) / any_value(n.nights) as q, any_value(n.nights) as nights
        from target as t
        inner join share as r on r.ds between t.ds - {TRAILING_DAYS} and t.ds - 1
        inner join (
            select t.ds, s.column_name, count(distinct s.ds) as nights
            from target as t inner join share as s on s.ds between t.ds - {TRAILING_DAYS} and t.ds - 1
            group by all having count(distinct s.ds) >= {FEWEST_NIGHTS}
        ) as n on n.ds = t.ds and n.column_name = r.column_name
        group by all
    )
),
-- A bucket that only one side has adds half its share, so those that both have are enough.
divergence as (
    select
        t.ds, x.column_name, x.ds as other, any_value(r.nights) as nights, any_value(r.buckets) as buckets,
        sum(coalesce(0.5 * x.p * log2(2 * x.p / (x.p + r.q)) + 0.5 * r.q * log2(2 * r.q / (x.p + r.q)) - 0.5 * x.p -
            0.5 * r.q, 0)) + 1 as bits
    from target as t
    inner join share as x on x.ds between t.ds - {TRAILING_DAYS} and t.ds
    inner join (select distinct ds, column_name from reference) as judged on judged.ds = t.ds
        and judged.column_name = x.column_name
    left join reference as r on r.ds = t.ds and r.column_name = x.column_name and r.bucket = x.bucket
    group by all
),
distance as (select ds, column_name, other, nights, buckets, sqrt(least(greatest(bits, 0), 1)) as d from divergence),
usual as (
    select ds, column_name, max(nights) as nights, max(buckets) as buckets, median(d) as middle, 6 * 1.4826 * mad(d) as
        spread
    from distance where other < ds group by all
)
select
    u.ds, u.column_name, 'distribution' as metric, d.d as value, u.middle, u.nights, 0.0 as low,
    -- The second term is chance: the expected divergence of a sample of n rows is about (buckets - 1) / (8 n ln 2)
    -- bits.
    greatest(
        0.2 * $tolerance + 2 * sqrt(u.buckets / (8 * ln(2) * greatest(night.sample_rows * (1 - coalesce(missing.p, 0)),
            1))),
        u.middle + $tolerance * u.spread
    ) as high
from usual as u
inner join distance as d on d.ds = u.ds and d.column_name = u.column_name and d.other = u.ds
inner join night on night.ds = u.ds
left join missing on missing.ds = u.ds and missing.column_name = u.column_name
"""


def judge_trends(con: duckdb.DuckDBPyConnection, feed: Feed, nights: Sequence[date]) -> list[CheckResult]:
    """Compare the given nights of the feed, write the comparison into ops.trend, and return one result per kind of
    trend.

    Returns:
        Empty if the contract switches trends off; one passed result if there are too few nights to compare with.
    """
    if feed.trends is None or not nights:
        return []
    text = f"fewer than {FEWEST_NIGHTS} nights in the {TRAILING_DAYS} days before: not judged yet"
    young = CheckResult(
        "contract", feed.name, "trends", feed.trends.severity, True, "", text, "", "compared with the nights before"
    )
    known = con.execute(
        "select count(distinct ds) from ops.profile where feed = ? and ds < ?", [feed.name, max(nights)]
    ).fetchone()
    if known is None or known[0] < FEWEST_NIGHTS:
        return [young]
    _compare(con, feed, feed.trends.tolerance, nights)
    found = con.execute(
        "select metric, list({'ds': ds, 'column': column_name, 'value': value, 'low': low, 'high': high, 'middle': "
        f"middle, 'nights': nights, 'holds': holds}} order by holds, {FAR} desc, ds, column_name)[1:{SHOWN}], "
        "count(*), count(*) filter (not holds) from ops.trend where feed = ? "
        "and ds in (select unnest(?::date[])) group by metric",
        [feed.name, list(nights)],
    ).fetchall()
    if not found:
        return [young]
    order = list(DESCRIPTIONS)
    return [_result(feed.name, feed.trends, *row) for row in sorted(found, key=lambda row: order.index(row[0]))]


def _result(
    feed: str, trends: Trends, metric: str, first: Sequence[Mapping[str, Any]], judged: int, outside: int
) -> CheckResult:
    """`first` are those furthest from the median, relative to their band."""
    text, worst = DESCRIPTIONS[metric], first[0]
    message = f"{text}: {judged} judged"
    if outside:
        more = f"; {outside} in all" if outside > SHOWN else ""
        fix = (
            " If that is how the source is from now on, widen `trends` in the contract or switch it off."
            if trends.severity == "error"
            else ""
        )
        message = "; ".join(_in_words(metric, item) for item in first if not item["holds"]) + f"{more}.{fix}"
    expected = bound(_rounded(worst["low"]), _rounded(worst["high"]))
    observed = f"{_rounded(worst['value']):g}"
    return CheckResult(
        "contract", feed, f"trend_{metric}", trends.severity, not outside, observed, message, expected, text
    )


def trend_lines(con: duckdb.DuckDBPyConnection, feed: str, night: date) -> list[tuple[str, str, str, str, str, str]]:
    """Rows for display: column, metric, the night's value, the expected value, whether it holds, and bars over the 28
    days up to the night."""
    rows = con.execute(
        "select column_name, metric, value, low, high, holds from ops.trend where feed = ? and ds = ? order by holds, "
        "column_name <> '', metric, column_name",
        [feed, night],
    ).fetchall()
    pictures = _bars(con, feed, night) if rows else {}
    return [
        (
            column,
            metric,
            f"{_rounded(value):g}",
            bound(_rounded(low), _rounded(high)),
            "yes" if holds else "NO",
            pictures.get((column, metric), ""),
        )
        for column, metric, value, low, high, holds in rows
    ]


def _compare(con: duckdb.DuckDBPyConnection, feed: Feed, tolerance: float, nights: Sequence[date]) -> None:
    values = {
        "feed": feed.name,
        "first": min(nights),
        "last": max(nights),
        "nights": list(nights),
        "tolerance": tolerance,
    }
    forget_trends(con, feed.name, nights)
    for question in (SCALARS, DISTRIBUTIONS):
        add_trends(
            con,
            "select $feed as feed, ds, column_name, metric, value, middle, low, high, nights, "
            f"value between low - 1e-9 and high + 1e-9 as holds from ({NIGHTS}{question})",
            values,
        )


def _bars(con: duckdb.DuckDBPyConnection, feed: str, night: date) -> dict[tuple[str, str], str]:
    rows = con.execute(
        "select column_name, metric, list(value order by ds) from (select p.ds, column_name, metric, "
        "avg(value) as value from ops.profile p "
        "join ops.delivery d using (batch_id) where p.feed = ? and p.ds between ? and ? and metric in ('received', "
        "'rows', 'null_share', 'distinct_share') "
        "and d.status <> 'refused' group by all) group by all",
        [feed, night - timedelta(days=TRAILING_DAYS), night],
    ).fetchall()
    return {(column, metric): bars(values) for column, metric, values in rows}


def bars(values: Sequence[float]) -> str:
    """A bar chart of some values in one line of text, from 0 to the largest."""
    top = max(values, default=0) or 1
    return "".join("▁▂▃▄▅▆▇█"[min(7, max(0, int(8 * value / top)))] for value in values)


def _in_words(metric: str, item: Mapping[str, Any]) -> str:
    low, high, value, middle = (_rounded(item[name]) for name in ("low", "high", "value", "middle"))
    name = "distance of the distribution" if metric == "distribution" else metric.replace("_", " ")
    what = f"column {item['column']}: {name}" if item["column"] else f"rows {metric.removeprefix('rows')}".strip()
    return f"{item['ds']}, {what} {value:g}, expected {bound(low, high)} (median of {item['nights']} nights {middle:g})"


def _rounded(value: float) -> float:
    return round(value) if abs(value) >= 100 else float(f"{value:.3g}")
