-- Derived from data_contracts/canonical/account_balance.yaml by `onedata derive`; do not edit.
with delivered as (
    select * from {{ lake('account_balance') }}
)

select
    period,
    account_code,
    account_name,
    account_type,
    cast(balance as decimal(18,4)) as balance,
    cast(revenue_amount as decimal(18,4)) as revenue_amount,
    currency,
    cast(posted_at as timestamp) as posted_at,
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
