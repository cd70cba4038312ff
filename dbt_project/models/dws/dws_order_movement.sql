with lines as (
    select * from {{ ref('dwd_order_line') }}
),

headers as (
    select * from {{ ref('dwd_order') }}
),

exchange_rates as (
    select * from {{ ref('exchange_rates') }}
),

-- Which order a return belongs to: the one of that id in the same source system, else in the only other system that
-- has one (a store takes back what the online shop sold). Where neither is known, the return stands for itself.
wanted as (
    select
        source_system,
        original_order_id
    from lines
    where line_type = 'return' and original_order_id is not null
    group by source_system, original_order_id
),

known_documents as (
    select
        source_system,
        order_id,
        is_cancelled or is_test as is_void
    from headers
    where order_id in (select wanted.original_order_id from wanted)
    union all
    select
        source_system,
        order_id,
        false as is_void
    from lines
    where line_type = 'sale' and not is_test and order_id in (select wanted.original_order_id from wanted)
),

known_orders as (
    select
        source_system,
        order_id,
        bool_or(is_void) as is_void
    from known_documents
    group by source_system, order_id
),

originals as (
    select
        wanted.source_system as document_system,
        wanted.original_order_id,
        case
            when bool_or(known_orders.source_system = wanted.source_system) then wanted.source_system
            when count(*) = 1 then min(known_orders.source_system)
        end as source_system,
        case
            when bool_or(known_orders.source_system = wanted.source_system)
                then bool_or(known_orders.is_void and known_orders.source_system = wanted.source_system)
            when count(*) = 1 then bool_or(known_orders.is_void)
            else false
        end as is_void
    from wanted
    inner join known_orders on wanted.original_order_id = known_orders.order_id
    group by wanted.source_system, wanted.original_order_id
),

placed as (
    select
        lines.source_system as document_system,
        lines.order_id as document_id,
        coalesce(originals.source_system, lines.source_system) as source_system,
        case when originals.source_system is null then lines.order_id else lines.original_order_id end as order_id,
        lines.line_type = 'return' as is_return,
        -- A cancelled or test order counts for nothing, and so does what is given back on it.
        not lines.is_test
        and not coalesce(headers.is_cancelled, false)
        and not coalesce(headers.is_test, false)
        and not coalesce(originals.is_void, false) as is_counted,
        -- A sale happens where and when its order was placed, a return where and when the goods came back.
        case
            when lines.line_type = 'return' then lines.channel
            else coalesce(headers.channel, lines.channel)
        end as channel,
        case
            when lines.line_type = 'return'
                then coalesce(lines.business_date, headers.business_date, lines.ds)
            else coalesce(headers.business_date, lines.business_date, lines.ds)
        end as business_date,
        case
            when lines.line_type = 'return' then coalesce(lines.sold_at, headers.ordered_at)
            else coalesce(headers.ordered_at, lines.sold_at)
        end as moved_at,
        coalesce(headers.identity_key, lines.identity_key) as identity_key,
        coalesce(lines.node_id, headers.node_id) as node_id,
        lines.line_type,
        lines.currency,
        lines.quantity,
        lines.gross_amount,
        lines.discount_amount,
        lines.net_amount
    from lines
    left join headers on lines.source_system = headers.source_system and lines.order_id = headers.order_id
    left join originals
        on
            lines.source_system = originals.document_system
            and case when lines.line_type = 'return' then lines.original_order_id end = originals.original_order_id
),

movement as (
    select
        source_system,
        order_id,
        document_system,
        document_id,
        is_return,
        is_counted,
        channel,
        business_date,
        currency,
        min(moved_at) as moved_at,
        max(identity_key) as identity_key,
        min(node_id) as node_id,
        count(*) as line_count,
        count(*) filter (where line_type = 'sale') as sale_line_count,
        cast(coalesce(sum(quantity) filter (where line_type <> 'adjustment'), 0) as decimal(18, 4)) as units,
        cast(sum(gross_amount) as decimal(18, 4)) as gross_amount,
        cast(sum(discount_amount) as decimal(18, 4)) as discount_amount,
        cast(sum(net_amount) as decimal(18, 4)) as net_amount
    from placed
    group by
        source_system, order_id, document_system, document_id, is_return, is_counted, channel, business_date, currency
)

select
    movement.source_system,
    movement.order_id,
    movement.document_system,
    movement.document_id,
    movement.is_return,
    movement.is_counted,
    movement.channel,
    movement.business_date,
    movement.currency,
    movement.moved_at,
    movement.identity_key,
    movement.node_id,
    movement.line_count,
    movement.sale_line_count,
    movement.units,
    movement.gross_amount,
    movement.discount_amount,
    movement.net_amount,
    {{ to_base('movement.gross_amount', 'movement.currency', 'exchange_rates.rate') }} as gross_amount_base,
    {{ to_base('movement.discount_amount', 'movement.currency', 'exchange_rates.rate') }} as discount_amount_base,
    cast(
        {{ to_base('movement.gross_amount', 'movement.currency', 'exchange_rates.rate') }}
        - {{ to_base('movement.discount_amount', 'movement.currency', 'exchange_rates.rate') }} as decimal(18, 4)
    ) as net_amount_base
from movement
left join exchange_rates
    on
        movement.currency = exchange_rates.currency
        and exchange_rates.reporting_currency = '{{ reporting_currency() }}'
