with headers as (
    select * from {{ ref('dwd_order') }}
),

sale_lines as (
    select * from {{ ref('dwd_order_line') }}
    where line_type = 'sale'
),

products as (
    select * from {{ ref('dim_product') }}
),

declared as (
    select * from {{ ref('dws_order_copy_declared') }}
),

left_out as (
    select
        source_system,
        order_id
    from {{ ref('dwd_unsettled') }}
    where not is_held
    group by source_system, order_id
),

delivered_decisions as (
    select * from {{ ref('dwd_order_match') }}
),

oneid_map as (
    select * from {{ source('oneid', 'oneid_map') }}
    where valid_to is null
),

-- A retailer's own file is one statement: of what it said before, only what its last save says again still holds, and
-- nothing once the file is gone or has no row.
own_saved as (
    select max(updated_at) as saved_at
    from delivered_decisions
    where _feed = 'own_order_matches'
),

decisions as (
    select
        delivered_decisions.order_system,
        delivered_decisions.order_id,
        delivered_decisions.other_system,
        delivered_decisions.other_order_id,
        delivered_decisions.decision,
        delivered_decisions.note
    from delivered_decisions
    cross join own_saved
    where
        delivered_decisions.decision is not null
        and (
            delivered_decisions._feed <> 'own_order_matches'
            or delivered_decisions.updated_at = own_saved.saved_at and {{ own_file_says_something('order_matches') }}
        )
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
),

same as (
    select
        other_system as document_system,
        other_order_id as document_id,
        order_system as source_system,
        order_id,
        note,
        case
            when order_system = other_system then 'both are orders of one system'
            when is_apart then 'another decision says apart'
            when not is_known then 'one of the orders has not arrived'
            when is_declared then 'a source says already which order it is a copy of'
            when said_count > 1 then 'two decisions name it'
            when is_chained then 'the order that stands is a copy by another decision'
        end as reason
    from said_same
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
    from same
    where reason is null
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

-- What stands in each order, by the retailer's own keys of the goods.
goods as (
    select
        sale_lines.source_system,
        sale_lines.order_id,
        coalesce(products.product_key, sale_lines.product_id) as product_key,
        sum(sale_lines.quantity) as quantity,
        sum(sale_lines.net_amount) as net_amount,
        min(sale_lines.currency) as currency,
        max(sale_lines.currency) as last_currency,
        min(sale_lines.channel) as channel,
        min(sale_lines.business_date) as business_date,
        min(sale_lines.sold_at) as sold_at,
        max(sale_lines.identity_key) as identity_key,
        bool_or(sale_lines.is_test) as is_test
    from sale_lines
    left join products
        on sale_lines.source_system = products.source_system and sale_lines.product_id = products.product_id
    where sale_lines.parent_line_id is null
    group by sale_lines.source_system, sale_lines.order_id, coalesce(products.product_key, sale_lines.product_id)
),

baskets as (
    select
        source_system,
        order_id,
        {{ listed("concat(product_key, ' x ', cast(quantity as decimal(18, 4)))") }} as items,
        bool_or(product_key is null) as has_unnamed,
        sum(net_amount) as net_amount,
        min(currency) as currency,
        max(last_currency) as last_currency,
        min(channel) as channel,
        min(business_date) as business_date,
        min(sold_at) as sold_at,
        max(identity_key) as identity_key,
        bool_or(is_test) as is_test
    from goods
    group by source_system, order_id
),

documents as (
    select
        baskets.source_system,
        baskets.order_id,
        baskets.items,
        coalesce(headers.channel, baskets.channel) as channel,
        coalesce(headers.currency, baskets.currency) as currency,
        cast(coalesce(headers.total_amount, baskets.net_amount) as decimal(18, 4)) as total_amount,
        coalesce(headers.business_date, baskets.business_date) as business_date,
        coalesce(headers.ordered_at, baskets.sold_at) as ordered_at,
        coalesce(headers.identity_key, baskets.identity_key) as identity_key
    from baskets
    left join headers on baskets.source_system = headers.source_system and baskets.order_id = headers.order_id
    left join left_out on baskets.source_system = left_out.source_system and baskets.order_id = left_out.order_id
    where
        left_out.order_id is null
        and not baskets.has_unnamed
        and not baskets.is_test
        and not coalesce(headers.is_test, false)
        and baskets.currency = baskets.last_currency
        and coalesce(headers.total_amount, baskets.net_amount) > 0
),

orders as (
    select
        documents.*,
        oneid_map.oneid,
        {{ time_bucket('documents.ordered_at', var('order_match_minutes')) }} as bucket
    from documents
    left join oneid_map on documents.identity_key = oneid_map.identity_key
    left join copies_so_far
        on
            documents.source_system = copies_so_far.document_system
            and documents.order_id = copies_so_far.document_id
    where copies_so_far.document_id is null
),

near as (
    select
        *,
        bucket - 1 as near_bucket
    from orders
    union all
    select
        *,
        bucket as near_bucket
    from orders
    union all
    select
        *,
        bucket + 1 as near_bucket
    from orders
),

-- Orders of two systems with one total and one basket, at one time: within the minutes where both moments are known,
-- else on one day.
paired as (
    select
        orders.source_system as first_system,
        orders.order_id as first_id,
        near.source_system as second_system,
        near.order_id as second_id,
        orders.channel as first_channel,
        near.channel as second_channel,
        orders.currency,
        orders.total_amount,
        orders.items,
        orders.oneid as first_oneid,
        near.oneid as second_oneid,
        orders.identity_key as first_identity_key,
        near.identity_key as second_identity_key,
        {{ seconds_between('orders.ordered_at', 'near.ordered_at') }} as seconds_apart
    from orders
    inner join near
        on
            orders.source_system < near.source_system
            and orders.currency = near.currency
            and orders.total_amount = near.total_amount
            and orders.items = near.items
            and orders.bucket = near.near_bucket
    union all
    select
        orders.source_system as first_system,
        orders.order_id as first_id,
        others.source_system as second_system,
        others.order_id as second_id,
        orders.channel as first_channel,
        others.channel as second_channel,
        orders.currency,
        orders.total_amount,
        orders.items,
        orders.oneid as first_oneid,
        others.oneid as second_oneid,
        orders.identity_key as first_identity_key,
        others.identity_key as second_identity_key,
        null as seconds_apart
    from orders
    inner join orders as others
        on
            orders.source_system < others.source_system
            and orders.currency = others.currency
            and orders.total_amount = others.total_amount
            and orders.items = others.items
            and orders.business_date = others.business_date
    where orders.ordered_at is null or others.ordered_at is null
),

weighed as (
    select
        paired.*,
        case
            when paired.first_oneid = paired.second_oneid then 'same'
            when paired.first_oneid is not null and paired.second_oneid is not null then 'different'
            when paired.first_identity_key = paired.second_identity_key then 'identifier'
            else 'unknown'
        end as person
    from paired
    left join apart
        on
            paired.first_system = apart.first_system
            and paired.first_id = apart.first_id
            and paired.second_system = apart.second_system
            and paired.second_id = apart.second_id
    left join settled as first_settled
        on
            paired.first_system = first_settled.source_system
            and paired.first_id = first_settled.order_id
            and paired.second_system = first_settled.other_system
    left join settled as second_settled
        on
            paired.second_system = second_settled.source_system
            and paired.second_id = second_settled.order_id
            and paired.first_system = second_settled.other_system
    where
        apart.first_id is null
        and first_settled.order_id is null
        and second_settled.order_id is null
        and coalesce(paired.seconds_apart, 0) <= 60 * {{ var('order_match_minutes') }}
        and not (paired.first_channel = 'store' and paired.second_channel = 'store')
),

scored as (
    select
        *,
        cast(
            0.60
            + case person when 'same' then 0.30 when 'identifier' then 0.20 else 0 end
            + case when seconds_apart <= 60 then 0.10 when seconds_apart <= 600 then 0.04 else 0 end as decimal(3, 2)
        ) as confidence
    from weighed
    where person <> 'different'
),

plausible as (
    select
        *,
        max(confidence) over (partition by first_system, first_id, second_system) as first_best,
        max(confidence) over (partition by second_system, second_id, first_system) as second_best,
        count(*) over (partition by first_system, first_id, second_system, confidence) as first_alike,
        count(*) over (partition by second_system, second_id, first_system, confidence) as second_alike
    from scored
    where confidence >= 0.70
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
        plausible.*,
        case
            when directions.document_system is not null then directions.document_system = plausible.first_system
            when plausible.first_channel = 'marketplace' then false
            else coalesce(plausible.second_channel = 'marketplace', false)
        end as is_first_copy,
        plausible.confidence >= {{ order_match_confidence() }} as is_sure,
        plausible.first_best = plausible.confidence
        and plausible.second_best = plausible.confidence
        and plausible.first_alike = 1
        and plausible.second_alike = 1 as is_only_best
    from plausible
    left join directions
        on
            plausible.first_system = directions.first_system
            and plausible.second_system = directions.second_system
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
    case when reason is null then 'same' else 'no effect' end as state,
    reason,
    null as confidence,
    null as person,
    null as seconds_apart,
    null as currency,
    null as total_amount,
    null as items,
    note
from same
union all
select
    other_system as document_system,
    other_order_id as document_id,
    order_system as source_system,
    order_id,
    'apart' as state,
    null as reason,
    null as confidence,
    null as person,
    null as seconds_apart,
    null as currency,
    null as total_amount,
    null as items,
    note
from decisions
where decision = 'apart'
