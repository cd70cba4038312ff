-- Derived from data_contracts/canonical/web_event.yaml by `onedata derive`; do not edit.
with delivered as (
    select * from {{ lake('web_event') }}
)

select
    event_id,
    event_name,
    visitor_id,
    session_id,
    customer_id,
    product_id,
    order_id,
    utm_source,
    utm_medium,
    utm_campaign,
    device,
    country,
    cast(business_date as date) as business_date,
    cast(occurred_at as timestamp) as occurred_at,
    {{ identity_key('web_event') }} as identity_key,
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
