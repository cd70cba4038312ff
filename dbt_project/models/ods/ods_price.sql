-- Derived from data_contracts/canonical/price.yaml by `onedata derive`; do not edit.
with delivered as (
    select * from {{ lake('price') }}
)

select
    cast(price_date as date) as price_date,
    product_id,
    market,
    channel,
    cast(list_price as decimal(18,4)) as list_price,
    cast(price as decimal(18,4)) as price,
    currency,
    promotion,
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
