{% set key = ['source_system', 'product_id'] %}
{{ config(unique_key=key) }}

with delivered as (
    select * from {{ ref('ods_product') }}
    {{ pending_only() }}
),

delivered_category as (
    select * from {{ ref('ods_product_category') }}
),

category as (
    select
        source_system,
        category,
        category_name
    from delivered_category
    qualify
        row_number() over (
            partition by source_system, category
            order by ds desc nulls last, _feed desc nulls last, _file desc nulls last, _row desc nulls last
        ) = 1
),

latest as (
    select
        delivered.source_system,
        delivered.product_id,
        delivered.product_name,
        delivered.category,
        delivered.supplier_id,
        delivered.supply_region,
        delivered.list_price,
        delivered.unit_cost,
        upper(delivered.currency) as currency,
        delivered.weight_g,
        delivered.updated_at,
        delivered._feed,
        delivered._file,
        delivered._row,
        delivered.ds
    from delivered
    {{ latest_version('delivered', key, version='updated_at') }}
),

{% if is_incremental() -%}
-- A category's name may come nights after its products: those are then written again with it.
touched as (
    select
        source_system,
        category
    from delivered_category
    {{ pending_only() }}
    group by source_system, category
),

renamed as (
    select
        known.source_system,
        known.product_id,
        known.product_name,
        known.category,
        known.supplier_id,
        known.supply_region,
        known.list_price,
        known.unit_cost,
        known.currency,
        known.weight_g,
        known.updated_at,
        known._feed,
        known._file,
        known._row,
        known.ds
    from {{ this }} as known
    inner join touched
        on known.source_system = touched.source_system and known.category = touched.category
    left join latest
        on known.source_system = latest.source_system and known.product_id = latest.product_id
    where latest.product_id is null
),
{% endif %}

product as (
    select * from latest
    {% if is_incremental() %}
    union all
    select * from renamed
    {% endif %}
)

select
    product.source_system,
    product.product_id,
    product.product_name,
    product.category,
    coalesce(category.category_name, product.category) as category_name,
    product.supplier_id,
    product.supply_region,
    product.list_price,
    product.unit_cost,
    product.currency,
    product.weight_g,
    product.updated_at,
    product._feed,
    product._file,
    product._row,
    product.ds
from product
left join category
    on product.source_system = category.source_system and product.category = category.category
