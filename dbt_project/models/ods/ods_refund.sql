-- Derived from data_contracts/canonical/refund.yaml by `onedata derive`; do not edit.
with delivered as (
    select * from {{ lake('refund') }}
)

select
    refund_id,
    line_id,
    order_id,
    order_line_id,
    node_id,
    product_id,
    product_name,
    quantity,
    amount,
    currency,
    restock_type,
    is_restocked,
    method,
    status,
    note,
    business_date,
    refunded_at,
    paid_at,
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
