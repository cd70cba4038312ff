-- Derived from data_contracts/canonical/price.yaml by `onedata derive`; do not edit.
with delivered as (
    select * from {{ lake('price') }}
)

select
    price_date,
    product_id,
    market,
    channel,
    list_price,
    price,
    currency,
    promotion,
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
