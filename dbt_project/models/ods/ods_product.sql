-- Derived from data_contracts/canonical/product.yaml by `onedata derive`; do not edit.
with delivered as (
    select * from {{ lake('product') }}
)

select
    product_id,
    product_name,
    category,
    supplier_id,
    supply_region,
    list_price,
    unit_cost,
    currency,
    weight_g,
    updated_at,
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
