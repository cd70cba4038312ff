with order_lines as (
    select * from {{ ref('dws_order_line') }}
),

headers as (
    select * from {{ ref('dwd_order') }}
),

returns as (
    select * from {{ ref('dwd_order_line') }}
    where line_type = 'return' and original_order_id is not null
),

refunds as (
    select * from {{ ref('dwd_refund') }}
),

products as (
    select * from {{ ref('dim_product') }}
),

known_orders as (
    select
        source_system,
        order_id
    from headers
    union distinct
    select
        source_system,
        order_id
    from order_lines
),

-- Orders that never came, as those before the first delivery, and that refunds of one system name.
named_orders as (
    select
        refunds.order_id,
        min(refunds.order_system) as source_system
    from refunds
    left join known_orders
        on refunds.order_system = known_orders.source_system and refunds.order_id = known_orders.order_id
    where known_orders.order_id is null
    group by refunds.order_id
    having count(distinct refunds.order_system) = 1
)

select
    order_lines.document_system,
    order_lines.document_id,
    order_lines.line_id,
    named_orders.source_system,
    named_orders.order_id,
    coalesce(products.product_key, order_lines.product_key) as product_key,
    order_lines.currency,
    order_lines.units,
    order_lines.net_amount
from order_lines
inner join returns
    on
        order_lines.document_system = returns.source_system
        and order_lines.document_id = returns.order_id
        and order_lines.line_id = returns.line_id
inner join named_orders on returns.original_order_id = named_orders.order_id
left join products
    on named_orders.source_system = products.source_system and order_lines.product_id = products.product_id
where
    order_lines.is_return and order_lines.is_counted
    and order_lines.source_system = order_lines.document_system
    and order_lines.order_id = order_lines.document_id
