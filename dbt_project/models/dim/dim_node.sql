{% set key = ['source_system', 'node_id'] %}
{{ config(unique_key=key) }}

with delivered as (
    select * from {{ ref('ods_node') }}
    {{ pending_only() }}
),

latest as (
    {{ latest_version('node', key, version='updated_at') }}
)

select
    latest.source_system,
    latest.node_id,
    coalesce(latest.node_key, latest.node_id) as node_key,
    latest.node_name,
    lower(latest.node_type) as node_type,
    latest.city,
    latest.region,
    latest.country,
    latest.postcode,
    latest.time_zone,
    latest.latitude,
    latest.longitude,
    latest.selling_area_m2,
    latest.headcount,
    latest.updated_at,
    latest._feed,
    latest._file,
    latest._edition,
    latest._row,
    latest.ds,
    latest._tied,
    latest._feeds
from latest
