{% set key = ['source_system', 'shipment_id'] %}
{{ config(unique_key=key) }}

with delivered as (
    select * from {{ ref('ods_shipment') }}
    {{ pending_only() }}
)

select
    delivered.source_system,
    delivered.shipment_id,
    delivered.order_id,
    delivered.order_system,
    delivered.carrier,
    delivered.service,
    delivered.status,
    delivered.origin_node_id,
    delivered.destination_postcode,
    delivered.distance_km,
    delivered.cost,
    upper(delivered.currency) as currency,
    delivered.packaging,
    delivered.co2e_kg,
    delivered.created_at,
    delivered.promised_date,
    delivered.promised_at,
    delivered.picked_up_at,
    delivered.delivered_at,
    delivered.updated_at,
    delivered._feed,
    delivered._file,
    delivered._row,
    delivered.ds
from delivered
{{ latest_version('delivered', key, version='updated_at') }}
