-- Derived from data_contracts/canonical/stock_movement.yaml by `onedata derive`; do not edit.
with delivered as (
    select * from {{ lake('stock_movement') }}
)

select
    movement_id,
    movement_type,
    product_id,
    node_id,
    quantity,
    reference,
    unit_cost,
    currency,
    business_date,
    moved_at,
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
