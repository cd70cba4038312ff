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
    pairs.other_system,
    pairs.other_id
from pairs
inner join headers as others
    on pairs.other_system = others.source_system and pairs.other_id = others.order_id and others.is_cancelled
left join headers as own
    on pairs.source_system = own.source_system and pairs.order_id = own.order_id
where not coalesce(own.is_cancelled, false)
-- Of several that are cancelled one is named.
qualify
    row_number() over (
        partition by pairs.source_system, pairs.order_id order by pairs.other_system asc, pairs.other_id asc
    ) = 1
