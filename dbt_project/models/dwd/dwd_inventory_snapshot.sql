{% set key = ['source_system', 'snapshot_date', 'product_id', 'node_id'] %}
{{ config(unique_key=key) }}

with delivered as (
    select * from {{ ref('ods_inventory_snapshot') }}
    {{ pending_only() }}
),

latest as (
    {{ latest_version('inventory_snapshot', key) }}
)

select
    latest.source_system,
    latest.snapshot_date,
    latest.product_id,
    latest.node_id,
    latest.on_hand,
    latest.reserved,
    latest.in_transit,
    latest.safety_stock,
    latest.unit_cost,
    upper(latest.currency) as currency,
    latest._feed,
    latest._file,
    latest._edition,
    latest._row,
    latest.ds,
    latest._tied,
    latest._feeds
from latest
