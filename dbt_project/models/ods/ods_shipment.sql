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
    cast(distance_km as double) as distance_km,
    cast(cost as decimal(18,4)) as cost,
    currency,
    packaging,
    cast(co2e_kg as double) as co2e_kg,
    cast(created_at as timestamp) as created_at,
    cast(announced_date as date) as announced_date,
    cast(promised_date as date) as promised_date,
    cast(promised_at as timestamp) as promised_at,
    cast(picked_up_at as timestamp) as picked_up_at,
    cast(delivered_date as date) as delivered_date,
    cast(delivered_at as timestamp) as delivered_at,
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
