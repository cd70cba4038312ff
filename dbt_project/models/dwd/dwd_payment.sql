{% set key = ['source_system', 'order_id', 'payment_id'] %}
{{ config(unique_key=key) }}

with delivered as (
    select * from {{ ref('ods_payment') }}
    {{ pending_only() }}
),

latest as (
    {{ latest_version('payment', key) }}
),

named as (
    select
        *,
        lower(coalesce(kind, 'sale')) as kind_named,
        lower(status) as status_named,
        coalesce(is_void, false) as is_taken_off
    from latest
)

select
    source_system,
    order_id,
    payment_id,
    coalesce(order_system, source_system) as order_system,
    parent_payment_id,
    kind_named as kind,
    status_named as status,
    is_taken_off as is_void,
    method,
    instalments,
    amount,
    case
        when not {{ is_one_of('kind_named', ['sale', 'capture', 'authorization', 'void', 'refund', 'chargeback']) }}
            then null
        when is_taken_off or kind_named not in ('sale', 'capture') then 0
        when status_named is null or {{ has_succeeded('status_named') }} then amount
        when {{ has_not_succeeded('status_named') }} then 0
    end as taken_amount,
    case
        when is_taken_off or kind_named <> 'chargeback' then 0
        when status_named is null or {{ has_succeeded('status_named') }} then abs(amount)
        when {{ has_not_succeeded('status_named') }} then 0
    end as charged_back_amount,
    upper(currency) as currency,
    paid_at,
    _feed,
    _file,
    _edition,
    _row,
    ds,
    _tied,
    _feeds
from named
