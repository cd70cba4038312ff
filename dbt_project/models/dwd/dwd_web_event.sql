{% set key = ['source_system', 'event_id'] %}
{{ config(unique_key=key) }}

with delivered as (
    select * from {{ ref('ods_web_event') }}
    {{ pending_only() }}
)

select
    delivered.source_system,
    delivered.event_id,
    delivered.identity_key,
    delivered.event_name,
    delivered.visitor_id,
    delivered.session_id,
    delivered.product_id,
    delivered.order_id,
    lower(delivered.utm_source) as utm_source,
    delivered.utm_medium,
    delivered.utm_campaign,
    delivered.device,
    delivered.country,
    delivered.business_date,
    delivered.occurred_at,
    delivered._feed,
    delivered._file,
    delivered._row,
    delivered.ds
from delivered
{{ latest_version('delivered', key) }}
