-- Derived from data_contracts/canonical/product.yaml by `onedata derive`; do not edit.
with delivered as (
    select * from {{ lake('product') }}
)

select
    product_id,
    product_key,
    product_name,
    category,
    supplier_id,
    supply_region,
    cast(list_price as decimal(18,4)) as list_price,
    cast(unit_cost as decimal(18,4)) as unit_cost,
    currency,
    cast(weight_g as bigint) as weight_g,
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
