-- Derived from data_contracts/canonical/social_post.yaml by `onedata derive`; do not edit.
with delivered as (
    select * from {{ lake('social_post') }}
)

select
    platform,
    post_id,
    post_type,
    social_union_id,
    body,
    language,
    product_id,
    product_tags,
    campaign_id,
    reply_to_post_id,
    url,
    cast(business_date as date) as business_date,
    cast(posted_at as timestamp) as posted_at,
    {{ identity_key('social_post') }} as identity_key,
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
