with declared as (
    select * from {{ ref('dws_order_copy_declared') }}
),

matches as (
    select * from {{ ref('dws_order_match') }}
    where state in ('found', 'same')
),

left_out as (
    select
        source_system,
        order_id
    from {{ ref('dwd_unsettled') }}
    where not is_held
    group by source_system, order_id
),

pairs as (
    select
        document_system,
        document_id,
        source_system,
        order_id,
        'declared' as basis
    from declared
    union all
    select
        document_system,
        document_id,
        source_system,
        order_id,
        case state when 'found' then 'found' else 'decided' end as basis
    from matches
)

select pairs.*
from pairs
-- Where the other order counts for nothing because it is half read, this one counts.
left join left_out on pairs.source_system = left_out.source_system and pairs.order_id = left_out.order_id
where left_out.order_id is null
