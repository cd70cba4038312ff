-- Derived from data_contracts/canonical/node.yaml by `onedata derive`; do not edit.
with delivered as (
    select * from {{ lake('node') }}
)

select
    node_id,
    node_key,
    node_name,
    node_type,
    city,
    region,
    country,
    postcode,
    time_zone,
    cast(latitude as double) as latitude,
    cast(longitude as double) as longitude,
    cast(selling_area_m2 as double) as selling_area_m2,
    cast(headcount as bigint) as headcount,
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
