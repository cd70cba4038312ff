with whole_refunds as (
    select * from {{ ref('dws_refund_whole') }}
),

exact as (
    select * from {{ ref('dws_refund_paid_exactly') }}
),

refund_lines as (
    select * from {{ ref('dws_refund_goods') }}
),

sold as (
    select * from {{ ref('dws_order_sold') }}
),

came_back as (
    select * from {{ ref('dws_order_returned') }}
),

taken_off as (
    select * from {{ ref('dws_order_taken_off') }}
),

lowered_totals as (
    select * from {{ ref('dwd_order_lowered') }}
),

-- What an order's total was lowered by, version by version and in all.
lowered_all as (
    select
        source_system,
        order_id,
        sum(lowered_amount) as amount,
        min(lowered_at) as lowered_at
    from lowered_totals
    group by source_system, order_id
),

-- Money that is just what nothing of the order comes to pays what is still owed, step by step: postage in one sum with
-- it and gestures are what is beyond, and what is paid less is kept.
open_money as (
    select whole_refunds.*
    from whole_refunds
    left join exact
        on whole_refunds.refund_system = exact.refund_system and whole_refunds.refund_id = exact.refund_id
    where whole_refunds.is_money_for_goods and exact.refund_id is null
),

goods_left as (
    select
        came_back.source_system,
        came_back.order_id,
        came_back.currency,
        min(came_back.moved_at) as came_back_at,
        sum(came_back.amount) as amount
    from came_back
    group by came_back.source_system, came_back.order_id, came_back.currency
),

covered_goods as (
    select
        source_system,
        order_id,
        sum(returned_amount) as amount
    from refund_lines
    where returned_units > 0 and lowered_units is null
    group by source_system, order_id
),

paid_exactly as (
    select
        source_system,
        order_id,
        currency,
        sum(amount) as amount
    from exact
    where kind = 'return'
    group by source_system, order_id, currency
),

goods_owed as (
    select
        goods_left.source_system,
        goods_left.order_id,
        goods_left.currency,
        goods_left.came_back_at,
        case
            when sold.currency = goods_left.currency
                then
                    {{ with_added_tax('(goods_left.amount - coalesce(covered_goods.amount, 0))', 'sold',
                        'goods_left.currency') }}
            else goods_left.amount - coalesce(covered_goods.amount, 0)
        end - coalesce(paid_exactly.amount, 0) as amount
    from goods_left
    left join sold on goods_left.source_system = sold.source_system and goods_left.order_id = sold.order_id
    left join covered_goods
        on
            goods_left.source_system = covered_goods.source_system
            and goods_left.order_id = covered_goods.order_id
    left join paid_exactly
        on
            goods_left.source_system = paid_exactly.source_system
            and goods_left.order_id = paid_exactly.order_id
            and goods_left.currency = paid_exactly.currency
),

edits_covered as (
    select
        refund_lines.document_system,
        refund_lines.document_id,
        sum(
            refund_lines.amount
            + case when sold.is_tax_included then 0 else coalesce(refund_lines.tax_amount, 0) end
        ) as amount
    from refund_lines
    left join sold on refund_lines.source_system = sold.source_system and refund_lines.order_id = sold.order_id
    where not refund_lines.is_rest and (refund_lines.is_of_removed or refund_lines.lowered_units is not null)
    group by refund_lines.document_system, refund_lines.document_id
),

edits_paid_exactly as (
    select
        document_system,
        document_id,
        sum(amount) as amount
    from exact
    where kind in ('total', 'edit')
    group by document_system, document_id
),

edits as (
    select
        source_system as document_system,
        order_id as document_id,
        amount,
        lowered_at
    from lowered_all
    union all
    select
        taken_off.document_system,
        taken_off.document_id,
        case
            when sold.sold_amount > 0 then {{ with_added_tax('taken_off.amount', 'sold', 'sold.currency') }}
            else taken_off.amount
        end as amount,
        null as lowered_at
    from taken_off
    left join sold on taken_off.document_system = sold.source_system and taken_off.document_id = sold.order_id
),

edits_owed as (
    select
        edits.document_system,
        edits.document_id,
        min(edits.lowered_at) as lowered_at,
        max(edits.amount) - coalesce(max(edits_covered.amount), 0) - coalesce(max(edits_paid_exactly.amount), 0)
            as amount
    from edits
    left join edits_covered
        on edits.document_system = edits_covered.document_system and edits.document_id = edits_covered.document_id
    left join edits_paid_exactly
        on
            edits.document_system = edits_paid_exactly.document_system
            and edits.document_id = edits_paid_exactly.document_id
    group by edits.document_system, edits.document_id
),

-- Money is for goods that came back if it is half of what they cost or more, and for edits if some of it comes to just
-- what they took off: whether that was paid is not known.
for_goods as (
    select
        open_money.refund_system,
        open_money.refund_id,
        open_money.source_system,
        open_money.order_id,
        open_money.currency,
        open_money.refunded_at,
        open_money.goods_amount,
        goods_owed.amount as owed_amount
    from open_money
    inner join goods_owed
        on
            open_money.source_system = goods_owed.source_system
            and open_money.order_id = goods_owed.order_id
            and open_money.currency = goods_owed.currency
            and coalesce(open_money.refunded_at >= goods_owed.came_back_at, true)
    where goods_owed.amount > 0
    qualify
        2 * sum(open_money.goods_amount) over (
            partition by open_money.source_system, open_money.order_id, open_money.currency
        ) >= goods_owed.amount
),

edits_in_turn as (
    select
        open_money.refund_system,
        open_money.refund_id,
        open_money.document_system,
        open_money.document_id,
        open_money.goods_amount,
        edits_owed.amount as owed_amount,
        sum(open_money.goods_amount) over (
            partition by open_money.document_system, open_money.document_id
            order by open_money.refunded_at, open_money.refund_system, open_money.refund_id
            rows between unbounded preceding and current row
        ) as amount_so_far
    from open_money
    inner join edits_owed
        on
            open_money.document_system = edits_owed.document_system
            and open_money.document_id = edits_owed.document_id
            and not open_money.is_copy_less
            and coalesce(open_money.refunded_at >= {{ days_earlier('edits_owed.lowered_at', 1) }}, true)
    left join for_goods
        on open_money.refund_system = for_goods.refund_system and open_money.refund_id = for_goods.refund_id
    where edits_owed.amount > 0 and for_goods.refund_id is null
),

for_edits as (
    select *
    from edits_in_turn
    qualify
        amount_so_far <= owed_amount
        and bool_or(amount_so_far = owed_amount) over (partition by document_system, document_id)
),

goods_in_turn as (
    select
        *,
        sum(goods_amount) over in_time as amount_so_far,
        row_number() over in_time = count(*) over (partition by source_system, order_id, currency) as is_last
    from for_goods
    window in_time as (
        partition by source_system, order_id, currency
        order by refunded_at, refund_system, refund_id
        rows between unbounded preceding and current row
    )
)

select
    refund_system,
    refund_id,
    kind,
    true as is_exact,
    cast(amount as decimal(18, 4)) as amount
from exact
union all
select
    refund_system,
    refund_id,
    'edit' as kind,
    false as is_exact,
    cast(goods_amount as decimal(18, 4)) as amount
from for_edits
union all
select
    refund_system,
    refund_id,
    'return' as kind,
    false as is_exact,
    cast(
        case when is_last then owed_amount else least(amount_so_far, owed_amount) end
        - least(amount_so_far - goods_amount, owed_amount) as decimal(18, 4)
    ) as amount
from goods_in_turn
