with order_lines as (
    select * from {{ ref('dws_order_line') }}
),

lone_returns as (
    select * from {{ ref('dws_return_lone') }}
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
)

select
    source_system,
    order_id,
    document_system,
    document_id,
    coalesce(product_key, '') as product_key,
    currency,
    min(moved_at) as moved_at,
    cast(-sum(units) as decimal(18, 4)) as units,
    cast(-sum(net_amount) as decimal(18, 4)) as amount
from came_back
group by source_system, order_id, document_system, document_id, coalesce(product_key, ''), currency
