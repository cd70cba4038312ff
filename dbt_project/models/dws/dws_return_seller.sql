with lines as (
    select * from {{ ref('dwd_order_line') }}
),

products as (
    select * from {{ ref('dim_product') }}
),

returned as (
    select
        lines.source_system as document_system,
        lines.original_order_id,
        coalesce(products.product_key, lines.product_id) as product_key
    from lines
    left join products
        on lines.source_system = products.source_system and lines.product_id = products.product_id
    where lines.line_type = 'return' and lines.original_order_id is not null
    group by lines.source_system, lines.original_order_id, coalesce(products.product_key, lines.product_id)
),

sold as (
    select
        lines.source_system,
        lines.order_id,
        coalesce(products.product_key, lines.product_id) as product_key
    from lines
    left join products
        on lines.source_system = products.source_system and lines.product_id = products.product_id
    where lines.line_type = 'sale' and lines.order_id in (select returned.original_order_id from returned)
    group by lines.source_system, lines.order_id, coalesce(products.product_key, lines.product_id)
)

select
    returned.document_system,
    returned.original_order_id,
    sold.source_system
from returned
inner join sold on returned.original_order_id = sold.order_id and returned.product_key = sold.product_key
group by returned.document_system, returned.original_order_id, sold.source_system
