with declared as (
    select * from {{ ref('dws_order_copy_declared') }}
),

matches as (
    select * from {{ ref('dws_order_match') }}
    where state in ('found', 'same')
)

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
