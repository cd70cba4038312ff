{% set key = ['source_system', 'event_id'] %}
{{ config(unique_key=key) }}

with delivered as (
    select * from {{ ref('ods_social_engagement') }}
    {{ pending_only() }}
)

select
    delivered.source_system,
    delivered.event_id,
    delivered.identity_key,
    lower(delivered.platform) as platform,
    delivered.post_id,
    lower(delivered.engagement_type) as engagement_type,
    delivered.product_id,
    delivered.campaign_id,
    delivered.business_date,
    delivered.occurred_at,
    delivered._feed,
    delivered._file,
    delivered._row,
    delivered.ds
from delivered
{{ latest_version('delivered', key) }}
