{{ config(materialized='table') }}

with delivered as (
    select * from {{ ref('ods_sales_order') }}
),

-- Only orders that something was paid back on: of others nobody asks what they once came to.
refunded as (
    select
        order_system as source_system,
        order_id
    from {{ ref('dwd_refund') }}
    group by order_system, order_id
),

versions as (
    select
        delivered.source_system,
        delivered.order_id,
        delivered.total_amount,
        delivered.updated_at,
        lag(delivered.total_amount) over (
            partition by delivered.source_system, delivered.order_id
            order by
                delivered.updated_at, delivered.ds, delivered._feed, delivered._file, delivered._edition,
                delivered._row
        ) as total_before
    from delivered
    inner join refunded
        on delivered.source_system = refunded.source_system and delivered.order_id = refunded.order_id
    where not coalesce(delivered.is_cancelled, false)
)

select
    source_system,
    order_id,
    updated_at as lowered_at,
    cast(sum(total_before - total_amount) as decimal(18, 4)) as lowered_amount
from versions
where total_amount < total_before
group by source_system, order_id, updated_at
