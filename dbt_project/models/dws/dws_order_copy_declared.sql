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
),

named as (
    select * from found
    where system_count = 1
),

-- Of three that name each other in a ring the one whose system comes first by name is the order.
ring as (
    select
        first_named.document_system,
        first_named.document_id,
        least(first_named.document_system, second_named.document_system, third_named.document_system)
            as source_system,
        case least(first_named.document_system, second_named.document_system, third_named.document_system)
            when first_named.document_system then first_named.document_id
            when second_named.document_system then second_named.document_id
            else third_named.document_id
        end as order_id
    from named as first_named
    inner join named as second_named
        on
            first_named.source_system = second_named.document_system
            and first_named.order_id = second_named.document_id
    inner join named as third_named
        on
            second_named.source_system = third_named.document_system
            and second_named.order_id = third_named.document_id
            and first_named.document_system = third_named.source_system
            and first_named.document_id = third_named.order_id
)

select
    named.document_system,
    named.document_id,
    coalesce(ring.source_system, named.source_system) as source_system,
    coalesce(ring.order_id, named.order_id) as order_id,
    ring.document_id is not null as is_of_ring
from named
left join ring on named.document_system = ring.document_system and named.document_id = ring.document_id
-- An order that names another as the same is a copy of it; of two that name each other one has to be the order.
left join headers as other
    on
        named.source_system = other.source_system and named.order_id = other.order_id
        and named.document_id = other.external_order_id
where
    (other.order_id is null or named.document_system > named.source_system)
    and (ring.document_id is null or ring.source_system <> named.document_system)
