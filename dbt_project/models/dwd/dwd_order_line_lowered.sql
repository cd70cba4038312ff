{{ config(materialized='table') }}

with delivered as (
    select * from {{ ref('ods_order_line') }}
),

lines as (
    select * from {{ ref('dwd_order_line') }}
),

-- Only lines of which a refund cancels units: of others nobody asks what they once were.
cancelled as (
    select
        order_system as source_system,
        order_id,
        order_line_id as line_id
    from {{ ref('dwd_refund') }}
    where restock_type = 'cancel' and order_line_id is not null
    group by order_system, order_id, order_line_id
),

ordered as (
    select
        delivered.source_system,
        delivered.order_id,
        delivered.line_id,
        max(delivered.quantity) as ordered_quantity
    from delivered
    inner join cancelled
        on
            delivered.source_system = cancelled.source_system
            and delivered.order_id = cancelled.order_id
            and delivered.line_id = cancelled.line_id
    group by delivered.source_system, delivered.order_id, delivered.line_id
)

select
    lines.source_system,
    lines.order_id,
    lines.line_id,
    ordered.ordered_quantity,
    lines.quantity,
    cast(ordered.ordered_quantity - lines.quantity as decimal(18, 4)) as lowered_units
from lines
inner join ordered
    on
        lines.source_system = ordered.source_system
        and lines.order_id = ordered.order_id
        and lines.line_id = ordered.line_id
where ordered.ordered_quantity > lines.quantity
