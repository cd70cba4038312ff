{% set key = ['source_system', 'shipment_id'] %}
{{ config(unique_key=key) }}

with delivered as (
    select * from {{ ref('ods_shipment') }}
    {{ pending_only() }}
),

latest as (
    {{ latest_version('shipment', key, version='updated_at') }}
)

select
    latest.source_system,
    latest.shipment_id,
    latest.order_id,
    latest.order_system,
    latest.carrier,
    latest.service,
    latest.status,
    latest.origin_node_id,
    latest.destination_postcode,
    latest.distance_km,
    latest.cost,
    upper(latest.currency) as currency,
    latest.packaging,
    latest.co2e_kg,
    latest.created_at,
    latest.announced_date,
    latest.promised_date,
    latest.promised_at,
    latest.picked_up_at,
    latest.delivered_date,
    latest.delivered_at,
    latest.updated_at,
    latest._feed,
    latest._file,
    latest._edition,
    latest._row,
    latest.ds,
    latest._tied,
    latest._feeds
from latest
