"""Balances from DWD to ADS: every order line and refund and their money, through movements, orders, channel days and
customers; parcels and stock.

Exclusions have a named reason: lines of test, cancelled and unsettled orders, test lines, removed lines, returns and
refunds on such an order, what is no revenue of goods.

Base amounts are recomputed from the amounts in their own currency by the rates of their days, rounded
where the models round.
"""

from onedata.contracts.totals import AMOUNT
from onedata.quality.flows import COUNTED, LEFT_OUT, UNEXPLAINED, by_reason, flow, side
from onedata.quality.reconcile_documents import (
    lines_placed,
    lines_to_movements,
    refunds_placed,
    refunds_to_movements,
)
from onedata.sql import quote_text

# Headers that are not orders of their own, each with one reason.
HEADERS = f"""
select case
    when orders.order_id is not null then '{COUNTED}'
    when left_out.order_id is not null then 'unsettled orders'
    when h.is_test then 'test orders'
    when h.is_cancelled then 'cancelled orders'
    when copies.document_id is not null then 'orders that another system has too'
    when elsewhere.document_id is not null then 'returns booked on their original orders'
    when own.document_id is not null then 'orders without a line that sells goods'
    when h.total_amount < 0 then 'refunds without lines'
    else '{UNEXPLAINED}' end as reason
from dwd.dwd_order h
left join ({LEFT_OUT}) left_out on left_out.source_system = h.source_system and left_out.order_id = h.order_id
left join dws.dws_order orders on orders.source_system = h.source_system and orders.order_id = h.order_id
left join dws.dws_order_copy copies on copies.document_system = h.source_system and copies.document_id = h.order_id
left join (select document_system, document_id from dws.dws_order_line
    where (document_system, document_id) <> (source_system, order_id) group by all) elsewhere
    on elsewhere.document_system = h.source_system and elsewhere.document_id = h.order_id
left join (select document_system, document_id from dws.dws_order_line
    where (document_system, document_id) = (source_system, order_id) and not (is_counted and line_type = 'sale')
    group by all) own
    on own.document_system = h.source_system and own.document_id = h.order_id
"""

MONEY = ("gross", "discount", "returns", "refunds", "net_revenue_as_priced", "tax", "net_revenue")
APART = ("shipping", "shipping_refunded", "gift_cards")
SENT = "coalesce(announced_date, ds)"
"""The day whose rate a parcel's cost takes."""

DAY = {
    "lines": "sum(line_count)",
    "orders": "sum(order_count)",
    **{f"{name}_base": f"sum({name}_base)" for name in (*MONEY, *APART)},
}
ORDER = {
    "lines": "sum(line_count)",
    "orders": "count(*) filter (where is_order)",
    "gross_base": "sum(gross_amount_base)",
    "discount_base": "sum(discount_amount_base)",
    "returns_base": "sum(returned_amount_base)",
    "refunds_base": "sum(refunded_amount_base)",
    "net_revenue_as_priced_base": "sum(net_amount_base)",
    "tax_base": "sum(tax_amount_base)",
    "net_revenue_base": "sum(net_revenue_base)",
    "shipping_base": "sum(shipping_amount_base)",
    "shipping_refunded_base": "sum(shipping_refunded_base)",
    "gift_cards_base": "sum(gift_card_amount_base)",
}
SALE = "not is_return and not is_refund"
MOVEMENT = {
    "lines": "sum(line_count)",
    "gross_base": f"sum(gross) filter (where {SALE})",
    "discount_base": f"sum(discount) filter (where {SALE})",
    "returns_base": "sum(discount - gross) filter (where is_return)",
    "refunds_base": "sum(discount - gross) filter (where is_refund and not is_return)",
    "net_revenue_as_priced_base": "sum(gross - discount)",
    "tax_base": "sum(tax)",
    "net_revenue_base": "sum(gross - discount - tax_included)",
    "shipping_base": "sum(shipping) filter (where not is_refund)",
    "shipping_refunded_base": "-sum(shipping) filter (where is_refund)",
    "gift_cards_base": "sum(gift_card)",
}
CUSTOMER = {"orders": "sum(order_count)", "net_revenue_base": "sum(net_revenue_base)"}


def dws_balances(currency: str) -> list[str]:
    """The queries of DWS; all base amounts are in the reporting currency `currency`."""
    ordered = {name: ORDER[name] for name in CUSTOMER}
    without_orders = {name: total for name, total in ORDER.items() if name != "orders"}
    parcels, sent = _parcels(currency), {"parcels": "count(*)", "cost_base": "sum(cost_base)"}
    delivered = side(
        "dws.dws_fulfilment_day", currency, {"parcels": "sum(parcel_count)", "cost_base": "sum(cost_base)"}
    )
    void = side(f"(from {parcels} where is_void)", currency, sent)
    stock = side("dwd.dwd_inventory_snapshot", currency, {"snapshots": "count(*)"})
    listed = side("dws.dws_inventory_day", currency, {"snapshots": "sum(listed_count)"})
    return [
        lines_placed(),
        refunds_placed(),
        lines_to_movements(),
        refunds_to_movements(),
        _headers_to_orders(),
        flow(
            "dws",
            "dws_order_movement",
            "dws_order",
            side(_recomputed(currency), currency, MOVEMENT),
            side("dws.dws_order", currency, without_orders),
        ),
        flow(
            "dws",
            "dws_order",
            "dws_channel_day",
            side("dws.dws_order", currency, ORDER),
            side("dws.dws_channel_day", currency, DAY),
        ),
        flow(
            "dws",
            "dws_order",
            "dws_customer",
            side("dws.dws_order", currency, ordered),
            side("dws.dws_customer", currency, CUSTOMER),
        ),
        flow(
            "dws",
            "dwd_shipment",
            "dws_fulfilment_day",
            side(parcels, currency, sent),
            delivered,
            ("parcels of cancelled or test orders", void),
        ),
        flow("dws", "dwd_inventory_snapshot", "dws_inventory_day", stock, listed),
    ]


def ads_balances(currency: str) -> list[str]:
    """The queries of ADS; all base amounts are in the reporting currency `currency`."""
    return [
        flow(
            "ads",
            "dws_channel_day",
            "ads_channel_day",
            side("dws.dws_channel_day", currency, DAY),
            side("ads.ads_channel_day", currency, DAY),
        ),
        flow(
            "ads",
            "dws_customer",
            "ads_customer_360",
            side("dws.dws_customer", currency, CUSTOMER),
            side("ads.ads_customer_360", currency, CUSTOMER),
        ),
    ]


def _headers_to_orders() -> str:
    """Order headers of DWD are orders, or excluded with a reason."""
    headers = f"select 'orders' as measure, 'orders' as unit, count(*)::{AMOUNT} as total_in from dwd.dwd_order"
    told = (
        f"select 'orders' as measure, 'orders' as unit, reason, count(*)::{AMOUNT} as amount from headers group by all"
    )
    return by_reason("dwd_order", "dws_order", f"headers as ({HEADERS})", headers, told)


def _recomputed(currency: str) -> str:
    """SQL: the movements that count, with base amounts recomputed from their own currency and rounded once per
    movement, as in the model."""
    amounts = ("gross", "discount", "tax", "tax_included", "shipping", "gift_card")
    base = [f"{_base(f'm.{name}_amount', 'm.currency', currency)} as {name}" for name in amounts]
    return (
        f"(select m.is_return, m.is_refund, m.line_count, {', '.join(base)} "
        f"from dws.dws_order_movement m {_rates('m.currency', 'm.business_date', currency)} where m.is_counted)"
    )


def _parcels(currency: str) -> str:
    """SQL: every parcel with its cost in the reporting currency, and whether its order is excluded."""
    return (
        f"(select {_base('s.cost', 's.currency', currency)} as cost_base, coalesce(h.is_cancelled or h.is_test, "
        f"false) as is_void from (select *, {SENT} as day from dwd.dwd_shipment) s left join dwd.dwd_order h "
        "on h.source_system = coalesce(s.order_system, s.source_system) and h.order_id = s.order_id "
        f"{_rates('s.currency', 's.day', currency)})"
    )


def _base(amount: str, own: str, currency: str) -> str:
    return (
        f"({amount} * case when {own} = {quote_text(currency)} then 1::decimal(18, 8) else r.rate end)::decimal(18, 4)"
    )


def _rates(own: str, day: str, currency: str) -> str:
    """SQL: the join of the last rate that began on the day or before it."""
    rates = f"select * from dim.dim_exchange_rate where reporting_currency = {quote_text(currency)}"
    return f"asof left join ({rates}) r on r.currency = {own} and {day} >= r.valid_from"
