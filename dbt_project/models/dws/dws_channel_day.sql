{%- set amounts = [
    'gross_base', 'discount_base', 'returns_base', 'refunds_base', 'net_revenue_as_priced_base', 'tax_base',
    'net_revenue_base', 'shipping_base', 'shipping_refunded_base', 'gift_cards_base',
] %}

with movements as (
    select * from {{ ref('dws_order_movement') }}
    where is_counted
),

refunds as (
    select * from {{ ref('dws_refund') }}
    where exclusion = 'refund that is half read'
),

-- One row per document, of which there may be one per currency, and per refund.
half_read as (
    select
        source_system,
        order_id,
        channel,
        business_date
    from {{ ref('dwd_unsettled') }}
    where channel is not null
    group by source_system, order_id, channel, business_date
    union all
    select
        refund_system,
        refund_id,
        channel,
        business_date
    from refunds
    where channel is not null
    group by refund_system, refund_id, channel, business_date
),

unsettled as (
    select
        channel,
        business_date,
        count(*) as unsettled_count
    from half_read
    group by channel, business_date
),

orders as (
    select * from {{ ref('dws_order') }}
    where is_order
),

money as (
    select
        channel,
        business_date,
        sum(line_count) as line_count,
        coalesce(sum(units) filter (where not is_return), 0) as units,
        {{ sum_money('gross_amount_base', 'not is_return and not is_refund') }} as gross_base,
        {{ sum_money('discount_amount_base', 'not is_return and not is_refund') }} as discount_base,
        -{{ sum_money('net_amount_base', 'is_return') }} as returns_base,
        -{{ sum_money('net_amount_base', 'is_refund and not is_return') }} as refunds_base,
        {{ sum_money('net_amount_base') }} as net_revenue_as_priced_base,
        {{ sum_money('tax_amount_base') }} as tax_base,
        {{ sum_money('net_revenue_base') }} as net_revenue_base,
        bool_and(is_tax_known) as is_tax_known,
        {{ sum_money('shipping_amount_base', 'not is_refund') }} as shipping_base,
        -{{ sum_money('shipping_amount_base', 'is_refund') }} as shipping_refunded_base,
        {{ sum_money('gift_card_amount_base') }} as gift_cards_base
    from movements
    group by channel, business_date
),

buyers as (
    select
        channel,
        business_date,
        oneid,
        count(*) as order_count
    from orders
    group by channel, business_date, oneid
),

bought as (
    select
        channel,
        business_date,
        sum(order_count) as order_count,
        count(oneid) as customer_count
    from buyers
    group by channel, business_date
)

select
    coalesce(money.channel, bought.channel, unsettled.channel) as channel,
    coalesce(money.business_date, bought.business_date, unsettled.business_date) as business_date,
    cast(coalesce(bought.order_count, 0) as bigint) as order_count,
    cast(coalesce(money.line_count, 0) as bigint) as line_count,
    cast(coalesce(money.units, 0) as decimal(18, 4)) as units,
    {%- for name in amounts %}
    cast(case when money.channel is null then 0 else money.{{ name }} end as decimal(18, 4)) as {{ name }},
    {%- endfor %}
    coalesce(money.is_tax_known, false) as is_tax_known,
    cast(coalesce(bought.customer_count, 0) as bigint) as customer_count,
    cast(coalesce(unsettled.unsettled_count, 0) as bigint) as unsettled_count
from money
full outer join bought on money.channel = bought.channel and money.business_date = bought.business_date
full outer join unsettled
    on
        coalesce(money.channel, bought.channel) = unsettled.channel
        and coalesce(money.business_date, bought.business_date) = unsettled.business_date
