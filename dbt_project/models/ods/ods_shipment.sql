-- Derived from data_contracts/canonical/shipment.yaml by `onedata derive`; do not edit.
with delivered as (
    select * from {{ lake('shipment') }}
)

select
    shipment_id,
    order_id,
    order_system,
    carrier,
    service,
    status,
    origin_node_id,
    destination_postcode,
    distance_km,
    cost,
    currency,
    packaging,
    co2e_kg,
    created_at,
    promised_date,
    promised_at,
    picked_up_at,
    delivered_at,
    updated_at,
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
