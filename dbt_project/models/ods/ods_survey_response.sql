-- Derived from data_contracts/canonical/survey_response.yaml by `onedata derive`; do not edit.
with delivered as (
    select * from {{ lake('survey_response') }}
)

select
    response_id,
    order_id,
    channel,
    satisfaction,
    recommend_score,
    effort_score,
    title,
    comment,
    asked_at,
    answered_at,
    source_system,
    _feed,
    _file,
    _row,
    _arrived_at,
    _batch,
    _repaired,
    _extra,
    ds
from delivered
