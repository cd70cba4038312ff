-- Derived from data_contracts/canonical/order_match.yaml by `onedata derive`; do not edit.
with delivered as (
    select * from {{ lake('order_match') }}
)

select
    order_system,
    order_id,
    other_system,
    other_order_id,
    decision,
    note,
    cast(updated_at as timestamp) as updated_at,
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
