with headers as (
    select * from {{ ref('dwd_order') }}
    where external_order_id is not null
),

orders as (
    select * from {{ ref('dwd_order') }}
),

lines as (
    select * from {{ ref('dwd_order_line') }}
),

known_orders as (
    select
        source_system,
        order_id
    from orders
    union distinct
    select
        source_system,
        order_id
    from lines
    where line_type = 'sale'
),

-- The system that the header names, or the only other one that has an order of that id.
found as (
    select
        headers.source_system as document_system,
        headers.order_id as document_id,
        min(known_orders.source_system) as source_system,
        min(known_orders.order_id) as order_id,
        count(*) as system_count
    from headers
    inner join known_orders
        on
            headers.external_order_id = known_orders.order_id
            and headers.source_system <> known_orders.source_system
            and coalesce(headers.external_system, known_orders.source_system) = known_orders.source_system
    group by headers.source_system, headers.order_id
)

select
    found.document_system,
    found.document_id,
    found.source_system,
    found.order_id
from found
-- An order that names another as the same is a copy of it; of two that name each other one has to be the order.
left join headers as other
    on
        found.source_system = other.source_system and found.order_id = other.order_id
        and found.document_id = other.external_order_id
where
    found.system_count = 1
    and (other.order_id is null or found.document_system > found.source_system)
