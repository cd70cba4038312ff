{% set key = ['source_system', 'order_id'] %}
{{ config(unique_key=key) }}

with delivered as (
    select * from {{ ref('ods_sales_order') }}
    {{ pending_only() }}
),

latest as (
    {{ latest_version('sales_order', key, version='updated_at') }}
)

select
    latest.source_system,
    latest.order_id,
    latest.identity_key,
    lower(latest.channel) as channel,
    latest.node_id,
    latest.status,
    coalesce(latest.is_cancelled, false) as is_cancelled,
    coalesce(latest.is_test, false) as is_test,
    lower(latest.fulfilment_method) as fulfilment_method,
    upper(latest.currency) as currency,
    latest.shipping_amount,
    latest.discount_amount,
    latest.total_discount_amount,
    latest.tax_amount,
    latest.shipping_tax_amount,
    latest.is_tax_included,
    latest.total_amount,
    latest.external_order_id,
    latest.external_system,
    latest.referrer_code is not null as has_referrer,
    lower(latest.utm_source) as utm_source,
    latest.utm_campaign,
    latest.business_date,
    latest.ordered_at,
    latest.updated_at,
    latest._feed,
    latest._file,
    latest._edition,
    latest._row,
    latest.ds,
    latest._tied,
    latest._feeds
from latest
