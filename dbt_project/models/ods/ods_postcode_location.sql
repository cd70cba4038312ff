-- Derived from data_contracts/canonical/postcode_location.yaml by `onedata derive`; do not edit.
with delivered as (
    select * from {{ lake('postcode_location') }}
)

select
    location_id,
    postcode,
    cast(latitude as double) as latitude,
    cast(longitude as double) as longitude,
    city,
    region,
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
