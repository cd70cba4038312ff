"""Balances of documents: lines and refunds of DWD count for an order or are excluded with a named reason, and what
counts is in movements. Pure SQL."""

from onedata.contracts.totals import AMOUNT, currency_code, exact
from onedata.quality.flows import COPIES, COUNTED, LEFT_OUT, UNEXPLAINED, by_reason, flow
from onedata.sql import quote_text

NO_GOODS = "gift cards, deposits, rounding and postage: no revenue of goods"
SPREAD = "discount of the whole order, spread over its lines"

# The documents with a line of an older version than their newest.
EDITED = """select distinct l.source_system, l.order_id from dwd.dwd_order_line l
    inner join (select source_system, order_id, max(updated_at) as updated_at from (
        select source_system, order_id, updated_at from dwd.dwd_order union all
        select source_system, order_id, updated_at from dwd.dwd_order_line) group by all) n
    on n.source_system = l.source_system and n.order_id = l.order_id and l.updated_at < n.updated_at"""

# The reason why a line does not count, derived from DWD and not from the model's own exclusion; a line that is excluded
# for another reason is a difference. A line of an older version than its document's newest is removed.
PLACED = f"""
select m.*, l.gross_amount as given_gross, l.net_amount as given_net, case
    when m.is_counted and m.line_type not in ('sale', 'return', 'adjustment') then '{NO_GOODS}'
    when m.is_counted then '{COUNTED}'
    when left_out.order_id is not null then 'lines of unsettled documents'
    when document.is_test then 'lines of test orders'
    when document.is_cancelled then 'lines of cancelled orders'
    when l.is_test then 'test lines'
    when l.updated_at < greatest(document.updated_at, newest.updated_at) then 'lines removed from their document'
    when document.external_order_id is not null or copies.basis <> 'declared' then 'lines of orders' || {COPIES}
    when origin.is_test or origin.is_cancelled then 'returns on cancelled or test orders'
    when m.is_return and edited.order_id is not null then 'returns of goods removed from their order'
    when l.parent_line_id is not null then 'components of priced bundles'
    when kit.line_id is not null then 'bundles that count by their components'
    else '{UNEXPLAINED}' end as reason
from dws.dws_order_line m
inner join dwd.dwd_order_line l on l.source_system = m.document_system and l.order_id = m.document_id
    and l.line_id = m.line_id
left join dwd.dwd_order document on document.source_system = m.document_system and document.order_id = m.document_id
left join dwd.dwd_order origin on origin.source_system = m.source_system and origin.order_id = m.order_id
left join ({LEFT_OUT}) left_out on left_out.source_system = m.document_system and left_out.order_id = m.document_id
left join dws.dws_order_copy copies on copies.document_system = m.document_system and copies.document_id = m.document_id
left join (select source_system, order_id, max(updated_at) as updated_at from dwd.dwd_order_line group by all) newest
    on newest.source_system = m.document_system and newest.order_id = m.document_id
left join ({EDITED}) edited on edited.source_system = m.source_system and edited.order_id = m.order_id
left join (select distinct source_system, order_id, parent_line_id as line_id from dwd.dwd_order_line
    where parent_line_id is not null) kit
    on kit.source_system = m.document_system and kit.order_id = m.document_id and kit.line_id = m.line_id
"""

# Why a refund's money is not in revenue, derived from DWD. A refund line counts, is postage, or is given back by a
# return document; what of it is tax on top is no revenue either.
REFUNDED = f"""
select m.*, r.amount as given_amount, case
    when m.is_counted then '{COUNTED}'
    when left_out.order_id is not null then 'refunds on unsettled orders'
    when origin.is_test or origin.is_cancelled then 'refunds on cancelled or test orders'
    when r.status in ('failure', 'failed', 'error', 'declined', 'cancelled', 'canceled', 'void', 'voided')
        then 'refunds that failed'
    when l.line_id is not null or r.is_rest and edited.order_id is not null
        then 'refunds of what was removed from their order'
    when origin.order_id is null and r.channel is null then 'refunds on unknown orders, without a channel'
    else '{UNEXPLAINED}' end as reason
from dws.dws_refund m
inner join dwd.dwd_refund r on r.source_system = m.refund_system and r.refund_id = m.refund_id
    and r.line_id = m.line_id
left join dwd.dwd_order origin on origin.source_system = m.source_system and origin.order_id = m.order_id
left join ({LEFT_OUT}) left_out on left_out.source_system = m.source_system and left_out.order_id = m.order_id
left join dwd.dwd_order_line l on l.source_system = r.order_system and l.order_id = r.order_id
    and l.line_id = r.order_line_id
left join ({EDITED} union select source_system, order_id from dwd.dwd_order_line_lowered) edited
    on edited.source_system = r.order_system and edited.order_id = r.order_id
"""


def lines_placed() -> str:
    """Lines of DWD count for an order, or are excluded with a reason; the discounts of whole orders are spread."""
    currency = currency_code("currency")
    amounts = {"gross_amount": "gross", "net_amount": "net"}
    lines = " union all ".join(
        [
            f"select 'lines' as measure, 'rows' as unit, count(*)::{AMOUNT} as total_in from dwd.dwd_order_line",
            *(
                f"select '{name}', {currency}, {exact(f'sum({name})')} from dwd.dwd_order_line group by all"
                for name in amounts
            ),
        ]
    )
    # A coupon's line is a discount, so that its gross is none: what it takes off is the same.
    coupon = "line_type = 'adjustment' and given_net < 0"
    counted = {
        "gross_amount": f"case when {coupon} then given_gross else gross_amount end",
        "net_amount": "net_amount",
    }
    told = [
        f"select 'lines' as measure, 'rows' as unit, case when reason = '{NO_GOODS}' then '{COUNTED}' else reason end "
        f"as reason, count(*)::{AMOUNT} as amount from placed group by all",
        *(
            f"select '{name}', {currency}, reason, {exact(f'sum({counted[name]})')} from placed "
            f"where reason = '{COUNTED}' group by all union all "
            f"select '{name}', {currency}, reason, {exact(f'sum(given_{given})')} from placed "
            f"where reason <> '{COUNTED}' group by all"
            for name, given in amounts.items()
        ),
        f"select 'net_amount', {currency}, '{SPREAD}', {exact('sum(order_discount_amount)')} from placed "
        f"where reason = '{COUNTED}' group by all",
    ]
    return by_reason("dwd_order_line", "dws_order_line", f"placed as ({PLACED})", lines, " union all ".join(told))


def refunds_placed() -> str:
    """Refunds of DWD count, or are excluded with a reason; what is postage, tax on top or a return's is told apart."""
    currency = currency_code("currency")
    refunds = (
        f"select 'refund_lines' as measure, 'rows' as unit, count(*)::{AMOUNT} as total_in from dwd.dwd_refund "
        f"union all select 'refunded', {currency}, {exact('sum(given_amount)')} from placed group by all"
    )
    parts = {
        COUNTED: "-net_amount",
        "goods that a return or an edit gives back": "returned_elsewhere_amount",
        "postage paid back": "shipping_refunded_amount",
        "gift cards and deposits paid back": "not_goods_amount",
        "tax added on top": "tax_of_lines + tax_of_added",
    }
    told = [
        f"select 'refund_lines' as measure, 'rows' as unit, reason, count(*)::{AMOUNT} as amount from placed "
        "group by all",
        *(
            f"select 'refunded', {currency}, {quote_text(reason)}, {exact(f'sum({amount})')} from placed "
            f"where reason = '{COUNTED}' group by all"
            for reason, amount in parts.items()
        ),
        f"select 'refunded', {currency}, reason, {exact('sum(amount)')} from placed where reason <> '{COUNTED}' "
        "group by all",
    ]
    return by_reason("dwd_refund", "dws_refund", f"placed as ({REFUNDED})", refunds, " union all ".join(told))


def lines_to_movements() -> str:
    """Lines that count are in movements that count, with their money."""
    currency = currency_code("currency")
    goods = "is_counted and line_type in ('sale', 'return', 'adjustment')"
    amounts = {
        "gross_amount": "gross_amount",
        "net_amount": "net_amount",
        "tax_amount": "tax_amount",
        "gift_card_amount": "case when line_type = 'gift_card' then net_amount else 0 end",
    }
    lines = " union all ".join(
        [
            f"select 'lines' as measure, 'rows' as unit, count(*)::{AMOUNT} as amount from dws.dws_order_line "
            "where is_counted",
            *(
                f"select '{name}', {currency}, {exact(f'sum({amount})')} from dws.dws_order_line "
                f"where {'is_counted' if name == 'gift_card_amount' else goods} group by all"
                for name, amount in amounts.items()
            ),
        ]
    )
    moved = " union all ".join(
        [
            f"select 'lines' as measure, 'rows' as unit, sum(line_count)::{AMOUNT} as amount "
            "from dws.dws_order_movement where is_counted",
            *(
                f"select '{name}', {currency}, {exact(f'sum({name})')} from dws.dws_order_movement "
                "where is_counted and not is_refund group by all"
                for name in amounts
            ),
        ]
    )
    return flow("dws", "dws_order_line", "dws_order_movement", lines, moved)


def refunds_to_movements() -> str:
    """Refunds that count are in movements that count, with their money."""
    currency = currency_code("currency")
    amounts = {
        "net_amount": "net_amount",
        "tax_amount": "tax_amount",
        "shipping_amount": "-shipping_refunded_amount",
        "gift_card_amount": "gift_card_amount",
    }
    refunds = " union all ".join(
        f"select '{name}' as measure, {currency} as unit, {exact(f'sum({amount})')} as amount from dws.dws_refund "
        "where is_counted group by all"
        for name, amount in amounts.items()
    )
    moved = " union all ".join(
        f"select '{name}' as measure, {currency} as unit, {exact(f'sum({name})')} as amount "
        "from dws.dws_order_movement where is_counted and is_refund group by all"
        for name in amounts
    )
    return flow("dws", "dws_refund", "dws_order_movement", refunds, moved)
