with order_lines as (
    select * from {{ ref('dws_order_line') }}
),

lowered as (
    select * from {{ ref('dwd_order_line_lowered') }}
),

sold as (
    select * from {{ ref('dws_order_sold') }}
),

-- Lines that an order no longer has, and units of those that it has, as versions or the source tell.
taken as (
    select
        order_lines.document_system,
        order_lines.document_id,
        case
            when order_lines.exclusion = 'removed from its document' then order_lines.net_amount
            when lowered.lowered_units is null or order_lines.units <= 0 then order_lines.taken_amount
            else order_lines.taken_amount + lowered.lowered_units * (order_lines.net_amount / order_lines.units)
        end as amount,
        case
            when order_lines.is_tax_included then 0
            when order_lines.exclusion = 'removed from its document'
                then case when order_lines.has_own_tax then order_lines.tax_amount end
            when lowered.lowered_units is null or order_lines.units <= 0 then order_lines.taken_tax_amount
            else order_lines.taken_tax_amount + lowered.lowered_units * (order_lines.tax_amount / order_lines.units)
        end as tax_amount
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
            or (lowered.lowered_units is not null and order_lines.units > 0)
        )
),

by_order as (
    select
        document_system,
        document_id,
        sum(amount) as amount,
        case when count(*) = count(tax_amount) then sum(tax_amount) end as tax_amount
    from taken
    group by document_system, document_id
)

select
    by_order.document_system,
    by_order.document_id,
    cast(by_order.amount as decimal(18, 4)) as amount,
    cast(
        case
            when by_order.tax_amount is not null then by_order.amount + by_order.tax_amount
            when sold.sold_amount > 0 then {{ with_added_tax('by_order.amount', 'sold', 'sold.currency') }}
            else by_order.amount
        end as decimal(18, 4)
    ) as taxed_amount
from by_order
left join sold on by_order.document_system = sold.source_system and by_order.document_id = sold.order_id
