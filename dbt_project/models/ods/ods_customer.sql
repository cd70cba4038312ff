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
    coalesce(
        case
            when lower(customer_id) not in ({{ blocked_values() }})
            and replace(customer_id, '0', '') != ''
            then 'account:' || source_system || ':' || customer_id
        end,
        case
            when lower(loyalty_id) not in ({{ blocked_values() }})
            and replace(loyalty_id, '0', '') != ''
            then 'loyalty:' || loyalty_id
        end,
        case
            when lower(social_union_id) not in ({{ blocked_values() }})
            and replace(social_union_id, '0', '') != ''
            then 'social:' || social_union_id
        end,
        'email:' || email,
        'phone:' || phone
    ) as identity_key,
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
