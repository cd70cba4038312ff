-- Derived from data_contracts/canonical/trace_event.yaml by `onedata derive`; do not edit.
with delivered as (
    select * from {{ lake('trace_event') }}
)

select
    event_id,
    event_type,
    action,
    biz_step,
    disposition,
    node_id,
    parent_id,
    product_id,
    cast(quantity as decimal(18,4)) as quantity,
    transaction_type,
    transaction_id,
    cast(business_date as date) as business_date,
    cast(occurred_at as timestamp) as occurred_at,
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
