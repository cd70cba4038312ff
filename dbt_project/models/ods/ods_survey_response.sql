-- Derived from data_contracts/canonical/survey_response.yaml by `onedata derive`; do not edit.
with delivered as (
    select * from {{ lake('survey_response') }}
)

select
    response_id,
    order_id,
    order_system,
    channel,
    cast(satisfaction as bigint) as satisfaction,
    cast(recommend_score as bigint) as recommend_score,
    cast(effort_score as bigint) as effort_score,
    title,
    comment,
    cast(business_date as date) as business_date,
    cast(asked_at as timestamp) as asked_at,
    cast(answered_at as timestamp) as answered_at,
    source_system,
    _feed,
    _file,
    coalesce(_edition, 1) as _edition,
    _row,
    _arrived_at,
    _batch,
    _mapped,
    _priority,
    _repaired,
    _extra,
    ds
from delivered
