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
    where whole_refunds.is_money_for_goods and whole_refunds.is_money_alone and exact.refund_id is null
),

-- Orders with lines that say that goods came back, and were not paid.
goods_back as (
    select
        source_system,
        order_id
    from whole_refunds
    where not is_money_alone and is_without_payment and has_goods_back
    group by source_system, order_id
),

covered as (
    select
        source_system,
        order_id,
        product_key,
        sum(returned_amount) as amount
    from refund_lines
    where lowered_units is null
    group by source_system, order_id, product_key
),

goods_left as (
    select
        source_system,
        order_id,
        product_key,
        currency,
        min(moved_at) as came_back_at,
        sum(amount) as amount,
        sum(taxed_amount) as taxed_amount
    from came_back
    group by source_system, order_id, product_key, currency
),

-- Goods that came back of which no refund names the product, and lines that say so and were not paid.
owed as (
    select
        goods_left.source_system,
        goods_left.order_id,
        goods_left.currency,
        goods_left.came_back_at,
        case
            when covered.amount > 0
                then
                    goods_left.taxed_amount
                    - {{ part_of('covered.amount', 'goods_left.amount', 'goods_left.taxed_amount',
                        'goods_left.currency') }}
            else goods_left.taxed_amount
        end as amount
    from goods_left
    left join covered
        on
            goods_left.source_system = covered.source_system
            and goods_left.order_id = covered.order_id
            and goods_left.product_key = covered.product_key
    union all
    select
        source_system,
        order_id,
        currency,
        refunded_at as came_back_at,
        amount + lines_tax_amount as amount
    from whole_refunds
    where not is_money_alone and is_without_payment and has_goods_back
    union all
    select
        source_system,
        order_id,
        currency,
        null as came_back_at,
        -amount as amount
    from exact
    where kind = 'return'
    union all
    select
        exact.source_system,
        exact.order_id,
        exact.currency,
        null as came_back_at,
        -exact.amount as amount
    from exact
    inner join goods_back on exact.source_system = goods_back.source_system and exact.order_id = goods_back.order_id
    where exact.kind = 'unpaid'
    union all
    select
        covered.source_system,
        covered.order_id,
        sold.currency,
        null as came_back_at,
        -covered.amount as amount
    from covered
    inner join sold on covered.source_system = sold.source_system and covered.order_id = sold.order_id
    where covered.product_key = ''
),

goods_owed as (
    select
        source_system,
        order_id,
        currency,
        min(came_back_at) as came_back_at,
        sum(amount) as amount
    from owed
    group by source_system, order_id, currency
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
        document_system,
        document_id,
        taxed_amount as amount,
        null as lowered_at
    from taken_off
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
