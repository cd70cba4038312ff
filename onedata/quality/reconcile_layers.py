"""Balances from DWD to ADS: every order line and refund and their money, through movements, orders, channel days and
customers; parcels, stock, and the KPIs.

Which models have balances, and which totals agree, the models' YAML declares (`balances`). Here is the SQL that a
declaration names: flows with a reason for each excluded row, and relations that the totals of a source are taken over.

Base amounts are recomputed from the amounts in their own currency by the rates of their days, rounded
where the models round.
"""

from collections.abc import Callable, Mapping

from onedata.contracts.totals import AMOUNT
from onedata.quality.balances import Balance, BalanceError, declared_balances, relation_of
from onedata.quality.flows import COPIES, COUNTED, LEFT_OUT, UNEXPLAINED, by_reason, flow, side
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
    when copies.document_id is not null then 'orders' || {COPIES}
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

SENT = "coalesce(announced_date, ds)"
"""The day whose rate a parcel's cost takes."""

# Persons by the days of their first two orders, of months that ended at least 90 days ago.
COHORTS = """
(select * from (
    select oneid, min(business_date) as first_date, list_sort(list(business_date))[2] as second_date
    from dws.dws_order where is_order and oneid is not null group by oneid
) where last_day(first_date) + 90 <= (select as_of_date from dws.dws_as_of where entity = 'sales_order'))
"""


def layer_balances(layer: str, currency: str) -> list[str]:
    """The queries of the balances that the models of `layer` (dws, ads) declare; all base amounts are in the reporting
    currency `currency`.

    Raises:
        BalanceError: a model's YAML declares a balance that cannot be drawn.
    """
    return [_query(balance, currency) for balance in declared_balances(layer)]


def _query(balance: Balance, currency: str) -> str:
    if balance.query:
        return _named(QUERIES, balance.query, balance)()
    source = _named(RELATIONS, balance.relation, balance)(currency) if balance.relation else relation_of(balance.source)
    entered = [(measure.name, measure.unit, measure.entered) for measure in balance.measures]
    left = [(measure.name, measure.unit, measure.left) for measure in balance.measures]
    of_source, of_model = None, None
    if balance.day:
        source = f"(select *, strftime({balance.day}, '%Y-%m') as in_month from {source})"
        of_source = (
            "if(grouping(in_month) = 1, 'all', coalesce(in_month, 'no day'))",
            "grouping sets ((in_month), ())",
        )
        of_model = ("coalesce(period, 'no day')", "period")
    return flow(
        balance.layer,
        balance.source,
        balance.model,
        side(source, currency, entered, of_source),
        side(balance.table, currency, left, of_model),
        *(
            (reason, side(f"(from {source} where {where})", currency, entered, of_source))
            for reason, where in _outside(balance)
        ),
    )


def _outside(balance: Balance) -> list[tuple[str, str]]:
    """Reason and condition of the rows of the source that the model leaves out."""
    found = [balance.excluded] if balance.excluded else []
    if balance.needs:
        reason = f"{balance.needs} is empty, so that the figure is not available"
        found.append((reason, f"not exists (from {relation_of(balance.needs)})"))
    return found


def _named(known: Mapping[str, Callable[..., str]], name: str, balance: Balance) -> Callable[..., str]:
    if name not in known:
        raise BalanceError(f"model {balance.model}: balances: there is no SQL {name!r}; there is {', '.join(known)}")
    return known[name]


def _headers_to_orders() -> str:
    """Order headers of DWD are orders, or excluded with a reason."""
    headers = f"select 'orders' as measure, 'orders' as unit, count(*)::{AMOUNT} as total_in from dwd.dwd_order"
    told = (
        f"select 'orders' as measure, 'orders' as unit, reason, count(*)::{AMOUNT} as amount from headers group by all"
    )
    return by_reason("dwd_order", "dws_order", f"headers as ({HEADERS})", headers, told)


def _movements(currency: str) -> str:
    """SQL: the movements that count, with base amounts recomputed from their own currency and rounded once per
    movement, as in the model."""
    amounts = ("gross", "discount", "tax", "tax_included", "shipping", "gift_card")
    base = [f"{_base(f'm.{name}_amount', 'm.currency', currency)} as {name}" for name in amounts]
    return (
        "(select m.is_return, m.is_refund, not m.is_return and not m.is_refund as is_sale, m.business_date, "
        f"m.line_count, {', '.join(base)} from dws.dws_order_movement m "
        f"{_rates('m.currency', 'm.business_date', currency)} where m.is_counted)"
    )


def _parcels(currency: str) -> str:
    """SQL: every parcel with its cost in the reporting currency, what became of its promise when the data ends, and
    whether its order is excluded."""
    promised = "(s.promised_at is not null or s.promised_date is not null)"
    return (
        f"(select s.promised_at, s.delivered_at, coalesce(s.promised_date, s.day) as due_date, "
        f"{_base('s.cost', 's.currency', currency)} as cost_base, "
        f"coalesce(h.is_cancelled or h.is_test, false) as is_void, {promised} as is_promised, "
        f"{promised} and (s.delivered_at is not null or coalesce(s.promised_at < a.as_of_at, "
        "s.promised_date < a.as_of_date, false)) as is_due, "
        "coalesce(s.delivered_at <= s.promised_at, s.promised_at is null and s.delivered_date <= s.promised_date, "
        "false) as is_on_time "
        f"from (select *, {SENT} as day from dwd.dwd_shipment) s "
        "cross join (from dws.dws_as_of where entity = 'shipment') a left join dwd.dwd_order h "
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


QUERIES: Mapping[str, Callable[[], str]] = {
    "lines_placed": lines_placed,
    "refunds_placed": refunds_placed,
    "lines_to_movements": lines_to_movements,
    "refunds_to_movements": refunds_to_movements,
    "headers_to_orders": _headers_to_orders,
}
"""Flows with a reason for each excluded row, or with totals by currency."""

RELATIONS: Mapping[str, Callable[[str], str]] = {
    "movements": _movements,
    "parcels": _parcels,
    "cohorts": lambda _: COHORTS,
}
"""What the totals of a source are taken over, if that is not its table."""
