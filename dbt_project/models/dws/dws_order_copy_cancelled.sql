with copies as (
    select * from {{ ref('dws_order_copy') }}
),

headers as (
    select * from {{ ref('dwd_order') }}
),

pairs as (
    select
        document_system as source_system,
        document_id as order_id,
        source_system as other_system,
        order_id as other_id
    from copies
    union all
    select
        source_system,
        order_id,
        document_system as other_system,
        document_id as other_id
    from copies
)

select
    pairs.source_system,
    pairs.order_id,
    min(pairs.other_system) as other_system,
    min(pairs.other_id) as other_id
from pairs
inner join headers as others
    on pairs.other_system = others.source_system and pairs.other_id = others.order_id and others.is_cancelled
left join headers as own
    on pairs.source_system = own.source_system and pairs.order_id = own.order_id
where not coalesce(own.is_cancelled, false)
group by pairs.source_system, pairs.order_id
