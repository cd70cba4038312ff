{% set key = ['source_system', 'event_id'] %}
{{ config(unique_key=key) }}

with delivered as (
    select * from {{ ref('ods_social_engagement') }}
    {{ pending_only() }}
),

latest as (
    {{ latest_version('social_engagement', key) }}
)

select
    latest.source_system,
    latest.event_id,
    latest.identity_key,
    lower(latest.platform) as platform,
    latest.post_id,
    lower(latest.engagement_type) as engagement_type,
    latest.product_id,
    latest.campaign_id,
    latest.business_date,
    latest.occurred_at,
    latest._feed,
    latest._file,
    latest._edition,
    latest._row,
    latest.ds,
    latest._tied,
    latest._feeds
from latest
