{% set key = ['source_system', 'response_id', 'order_id'] %}
{{ config(unique_key=key) }}

with delivered as (
    select * from {{ ref('ods_survey_response') }}
    {{ pending_only() }}
),

latest as (
    {{ latest_version('survey_response', key) }}
)

select
    latest.source_system,
    latest.response_id,
    latest.order_id,
    latest.order_system,
    lower(latest.channel) as channel,
    latest.satisfaction,
    latest.recommend_score,
    latest.effort_score,
    latest.comment is not null as has_comment,
    latest.business_date,
    latest.asked_at,
    latest.answered_at,
    latest._feed,
    latest._file,
    latest._edition,
    latest._row,
    latest.ds,
    latest._tied,
    latest._feeds
from latest
