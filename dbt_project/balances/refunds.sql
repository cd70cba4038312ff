-- Every refund of dws_refund with its amount as DWD has it, and the reason why its money is not in revenue, derived
-- from DWD.
with placed as (
    select * from dws.dws_refund
),

refunds as (
    select * from dwd.dwd_refund
),

origins as (
    select * from dwd.dwd_order
),

cancelled_elsewhere as (
    select * from dws.dws_order_copy_cancelled
),

lines as (
    select * from dwd.dwd_order_line
),

half_read as (
    select * from dwd.dwd_refund_unread
),

left_out as (
    select distinct
        source_system,
        order_id
    from dwd.dwd_unsettled
    where not is_held
)

select
    placed.currency,
    placed.amount,
    placed.net_amount,
    placed.returned_elsewhere_amount,
    placed.shipping_refunded_amount,
    placed.not_goods_amount,
    placed.tax_of_lines,
    placed.tax_of_added,
    refunds.amount as given_amount,
    case
        when placed.is_counted then 'counted'
        when left_out.order_id is not null then 'refunds on unsettled orders'
        when origins.is_test or origins.is_cancelled or cancelled_elsewhere.order_id is not null
            then 'refunds on cancelled or test orders'
        when half_read.refund_id is not null then 'refunds that are half read'
        when
            refunds.status in (
                'failure', 'failed', 'error', 'declined', 'cancelled', 'canceled', 'void', 'voided'
            )
            then 'refunds that failed'
        when lines.line_id is not null then 'refunds of what was removed from their order'
        when origins.order_id is null and refunds.channel is null
            then 'refunds on unknown orders, without a channel'
    end as reason
from placed
inner join refunds
    on
        placed.refund_system = refunds.source_system
        and placed.refund_id = refunds.refund_id
        and placed.line_id = refunds.line_id
left join origins on placed.source_system = origins.source_system and placed.order_id = origins.order_id
left join cancelled_elsewhere
    on placed.source_system = cancelled_elsewhere.source_system and placed.order_id = cancelled_elsewhere.order_id
left join left_out on placed.source_system = left_out.source_system and placed.order_id = left_out.order_id
left join lines
    on
        refunds.order_system = lines.source_system
        and refunds.order_id = lines.order_id
        and refunds.order_line_id = lines.line_id
left join half_read
    on
        refunds.order_system = half_read.source_system
        and refunds.order_id = half_read.order_id
        and refunds.refund_id = half_read.refund_id
