-- Derived from data_contracts/canonical/stock_movement.yaml by `onedata derive`; do not edit.
with delivered as (
    select * from {{ lake('stock_movement') }}
)

select
    movement_id,
    movement_type,
    product_id,
    node_id,
    cast(quantity as decimal(18,4)) as quantity,
    reference,
    cast(unit_cost as decimal(18,4)) as unit_cost,
    currency,
    cast(business_date as date) as business_date,
    cast(moved_at as timestamp) as moved_at,
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
