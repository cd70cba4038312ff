"""Ground truth that the pipeline never reads: persons, demand, sales, causes, and expected outcomes.

``persons``, ``identifiers`` and ``identifier_owners`` are one file each; ``lines``, ``touches``, ``demand``,
``answers`` and ``records/<feed>`` one per night. ``totals.json`` is computed from these files only.
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

# A record to be quarantined does not count as delivered. A document whose newest version has one counts for nothing, if
# the record can be read as far as its id: of one that a file's end cuts off, or of another encoding, nothing is known.
_READ = "bool_or(coalesce(expected, 'accept') <> 'quarantine')"
_KNOWN = "bool_or(coalesce(defect, '') not in ('truncated', 'bad_encoding'))"
_SEEN = f"""
create temp table seen as
with versions as (
    select 'shop' as source, split_part(key, '/', 1) as document, split_part(key, '/', 2)::int as version, {_READ}
        as is_read
    from read_parquet('{{truth}}/records/shop_orders/*.parquet') where defect is distinct from 'truncated' group by all
    union all
    select 'pos', key, 1, {_READ} from read_parquet('{{truth}}/records/pos_transactions/*.parquet') group by key
), whole as (
    select source, document, max(version) as version, arg_max(is_read, version) as is_read,
           bool_or(is_read) as was_read
    from versions group by all
), head as (
    select source, document from whole
    union all
    select 'pos', key from read_parquet('{{truth}}/records/pos_tickets_eu/*.parquet') group by key having {_READ}
), single as (
    select 'pos' as source, left(key, length(key) - strpos(reverse(key), '/')) as document, split_part(key, '/',
        -1)::bigint as line_no, {_READ} as is_read, {_KNOWN} as is_known
    from read_parquet('{{truth}}/records/pos_ticket_lines_eu/*.parquet') group by key
    union all
    select 'logistics', split_part(key, '/', 1), split_part(key, '/', 2)::bigint, {_READ}, {_KNOWN}
    from read_parquet('{{truth}}/records/logistics_returns/*.parquet') group by key
), left_out as (
    select source, document from whole where not is_read
    union
    select source, document from single where is_known and not is_read
    union
    select 'pos', key from read_parquet('{{truth}}/records/pos_tickets_eu/*.parquet') group by key
    having {_KNOWN} and not {_READ}
), refund as (
    select split_part(key, '/', 1) as document, split_part(key, '/', 2) as refund, bool_or(rows > 0) as has_goods
    from read_parquet('{{truth}}/records/shop_refunds/*.parquet') group by key having {_READ}
), seen as (
    select line.*, cancelled_us is not null and (line.source <> 'shop' or coalesce(whole.version, 1) = 2) as
        is_cancelled,
           -- Of a document that two feeds read it is the first line that is broken.
           case when whole.document is not null then whole.was_read or line.line_no > 1
               when line.source = 'refund' then money.refund is not null else coalesce(single.is_read, false) end
               as came,
           -- Goods whose return is not read are given back by their refund.
           line.source = 'refund' or goods.document is not null
               and (left_out.document is not null or not coalesce(single.is_read, false)) as is_refund,
           left_out.document is not null as is_left_out, head.document is not null as head_came,
           -- Money that is paid back on an order that is left out is left out too. A cancellation of which only the
           -- refund was read takes the order's money back.
           original.document is not null as is_of_left_out,
           line.source = 'shop' and cancelled_us is not null and paid.document is not null as is_paid_back
    from read_parquet('{{truth}}/lines/*.parquet', union_by_name = true) as line
    left join whole on whole.source = line.source and whole.document = line.document
    left join head on head.source = line.source and head.document = line.document
    left join single on single.source = line.source and single.document = line.document
        and single.line_no = line.line_no
    left join left_out on left_out.source = line.source and left_out.document = line.document
    left join refund as money on line.source = 'refund' and money.refund = line.document
    left join (select distinct document from refund where has_goods) as goods
        on line.source = 'logistics' and goods.document = line.original
    left join (select distinct document from refund where has_goods) as paid
        on line.source = 'shop' and paid.document = line.document
    left join left_out as original on original.source = 'shop' and original.document = line.original
)
select * from seen
"""
_TOTALS = f"""
with counted as (
    select * from seen
    where not is_test and not is_cancelled and not is_paid_back
        and (is_refund and source = 'logistics' or came and not is_left_out) and not (is_refund and is_of_left_out)
-- The tax of a shop's order is on its lines and its postage by amount: rounded down, the cents that are left go to the
-- largest remainders, first postage, then by line.
), part as (
    select document, document || line_no as part, net as amount, order_tax from counted
    where source = 'shop' and not is_return
    union all
    select document, '', max(postage), max(order_tax) from counted where source = 'shop' and not is_return
    group by document having max(postage) > 0
), weighed as (
    select *, order_tax * amount as product, nullif(sum(amount) over (partition by document), 0) as total from part
), floored as (
    select *, product // total as cents,
           row_number() over (partition by document order by product % total desc, part) as place
    from weighed
), line_tax as (
    select document, part, cents + if(place <= order_tax - sum(cents) over (partition by document), 1, 0) as tax
    from floored
), order_tax as (
    select l.document, sum(l.net) as net, sum(tax) as tax from counted as l join line_tax as t
    on t.document = l.document and part = l.document || line_no
    where source = 'shop' and not is_return group by l.document
-- What is given back has its part of the order's tax, rounded on the running total: goods first, then money.
), given as (
    select source, document, line_no, original, currency, is_refund, -net as net,
           sum(-net) over (partition by original, currency order by is_refund, if(is_refund and source <> 'refund',
               at_us + 72000000000, at_us), source, document, line_no::varchar rows unbounded preceding) as so_far
    from counted where is_return
), given_tax as (
    select g.source, g.document, g.line_no,
           (2 * o.tax * so_far + o.net) // (2 * o.net) - (2 * o.tax * (so_far - g.net) + o.net) // (2 * o.net) as tax
    from given as g join order_tax as o on o.document = g.original
), taxed as (
    select counted.*, case when is_return then net + coalesce(given_tax.tax, 0) else net - coalesce(line_tax.tax, 0) end
        as untaxed
    from counted
    left join line_tax on counted.source = 'shop' and line_tax.document = counted.document
        and part = counted.document || counted.line_no
    left join given_tax on given_tax.source = counted.source and given_tax.document = counted.document
        and given_tax.line_no = counted.line_no
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
           bool_or(not (is_test or is_cancelled or is_return)) as is_order,
           bool_or(head_came and not is_left_out) as head_came
    from seen group by channel, currency, night, source, document
), delivered as (
    select channel, sum(net::bigint * rate) as net, sum(untaxed::bigint * rate) as untaxed
    from taxed asof left join rate_delivered on rate_delivered.currency = taxed.currency and night >= rate_delivered.day
    group by channel
)
select told.channel, sum(told.net::bigint * rate.rate), max(delivered.net),
       count(*) filter (where is_order), count(*) filter (where is_order and head_came), max(untaxed)
from told asof left join rate on rate.currency = told.currency and night >= rate.day
left join delivered on delivered.channel = told.channel
group by told.channel order by told.channel
"""
_UNSETTLED = """
select currency, coalesce(sum(net) filter (where not is_test and came and is_left_out), 0)::bigint
from seen group by currency order by currency
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
    for name, rows in (
        ("lines", truth.lines),
        ("touches", truth.touches),
        ("demand", truth.demand),
        ("answers", truth.answers),
    ):
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
        con.execute(_SEEN.format(truth=str(folder).replace("'", "''")))
        rows = con.execute(_TOTALS.format(truth=str(folder).replace("'", "''"))).fetchall()
        unsettled = con.execute(_UNSETTLED).fetchall()
    told = {
        "settings": {**asdict(settings), "start": settings.start.isoformat()},
        "definition": "net revenue = quantity x unit price - discount, returns negative, where the line happened, less "
        "money paid back without goods; without test, training, void and cancelled; shipping apart; in CNY by the rate "
        "of the day, or of the last day before it. *_delivered: without records that never came or should be "
        "quarantined, rates too, and without documents of which such a record is the newest; goods whose return was "
        "not read are given back by their refund. *_untaxed_delivered: the same without the tax that the shop's orders "
        "name. net_unsettled: lines of documents that are left out, by currency, cancelled ones too",
        "feeds": {name: asdict(count) for name, count in sorted(counts.items())},
        "net_revenue": _by_channel(rows, 1),
        "net_revenue_delivered": _by_channel(rows, 2),
        "net_revenue_untaxed_delivered": _by_channel(rows, 5),
        "net_unsettled": {currency: str(Decimal(net) / 100) for currency, net in unsettled},
        "orders": {row[0]: row[3] for row in rows},
        "orders_delivered": {row[0]: row[4] for row in rows},
        "defects": dict(sorted(defects.items())),
        "held_at_the_end": dict(held.group_by("feed").len().sort("feed").iter_rows()),
    }
    (folder / "totals.json").write_text(json.dumps(told, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")


def _by_channel(rows: list[tuple[str, Decimal, Decimal, int, int, Decimal]], column: int) -> dict[str, str]:
    """Amounts by channel in CNY, as decimal strings."""
    return {row[0]: str((Decimal(row[column]) / 100).quantize(Decimal("0.0001"))) for row in rows}
