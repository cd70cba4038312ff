with copies as (
    select * from {{ ref('dws_order_copy') }}
),

order_lines as (
    select * from {{ ref('dws_order_line') }}
    where
        not is_return
        and line_type in ('sale', 'adjustment')
        and (exclusion is null or exclusion = 'order that another system has too')
),

sides as (
    select
        document_system,
        document_id,
        case when count(distinct currency) = 1 then min(currency) end as currency,
        cast(sum(units) as decimal(18, 4)) as units,
        cast(sum(net_amount) as decimal(18, 4)) as amount
    from order_lines
    group by document_system, document_id
)

select
    copies.document_system,
    copies.document_id,
    copies.source_system,
    copies.order_id,
    copies.basis,
    orders.currency,
    coalesce(of_copy.units, 0) as copy_units,
    orders.units as order_units,
    coalesce(of_copy.amount, 0) as copy_amount,
    orders.amount as order_amount
from copies
inner join sides as orders
    on copies.source_system = orders.document_system and copies.order_id = orders.document_id
left join sides as of_copy
    on copies.document_system = of_copy.document_system and copies.document_id = of_copy.document_id
where
    coalesce(of_copy.units, 0) <> orders.units
    or (of_copy.currency = orders.currency and abs(of_copy.amount - orders.amount) > 0.01)
