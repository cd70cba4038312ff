-- Every order header of DWD, with the reason why it is no order of its own: each has one.
with headers as (
    select * from dwd.dwd_order
),

cancelled_elsewhere as (
    select * from dws.dws_order_copy_cancelled
),

orders as (
    select * from dws.dws_order
),

copies as (
    select * from dws.dws_order_copy
),

lines as (
    select * from dws.dws_order_line
),

left_out as (
    select distinct
        source_system,
        order_id
    from dwd.dwd_unsettled
    where not is_held
),

elsewhere as (
    select
        document_system,
        document_id
    from lines
    where document_system <> source_system or document_id <> order_id
    group by document_system, document_id
),

own as (
    select
        document_system,
        document_id,
        max(case when is_counted and line_type = 'sale' then 1 else 0 end) = 1 as is_selling
    from lines
    where document_system = source_system and document_id = order_id
    group by document_system, document_id
)

select
    headers.source_system,
    headers.order_id,
    case
        when orders.order_id is not null then 'counted'
        when left_out.order_id is not null then 'unsettled orders'
        when headers.is_test then 'test orders'
        when headers.is_cancelled or cancelled_elsewhere.order_id is not null then 'cancelled orders'
        when copies.basis = 'found' then 'orders found in another system too'
        when copies.basis = 'decided' then 'orders that are another system''s by a decision'
        when copies.document_id is not null then 'orders that another system has too'
        -- It sells goods, and is no order: the model lost it.
        when own.is_selling then null
        when elsewhere.document_id is not null then 'returns booked on their original orders'
        when own.document_id is not null then 'orders without a line that sells goods'
        when headers.total_amount < 0 then 'refunds without lines'
    end as reason
from headers
left join left_out on headers.source_system = left_out.source_system and headers.order_id = left_out.order_id
left join orders on headers.source_system = orders.source_system and headers.order_id = orders.order_id
left join cancelled_elsewhere
    on headers.source_system = cancelled_elsewhere.source_system and headers.order_id = cancelled_elsewhere.order_id
left join copies on headers.source_system = copies.document_system and headers.order_id = copies.document_id
left join elsewhere on headers.source_system = elsewhere.document_system and headers.order_id = elsewhere.document_id
left join own on headers.source_system = own.document_system and headers.order_id = own.document_id
