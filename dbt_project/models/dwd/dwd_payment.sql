{% set key = ['source_system', 'order_id', 'payment_id'] %}
{{ config(unique_key=key) }}

with delivered as (
    select * from {{ ref('ods_payment') }}
    {{ pending_only() }}
),

latest as (
    {{ latest_version('payment', key) }}
)

select
    latest.source_system,
    latest.order_id,
    latest.payment_id,
    latest.method,
    latest.instalments,
    latest.amount,
    upper(latest.currency) as currency,
    latest.paid_at,
    latest._feed,
    latest._file,
    latest._edition,
    latest._row,
    latest.ds,
    latest._tied,
    latest._feeds
from latest
