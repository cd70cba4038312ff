"""What the pipeline never reads: who is who, what was really sold, and what should come of the defects."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import asdict
from decimal import Decimal
from pathlib import Path

import duckdb

from onedata.simulate.model import Defect, SimulationSettings

# One row an identifier; e-mail in lower case, phone as + and digits. A phone of a household has two owners.
PERSONS = """
select distinct person_id, segment, source, type, value from (
    select person_id, segment, 'shop' as source, unnest([
        {type: 'account', value: account_id::text}, {type: 'email', value: email}, {type: 'phone', value: phone},
        {type: 'cookie', value: cookies[1]}, {type: 'cookie', value: cookies[2]}], recursive := true) from person
        where has_shop
    union all
    select person_id, segment, 'pos', unnest([
        {type: 'loyalty', value: card}, {type: 'email', value: lower(card_email)},
        {type: 'phone', value: card_phone}],
        recursive := true) from person where has_card
    union all select person_id, segment, 'social', 'social', union_id from person where has_social
) where value is not null order by person_id, source, type, value
"""

# One row an order, ticket or return document, as known at the end of the last night.
ORDERS = """
create view truth_order as
select person_id, 'shop' as source, order_id::text as order_id, channel, d,
       case when is_test or cancelled then 0 else net end as net_revenue,
       is_test, cancelled as is_cancelled, false as is_return
from shop_order join basket using (visit_no)
union all
select person_id, 'pos', ticket_id, 'store', till.d,
       case when training or cancelled then 0 when till.kind = 'return' then -amount
       else amount end, training, cancelled, till.kind = 'return'
from till join person using (person_no)
join (select visit_no, lower(kind) as kind, sum(case when void then 0 else net end) as amount
    from till_line group by all) as item
    on item.visit_no = till.visit_no and item.kind = till.kind
union all
select person_id, 'logistics', 'RMA-' || (700000 + visit_no), channel, d, -sum(net), false, false, true
from returned join person using (person_no) where not in_store group by all
"""


def write_truth(
    connection: duckdb.DuckDBPyConnection,
    settings: SimulationSettings,
    folder: Path,
    rows: dict[str, list[int]],
    defects: tuple[Defect, ...],
) -> None:
    """Write ``persons.parquet``, ``orders.parquet`` and ``totals.json`` (amounts in CNY, as decimal strings)."""
    folder.mkdir()
    connection.execute(ORDERS)
    orders = (
        "select * exclude (d, net_revenue), night(d) as business_date, net_revenue::decimal(18, 2) as net_revenue "
        "from truth_order order by business_date, source, order_id"
    )
    for name, select in (("persons", PERSONS), ("orders", orders)):
        target = str(folder / f"{name}.parquet").replace("'", "''")
        connection.execute(f"copy ({select}) to '{target}' (format parquet)")
    (folder / "totals.json").write_text(json.dumps(_totals(connection, settings, rows, defects), indent=2) + "\n", encoding="utf-8")


def _totals(
    connection: duckdb.DuckDBPyConnection,
    settings: SimulationSettings,
    rows: dict[str, list[int]],
    defects: tuple[Defect, ...],
) -> dict[str, object]:
    by_channel = connection.execute(
        "select channel, sum(net_revenue)::decimal(18, 2), "
        "count(*) filter (where not (is_test or is_cancelled or is_return)) "
        "from truth_order group by channel order by channel"
    ).fetchall()
    net: dict[str, Decimal] = {channel: amount for channel, amount, _ in by_channel}
    withheld = dict.fromkeys(net, Decimal(0))
    for defect in defects:
        if defect.channel:
            withheld[defect.channel] += Decimal(defect.net_revenue)
    quarantined = Counter(defect.feed for defect in defects)
    repeated = connection.execute("select count(*) from engagement").fetchone()
    duplicates = {"social_engagements": sum(rows["social_engagements"]) - (repeated[0] if repeated else 0)}
    return {
        "settings": {**asdict(settings), "start": settings.start.isoformat()},
        "definition": "net revenue = quantity x unit price - discount, returns negative, where the line happened; "
        "without test, training, void and cancelled; shipping apart; as known at the end of the last night",
        "feeds": {
            feed: {
                "rows": sum(nights),
                "duplicates": duplicates.get(feed, 0),
                "quarantined": quarantined[feed],
                "nights": nights,
            }
            for feed, nights in sorted(rows.items())
        },
        "orders": {channel: count for channel, _, count in by_channel},
        "net_revenue": {channel: str(amount) for channel, amount in net.items()},
        "net_revenue_without_defects": {channel: str(amount - withheld[channel]) for channel, amount in net.items()},
        "defects": [asdict(defect) for defect in defects],
    }
