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

lone_returns as (
    select * from {{ ref('dws_return_lone') }}
),

lowered as (
    select * from {{ ref('dwd_order_line_lowered') }}
),

lowered_totals as (
    select * from {{ ref('dwd_order_lowered') }}
),

taken_off as (
    select * from {{ ref('dws_order_taken_off') }}
),

cancelled_elsewhere as (
    select * from {{ ref('dws_order_copy_cancelled') }}
),

differences as (
    select
        document_system,
        document_id,
        copy_units < order_units or (copy_units = order_units and copy_amount < order_amount) as is_copy_less,
        copy_amount - order_amount as more_amount
    from {{ ref('dws_order_copy_difference') }}
),

products as (
    select
        source_system,
        product_id,
        product_key
    from {{ ref('dim_product') }}
),

-- What was sold on the line that a refund names.
sold_lines as (
    select
        document_system,
        document_id,
        line_id,
        line_type,
        product_id,
        product_key,
        is_goods,
        case when units > 0 then net_amount / units end as unit_amount,
        coalesce(exclusion = 'removed from its document', false) as is_removed
    from order_lines
    where not is_return
),

-- What is paid back on a copy of an order is paid back on the order. Edits of the copy take off what is paid back only
-- where the order lacks it too.
named as (
    select
        refunds.*,
        coalesce(copies.source_system, refunds.order_system) as counted_system,
        coalesce(copies.order_id, refunds.order_id) as counted_order,
        coalesce(refunds.product_id, sold_lines.product_id) as sold_product_id,
        sold_lines.product_key as sold_product_key,
        sold_lines.unit_amount,
        documents.shipping_amount as document_shipping_amount,
        coalesce(differences.is_copy_less, false) as is_copy_less,
        case when differences.more_amount > 0 then differences.more_amount end as more_amount,
        coalesce(sold_lines.is_removed and not coalesce(differences.is_copy_less, false), false) as is_of_removed,
        case when not sold_lines.is_goods then sold_lines.line_type end as line_apart
    from refunds
    left join copies
        on refunds.order_system = copies.document_system and refunds.order_id = copies.document_id
    left join differences
        on refunds.order_system = differences.document_system and refunds.order_id = differences.document_id
    left join headers as documents
        on refunds.order_system = documents.source_system and refunds.order_id = documents.order_id
    left join sold_lines
        on
            refunds.order_system = sold_lines.document_system
            and refunds.order_id = sold_lines.document_id
            and refunds.order_line_id = sold_lines.line_id
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
        sum(net_amount) filter (where is_counted and line_type = 'gift_card') as gift_cards_amount,
        case
            when bool_and(is_tax_known) filter (where is_counted and is_goods and not is_return)
                then sum(tax_amount) filter (where is_counted and is_goods and not is_return)
        end as sold_tax_amount,
        -- A refund on an order that is silent on tax has none.
        count(is_tax_included) filter (where is_counted and is_goods and not is_return) = 0 as is_silent,
        coalesce(bool_and(is_tax_included) filter (where is_counted and is_goods and not is_return), true)
            as is_tax_included,
        bool_or(line_type = 'gift_card') and not bool_or(is_goods) as has_gift_cards_alone,
        coalesce(
            bool_or(exclusion in ('removed from its document', 'taken off its document')) filter (where not is_return),
            false
        ) as has_removed
    from order_lines
    group by source_system, order_id
),

came_back as (
    select
        source_system,
        order_id,
        product_key,
        currency,
        units,
        net_amount
    from order_lines
    where is_return and is_counted
    union all
    select
        source_system,
        order_id,
        product_key,
        currency,
        units,
        net_amount
    from lone_returns
),

returned_money as (
    select
        source_system,
        order_id,
        currency,
        -sum(net_amount) as amount
    from came_back
    group by source_system, order_id, currency
),

-- By product, and in all.
returned as (
    select
        source_system,
        order_id,
        product_key,
        -sum(units) as units
    from came_back
    group by source_system, order_id, product_key
    union all
    select
        source_system,
        order_id,
        '' as product_key,
        -sum(units) as units
    from came_back
    group by source_system, order_id
),

-- Goods that a return document takes back are given back there, once: of the refund's goods those beyond the returned
-- units stand for themselves. Units that an edit took off are no longer sold: a refund of them takes nothing off again.
of_goods as (
    select
        named.*,
        coalesce(
            own_products.product_key, order_products.product_key, named.sold_product_key, named.product_id, ''
        ) as product_key,
        lowered.lowered_units,
        case when lowered.line_id is not null then named.order_line_id end as lowered_line_id,
        -- Who leaves the stock to the warehouse writes `no_restock` of goods that came back: then all is paid back.
        case
            when named.restock_type = 'return' or lowered.line_id is not null then named.quantity
            when
                named.restock_type = 'no_restock'
                and named.amount >= named.unit_amount * named.quantity - 0.01
                then named.quantity
            else 0
        end as goods_units
    from named
    left join products as own_products
        on named.source_system = own_products.source_system and named.product_id = own_products.product_id
    left join products as order_products
        on named.counted_system = order_products.source_system and named.product_id = order_products.product_id
    left join lowered
        on
            named.order_system = lowered.source_system
            and named.order_id = lowered.order_id
            and named.order_line_id = lowered.line_id
            and not named.is_copy_less
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
                of_goods.counted_system, of_goods.counted_order, of_goods.product_key, of_goods.goods_units > 0,
                of_goods.lowered_line_id
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
                coalesce(greatest(running.lowered_units, returned.units), 0)
                - (running.goods_units_so_far - running.goods_units)
            )
        ) as returned_units
    from running
    left join returned
        on
            running.counted_system = returned.source_system
            and running.counted_order = returned.order_id
            and running.product_key = returned.product_key
            and running.goods_units > 0
            and running.restock_type <> 'cancel'
),

lines_of_refund as (
    select
        source_system,
        refund_id,
        sum(amount) as amount,
        case when count(*) = count(tax_amount) then sum(tax_amount) end as tax_amount,
        bool_and(is_of_removed) as is_of_removed
    from named
    where not is_rest
    group by source_system, refund_id
),

whole_refunds as (
    select
        named.source_system,
        named.refund_id,
        named.order_system,
        named.order_id,
        named.counted_system,
        named.counted_order,
        coalesce(min(named.currency), min(order_sides.currency)) as currency,
        min(named.refunded_at) as refunded_at,
        sum(named.amount) as amount,
        -- What the source says is postage, with the tax on top of it.
        sum(
            case
                when named.is_rest
                    then
                        coalesce(named.shipping_amount, 0)
                        + case when order_sides.is_tax_included then 0 else coalesce(named.tax_amount, 0) end
                else 0
            end
        ) as postage_amount,
        bool_and(named.is_rest) as is_money_alone,
        bool_or(named.is_copy_less) as is_copy_less,
        max(named.more_amount) as more_amount,
        bool_or(coalesce(named.restock_type = 'return', false)) as has_goods_back,
        bool_and(named.is_rest or named.is_of_removed) as is_of_removed,
        bool_or(named.status is null or {{ has_succeeded('named.status') }} or named.status = 'pending') as is_paid
    from named
    left join order_sides
        on named.counted_system = order_sides.source_system and named.counted_order = order_sides.order_id
    group by
        named.source_system, named.refund_id, named.order_system, named.order_id, named.counted_system,
        named.counted_order
),

-- What an order's total was lowered by, version by version and in all.
lowered_by as (
    select
        source_system,
        order_id,
        amount,
        min(lowered_at) as lowered_at
    from (
        select
            source_system,
            order_id,
            lowered_amount as amount,
            lowered_at
        from lowered_totals
        union all
        select
            source_system,
            order_id,
            sum(lowered_amount) as amount,
            min(lowered_at) as lowered_at
        from lowered_totals
        group by source_system, order_id
    ) as steps_and_all
    group by source_system, order_id, amount
),

goods_returned as (
    select
        counted_system,
        counted_order,
        sum(returned_units) as units
    from matched
    where lowered_units is null
    group by counted_system, counted_order
),

-- Refunds that pay back, as a whole, what is off the order already. `total`: just what edits lowered its total by.
-- `edit`: money without a line that is just what the lines come to that edits took off, or any money of an order that
-- they left nothing of. `return`: money without a line that is just what came back.
paid_off as (
    select
        whole_refunds.source_system,
        whole_refunds.refund_id,
        case
            when lowered_by.order_id is not null or whole_refunds.amount = whole_refunds.more_amount then 'total'
            when order_sides.sold_amount is null and order_sides.has_removed and whole_refunds.is_of_removed then 'edit'
            when
                whole_refunds.is_money_alone
                and whole_refunds.amount - whole_refunds.postage_amount in (
                    taken_off.amount, {{ with_added_tax('taken_off.amount', 'order_sides', 'whole_refunds.currency') }}
                )
                then 'edit'
            when
                whole_refunds.is_money_alone
                and coalesce(goods_returned.units, 0) = 0
                and whole_refunds.amount - whole_refunds.postage_amount in (
                    returned_money.amount,
                    {{ with_added_tax('returned_money.amount', 'order_sides', 'whole_refunds.currency') }}
                )
                then 'return'
        end as kind
    from whole_refunds
    left join order_sides
        on
            whole_refunds.counted_system = order_sides.source_system
            and whole_refunds.counted_order = order_sides.order_id
    left join lowered_by
        on
            whole_refunds.order_system = lowered_by.source_system
            and whole_refunds.order_id = lowered_by.order_id
            and whole_refunds.amount = lowered_by.amount
            and not whole_refunds.has_goods_back
            and not whole_refunds.is_copy_less
            and coalesce(whole_refunds.refunded_at >= {{ days_earlier('lowered_by.lowered_at', 1) }}, true)
    left join taken_off
        on
            whole_refunds.order_system = taken_off.document_system
            and whole_refunds.order_id = taken_off.document_id
            and not whole_refunds.is_copy_less
    left join goods_returned
        on
            whole_refunds.counted_system = goods_returned.counted_system
            and whole_refunds.counted_order = goods_returned.counted_order
    left join returned_money
        on
            whole_refunds.counted_system = returned_money.source_system
            and whole_refunds.counted_order = returned_money.order_id
            and whole_refunds.currency = returned_money.currency
    where whole_refunds.is_paid
),

-- Each once an order; of an order that edits left nothing of, always.
paid_off_once as (
    select
        paid_off.source_system,
        paid_off.refund_id,
        paid_off.kind
    from paid_off
    inner join whole_refunds
        on paid_off.source_system = whole_refunds.source_system and paid_off.refund_id = whole_refunds.refund_id
    left join order_sides
        on
            whole_refunds.counted_system = order_sides.source_system
            and whole_refunds.counted_order = order_sides.order_id
    where paid_off.kind is not null
    qualify
        order_sides.order_id is not null and order_sides.sold_amount is null
        or row_number() over (
            partition by
                whole_refunds.order_system, whole_refunds.order_id, paid_off.kind, whole_refunds.amount
            order by whole_refunds.refunded_at, whole_refunds.source_system, whole_refunds.refund_id
        ) = 1
)

select
    matched.source_system as refund_system,
    matched.refund_id,
    matched.line_id,
    matched.counted_system as source_system,
    matched.counted_order as order_id,
    coalesce(headers.channel, order_sides.channel, matched.channel) as channel,
    coalesce(headers.identity_key, order_sides.identity_key) as identity_key,
    matched.node_id,
    matched.sold_product_id as product_id,
    coalesce(matched.currency, order_sides.currency, headers.currency) as currency,
    matched.business_date,
    matched.refunded_at,
    matched.restock_type,
    matched.is_rest,
    matched.amount,
    case when paid_off.kind = 'total' then 0 when not coalesce(order_sides.is_silent, false) then matched.tax_amount
    end as tax_amount,
    case
        when paid_off.kind = 'total' then matched.amount
        when paid_off.kind is not null and matched.is_rest
            then
                matched.amount - coalesce(matched.shipping_amount, 0)
                - case when order_sides.is_tax_included then 0 else coalesce(matched.tax_amount, 0) end
        when matched.goods_units > 0 and matched.returned_units = matched.goods_units then matched.amount
        when matched.returned_units > 0
            then {{ part_of('matched.returned_units', 'matched.goods_units', 'matched.amount',
                'matched.currency') }}
        else 0
    end as returned_elsewhere_amount,
    case
        when paid_off.kind = 'total' then 'edit'
        when paid_off.kind is not null and matched.is_rest then paid_off.kind
        when matched.lowered_units is not null then 'edit'
        when matched.returned_units > 0 then 'return'
    end as given_back_by,
    matched.goods_units - matched.returned_units as units,
    case
        when left_out.order_id is not null then 'refund on an unsettled order'
        when coalesce(headers.is_cancelled or headers.is_test, order_sides.is_void, false)
            or cancelled_elsewhere.order_id is not null
            then 'refund on a cancelled or test order'
        when matched.is_of_removed then 'refund of what was removed from its order'
        when
            matched.status
            in ('failure', 'failed', 'error', 'declined', 'cancelled', 'canceled', 'void', 'voided')
            then 'refund that failed'
        when coalesce(headers.channel, order_sides.channel, matched.channel) is null
            then 'refund on an unknown order, without a channel'
    end as exclusion,
    case
        when paid_off.kind = 'total' then 0
        when paid_off.kind is not null and matched.is_rest then coalesce(matched.shipping_amount, 0)
        else matched.shipping_amount
    end as shipping_amount,
    case
        when matched.currency <> coalesce(headers.currency, order_sides.currency) then 0
        else coalesce(headers.shipping_amount, matched.document_shipping_amount, 0)
    end as shipping_charged_amount,
    -- What the order's tax has beyond that of its goods is that of its postage.
    case
        when not order_sides.is_tax_included
            then coalesce(headers.shipping_tax_amount, headers.tax_amount - order_sides.sold_tax_amount, 0)
        else 0
    end as shipping_tax_added_amount,
    order_sides.sold_amount,
    order_sides.gift_cards_amount,
    order_sides.sold_tax_amount,
    coalesce(matched.currency, order_sides.currency, headers.currency)
    = coalesce(order_sides.currency, headers.currency) as is_in_its_currency,
    order_sides.is_tax_included,
    coalesce(returned_money.amount, 0) as returned_amount,
    coalesce(lines_of_refund.amount, 0) as refund_lines_amount,
    case when not coalesce(order_sides.is_silent, false) then lines_of_refund.tax_amount end as refund_lines_tax_amount,
    -- Money paid back on what is no goods: gift cards, deposits, postage lines.
    coalesce(
        matched.line_apart, case when matched.is_rest and order_sides.has_gift_cards_alone then 'gift_card' end
    ) as apart
from matched
left join headers
    on matched.counted_system = headers.source_system and matched.counted_order = headers.order_id
left join order_sides
    on matched.counted_system = order_sides.source_system and matched.counted_order = order_sides.order_id
left join cancelled_elsewhere
    on
        matched.counted_system = cancelled_elsewhere.source_system
        and matched.counted_order = cancelled_elsewhere.order_id
left join left_out
    on matched.counted_system = left_out.source_system and matched.counted_order = left_out.order_id
left join returned_money
    on
        matched.counted_system = returned_money.source_system
        and matched.counted_order = returned_money.order_id
        and coalesce(matched.currency, order_sides.currency, headers.currency) = returned_money.currency
left join lines_of_refund
    on matched.source_system = lines_of_refund.source_system and matched.refund_id = lines_of_refund.refund_id
left join paid_off_once as paid_off
    on matched.source_system = paid_off.source_system and matched.refund_id = paid_off.refund_id
