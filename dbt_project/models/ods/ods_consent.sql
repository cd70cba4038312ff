-- Derived from data_contracts/canonical/consent.yaml by `onedata derive`; do not edit.
with delivered as (
    select * from {{ lake('consent') }}
)

select
    consent_id,
    email,
    loyalty_id,
    purpose,
    cast(is_granted as boolean) as is_granted,
    recorded_in,
    policy_version,
    cast(business_date as date) as business_date,
    cast(recorded_at as timestamp) as recorded_at,
    {{ identity_key('consent') }} as identity_key,
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
