-- Derived from data_contracts/canonical/exchange_rate.yaml by `onedata derive`; do not edit.
with delivered as (
    select * from {{ lake('exchange_rate') }}
)

select
    currency,
    reporting_currency,
    cast(rate_date as date) as rate_date,
    cast(rate as decimal(18,8)) as rate,
    cast(updated_at as timestamp) as updated_at,
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
