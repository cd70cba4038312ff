"""Balances from DWD to ADS: every order line and its money, through movements, orders, channel days and customers;
parcels and stock.

Exclusions have a named reason: lines of test and cancelled orders, test lines, returns on such an order. Base amounts
are recomputed from the amounts in their own currency by the rates of the seed, rounded where the models round.
"""

from collections.abc import Mapping

from onedata.contracts.totals import AMOUNT, currency_code, exact
from onedata.quality.reconcile_lake import excluded
from onedata.sql import quote_text

COUNTED = "counted"
UNEXPLAINED = "excluded for no known reason"

# The reason why a movement does not count, derived from DWD and not from the model's own flag; a line that is excluded
# for another reason is a difference.
PLACED = f"""
select m.*, case
    when m.is_counted then '{COUNTED}'
    when document.is_test then 'lines of test orders'
    when document.is_cancelled then 'lines of cancelled orders'
    when origin.is_test or origin.is_cancelled then 'returns on cancelled or test orders'
    when test_lines.order_id is not null then 'test lines'
    else '{UNEXPLAINED}' end as reason
from dws.dws_order_movement m
left join dwd.dwd_order document on document.source_system = m.document_system and document.order_id = m.document_id
left join dwd.dwd_order origin on origin.source_system = m.source_system and origin.order_id = m.order_id
left join (select source_system, order_id from dwd.dwd_order_line where is_test group by all) test_lines
    on test_lines.source_system = m.document_system and test_lines.order_id = m.document_id
"""

# Headers that are not orders of their own, each with one reason.
HEADERS = f"""
select case
    when orders.order_id is not null then '{COUNTED}'
    when h.is_test then 'test orders'
    when h.is_cancelled then 'cancelled orders'
    when elsewhere.document_id is not null then 'returns booked on their original orders'
    when own.document_id is not null then 'orders of test lines only'
    when h.total_amount < 0 then 'refunds without lines'
    else '{UNEXPLAINED}' end as reason
from dwd.dwd_order h
left join dws.dws_order orders on orders.source_system = h.source_system and orders.order_id = h.order_id
left join (select document_system, document_id from dws.dws_order_movement
    where (document_system, document_id) <> (source_system, order_id) group by all) elsewhere
    on elsewhere.document_system = h.source_system and elsewhere.document_id = h.order_id
left join (select document_system, document_id from dws.dws_order_movement
    where (document_system, document_id) = (source_system, order_id) and not is_counted group by all) own
    on own.document_system = h.source_system and own.document_id = h.order_id
"""

UNITS = {"lines": "rows", "orders": "orders", "parcels": "rows", "snapshots": "rows"}
DAY = {
    "lines": "sum(line_count)",
    "orders": "sum(order_count)",
    **{name: f"sum({name})" for name in ("gross_base", "discount_base", "returns_base", "net_revenue_base")},
}
ORDER = {
    "lines": "sum(line_count)",
    "orders": "count(*) filter (where is_order)",
    "gross_base": "sum(gross_amount_base)",
    "discount_base": "sum(discount_amount_base)",
    "returns_base": "sum(returned_amount_base)",
    "net_revenue_base": "sum(net_amount_base)",
}
MOVEMENT = {
    "lines": "sum(line_count)",
    "gross_base": "sum(gross) filter (where not is_return)",
    "discount_base": "sum(discount) filter (where not is_return)",
    "returns_base": "sum(discount - gross) filter (where is_return)",
    "net_revenue_base": "sum(gross - discount)",
}
CUSTOMER = {"orders": "sum(order_count)", "net_revenue_base": "sum(net_revenue_base)"}


def dws_balances(currency: str) -> list[str]:
    """The queries of DWS; all base amounts are in the reporting currency `currency`."""
    ordered = {name: ORDER[name] for name in CUSTOMER}
    without_orders = {name: total for name, total in ORDER.items() if name != "orders"}
    parcels, sent = _parcels(currency), {"parcels": "count(*)", "cost_base": "sum(cost_base)"}
    delivered = _side(
        "dws.dws_fulfilment_day", currency, {"parcels": "sum(parcel_count)", "cost_base": "sum(cost_base)"}
    )
    void = _side(f"(from {parcels} where is_void)", currency, sent)
    stock = _side("dwd.dwd_inventory_snapshot", currency, {"snapshots": "count(*)"})
    listed = _side("dws.dws_inventory_day", currency, {"snapshots": "sum(listed_count)"})
    return [
        _lines_to_movements(),
        _headers_to_orders(),
        _flow(
            "dws",
            "dws_order_movement",
            "dws_order",
            _side(_recomputed(currency), currency, MOVEMENT),
            _side("dws.dws_order", currency, without_orders),
        ),
        _flow(
            "dws",
            "dws_order",
            "dws_channel_day",
            _side("dws.dws_order", currency, ORDER),
            _side("dws.dws_channel_day", currency, DAY),
        ),
        _flow(
            "dws",
            "dws_order",
            "dws_customer",
            _side("dws.dws_order", currency, ordered),
            _side("dws.dws_customer", currency, CUSTOMER),
        ),
        _flow(
            "dws",
            "dwd_shipment",
            "dws_fulfilment_day",
            _side(parcels, currency, sent),
            delivered,
            ("parcels of cancelled or test orders", void),
        ),
        _flow("dws", "dwd_inventory_snapshot", "dws_inventory_day", stock, listed),
    ]


def ads_balances(currency: str) -> list[str]:
    """The queries of ADS; all base amounts are in the reporting currency `currency`."""
    return [
        _flow(
            "ads",
            "dws_channel_day",
            "ads_channel_day",
            _side("dws.dws_channel_day", currency, DAY),
            _side("ads.ads_channel_day", currency, DAY),
        ),
        _flow(
            "ads",
            "dws_customer",
            "ads_customer_360",
            _side("dws.dws_customer", currency, CUSTOMER),
            _side("ads.ads_customer_360", currency, CUSTOMER),
        ),
    ]


def _side(relation: str, currency: str, measures: Mapping[str, str]) -> str:
    """SQL: measure, unit, amount of one side of a flow, in one pass over it."""
    parts = (
        f"{{'measure': {quote_text(name)}, 'unit': {quote_text(UNITS.get(name, currency))}, 'amount': {exact(total)}}}"
        for name, total in measures.items()
    )
    return f"select unnest([{', '.join(parts)}], recursive := true) from {relation}"


def _flow(layer: str, source: str, target: str, entered: str, left: str, outside: tuple[str, str] | None = None) -> str:
    """SQL: totals of `source` equal totals of `target`; `outside` is the reason of an excluded part, and the SQL of
    that part."""
    zero = f"0::{AMOUNT}"
    parts = [
        f"select measure, unit, amount as total_in, {zero} as total_out, {zero} as outside from ({entered})",
        f"select measure, unit, {zero}, amount, {zero} from ({left})",
    ]
    if outside:
        parts.append(f"select measure, unit, {zero}, {zero}, amount from ({outside[1]})")
    reasons = excluded((outside[0], "sum(outside)")) if outside else excluded()
    return (
        f"{_head(layer, source, target)} sum(total_in) as total_in, sum(total_out) as total_out, {reasons} as excluded "
        f"from ({' union all '.join(parts)}) group by measure, unit"
    )


def _head(layer: str, source: str, target: str) -> str:
    return (
        f"select {quote_text(layer)} as layer, {quote_text(target)} as model, {quote_text(f'{source} -> {target}')} as "
        "subject, null as ds, null as path, measure, unit,"
    )


def _lines_to_movements() -> str:
    """Lines of DWD are in a movement that counts, or excluded with a reason."""
    currency = currency_code("currency")
    amounts = ("gross_amount", "discount_amount", "net_amount")
    lines = " union all ".join(
        [
            f"select 'lines' as measure, 'rows' as unit, count(*)::{AMOUNT} as total_in from dwd.dwd_order_line",
            *(
                f"select '{name}', {currency}, {exact(f'sum({name})')} from dwd.dwd_order_line group by all"
                for name in amounts
            ),
        ]
    )
    moved = " union all ".join(
        [
            f"select 'lines' as measure, 'rows' as unit, reason, sum(line_count)::{AMOUNT} as amount from placed "
            "group by all",
            *(
                f"select '{name}', {currency}, reason, {exact(f'sum({name})')} from placed group by all"
                for name in amounts
            ),
        ]
    )
    return _by_reason("dwd_order_line", "dws_order_movement", f"placed as ({PLACED})", lines, moved)


def _headers_to_orders() -> str:
    """Order headers of DWD are orders, or excluded with a reason."""
    headers = f"select 'orders' as measure, 'orders' as unit, count(*)::{AMOUNT} as total_in from dwd.dwd_order"
    told = (
        f"select 'orders' as measure, 'orders' as unit, reason, count(*)::{AMOUNT} as amount from headers group by all"
    )
    return _by_reason("dwd_order", "dws_order", f"headers as ({HEADERS})", headers, told)


def _by_reason(source: str, target: str, cte: str, entered: str, told: str) -> str:
    """SQL: `entered` equals the part of `told` that counts, plus the exclusions by known reason."""
    counted = exact(f"sum(amount) filter (where reason = '{COUNTED}')")
    named = f"reason not in ('{COUNTED}', '{UNEXPLAINED}') and amount <> 0"
    return (
        f"with {cte}, entered as ({entered}), told as (select measure, unit, {counted} as total_out, "
        f"coalesce(map_from_entries(list({{'k': reason, 'v': amount}} order by reason) filter (where {named})), "
        f"{excluded()}) as excluded from ({told}) group by measure, unit) "
        f"{_head('dws', source, target)} coalesce(total_in, 0) as total_in, coalesce(total_out, 0) as total_out, "
        f"coalesce(excluded, {excluded()}) as excluded "
        "from entered full outer join told using (measure, unit)"
    )


def _recomputed(currency: str) -> str:
    """SQL: the movements that count, with base amounts recomputed from their own currency and rounded once per
    movement, as in the model."""
    base = [f"{_base(f'm.{name}_amount', 'm.currency', currency)} as {name}" for name in ("gross", "discount")]
    return (
        f"(select m.is_return, m.line_count, {', '.join(base)} "
        f"from dws.dws_order_movement m {_rates('m.currency', currency)} where m.is_counted)"
    )


def _parcels(currency: str) -> str:
    """SQL: every parcel with its cost in the reporting currency, and whether its order is excluded."""
    return (
        f"(select {_base('s.cost', 's.currency', currency)} as cost_base, coalesce(h.is_cancelled or h.is_test, "
        "false) as is_void from dwd.dwd_shipment s left join dwd.dwd_order h "
        "on h.source_system = coalesce(s.order_system, s.source_system) and h.order_id = s.order_id "
        f"{_rates('s.currency', currency)})"
    )


def _base(amount: str, own: str, currency: str) -> str:
    return (
        f"({amount} * case when {own} = {quote_text(currency)} then 1::decimal(18, 8) else r.rate end)::decimal(18, 4)"
    )


def _rates(own: str, currency: str) -> str:
    return f"left join ref.exchange_rates r on r.currency = {own} and r.reporting_currency = {quote_text(currency)}"
