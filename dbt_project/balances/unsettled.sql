-- Documents that are unsettled and refunds that are half read, in the channel of what was read of them.
with half_read as (
    select * from dwd.dwd_refund_unread
    where is_known
)

select distinct
    source_system as half_read_system,
    order_id as half_read_id
from dwd.dwd_unsettled
where channel is not null
union all
select distinct
    half_read.source_system as half_read_system,
    half_read.refund_id as half_read_id
from half_read
left join dwd.dwd_order as origins
    on half_read.source_system = origins.source_system and half_read.order_id = origins.order_id
left join dws.dws_order_line as order_lines
    on half_read.source_system = order_lines.document_system and half_read.order_id = order_lines.document_id
left join dwd.dwd_unsettled as left_out
    on
        half_read.source_system = left_out.source_system
        and half_read.order_id = left_out.order_id
        and not left_out.is_held
where
    coalesce(half_read.channel, origins.channel, order_lines.channel) is not null
    and left_out.order_id is null
