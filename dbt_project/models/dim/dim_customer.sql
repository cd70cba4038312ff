{% set key = ['source_system', 'customer_id'] %}
{{ config(unique_key=key) }}

with delivered as (
    select * from {{ ref('ods_customer') }}
    {{ pending_only() }}
),

latest as (
    {{ latest_version('customer', key, version='updated_at') }}
)

select
    latest.source_system,
    latest.customer_id,
    latest.identity_key,
    latest.loyalty_id,
    latest.social_union_id,
    latest.email,
    latest.phone,
    latest.city,
    latest.region,
    latest.country,
    latest.postcode,
    latest.gender,
    latest.birth_year,
    latest.member_tier,
    latest.marketing_consent,
    latest.registered_at,
    latest.updated_at,
    latest._feed,
    latest._file,
    latest._edition,
    latest._row,
    latest.ds,
    latest._tied,
    latest._feeds
from latest
