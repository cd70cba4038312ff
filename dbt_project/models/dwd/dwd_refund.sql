{% set key = ['source_system', 'refund_id', 'line_id'] %}
{{ config(unique_key=key) }}

with delivered as (
    select * from {{ ref('ods_refund') }}
    {{ pending_only() }}
),

latest as (
    {{ latest_version('refund', key) }}
)

select
    latest.source_system,
    latest.refund_id,
    latest.line_id,
    coalesce(latest.order_system, latest.source_system) as order_system,
    latest.order_id,
    latest.order_line_id,
    lower(latest.channel) as channel,
    latest.node_id,
    latest.product_id,
    latest.quantity,
    latest.amount,
    latest.shipping_amount,
    coalesce(latest.is_rest, false) as is_rest,
    latest.tax_amount,
    upper(latest.currency) as currency,
    lower(latest.restock_type) as restock_type,
    latest.is_restocked,
    latest.method,
    lower(latest.status) as status,
    latest.business_date,
    latest.refunded_at,
    latest.paid_at,
    latest._feed,
    latest._file,
    latest._edition,
    latest._row,
    latest.ds,
    latest._tied,
    latest._feeds
from latest
