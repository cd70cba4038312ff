with refunds as (
    select * from {{ ref('dwd_refund') }}
),

order_lines as (
    select * from {{ ref('dws_order_line') }}
),

headers as (
    select * from {{ ref('dwd_order') }}
),

copies as (
    select * from {{ ref('dws_order_copy') }}
),

left_out as (
    select
        source_system,
        order_id
    from {{ ref('dwd_unsettled') }}
    where not is_held
    group by source_system, order_id
),

lowered as (
    select * from {{ ref('dwd_order_line_lowered') }}
),

-- What is paid back on a copy of an order is paid back on the order.
named as (
    select
        refunds.*,
        coalesce(copies.source_system, refunds.order_system) as counted_system,
        coalesce(copies.order_id, refunds.order_id) as counted_order
    from refunds
    left join copies
        on refunds.order_system = copies.document_system and refunds.order_id = copies.document_id
),

order_sides as (
    select
        source_system,
        order_id,
        min(channel) filter (where not is_return) as channel,
        min(currency) filter (where not is_return) as currency,
        max(identity_key) filter (where not is_return) as identity_key,
        coalesce(
            bool_and(coalesce(exclusion in ('test order', 'test line', 'cancelled order'), false)) filter (
                where not is_return
            ),
            false
        ) as is_void,
        sum(net_amount) filter (where is_counted and is_goods and not is_return) as sold_amount,
        case
            when bool_and(is_tax_known) filter (where is_counted and is_goods and not is_return)
                then sum(tax_amount) filter (where is_counted and is_goods and not is_return)
        end as sold_tax_amount,
        bool_and(is_tax_included) filter (where is_counted and is_goods and not is_return) as is_tax_included
    from order_lines
    group by source_system, order_id
),

returned_money as (
    select
        source_system,
        order_id,
        currency,
        -sum(net_amount) as amount
    from order_lines
    where is_return and is_counted
    group by source_system, order_id, currency
),

-- By product, and of the whole order for refunds that name none.
returned as (
    select
        source_system,
        order_id,
        product_id,
        -sum(units) as units
    from order_lines
    where is_return and is_counted
    group by source_system, order_id, product_id
    union all
    select
        source_system,
        order_id,
        '' as product_id,
        -sum(units) as units
    from order_lines
    where is_return and is_counted
    group by source_system, order_id
),

removed as (
    select
        document_system,
        document_id,
        line_id
    from order_lines
    where exclusion = 'removed from its document'
),

paid_lines as (
    select
        document_system,
        document_id,
        line_id,
        line_type
    from order_lines
    where not is_goods and not is_return
),

-- Goods that a return document takes back are given back there, once: of the refund's lines with goods, those beyond
-- the returned units stand for themselves. Units that an edit took off the order are no longer sold: a refund that
-- cancels them takes nothing off again.
of_goods as (
    select
        named.*,
        lowered.lowered_units,
        case
            when named.restock_type = 'return' or lowered.line_id is not null then named.quantity
            else 0
        end as goods_units
    from named
    left join lowered
        on
            named.order_system = lowered.source_system
            and named.order_id = lowered.order_id
            and named.order_line_id = lowered.line_id
            and named.restock_type = 'cancel'
            -- An edit and its refund are booked within a moment, a refund of later has nothing to do with it.
            and coalesce(
                named.refunded_at between {{ days_earlier('lowered.first_lowered_at', 1) }}
                and {{ hours_later('lowered.last_lowered_at', 1) }},
                true
            )
),

running as (
    select
        of_goods.*,
        sum(of_goods.goods_units) over (
            partition by
                of_goods.counted_system, of_goods.counted_order, of_goods.product_id, of_goods.restock_type,
                case when of_goods.restock_type = 'cancel' then of_goods.order_line_id end
            order by of_goods.refunded_at, of_goods.source_system, of_goods.refund_id, of_goods.line_id
            rows between unbounded preceding and current row
        ) as goods_units_so_far
    from of_goods
),

matched as (
    select
        running.*,
        least(
            running.goods_units,
            greatest(
                0,
                coalesce(running.lowered_units, returned.units, 0)
                - (running.goods_units_so_far - running.goods_units)
            )
        ) as returned_units
    from running
    left join returned
        on
            running.counted_system = returned.source_system
            and running.counted_order = returned.order_id
            and coalesce(running.product_id, '') = returned.product_id
            and running.restock_type = 'return'
),

lines_of_refund as (
    select
        source_system,
        refund_id,
        sum(amount) as amount,
        case when count(*) = count(tax_amount) then sum(tax_amount) end as tax_amount
    from refunds
    where not is_rest
    group by source_system, refund_id
),

joined as (
    select
        matched.source_system,
        matched.refund_id,
        matched.line_id,
        matched.counted_system,
        matched.counted_order,
        coalesce(headers.channel, order_sides.channel, matched.channel) as channel,
        coalesce(headers.identity_key, order_sides.identity_key) as identity_key,
        matched.node_id,
        matched.product_id,
        coalesce(matched.currency, order_sides.currency, headers.currency) as currency,
        matched.business_date,
        matched.refunded_at,
        matched.restock_type,
        matched.is_rest,
        matched.amount,
        matched.tax_amount,
        case
            when matched.goods_units > 0 and matched.returned_units = matched.goods_units then matched.amount
            when matched.returned_units > 0
                then {{ part_of('matched.returned_units', 'matched.goods_units', 'matched.amount') }}
            else 0
        end as returned_elsewhere_amount,
        matched.goods_units - matched.returned_units as units,
        case
            when left_out.order_id is not null then 'refund on an unsettled order'
            when coalesce(headers.is_cancelled or headers.is_test, order_sides.is_void, false)
                then 'refund on a cancelled or test order'
            when removed.line_id is not null then 'refund of a line that was removed from its order'
            when
                matched.status
                in ('failure', 'failed', 'error', 'declined', 'cancelled', 'canceled', 'void', 'voided')
                then 'refund that failed'
            when coalesce(headers.channel, order_sides.channel, matched.channel) is null
                then 'refund on an unknown order, without a channel'
        end as exclusion,
        matched.shipping_amount,
        coalesce(headers.shipping_amount, 0) as shipping_charged_amount,
        order_sides.sold_amount,
        order_sides.sold_tax_amount,
        order_sides.is_tax_included,
        coalesce(returned_money.amount, 0) as returned_amount,
        coalesce(lines_of_refund.amount, 0) as refund_lines_amount,
        lines_of_refund.tax_amount as refund_lines_tax_amount,
        -- Money paid back on what is no goods: a gift card, a deposit, postage that is a line.
        paid_lines.line_type as apart
    from matched
    left join headers
        on matched.counted_system = headers.source_system and matched.counted_order = headers.order_id
    left join order_sides
        on matched.counted_system = order_sides.source_system and matched.counted_order = order_sides.order_id
    left join left_out
        on matched.counted_system = left_out.source_system and matched.counted_order = left_out.order_id
    left join returned_money
        on
            matched.counted_system = returned_money.source_system
            and matched.counted_order = returned_money.order_id
            and coalesce(matched.currency, order_sides.currency, headers.currency) = returned_money.currency
    left join paid_lines
        on
            matched.order_system = paid_lines.document_system
            and matched.order_id = paid_lines.document_id
            and matched.order_line_id = paid_lines.line_id
    left join removed
        on
            matched.order_system = removed.document_system
            and matched.order_id = removed.document_id
            and matched.order_line_id = removed.line_id
    left join lines_of_refund
        on matched.source_system = lines_of_refund.source_system and matched.refund_id = lines_of_refund.refund_id
),

-- Of what is paid back beyond a refund's lines, their tax and that of the postage come first where it was added on top,
-- then the postage. A refund that does not name its lines' tax has their part of the order's.
parted as (
    select
        *,
        case
            when is_rest and not is_tax_included and sold_amount > 0
                then
                    least(
                        amount - coalesce(shipping_amount, 0),
                        coalesce(
                            refund_lines_tax_amount,
                            {{ part_of('refund_lines_amount', 'sold_amount', 'coalesce(sold_tax_amount, 0)') }}
                        ) + coalesce(tax_amount, 0)
                    )
            else 0
        end as tax_of_lines
    from joined
),

postage as (
    select
        *,
        case
            when apart = 'shipping' then amount - returned_elsewhere_amount
            when shipping_amount is not null then shipping_amount
            when is_rest and shipping_charged_amount > 0 and amount - tax_of_lines = shipping_charged_amount
                then shipping_charged_amount
            else 0
        end as shipping_refunded_amount
    from parted
),

-- What is paid back without a line of goods contains the tax that was added on top of them.
goods as (
    select
        *,
        case
            when apart is null then amount - tax_of_lines - shipping_refunded_amount - returned_elsewhere_amount
            else 0
        end as paid_amount,
        case
            when apart is not null then amount - shipping_refunded_amount - returned_elsewhere_amount
            else 0
        end as not_goods_amount,
        case
            when apart is not null then 0
            when is_rest and not is_tax_included and sold_amount > 0
                then
                    {{ part_of('amount - tax_of_lines - shipping_refunded_amount',
                        'sold_amount + coalesce(sold_tax_amount, 0)', 'sold_amount') }}
            else amount - tax_of_lines - shipping_refunded_amount - returned_elsewhere_amount
        end as net_amount
    from postage
),

taxed as (
    select
        *,
        case
            when apart is not null then 0
            when tax_amount is not null and not is_rest and returned_elsewhere_amount = 0 then -tax_amount
            when paid_amount <> net_amount then -(paid_amount - net_amount)
            else
                {{ share_of_running_total('-net_amount', 'sold_amount', 'sold_tax_amount',
                    ['counted_system', 'counted_order', 'currency', 'exclusion'],
                    ['refunded_at', 'source_system', 'refund_id', 'line_id'], before='returned_amount') }}
        end as given_tax_amount
    from goods
)

select
    source_system as refund_system,
    refund_id,
    line_id,
    counted_system as source_system,
    counted_order as order_id,
    coalesce(restock_type = 'return', false) and units > 0 and apart is null as is_return,
    exclusion is null as is_counted,
    exclusion,
    channel,
    business_date,
    refunded_at as moved_at,
    identity_key,
    node_id,
    product_id,
    currency,
    cast(case when restock_type = 'return' and apart is null then -units else 0 end as decimal(18, 4)) as units,
    amount,
    cast(returned_elsewhere_amount as decimal(18, 4)) as returned_elsewhere_amount,
    cast(shipping_refunded_amount as decimal(18, 4)) as shipping_refunded_amount,
    cast(not_goods_amount as decimal(18, 4)) as not_goods_amount,
    cast(case when apart = 'gift_card' then -not_goods_amount else 0 end as decimal(18, 4)) as gift_card_amount,
    cast(tax_of_lines as decimal(18, 4)) as tax_of_lines,
    cast(paid_amount - net_amount as decimal(18, 4)) as tax_of_added,
    cast(-net_amount as decimal(18, 4)) as net_amount,
    cast(given_tax_amount as decimal(18, 4)) as tax_amount,
    given_tax_amount is not null and is_tax_included is not null as is_tax_known,
    cast(case when is_tax_included then coalesce(given_tax_amount, 0) else 0 end as decimal(18, 4))
        as tax_included_amount
from taxed
