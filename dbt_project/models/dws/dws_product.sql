with products as (
    select * from {{ ref('dim_product') }}
),

ranked as (
    select
        *,
        row_number() over (
            partition by product_key
            order by updated_at desc nulls last, ds desc, source_system asc, product_id asc
        ) as place
    from products
    where product_key <> 'unknown'
)

select
    product_key,
    product_name,
    category,
    category_name,
    supply_region,
    list_price,
    currency,
    weight_g
from ranked
where place = 1
union all
-- What no system tells of: every fact has a row here.
select
    'unknown' as product_key,
    'unknown' as product_name,
    null as category,
    null as category_name,
    null as supply_region,
    null as list_price,
    null as currency,
    null as weight_g
