"""What the pipeline can know of the ground truth: the SQL of the totals, by rules of its own and not by the models'.

A record to be quarantined does not count as delivered. A document whose newest version has one counts for nothing, if
the record can be read as far as its id: of one that a file's end cuts off, or of another encoding, nothing is known.
"""

from onedata.simulate.rates import REPORTING

_READ = "bool_or(coalesce(expected, 'accept') <> 'quarantine')"
_KNOWN = "bool_or(coalesce(defect, '') not in ('truncated', 'bad_encoding'))"
_RECORDS = "read_parquet('{{truth}}/records/{feed}/*.parquet')"
_ORDERS, _MARKET, _TILLS, _TICKETS, _TICKET_LINES, _RETURNS, _REFUNDS, _RATES = (
    _RECORDS.format(feed=feed)
    for feed in (
        "shop_orders",
        "marketplace_orders",
        "pos_transactions",
        "pos_tickets_eu",
        "pos_ticket_lines_eu",
        "logistics_returns",
        "shop_refunds",
        "finance_exchange_rates",
    )
)

SEEN = f"""
create temp table whole as
with versions as (
    select 'shop' as source, split_part(key, '/', 1) as document, split_part(key, '/', 2)::int as version, {_READ}
        as is_read
    from {_ORDERS} where defect is distinct from 'truncated' group by all
    union all
    select 'marketplace', key, 1, {_READ} from {_MARKET} where defect is distinct from 'truncated' group by key
    union all
    select 'pos', key, 1, {_READ} from {_TILLS} group by key
)
select source, document, max(version) as version, arg_max(is_read, version) as is_read, bool_or(is_read) as was_read,
       bool_or(is_read) filter (where version = 1) as was_first_read
from versions group by all;

create temp table seen as
with head as (
    select source, document from whole
    union all
    select 'pos', key from {_TICKETS} group by key having {_READ}
), single as (
    select 'pos' as source, left(key, length(key) - strpos(reverse(key), '/')) as document, split_part(key, '/',
        -1)::bigint as line_no, {_READ} as is_read, {_KNOWN} as is_known
    from {_TICKET_LINES} group by key
    union all
    select 'logistics', split_part(key, '/', 1), split_part(key, '/', 2)::bigint, {_READ}, {_KNOWN}
    from {_RETURNS} group by key
), left_out as (
    select source, document from whole where not is_read
    union
    select source, document from single where is_known and not is_read
    union
    select 'pos', key from {_TICKETS} group by key having {_KNOWN} and not {_READ}
), refund as (
    select split_part(key, '/', 1) as document, split_part(key, '/', 2) as refund, bool_or(rows > 0) as has_goods
    from {_REFUNDS} group by key having {_READ}
), line as (
    select *, if(coalesce(of_version, 0) = 0, 0, 3 - of_version) as other_version,
           count(*) over (partition by source, document, line_no) > 1 as is_in_both
    from read_parquet('{{truth}}/lines/*.parquet', union_by_name = true)
), placed as (
    select line.* exclude (is_gift_card, tax_on_top, off, of_version, postage, market_order),
           coalesce(is_gift_card, false) as is_gift_card, coalesce(tax_on_top, false) as tax_on_top,
           coalesce(off, 0) as off, coalesce(of_version, 0) as of_version, coalesce(postage, 0) as postage,
           cancelled_us is not null and (line.source <> 'shop' or coalesce(whole.version, 1) = 2) as is_cancelled,
           -- Of a document that two feeds read it is the first line that is broken.
           case when whole.document is not null then whole.was_read or line.line_no > 1
               when line.source = 'refund' then money.refund is not null else coalesce(single.is_read, false) end
               as came,
           coalesce(whole.version, 1) as newest, coalesce(whole.is_read, false) as is_read,
           coalesce(whole.was_first_read, false) as was_first_read,
           -- Goods whose return is not read are given back by their refund.
           line.source = 'refund' or goods.document is not null
               and (left_out.document is not null or not coalesce(single.is_read, false)) as is_refund,
           left_out.document is not null as is_left_out, head.document is not null as head_came,
           -- What is given back on an order that is left out is left out too. A cancellation of which only the
           -- refund was read takes the order's money back on its day.
           first.document is not null and elsewhere.document is null as is_of_left_out,
           line.source = 'shop' and cancelled_us is not null and paid.document is not null as is_paid_back,
           -- An order that the marketplace has too counts there, if it was read there.
           market.document is not null as is_elsewhere, line.market_order is not null as is_double,
           -- Money on an order that counts elsewhere is money on that; on one that never came it is the shop's.
           case when elsewhere.document is not null then 'marketplace' when came_order.document is null then 'online'
               else line.channel end as refund_channel,
           elsewhere.document is not null or came_order.document is null as is_of_no_tax
    from line
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
    left join left_out as first on first.source in ('shop', 'pos') and first.document = line.original
    left join whole as came_order on came_order.source = 'shop' and came_order.document = line.original
    left join whole as market on market.source = 'marketplace' and market.document = line.market_order
        and market.is_read
    left join (select document, any_value(market_order) as market_order from line where source = 'shop' group by all)
        as named on named.document = line.original
    left join whole as elsewhere on elsewhere.source = 'marketplace' and elsewhere.document = named.market_order
        and elsewhere.is_read
)
select *,
       of_version = 0 or of_version = newest as is_current,
       -- What stands in DWD of a document that is not settled.
       case when of_version = 1 and newest = 1 then was_first_read or line_no > 1
           when of_version = 1 then (was_first_read or line_no > 1) and (not is_in_both or line_no = 1 and not is_read)
           when of_version = 2 then newest = 2 and (is_read or line_no > 1)
           else came end as is_there
from placed
"""
"""``whole``: the documents that come in one piece, by their newest version. ``seen``: the truth's lines, and what of
them was read."""

MONEY = f"""
create temp table by_day as
with counted as (
    select * from seen
    where not is_test and not is_cancelled and is_current and not is_elsewhere
        and (is_refund and source = 'logistics' or came and not is_left_out)
        and not ((is_refund or is_return) and is_of_left_out)
), goods as (
    select * from counted where not is_gift_card and net <> 0
-- The tax of a shop's order is on its lines and its postage by amount: rounded down, the cents that are left go to the
-- largest remainders, first postage, then by line.
), part as (
    select document, document || line_no as part, net as amount, order_tax from goods
    where source = 'shop' and not is_return
    union all
    select document, '', max(postage), max(order_tax) from goods where source = 'shop' and not is_return
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
    select l.document, sum(l.net) as net, sum(tax) as tax from goods as l join line_tax as t
    on t.document = l.document and part = l.document || line_no
    where source = 'shop' and not is_return and not tax_on_top group by l.document
-- What is given back has its part of the order's tax, rounded on the running total: goods first, then money. More
-- than the order came to has no more tax than the order had.
), given as (
    select source, document, line_no, original, currency, is_refund, -net as net,
           sum(-net) over (partition by original, currency order by is_refund, if(is_refund and source <> 'refund',
               at_us + 72000000000, at_us), source, document, line_no::varchar rows unbounded preceding) as so_far
    from goods where is_return
), given_tax as (
    select g.source, g.document, g.line_no,
           (2 * o.tax * least(so_far, o.net) + o.net) // (2 * o.net)
           - (2 * o.tax * least(so_far - g.net, o.net) + o.net) // (2 * o.net) as tax
    from given as g join order_tax as o on o.document = g.original
), taxed as (
    select goods.*, case when is_return then if(is_of_no_tax, net, net + coalesce(given_tax.tax, 0))
        when tax_on_top then net else net - coalesce(line_tax.tax, 0) end as untaxed
    from goods
    left join line_tax on goods.source = 'shop' and line_tax.document = goods.document
        and part = goods.document || goods.line_no
    left join given_tax on given_tax.source = goods.source and given_tax.document = goods.document
        and given_tax.line_no = goods.line_no
), moved as (
    select if(is_refund, refund_channel, channel) as channel, currency,
           if(source = 'pos', night, {{day}}) as day, net, untaxed, 0 as gift_cards, 0 as postage, 0 as postage_back
    from (select *, at_us + if(is_refund and source = 'logistics', 72000000000, 0) as moved_us from taxed)
    union all
    select channel, currency, {{day}}, -net, -untaxed, 0, 0, 0
    from (select *, cancelled_us as moved_us from taxed where is_paid_back)
    union all
    -- Of an order that never came only what was paid back is known.
    select 'online', currency, {{day}}, -net, -net, 0, 0, 0
    from (select *, cancelled_us as moved_us from seen where is_paid_back and not head_came and not is_left_out)
    union all
    select channel, currency, {{day}}, 0, 0, net, 0, 0
    from (select *, at_us as moved_us from counted where is_gift_card)
    union all
    select channel, currency, {{day}}, 0, 0, 0, postage, 0
    from (select channel, currency, document, min(at_us) as moved_us, max(postage) as postage from counted
        where source in ('shop', 'marketplace') group by all)
    union all
    select refund_channel, currency, {{day}}, 0, 0, 0, 0, postage
    from (select *, at_us as moved_us from counted where source = 'refund')
    union all
    select if(head_came, channel, 'online'), currency, {{day}}, 0, 0, 0, 0, postage
    from (select channel, currency, document, head_came, min(cancelled_us) as moved_us, max(postage) as postage
        from seen where is_paid_back and is_current and not is_cancelled and not is_left_out group by all)
), came_rate as (
    select key from {_RATES} group by key having {_READ}
), rate as (
    select set_rate.* from set_rate join came_rate on key = concat_ws('/', currency, '{REPORTING}', day)
    union all
    select '{REPORTING}', date '0001-01-01', 1
)
select channel, moved.day, sum(net::bigint * rate) as net, sum(untaxed::bigint * rate) as untaxed,
       sum(gift_cards::bigint * rate) as gift_cards, sum(postage::bigint * rate) as postage,
       sum(postage_back::bigint * rate) as postage_back
from moved asof left join rate on rate.currency = moved.currency and moved.day >= rate.day
group by all
""".replace("{day}", "make_timestamp(moved_us + 28800000000)::date")
"""``by_day``: money by channel and local day, in cents CNY. The shop, the marketplace and the warehouses write their
days by Shanghai's clock, the tills by their store's."""

TOTALS = f"""
with told as (
    select channel, currency, night,
           coalesce(sum(net) filter (where not is_test and not is_cancelled and is_current and not is_double
               and not is_gift_card), 0) as net,
           bool_or(not (is_test or is_cancelled or is_return or is_gift_card or is_double)) as is_order,
           bool_or(not (is_test or is_cancelled or is_return or is_gift_card or is_elsewhere) and head_came
               and not is_left_out) as is_order_delivered
    from seen group by channel, currency, night, source, document
), rate as (
    select * from set_rate union all select '{REPORTING}', date '0001-01-01', 1
)
select told.channel, sum(told.net::bigint * rate.rate), count(*) filter (where is_order),
       count(*) filter (where is_order_delivered)
from told asof left join rate on rate.currency = told.currency and night >= rate.day
group by told.channel order by told.channel
"""
"""By channel: net revenue, orders, and orders that were delivered."""

UNSETTLED = """
select currency, coalesce(sum(net + off) filter (where not is_test and is_there and is_left_out), 0)::bigint
from seen group by currency order by currency
"""
"""By currency: what the lines of documents that are left out come to, before discounts of the whole order."""
