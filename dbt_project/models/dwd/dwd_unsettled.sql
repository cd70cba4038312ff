{{ config(materialized='table') }}

with unread as (
    select
        *,
        row_number() over (order by feed, ds, path, edition, row) as unread_no
    from {{ source('ops', 'unread_document') }}
    where entity in ('sales_order', 'order_line')
),

documents as (
    select
        source_system,
        order_id
    from unread
    group by source_system, order_id
),

headers as (
    select orders.*
    from {{ ref('dwd_order') }} as orders
    inner join documents on orders.source_system = documents.source_system and orders.order_id = documents.order_id
),

lines as (
    select order_lines.*
    from {{ ref('dwd_order_line') }} as order_lines
    inner join documents
        on order_lines.source_system = documents.source_system and order_lines.order_id = documents.order_id
),

-- What was read of these documents, newest versions. Of a key that several feeds deliver, what each feed said.
read_rows as (
    select
        source_system,
        order_id,
        cast(null as varchar) as line_id,
        'sales_order' as entity,
        {{ said_by_feed("updated_at") }}
    from headers
    union all
    select
        source_system,
        order_id,
        line_id,
        'order_line' as entity,
        {{ said_by_feed("updated_at") }}
    from lines
),

pairs as (
    select
        unread.unread_no,
        read_rows.entity = unread.entity as is_same_entity,
        read_rows.entity = unread.entity and read_rows.said._feed = unread.feed as is_same_feed,
        read_rows.entity = 'sales_order' or read_rows.line_id = unread.line_id as is_same_part,
        -- Which line it was may not be known: then any newer one of the document is taken for it.
        unread.is_whole or (unread.entity = 'order_line' and unread.line_id is null) as is_any_part,
        case
            when read_rows.said.version <> unread.version then read_rows.said.version > unread.version
            when read_rows.said.ds <> unread.ds then read_rows.said.ds > unread.ds
            else
                (read_rows.said._file, read_rows.said._edition, read_rows.said._row)
                > (unread.path, unread.edition, unread.row)
        end as is_later,
        case
            when unread.version is not null and read_rows.said.version is not null
                then read_rows.said.version > unread.version
            else read_rows.said.ds > unread.ds
        end as is_newer,
        case
            when unread.version is not null and read_rows.said.version is not null
                then read_rows.said.version < unread.version
            else read_rows.said.ds < unread.ds
        end as is_older
    from unread
    inner join read_rows on unread.source_system = read_rows.source_system and unread.order_id = read_rows.order_id
),

judged as (
    select
        unread_no,
        -- A later version of the row itself settles it; where a document comes whole, a newer one of it does.
        bool_or(is_same_feed and ((is_same_part and is_later) or (is_any_part and is_newer))) as is_settled,
        bool_and(is_older) and bool_or(is_same_entity) as is_after_a_state
    from pairs
    group by unread_no
),

unsettled_rows as (
    select
        unread.source_system,
        unread.order_id,
        unread.feed,
        unread.ds,
        unread.rule,
        unread.policy,
        unread.net_amount,
        coalesce(upper(unread.currency), 'XXX') as currency,
        coalesce(judged.is_after_a_state, false) as is_after_a_state
    from unread
    left join judged on unread.unread_no = judged.unread_no
    where not coalesce(judged.is_settled, false)
),

unsettled as (
    select
        source_system,
        order_id,
        min(ds) as unsettled_since,
        count(*) as unread_count,
        {{ listed('feed') }} as feeds,
        {{ listed('rule') }} as rules,
        max(policy) as policy,
        max(policy) = 'hold' and bool_and(is_after_a_state) as is_held
    from unsettled_rows
    group by source_system, order_id
),

amounts as (
    select
        source_system,
        order_id,
        currency,
        net_amount as delivered_amount,
        0 as quarantined_amount
    from lines
    where not is_test
    union all
    select
        source_system,
        order_id,
        currency,
        0 as delivered_amount,
        coalesce(net_amount, 0) as quarantined_amount
    from unsettled_rows
),

at_stake as (
    select
        source_system,
        order_id,
        currency,
        sum(delivered_amount) as delivered_amount,
        sum(quarantined_amount) as quarantined_amount
    from amounts
    group by source_system, order_id, currency
),

-- A currency without an amount is told only where the document has no amount at all.
told as (
    select *
    from at_stake
    qualify
        delivered_amount <> 0
        or quarantined_amount <> 0
        or (
            max(abs(delivered_amount) + abs(quarantined_amount)) over (partition by source_system, order_id) = 0
            and row_number() over (partition by source_system, order_id order by currency) = 1
        )
),

days as (
    select
        source_system,
        order_id,
        min(channel) as channel,
        min(coalesce(business_date, ds)) as business_date
    from lines
    group by source_system, order_id
)

select
    unsettled.source_system,
    unsettled.order_id,
    told.currency,
    unsettled.unsettled_since,
    cast(unsettled.unread_count as bigint) as unread_count,
    unsettled.feeds,
    unsettled.rules,
    unsettled.policy,
    unsettled.is_held,
    cast(told.delivered_amount as decimal(18, 4)) as delivered_amount,
    cast(told.quarantined_amount as decimal(18, 4)) as quarantined_amount,
    headers.order_id is not null or days.order_id is not null as is_known,
    coalesce(headers.channel, days.channel) as channel,
    coalesce(headers.business_date, days.business_date) as business_date
from unsettled
inner join told on unsettled.source_system = told.source_system and unsettled.order_id = told.order_id
left join headers on unsettled.source_system = headers.source_system and unsettled.order_id = headers.order_id
left join days on unsettled.source_system = days.source_system and unsettled.order_id = days.order_id
