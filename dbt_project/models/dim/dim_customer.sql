{% set key = ['source_system', 'customer_id'] %}
{{ config(unique_key=key) }}

with delivered as (
    select * from {{ ref('ods_customer') }}
    {{ pending_only() }}
)

select
    delivered.source_system,
    delivered.customer_id,
    delivered.identity_key,
    delivered.loyalty_id,
    delivered.social_union_id,
    delivered.email,
    delivered.phone,
    delivered.city,
    delivered.region,
    delivered.country,
    delivered.postcode,
    delivered.gender,
    delivered.birth_year,
    delivered.member_tier,
    delivered.marketing_consent,
    delivered.registered_at,
    delivered.updated_at,
    delivered._feed,
    delivered._file,
    delivered._row,
    delivered.ds
from delivered
{{ latest_version('delivered', key, version='updated_at') }}
