{% set key = ['source_system', 'location_id'] %}
{{ config(unique_key=key) }}

with delivered as (
    select * from {{ ref('ods_postcode_location') }}
    {{ pending_only() }}
),

latest as (
    {{ latest_version('postcode_location', key) }}
)

select
    latest.source_system,
    latest.location_id,
    latest.postcode,
    latest.latitude,
    latest.longitude,
    latest.city,
    latest.region,
    latest._feed,
    latest._file,
    latest._edition,
    latest._row,
    latest.ds,
    latest._tied,
    latest._feeds
from latest
