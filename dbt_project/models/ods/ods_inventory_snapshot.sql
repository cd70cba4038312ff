-- Derived from data_contracts/canonical/inventory_snapshot.yaml by `onedata derive`; do not edit.
with delivered as (
    select * from {{ lake('inventory_snapshot') }}
)

select
    cast(snapshot_date as date) as snapshot_date,
    product_id,
    node_id,
    cast(on_hand as decimal(18,4)) as on_hand,
    cast(reserved as decimal(18,4)) as reserved,
    cast(in_transit as decimal(18,4)) as in_transit,
    cast(safety_stock as decimal(18,4)) as safety_stock,
    cast(unit_cost as decimal(18,4)) as unit_cost,
    currency,
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
