{% set key = ['source_system', 'response_id', 'order_id'] %}
{{ config(unique_key=key) }}

with delivered as (
    select * from {{ ref('ods_survey_response') }}
    {{ pending_only() }}
)

select
    delivered.source_system,
    delivered.response_id,
    delivered.order_id,
    lower(delivered.channel) as channel,
    delivered.satisfaction,
    delivered.recommend_score,
    delivered.effort_score,
    delivered.comment is not null as has_comment,
    delivered.asked_at,
    delivered.answered_at,
    delivered._feed,
    delivered._file,
    delivered._row,
    delivered.ds
from delivered
{{ latest_version('delivered', key) }}
