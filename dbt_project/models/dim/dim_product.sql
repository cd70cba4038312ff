{% set key = ['source_system', 'product_id'] %}
{{ config(unique_key=key) }}

with delivered as (
    select * from {{ ref('ods_product') }}
    {{ pending_only() }}
),

delivered_category as (
    select * from {{ ref('ods_product_category') }}
),

category_of_feed as (
    select
        source_system,
        category,
        category_name,
        ds,
        coalesce(_priority, 0) as priority
    from delivered_category
    qualify
        row_number() over (
            partition by source_system, category, _feed
            order by ds desc nulls last, _file desc nulls last, _edition desc nulls last, _row desc nulls last
        ) = 1
),

newest_category as (
    select
        source_system,
        category,
        category_name
    from category_of_feed
    qualify rank() over (partition by source_system, category order by ds desc nulls last, priority desc) = 1
),

category as (
    select
        source_system,
        category,
        case when count(distinct category_name) = 1 then min(category_name) end as category_name,
        count(distinct category_name) > 1 as is_tied
    from newest_category
    group by source_system, category
),

latest as (
    {{ latest_version('product', key, version='updated_at') }}
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
        known.product_key,
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
        known._edition,
        known._row,
        known.ds,
        nullif(replace(replace(known._tied, ', category_name', ''), 'category_name', ''), '') as _tied,
        known._feeds
    from {{ this }} as known
    inner join touched
        on known.source_system = touched.source_system and known.category = touched.category
    left join latest
        on known.source_system = latest.source_system and known.product_id = latest.product_id
    where latest.product_id is null
),
{% endif %}

product as (
    select
        source_system,
        product_id,
        coalesce(product_key, product_id) as product_key,
        product_name,
        category,
        supplier_id,
        supply_region,
        list_price,
        unit_cost,
        upper(currency) as currency,
        weight_g,
        updated_at,
        _feed,
        _file,
        _edition,
        _row,
        ds,
        _tied,
        _feeds
    from latest
    {% if is_incremental() %}
    union all
    select * from renamed
    {% endif %}
)

select
    product.source_system,
    product.product_id,
    product.product_key,
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
    product._edition,
    product._row,
    product.ds,
    nullif(concat_ws(', ', product._tied, case when category.is_tied then 'category_name' end), '') as _tied,
    product._feeds
from product
left join category
    on product.source_system = category.source_system and product.category = category.category
