with channel_days as (
    select * from {{ ref('dws_channel_day') }}
)

select
    channel,
    business_date,
    net_revenue_base,
    order_count,
    cast(cast(net_revenue_base as double) / nullif(order_count, 0) as decimal(18, 4)) as average_order_value_base,
    gross_base,
    discount_base,
    returns_base,
    refunds_base,
    net_revenue_as_priced_base,
    tax_base,
    is_tax_known,
    shipping_base,
    shipping_refunded_base,
    gift_cards_base,
    line_count,
    units,
    customer_count,
    unsettled_count
from channel_days
