{{ config(materialized='table') }}

with delivered as (
    select * from {{ ref('ods_order_line') }}
),

-- Only lines of orders that something was given back on: of others nobody asks what they once were.
given_back as (
    select order_id from {{ ref('dwd_refund') }}
    union distinct
    select original_order_id as order_id from {{ ref('dwd_order_line') }}
    where line_type = 'return'
),

versions as (
    select
        delivered.source_system,
        delivered.order_id,
        delivered.line_id,
        delivered.quantity,
        delivered.updated_at,
        lag(delivered.quantity) over (
            partition by delivered.source_system, delivered.order_id, delivered.line_id
            order by
                delivered.updated_at, delivered.ds, delivered._feed, delivered._file, delivered._edition,
                delivered._row
        ) as quantity_before,
        row_number() over (
            partition by delivered.source_system, delivered.order_id, delivered.line_id
            order by
                delivered.updated_at desc, delivered.ds desc, delivered._feed desc, delivered._file desc,
                delivered._edition desc, delivered._row desc
        ) as place
    from delivered
    inner join given_back on delivered.order_id = given_back.order_id
)

-- A refund belongs to an edit if it is of the same time. What was lowered and raised again is not taken off.
select
    source_system,
    order_id,
    line_id,
    min(case when quantity < quantity_before then updated_at end) as first_lowered_at,
    max(case when quantity < quantity_before then updated_at end) as last_lowered_at,
    cast(max(quantity) - max(case when place = 1 then quantity end) as decimal(18, 4)) as lowered_units
from versions
group by source_system, order_id, line_id
having max(quantity) > max(case when place = 1 then quantity end)
