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
    cast(quantity as decimal(18,4)) as quantity,
    cast(unit_price as decimal(18,4)) as unit_price,
    cast(discount_amount as decimal(18,4)) as discount_amount,
    cast(line_amount as decimal(18,4)) as line_amount,
    cast(tax_amount as decimal(18,4)) as tax_amount,
    cast(is_tax_included as boolean) as is_tax_included,
    currency,
    parent_line_id,
    cast(is_test as boolean) as is_test,
    return_reason,
    country,
    customer_id,
    loyalty_id,
    cast(business_date as date) as business_date,
    cast(sold_at as timestamp) as sold_at,
    cast(updated_at as timestamp) as updated_at,
    {{ identity_key('order_line') }} as identity_key,
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
