-- Derived from data_contracts/canonical/order_line.yaml by `onedata derive`; do not edit.
with delivered as (
    select * from {{ lake('order_line') }}
)

select
    order_id,
    line_id,
    line_type,
    original_order_id,
    channel,
    node_id,
    product_id,
    product_name,
    quantity,
    unit_price,
    discount_amount,
    tax_amount,
    currency,
    is_test,
    return_reason,
    country,
    customer_id,
    loyalty_id,
    business_date,
    sold_at,
    updated_at,
    coalesce(
        case when lower(customer_id) not in ({{ blocked_values() }}) and replace(customer_id, '0', '') != '' then 'account:' || source_system || ':' || customer_id end,
        case when lower(loyalty_id) not in ({{ blocked_values() }}) and replace(loyalty_id, '0', '') != '' then 'loyalty:' || loyalty_id end
    ) as identity_key,
    source_system,
    _feed,
    _file,
    _row,
    _arrived_at,
    _batch,
    _repaired,
    _extra,
    ds
from delivered
