with order_lines as (
    select * from {{ ref('dws_order_line') }}
),

lone_returns as (
    select * from {{ ref('dws_return_lone') }}
),

sold as (
    select * from {{ ref('dws_order_sold') }}
),

-- The tax on top of the products whose lines name their own.
taxed_products as (
    select
        source_system,
        order_id,
        product_key,
        sum(net_amount) as net_amount,
        sum(tax_amount) as tax_amount
    from order_lines
    where not is_return and is_counted and has_own_tax and not is_tax_included
    group by source_system, order_id, product_key
),

came_back as (
    select
        document_system,
        document_id,
        source_system,
        order_id,
        product_key,
        currency,
        moved_at,
        units,
        net_amount
    from order_lines
    where is_return and is_counted
    union all
    select
        lone_returns.document_system,
        lone_returns.document_id,
        lone_returns.source_system,
        lone_returns.order_id,
        lone_returns.product_key,
        lone_returns.currency,
        order_lines.moved_at,
        lone_returns.units,
        lone_returns.net_amount
    from lone_returns
    inner join order_lines
        on
            lone_returns.document_system = order_lines.document_system
            and lone_returns.document_id = order_lines.document_id
            and lone_returns.line_id = order_lines.line_id
),

by_product as (
    select
        source_system,
        order_id,
        document_system,
        document_id,
        coalesce(product_key, '') as product_key,
        currency,
        min(moved_at) as moved_at,
        -sum(units) as units,
        -sum(net_amount) as amount
    from came_back
    group by source_system, order_id, document_system, document_id, coalesce(product_key, ''), currency
)

select
    by_product.source_system,
    by_product.order_id,
    by_product.document_system,
    by_product.document_id,
    by_product.product_key,
    by_product.currency,
    by_product.moved_at,
    cast(by_product.units as decimal(18, 4)) as units,
    cast(by_product.amount as decimal(18, 4)) as amount,
    cast(
        case
            when taxed_products.net_amount > 0
                then
                    by_product.amount
                    + {{ part_of('by_product.amount', 'taxed_products.net_amount', 'taxed_products.tax_amount',
                        'by_product.currency') }}
            when sold.currency = by_product.currency
                then {{ with_added_tax('by_product.amount', 'sold', 'by_product.currency') }}
            else by_product.amount
        end as decimal(18, 4)
    ) as taxed_amount
from by_product
left join sold on by_product.source_system = sold.source_system and by_product.order_id = sold.order_id
left join taxed_products
    on
        by_product.source_system = taxed_products.source_system
        and by_product.order_id = taxed_products.order_id
        and by_product.product_key = taxed_products.product_key
