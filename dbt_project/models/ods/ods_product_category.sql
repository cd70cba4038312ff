-- Derived from data_contracts/canonical/product_category.yaml by `onedata derive`; do not edit.
with delivered as (
    select * from {{ lake('product_category') }}
)

select
    category,
    category_name,
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
