with order_lines as (
    select * from {{ ref('dws_order_line') }}
),

lowered as (
    select * from {{ ref('dwd_order_line_lowered') }}
)

-- Lines that an order no longer has, and units of those that it has, as versions or the source tell.
select
    order_lines.document_system,
    order_lines.document_id,
    cast(
        sum(
            case
                when order_lines.exclusion = 'removed from its document' then order_lines.net_amount
                when lowered.lowered_units is null or order_lines.units <= 0 then order_lines.taken_amount
                else order_lines.taken_amount + lowered.lowered_units * (order_lines.net_amount / order_lines.units)
            end
        ) as decimal(18, 4)
    ) as amount
from order_lines
left join lowered
    on
        order_lines.document_system = lowered.source_system
        and order_lines.document_id = lowered.order_id
        and order_lines.line_id = lowered.line_id
where
    not order_lines.is_return
    and (
        order_lines.exclusion = 'removed from its document'
        or order_lines.taken_amount <> 0
        or lowered.lowered_units > 0 and order_lines.units > 0
    )
group by order_lines.document_system, order_lines.document_id
