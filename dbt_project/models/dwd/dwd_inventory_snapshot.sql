{% set key = ['source_system', 'snapshot_date', 'product_id', 'node_id'] %}
{{ config(unique_key=key) }}

with delivered as (
    select * from {{ ref('ods_inventory_snapshot') }}
    {{ pending_only() }}
)

select
    delivered.source_system,
    delivered.snapshot_date,
    delivered.product_id,
    delivered.node_id,
    delivered.on_hand,
    delivered.reserved,
    delivered.in_transit,
    delivered.safety_stock,
    delivered.unit_cost,
    upper(delivered.currency) as currency,
    delivered._feed,
    delivered._file,
    delivered._row,
    delivered.ds
from delivered
{{ latest_version('delivered', key) }}
