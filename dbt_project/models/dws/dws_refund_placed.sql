with refunds as (
    select * from {{ ref('dwd_refund') }}
),

refund_lines as (
    select * from {{ ref('dws_refund_goods') }}
),

headers as (
    select * from {{ ref('dwd_order') }}
),

sold as (
    select * from {{ ref('dws_order_sold') }}
),

came_back as (
    select * from {{ ref('dws_order_returned') }}
),

paid_off as (
    select * from {{ ref('dws_refund_paid_off') }}
),

left_out as (
    select
        source_system,
        order_id
    from {{ ref('dwd_unsettled') }}
    where not is_held
    group by source_system, order_id
),

half_read as (
    select * from {{ ref('dwd_refund_unread') }}
),

cancelled_elsewhere as (
    select * from {{ ref('dws_order_copy_cancelled') }}
),

returned_money as (
    select
        source_system,
        order_id,
        currency,
        sum(amount) as amount
    from came_back
    group by source_system, order_id, currency
),

lines_of_refund as (
    select
        refund_system,
        refund_id,
        sum(amount) as amount,
        case when count(*) = count(tax_amount) then sum(tax_amount) end as tax_amount
    from refund_lines
    where not is_rest and not is_of_removed
    group by refund_system, refund_id
)

select
    refund_lines.refund_system,
    refund_lines.refund_id,
    refund_lines.line_id,
    refund_lines.source_system,
    refund_lines.order_id,
    coalesce(headers.channel, sold.channel, refunds.channel) as channel,
    coalesce(headers.identity_key, sold.identity_key) as identity_key,
    refunds.node_id,
    refund_lines.sold_product_id as product_id,
    coalesce(refund_lines.currency, headers.currency) as currency,
    refunds.business_date,
    refund_lines.refunded_at,
    refund_lines.restock_type,
    refund_lines.is_rest,
    refund_lines.amount,
    case when paid_off.kind = 'total' then 0 when not coalesce(sold.is_silent, false) then refund_lines.tax_amount
    end as tax_amount,
    case
        when paid_off.kind = 'total' then refund_lines.amount
        when paid_off.kind is not null and refund_lines.is_rest then paid_off.amount
        else refund_lines.returned_amount
    end as returned_elsewhere_amount,
    case
        when paid_off.kind = 'total' then 'edit'
        when paid_off.kind = 'unpaid' and refund_lines.is_rest then 'refund'
        when paid_off.kind is not null and refund_lines.is_rest then paid_off.kind
        when refund_lines.lowered_units is not null then 'edit'
        when refund_lines.returned_units > 0 then 'return'
    end as given_back_by,
    refund_lines.goods_units - refund_lines.returned_units as units,
    case
        when left_out.order_id is not null then 'refund on an unsettled order'
        when coalesce(headers.is_cancelled or headers.is_test, sold.is_void)
            or cancelled_elsewhere.order_id is not null
            then 'refund on a cancelled or test order'
        when half_read.refund_id is not null then 'refund that is half read'
        when refund_lines.is_of_removed then 'refund of what was removed from its order'
        when {{ has_failed('refunds.status') }} then 'refund that failed'
        when coalesce(headers.channel, sold.channel, refunds.channel) is null
            then 'refund on an unknown order, without a channel'
    end as exclusion,
    case
        when paid_off.kind = 'total' then 0
        when paid_off.kind = 'edit' and refund_lines.is_rest and paid_off.amount >= refund_lines.amount
            then coalesce(refund_lines.shipping_amount, 0)
        else refund_lines.shipping_amount
    end as shipping_amount,
    refund_lines.shipping_charged_amount,
    coalesce(sold.shipping_tax_added_amount, 0) as shipping_tax_added_amount,
    sold.sold_amount,
    sold.gift_cards_amount,
    sold.sold_tax_amount,
    coalesce(refund_lines.currency, headers.currency) = coalesce(sold.currency, headers.currency)
        as is_in_its_currency,
    sold.is_tax_included,
    coalesce(returned_money.amount, 0) as returned_amount,
    case when paid_off.kind = 'total' then 0 else coalesce(lines_of_refund.amount, 0) end as refund_lines_amount,
    case
        when paid_off.kind = 'total' then 0
        when not coalesce(sold.is_silent, false) then lines_of_refund.tax_amount
    end as refund_lines_tax_amount,
    -- Money paid back on what is no goods: gift cards, deposits, postage lines.
    coalesce(
        refund_lines.line_apart, case when refund_lines.is_rest and sold.has_gift_cards_alone then 'gift_card' end
    ) as apart
from refund_lines
inner join refunds
    on
        refund_lines.refund_system = refunds.source_system
        and refund_lines.refund_id = refunds.refund_id
        and refund_lines.line_id = refunds.line_id
left join headers on refund_lines.source_system = headers.source_system and refund_lines.order_id = headers.order_id
left join sold on refund_lines.source_system = sold.source_system and refund_lines.order_id = sold.order_id
left join cancelled_elsewhere
    on
        refund_lines.source_system = cancelled_elsewhere.source_system
        and refund_lines.order_id = cancelled_elsewhere.order_id
left join left_out on refund_lines.source_system = left_out.source_system and refund_lines.order_id = left_out.order_id
left join half_read
    on
        refund_lines.document_system = half_read.source_system
        and refund_lines.document_id = half_read.order_id
        and refund_lines.refund_id = half_read.refund_id
left join returned_money
    on
        refund_lines.source_system = returned_money.source_system
        and refund_lines.order_id = returned_money.order_id
        and coalesce(refund_lines.currency, headers.currency) = returned_money.currency
left join lines_of_refund
    on
        refund_lines.refund_system = lines_of_refund.refund_system
        and refund_lines.refund_id = lines_of_refund.refund_id
left join paid_off
    on refund_lines.refund_system = paid_off.refund_system and refund_lines.refund_id = paid_off.refund_id
