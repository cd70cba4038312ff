with pairs as (
    select * from {{ ref('dws_order_pair') }}
),

decisions as (
    select * from {{ ref('dws_order_decision') }}
),

declared as (
    select * from {{ ref('dws_order_copy_declared') }}
),

apart as (
    select distinct
        least(document_system, source_system) as first_system,
        case when document_system < source_system then document_id else order_id end as first_id,
        greatest(document_system, source_system) as second_system,
        case when document_system < source_system then order_id else document_id end as second_id
    from decisions
    where decision = 'apart'
),

copies_so_far as (
    select
        document_system,
        document_id,
        source_system,
        order_id
    from declared
    union all
    select
        document_system,
        document_id,
        source_system,
        order_id
    from decisions
    where decision = 'same' and reason is null
),

originals_so_far as (
    select
        source_system,
        order_id
    from copies_so_far
    group by source_system, order_id
),

-- The systems in which an order is settled with another, by its source or by a decision.
settled as (
    select
        document_system as source_system,
        document_id as order_id,
        source_system as other_system
    from copies_so_far
    union distinct
    select
        source_system,
        order_id,
        document_system as other_system
    from copies_so_far
),

undecided as (
    select pairs.*
    from pairs
    left join apart
        on
            pairs.first_system = apart.first_system
            and pairs.first_id = apart.first_id
            and pairs.second_system = apart.second_system
            and pairs.second_id = apart.second_id
    left join copies_so_far as first_copy
        on pairs.first_system = first_copy.document_system and pairs.first_id = first_copy.document_id
    left join copies_so_far as second_copy
        on pairs.second_system = second_copy.document_system and pairs.second_id = second_copy.document_id
    left join settled as first_settled
        on
            pairs.first_system = first_settled.source_system
            and pairs.first_id = first_settled.order_id
            and pairs.second_system = first_settled.other_system
    left join settled as second_settled
        on
            pairs.second_system = second_settled.source_system
            and pairs.second_id = second_settled.order_id
            and pairs.first_system = second_settled.other_system
    where
        apart.first_id is null
        and first_copy.document_id is null
        and second_copy.document_id is null
        and first_settled.order_id is null
        and second_settled.order_id is null
),

ranked as (
    select
        *,
        max(confidence) over (partition by first_system, first_id, second_system) as first_best,
        max(confidence) over (partition by second_system, second_id, first_system) as second_best,
        count(*) over (partition by first_system, first_id, second_system, confidence) as first_alike,
        count(*) over (partition by second_system, second_id, first_system, confidence) as second_alike
    from undecided
),

-- Of which of two systems the orders are copies, where their sources declare copies in one direction.
directions as (
    select
        least(document_system, source_system) as first_system,
        greatest(document_system, source_system) as second_system,
        min(document_system) as document_system
    from declared
    group by least(document_system, source_system), greatest(document_system, source_system)
    having count(distinct document_system) = 1
),

directed as (
    select
        ranked.*,
        case
            when directions.document_system is not null then directions.document_system = ranked.first_system
            when ranked.first_channel = 'marketplace' then false
            else ranked.second_channel = 'marketplace'
        end as is_first_copy,
        ranked.confidence >= {{ order_match_confidence() }} as is_sure,
        ranked.first_best = ranked.confidence
        and ranked.second_best = ranked.confidence
        and ranked.first_alike = 1
        and ranked.second_alike = 1 as is_only_best
    from ranked
    left join directions
        on
            ranked.first_system = directions.first_system
            and ranked.second_system = directions.second_system
),

candidates as (
    select
        case when is_first_copy then first_system else second_system end as document_system,
        case when is_first_copy then first_id else second_id end as document_id,
        case when is_first_copy then second_system else first_system end as source_system,
        case when is_first_copy then second_id else first_id end as order_id,
        currency,
        total_amount,
        items,
        seconds_apart,
        person,
        confidence,
        is_sure,
        is_only_best
    from directed
),

matched as (
    select
        document_system,
        document_id
    from candidates
    where is_sure and is_only_best
    group by document_system, document_id
),

-- The orders that a matched one may be a copy of: they are no copies themselves.
standing as (
    select
        candidates.document_system,
        candidates.document_id,
        count(*) as standing_count
    from candidates
    left join matched
        on candidates.source_system = matched.document_system and candidates.order_id = matched.document_id
    where candidates.is_sure and candidates.is_only_best and matched.document_id is null
    group by candidates.document_system, candidates.document_id
),

judged as (
    select
        candidates.*,
        case
            when not candidates.is_sure then 'the confidence is below order_match_confidence'
            when not candidates.is_only_best then 'several orders are as likely'
            when standing.standing_count > 1 or matched.document_id is not null or originals_so_far.order_id is not null
                then 'it is one of more than two orders'
        end as reason
    from candidates
    left join standing
        on candidates.document_system = standing.document_system and candidates.document_id = standing.document_id
    left join matched
        on candidates.source_system = matched.document_system and candidates.order_id = matched.document_id
    left join originals_so_far
        on
            candidates.document_system = originals_so_far.source_system
            and candidates.document_id = originals_so_far.order_id
)

select
    document_system,
    document_id,
    source_system,
    order_id,
    case when reason is null then 'found' else 'review' end as state,
    reason,
    confidence,
    person,
    seconds_apart,
    currency,
    total_amount,
    items,
    null as note
from judged
union all
select
    document_system,
    document_id,
    source_system,
    order_id,
    case when reason is null then decision else 'no effect' end as state,
    reason,
    null as confidence,
    null as person,
    null as seconds_apart,
    null as currency,
    null as total_amount,
    null as items,
    note
from decisions
