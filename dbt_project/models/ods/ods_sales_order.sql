-- Derived from data_contracts/canonical/sales_order.yaml by `onedata derive`; do not edit.
with delivered as (
    select * from {{ lake('sales_order') }}
)

select
    order_id,
    channel,
    node_id,
    status,
    cast(is_cancelled as boolean) as is_cancelled,
    cast(is_test as boolean) as is_test,
    fulfilment_method,
    currency,
    cast(shipping_amount as decimal(18,4)) as shipping_amount,
    cast(total_amount as decimal(18,4)) as total_amount,
    cast(lines_difference as decimal(18,4)) as lines_difference,
    customer_id,
    loyalty_id,
    social_union_id,
    email,
    phone,
    payment_token,
    shipping_address,
    utm_source,
    utm_campaign,
    referrer_code,
    cast(business_date as date) as business_date,
    cast(ordered_at as timestamp) as ordered_at,
    cast(updated_at as timestamp) as updated_at,
    {{ identity_key('sales_order') }} as identity_key,
    source_system,
    _feed,
    _file,
    coalesce(_edition, 1) as _edition,
    _row,
    _arrived_at,
    _batch,
    _mapped,
    _priority,
    _repaired,
    _extra,
    ds
from delivered
