{% set key = ['source_system', 'order_system', 'order_id', 'other_system', 'other_order_id'] %}
{{ config(unique_key=key) }}

with delivered as (
    select * from {{ ref('ods_order_match') }}
    {{ pending_only() }}
),

latest as (
    {{ latest_version('order_match', key, version='updated_at') }}
)

select
    latest.source_system,
    latest.order_system,
    latest.order_id,
    latest.other_system,
    latest.other_order_id,
    latest.decision,
    latest.note,
    latest.updated_at,
    latest._feed,
    latest._file,
    latest._edition,
    latest._row,
    latest.ds,
    latest._tied,
    latest._feeds
from latest
