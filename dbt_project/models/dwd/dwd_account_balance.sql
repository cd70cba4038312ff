{% set key = ['source_system', 'period', 'account_code'] %}
{{ config(unique_key=key) }}

with delivered as (
    select * from {{ ref('ods_account_balance') }}
    {{ pending_only() }}
),

latest as (
    {{ latest_version('account_balance', key, version='posted_at') }}
)

select
    latest.source_system,
    latest.period,
    latest.account_code,
    latest.account_name,
    lower(latest.account_type) as account_type,
    latest.balance,
    latest.revenue_amount,
    upper(latest.currency) as currency,
    latest.posted_at,
    latest._feed,
    latest._file,
    latest._edition,
    latest._row,
    latest.ds,
    latest._tied,
    latest._feeds
from latest
