{% set key = ['source_system', 'currency', 'reporting_currency', 'rate_date'] %}
{{ config(unique_key=key) }}

with delivered as (
    select * from {{ ref('ods_exchange_rate') }}
    {{ pending_only() }}
),

latest as (
    {{ latest_version('exchange_rate', key, version='updated_at') }}
)

select
    latest.source_system,
    latest.currency,
    latest.reporting_currency,
    latest.rate_date,
    latest.rate,
    latest.updated_at,
    latest._feed,
    latest._file,
    latest._edition,
    latest._row,
    latest.ds,
    latest._tied,
    latest._feeds
from latest
