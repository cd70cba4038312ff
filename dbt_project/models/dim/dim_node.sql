{% set key = ['source_system', 'node_id'] %}
{{ config(unique_key=key) }}

with delivered as (
    select * from {{ ref('ods_node') }}
    {{ pending_only() }}
)

select
    delivered.source_system,
    delivered.node_id,
    delivered.node_name,
    lower(delivered.node_type) as node_type,
    delivered.city,
    delivered.region,
    delivered.country,
    delivered.postcode,
    delivered.time_zone,
    delivered.latitude,
    delivered.longitude,
    delivered.selling_area_m2,
    delivered.headcount,
    delivered.updated_at,
    delivered._feed,
    delivered._file,
    delivered._row,
    delivered.ds
from delivered
{{ latest_version('delivered', key, version='updated_at') }}
