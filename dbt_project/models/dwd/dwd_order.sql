{% set key = ['source_system', 'order_id'] %}
{{ config(unique_key=key) }}

with delivered as (
    select * from {{ ref('ods_sales_order') }}
    {{ pending_only() }}
)

select
    delivered.source_system,
    delivered.order_id,
    delivered.identity_key,
    lower(delivered.channel) as channel,
    delivered.node_id,
    delivered.status,
    coalesce(delivered.is_cancelled, false) as is_cancelled,
    coalesce(delivered.is_test, false) as is_test,
    lower(delivered.fulfilment_method) as fulfilment_method,
    upper(delivered.currency) as currency,
    delivered.shipping_amount,
    delivered.total_amount,
    delivered.social_union_id is not null as has_social_id,
    delivered.referrer_code is not null as has_referrer,
    lower(delivered.utm_source) as utm_source,
    delivered.utm_campaign,
    delivered.business_date,
    delivered.ordered_at,
    delivered.updated_at,
    delivered._feed,
    delivered._file,
    delivered._row,
    delivered.ds
from delivered
{{ latest_version('delivered', key, version='updated_at') }}
