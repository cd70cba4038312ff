-- Derived from data_contracts/canonical/refund.yaml by `onedata derive`; do not edit.
with delivered as (
    select * from {{ lake('refund') }}
)

select
    refund_id,
    line_id,
    order_id,
    order_system,
    channel,
    order_line_id,
    node_id,
    product_id,
    product_name,
    cast(quantity as decimal(18,4)) as quantity,
    cast(amount as decimal(18,4)) as amount,
    cast(shipping_amount as decimal(18,4)) as shipping_amount,
    cast(is_rest as boolean) as is_rest,
    cast(tax_amount as decimal(18,4)) as tax_amount,
    currency,
    restock_type,
    cast(is_restocked as boolean) as is_restocked,
    method,
    status,
    note,
    cast(business_date as date) as business_date,
    cast(refunded_at as timestamp) as refunded_at,
    cast(paid_at as timestamp) as paid_at,
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
