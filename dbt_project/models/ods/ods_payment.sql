-- Derived from data_contracts/canonical/payment.yaml by `onedata derive`; do not edit.
with delivered as (
    select * from {{ lake('payment') }}
)

select
    order_id,
    order_system,
    payment_id,
    parent_payment_id,
    kind,
    status,
    cast(is_void as boolean) as is_void,
    method,
    cast(instalments as bigint) as instalments,
    cast(amount as decimal(18,4)) as amount,
    currency,
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
