{% set key = ['source_system', 'spend_date', 'platform', 'campaign_id', 'adset_id'] %}
{{ config(unique_key=key) }}

with delivered as (
    select * from {{ ref('ods_marketing_spend') }}
    {{ pending_only() }}
)

select
    delivered.source_system,
    delivered.spend_date,
    delivered.platform,
    delivered.campaign_id,
    delivered.adset_id,
    delivered.impressions,
    delivered.clicks,
    delivered.spend,
    upper(delivered.currency) as currency,
    delivered._feed,
    delivered._file,
    delivered._row,
    delivered.ds
from delivered
{{ latest_version('delivered', key) }}
