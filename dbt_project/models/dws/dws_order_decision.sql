with delivered_decisions as (
    select * from {{ ref('dwd_order_match') }}
),

headers as (
    select
        source_system,
        order_id
    from {{ ref('dwd_order') }}
),

sale_lines as (
    select
        source_system,
        order_id
    from {{ ref('dwd_order_line') }}
    where line_type = 'sale'
),

declared as (
    select * from {{ ref('dws_order_copy_declared') }}
),

-- A retailer's own file is one statement: of what it said before, only what its last save says again still holds, and
-- nothing once the file is gone or has no row.
own_saved as (
    select max(updated_at) as saved_at
    from delivered_decisions
    where _feed = 'own_order_matches'
),

-- What two systems say alike is one decision.
decisions as (
    select
        delivered_decisions.order_system,
        delivered_decisions.order_id,
        delivered_decisions.other_system,
        delivered_decisions.other_order_id,
        delivered_decisions.decision,
        max(delivered_decisions.note) as note
    from delivered_decisions
    cross join own_saved
    where
        delivered_decisions.decision is not null
        and (
            delivered_decisions._feed <> 'own_order_matches'
            or delivered_decisions.updated_at = own_saved.saved_at and {{ own_file_says_something('order_matches') }}
        )
    group by
        delivered_decisions.order_system, delivered_decisions.order_id, delivered_decisions.other_system,
        delivered_decisions.other_order_id, delivered_decisions.decision
),

known_orders as (
    select
        source_system,
        order_id
    from headers
    union distinct
    select
        source_system,
        order_id
    from sale_lines
),

apart as (
    select distinct
        least(order_system, other_system) as first_system,
        case when order_system < other_system then order_id else other_order_id end as first_id,
        greatest(order_system, other_system) as second_system,
        case when order_system < other_system then other_order_id else order_id end as second_id
    from decisions
    where decision = 'apart'
),

said_copies as (
    select
        other_system as document_system,
        other_order_id as document_id
    from decisions
    where decision = 'same' and order_system <> other_system
    group by other_system, other_order_id
),

said_same as (
    select
        decisions.*,
        count(*) over (partition by decisions.other_system, decisions.other_order_id) as said_count,
        orders.order_id is not null and others.order_id is not null as is_known,
        of_other.document_id is not null or of_order.document_id is not null as is_declared,
        said_copies.document_id is not null as is_chained,
        apart.first_id is not null as is_apart
    from decisions
    left join known_orders as orders
        on decisions.order_system = orders.source_system and decisions.order_id = orders.order_id
    left join known_orders as others
        on decisions.other_system = others.source_system and decisions.other_order_id = others.order_id
    left join declared as of_other
        on decisions.other_system = of_other.document_system and decisions.other_order_id = of_other.document_id
    left join declared as of_order
        on decisions.order_system = of_order.document_system and decisions.order_id = of_order.document_id
    left join said_copies
        on decisions.order_system = said_copies.document_system and decisions.order_id = said_copies.document_id
    left join apart
        on
            least(decisions.order_system, decisions.other_system) = apart.first_system
            and greatest(decisions.order_system, decisions.other_system) = apart.second_system
            and apart.first_id
            = case
                when decisions.order_system < decisions.other_system then decisions.order_id
                else decisions.other_order_id
            end
            and apart.second_id
            = case
                when decisions.order_system < decisions.other_system then decisions.other_order_id
                else decisions.order_id
            end
    where decisions.decision = 'same'
)

select
    other_system as document_system,
    other_order_id as document_id,
    order_system as source_system,
    order_id,
    decision,
    case
        when order_system = other_system then 'both are orders of one system'
        when is_apart then 'another decision says apart'
        when not is_known then 'one of the orders has not arrived'
        when is_declared then 'a source says already which order it is a copy of'
        when said_count > 1 then 'two decisions name it'
        when is_chained then 'the order that stands is a copy by another decision'
    end as reason,
    note
from said_same
union all
select
    other_system as document_system,
    other_order_id as document_id,
    order_system as source_system,
    order_id,
    decision,
    null as reason,
    note
from decisions
where decision = 'apart'
