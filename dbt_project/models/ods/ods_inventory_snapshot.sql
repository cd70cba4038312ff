-- Derived from data_contracts/canonical/inventory_snapshot.yaml by `onedata derive`; do not edit.
with delivered as (
    select * from {{ lake('inventory_snapshot') }}
)

select
    snapshot_date,
    product_id,
    node_id,
    on_hand,
    reserved,
    in_transit,
    safety_stock,
    unit_cost,
    currency,
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
