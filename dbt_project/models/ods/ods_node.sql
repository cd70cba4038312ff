-- Derived from data_contracts/canonical/node.yaml by `onedata derive`; do not edit.
with delivered as (
    select * from {{ lake('node') }}
)

select
    node_id,
    node_name,
    node_type,
    city,
    region,
    country,
    postcode,
    time_zone,
    latitude,
    longitude,
    selling_area_m2,
    headcount,
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
