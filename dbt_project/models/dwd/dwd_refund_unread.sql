{{ config(materialized='table') }}

with unread as (
    select * from {{ source('ops', 'unread_document') }}
    where entity = 'refund' and line_id is not null
),

refunds as (
    select
        order_system,
        order_id,
        refund_id,
        channel,
        currency,
        business_date,
        amount,
        ds,
        _file,
        _edition
    from {{ ref('dwd_refund') }}
),

-- A refund is read if it came again later: on a later night, or in a later file of that night.
compared as (
    select
        unread.source_system,
        unread.order_id,
        unread.line_id as refund_id,
        unread.feed,
        unread.ds,
        unread.rule,
        unread.row,
        unread.path,
        unread.amount,
        coalesce(
            bool_or(
                refunds.ds > unread.ds
                or (refunds.ds = unread.ds and (refunds._file, refunds._edition) > (unread.path, unread.edition))
            ),
            false
        ) as is_settled
    from unread
    left join refunds
        on
            unread.source_system = refunds.order_system
            and unread.order_id = refunds.order_id
            and unread.line_id = refunds.refund_id
    group by
        unread.source_system, unread.order_id, unread.line_id, unread.feed, unread.ds, unread.rule, unread.row,
        unread.path, unread.amount
),

half_read as (
    select
        source_system,
        order_id,
        refund_id,
        min(ds) as unread_since,
        count(*) as unread_count,
        sum(amount) as unread_amount,
        {{ listed('feed') }} as feeds,
        {{ listed('rule') }} as rules
    from compared
    where not is_settled
    group by source_system, order_id, refund_id
),

-- What was read of it.
read_rows as (
    select
        order_system,
        order_id,
        refund_id,
        min(channel) as channel,
        min(currency) as currency,
        min(business_date) as business_date,
        sum(amount) as amount
    from refunds
    group by order_system, order_id, refund_id
)

select
    half_read.source_system,
    half_read.order_id,
    half_read.refund_id,
    half_read.unread_since,
    cast(half_read.unread_count as bigint) as unread_count,
    cast(coalesce(half_read.unread_amount, 0) as decimal(18, 4)) as unread_amount,
    half_read.feeds,
    half_read.rules,
    read_rows.refund_id is not null as is_known,
    read_rows.channel,
    read_rows.currency,
    read_rows.business_date,
    cast(coalesce(read_rows.amount, 0) as decimal(18, 4)) as read_amount
from half_read
left join read_rows
    on
        half_read.source_system = read_rows.order_system
        and half_read.order_id = read_rows.order_id
        and half_read.refund_id = read_rows.refund_id
