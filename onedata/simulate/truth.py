"""Ground truth that the pipeline never reads: persons, demand, sales, causes, and expected outcomes.

``persons``, ``identifiers`` and ``identifier_owners`` are one file each; ``lines``, ``touches``, ``demand`` and
``records/<feed>`` one per night. ``totals.json`` is computed from these files only.
"""

from __future__ import annotations

import json
from dataclasses import asdict
from datetime import timedelta
from decimal import Decimal
from pathlib import Path

import duckdb
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq

from onedata.simulate.afterwards import Truth
from onedata.simulate.calendar import Night
from onedata.simulate.deliver import Count, save_parquet
from onedata.simulate.model import SimulationSettings
from onedata.simulate.people import IDENTIFIER_KINDS, People, identifier_owners, identifiers
from onedata.simulate.rates import HISTORY_DAYS, REPORTING, set_between

_PERSONS = (
    "person_no", "household_no", "segment", "market", "city", "country", "lat", "lon", "family", "given", "gender",
    "birth_year", "activity",
    "has_shop", "has_card", "has_social", "home_store", "moved", "consent_marketing", "consent_analytics",
)  # fmt: skip

# A record to be quarantined does not count as delivered; one with several versions does, once one of them is readable.
_READ = "bool_or(coalesce(expected, 'accept') <> 'quarantine')"
_TOTALS = f"""
with whole as (
    select 'shop' as source, split_part(key, '/', 1) as document, max(split_part(key, '/', 2)::int) as version, {_READ}
        as is_read
    from read_parquet('{{truth}}/records/shop_orders/*.parquet') where defect is distinct from 'truncated' group by all
    union all
    select 'pos', key, 1, {_READ} from read_parquet('{{truth}}/records/pos_transactions/*.parquet') group by key
), head as (
    select source, document from whole
    union all
    select 'pos', key from read_parquet('{{truth}}/records/pos_tickets_eu/*.parquet') group by key having {_READ}
), single as (
    select 'pos' as source, left(key, length(key) - strpos(reverse(key), '/')) as document, split_part(key, '/',
        -1)::bigint as line_no, {_READ} as is_read
    from read_parquet('{{truth}}/records/pos_ticket_lines_eu/*.parquet') group by key
    union all
    select 'logistics', split_part(key, '/', 1), split_part(key, '/', 2)::bigint, {_READ}
    from read_parquet('{{truth}}/records/logistics_returns/*.parquet') group by key
), seen as (
    select line.*, cancelled_us is not null and (line.source <> 'shop' or coalesce(whole.version, 1) = 2) as
        is_cancelled,
           -- Of a document that two feeds read it is the first line that is broken.
           case when whole.document is not null then whole.is_read or line.line_no > 1 else coalesce(single.is_read,
               false) end as came,
           head.document is not null as head_came
    from read_parquet('{{truth}}/lines/*.parquet') as line
    left join whole on whole.source = line.source and whole.document = line.document
    left join head on head.source = line.source and head.document = line.document
    left join single on single.source = line.source and single.document = line.document
        and single.line_no = line.line_no
), came_rate as (
    select key from read_parquet('{{truth}}/records/finance_exchange_rates/*.parquet') group by key having {_READ}
), rate as (
    select currency, day, rate from set_rate union all select '{REPORTING}', date '0001-01-01', 1
), rate_delivered as (
    select rate.* from rate left join came_rate on key = concat_ws('/', currency, '{REPORTING}', day)
    where key is not null or currency = '{REPORTING}'
), told as (
    select channel, currency, night,
           coalesce(sum(net) filter (where not is_test and not is_cancelled), 0) as net,
           coalesce(sum(net) filter (where not is_test and not is_cancelled and came), 0) as net_delivered,
           bool_or(not (is_test or is_cancelled or is_return)) as is_order, bool_or(head_came) as head_came
    from seen group by channel, currency, night, source, document
)
select channel, sum(net::bigint * rate.rate), sum(net_delivered::bigint * rate_delivered.rate),
       count(*) filter (where is_order), count(*) filter (where is_order and head_came)
from told asof left join rate on rate.currency = told.currency and night >= rate.day
asof left join rate_delivered on rate_delivered.currency = told.currency and night >= rate_delivered.day
group by channel order by channel
"""


def write_people(people: People, folder: Path, night: Night) -> None:
    """Write people, identifiers and their owners; ``person_no`` -2 is an identifier that several share."""
    save_parquet(people.frame.select(_PERSONS), folder / "persons.parquet", night)
    for name, rows_of in (("identifiers", identifiers), ("identifier_owners", identifier_owners)):
        tables = (rows_of(people, kind).to_arrow(compat_level=pl.CompatLevel.oldest()) for kind in IDENTIFIER_KINDS)
        first = next(tables)
        with pq.ParquetWriter(
            folder / f"{name}.parquet", first.schema, compression="snappy", use_dictionary=["type", "sharing"]
        ) as writer:
            writer.write_table(first)
            for table in tables:
                writer.write_table(table)
    pa.default_memory_pool().release_unused()


def write_night(truth: Truth, night: Night, folder: Path) -> None:
    """Write the ground truth of one night."""
    for name, rows in (("lines", truth.lines), ("touches", truth.touches), ("demand", truth.demand)):
        save_parquet(rows, folder / name / f"{night.ds}.parquet", night)


def write_totals(
    settings: SimulationSettings, folder: Path, counts: dict[str, Count], defects: dict[str, int], held: pl.DataFrame
) -> None:
    """``totals.json``: rows, duplicates and quarantined rows by feed; net revenue and orders by channel, both in total
    and as far as delivered."""
    with duckdb.connect(
        config={"threads": 2, "memory_limit": "400MB", "temp_directory": str(folder.parent / "spill")}
    ) as con:
        days = pl.DataFrame(
            set_between(settings.start - timedelta(days=HISTORY_DAYS), settings.start + timedelta(days=settings.days)),
            schema={"currency": pl.String, "day": pl.Date, "rate": pl.Decimal(18, 8)},
            orient="row",
        )
        con.register("set_rate", days.to_arrow())
        rows = con.execute(_TOTALS.format(truth=str(folder).replace("'", "''"))).fetchall()
    told = {
        "settings": {**asdict(settings), "start": settings.start.isoformat()},
        "definition": "net revenue = quantity x unit price - discount, returns negative, where the line happened; "
        "without test, training, void and cancelled; shipping apart; in CNY by the rate of the day, or of the last day "
        "before it. *_delivered: without records that never came or should be quarantined, rates too",
        "feeds": {name: asdict(count) for name, count in sorted(counts.items())},
        "net_revenue": _by_channel(rows, 1),
        "net_revenue_delivered": _by_channel(rows, 2),
        "orders": {row[0]: row[3] for row in rows},
        "orders_delivered": {row[0]: row[4] for row in rows},
        "defects": dict(sorted(defects.items())),
        "held_at_the_end": dict(held.group_by("feed").len().sort("feed").iter_rows()),
    }
    (folder / "totals.json").write_text(json.dumps(told, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")


def _by_channel(rows: list[tuple[str, Decimal, Decimal, int, int]], column: int) -> dict[str, str]:
    """Amounts by channel in CNY, as decimal strings."""
    return {row[0]: str((Decimal(row[column]) / 100).quantize(Decimal("0.0001"))) for row in rows}
