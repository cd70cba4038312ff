-- Derived from data_contracts/canonical/customer.yaml by `onedata derive`; do not edit.
with delivered as (
    select * from {{ lake('customer') }}
)

select
    customer_id,
    loyalty_id,
    social_union_id,
    email,
    phone,
    full_name,
    address,
    city,
    region,
    country,
    postcode,
    gender,
    cast(birth_year as bigint) as birth_year,
    member_tier,
    cast(marketing_consent as boolean) as marketing_consent,
    cast(registered_at as timestamp) as registered_at,
    cast(updated_at as timestamp) as updated_at,
    {{ identity_key('customer') }} as identity_key,
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
