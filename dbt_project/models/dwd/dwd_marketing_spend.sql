{% set key = ['source_system', 'spend_date', 'platform', 'campaign_id', 'adset_id'] %}
{{ config(unique_key=key) }}

with delivered as (
    select * from {{ ref('ods_marketing_spend') }}
    {{ pending_only() }}
),

latest as (
    {{ latest_version('marketing_spend', key) }}
)

select
    latest.source_system,
    latest.spend_date,
    latest.platform,
    latest.campaign_id,
    latest.adset_id,
    latest.impressions,
    latest.clicks,
    latest.spend,
    upper(latest.currency) as currency,
    latest._feed,
    latest._file,
    latest._edition,
    latest._row,
    latest.ds,
    latest._tied,
    latest._feeds
from latest
