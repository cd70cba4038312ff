{% set key = ['source_system', 'location_id'] %}
{{ config(unique_key=key) }}

with delivered as (
    select * from {{ ref('ods_postcode_location') }}
    {{ pending_only() }}
)

select
    delivered.source_system,
    delivered.location_id,
    delivered.postcode,
    delivered.latitude,
    delivered.longitude,
    delivered.city,
    delivered.region,
    delivered._feed,
    delivered._file,
    delivered._row,
    delivered.ds
from delivered
{{ latest_version('delivered', key) }}
