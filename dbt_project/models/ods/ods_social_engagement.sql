-- Derived from data_contracts/canonical/social_engagement.yaml by `onedata derive`; do not edit.
with delivered as (
    select * from {{ lake('social_engagement') }}
)

select
    event_id,
    platform,
    post_id,
    social_union_id,
    engagement_type,
    product_id,
    campaign_id,
    cast(business_date as date) as business_date,
    cast(occurred_at as timestamp) as occurred_at,
    {{ identity_key('social_engagement') }} as identity_key,
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
