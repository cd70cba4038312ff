{% set key = ['source_system', 'order_id', 'payment_id'] %}
{{ config(unique_key=key) }}

with delivered as (
    select * from {{ ref('ods_payment') }}
    {{ pending_only() }}
)

select
    delivered.source_system,
    delivered.order_id,
    delivered.payment_id,
    delivered.method,
    delivered.instalments,
    delivered.amount,
    upper(delivered.currency) as currency,
    delivered.paid_at,
    delivered._feed,
    delivered._file,
    delivered._row,
    delivered.ds
from delivered
{{ latest_version('delivered', key) }}
