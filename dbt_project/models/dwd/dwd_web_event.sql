{% set key = ['source_system', 'event_id'] %}
{{ config(unique_key=key) }}

with delivered as (
    select * from {{ ref('ods_web_event') }}
    {{ pending_only() }}
),

latest as (
    {{ latest_version('web_event', key) }}
)

select
    latest.source_system,
    latest.event_id,
    latest.identity_key,
    latest.event_name,
    latest.visitor_id,
    latest.session_id,
    latest.product_id,
    latest.order_id,
    lower(latest.utm_source) as utm_source,
    latest.utm_medium,
    latest.utm_campaign,
    latest.device,
    latest.country,
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
