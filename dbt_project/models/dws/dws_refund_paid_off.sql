with refund_lines as (
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

whole_refunds as (
    select
        refund_lines.refund_system,
        refund_lines.refund_id,
        refund_lines.document_system,
        refund_lines.document_id,
        refund_lines.source_system,
        refund_lines.order_id,
        min(refund_lines.currency) as currency,
        min(refund_lines.refunded_at) as refunded_at,
        sum(refund_lines.amount) as amount,
        sum(case when refund_lines.is_rest then refund_lines.amount else 0 end) as rest_amount,
        -- What the source says is postage, with the tax on top of it.
        sum(
            case
                when refund_lines.is_rest
                    then
                        coalesce(refund_lines.shipping_amount, 0)
                        + case when sold.is_tax_included then 0 else coalesce(refund_lines.tax_amount, 0) end
                else 0
            end
        ) as postage_amount,
        case
            when count(refund_lines.shipping_amount) filter (where refund_lines.is_rest) = 0
                then
                    nullif(max(refund_lines.shipping_charged_amount), 0)
                    + coalesce(max(sold.shipping_tax_added_amount), 0)
        end as order_postage_amount,
        bool_and(refund_lines.is_rest) as is_money_alone,
        bool_or(refund_lines.is_copy_less) as is_copy_less,
        max(refund_lines.more_amount) as more_amount,
        bool_or(coalesce(refund_lines.restock_type = 'return', false)) as has_goods_back,
        bool_and(refund_lines.is_rest or refund_lines.is_of_removed) as is_of_removed,
        bool_or(refund_lines.is_paid) as is_paid,
        bool_and(refund_lines.is_without_payment) as is_without_payment
    from refund_lines
    left join sold on refund_lines.source_system = sold.source_system and refund_lines.order_id = sold.order_id
    group by
        refund_lines.refund_system, refund_lines.refund_id, refund_lines.document_system, refund_lines.document_id,
        refund_lines.source_system, refund_lines.order_id
),

-- Money without a line, and what is left of it if it pays the order's postage back too.
money as (
    select
        *,
        amount - postage_amount as goods_amount
    from whole_refunds
    where is_money_alone and is_paid and amount > postage_amount
),

sums as (
    select
        *,
        goods_amount as asked_amount,
        0 as with_postage
    from money
    union all
    select
        *,
        goods_amount - order_postage_amount as asked_amount,
        1 as with_postage
    from money
    where goods_amount > order_postage_amount
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

lowered_by as (
    select
        source_system,
        order_id,
        amount,
        min(lowered_at) as lowered_at,
        count(*) as times
    from (
        select
            source_system,
            order_id,
            lowered_amount as amount,
            lowered_at
        from lowered_totals
        union distinct
        select
            source_system,
            order_id,
            amount,
            lowered_at
        from lowered_all
    ) as steps_and_all
    group by source_system, order_id, amount
),

covered as (
    select
        source_system,
        order_id,
        product_key,
        sum(returned_units) as units,
        sum(returned_amount) as amount
    from refund_lines
    where returned_units > 0 and lowered_units is null
    group by source_system, order_id, product_key
),

-- Documents of returns of which no refund names the goods, each and all of an order.
return_documents as (
    select
        came_back.source_system,
        came_back.order_id,
        came_back.document_system,
        came_back.document_id,
        came_back.currency,
        sum(came_back.amount) as amount
    from came_back
    left join covered
        on
            came_back.source_system = covered.source_system
            and came_back.order_id = covered.order_id
            and covered.product_key in (came_back.product_key, '')
    group by
        came_back.source_system, came_back.order_id, came_back.document_system, came_back.document_id,
        came_back.currency
    having count(covered.units) = 0
),

-- What an order owes beside what edits took off: lines that were given back without a payment, and goods that came
-- back, by document and in all.
owed as (
    select
        source_system,
        order_id,
        currency,
        'unpaid' as kind,
        2 as preference,
        amount,
        refunded_at as owed_since
    from whole_refunds
    where not is_money_alone and is_without_payment and amount > 0
    union all
    select
        source_system,
        order_id,
        currency,
        'return' as kind,
        3 as preference,
        amount,
        null as owed_since
    from return_documents
    union all
    select
        source_system,
        order_id,
        currency,
        'return' as kind,
        4 as preference,
        sum(amount) as amount,
        null as owed_since
    from return_documents
    group by source_system, order_id, currency
    having count(*) > 1
),

owed_amounts as (
    select
        owed.source_system,
        owed.order_id,
        owed.currency,
        owed.kind,
        owed.preference,
        owed.amount,
        {{ with_added_tax('owed.amount', 'sold', 'owed.currency') }} as taxed_amount,
        min(owed.owed_since) as owed_since,
        count(*) as times
    from owed
    left join sold on owed.source_system = sold.source_system and owed.order_id = sold.order_id
    group by
        owed.source_system, owed.order_id, owed.currency, owed.kind, owed.preference, owed.amount,
        sold.is_tax_included, sold.sold_amount, sold.sold_tax_amount
),

-- What a refund pays back as a whole. `total`: just what edits lowered the order's total by, or what the copy has
-- beyond the order. `edit`: just what the lines come to that edits took off; any money of an order that they left
-- nothing of; of an exchange, what the new goods cost. `unpaid` and `return`: just what is owed.
candidates as (
    select
        whole_refunds.refund_system,
        whole_refunds.refund_id,
        'total' as kind,
        0 as preference,
        coalesce(lowered_by.times, 1) as times,
        whole_refunds.amount as asked_amount,
        whole_refunds.amount as paid_amount
    from whole_refunds
    left join lowered_by
        on
            whole_refunds.document_system = lowered_by.source_system
            and whole_refunds.document_id = lowered_by.order_id
            and whole_refunds.amount = lowered_by.amount
            and not whole_refunds.has_goods_back
            and not whole_refunds.is_copy_less
            and coalesce(whole_refunds.refunded_at >= {{ days_earlier('lowered_by.lowered_at', 1) }}, true)
    where
        whole_refunds.is_paid
        and (lowered_by.order_id is not null or whole_refunds.amount = whole_refunds.more_amount)
    union all
    select
        whole_refunds.refund_system,
        whole_refunds.refund_id,
        'edit' as kind,
        1 as preference,
        1 as times,
        whole_refunds.amount as asked_amount,
        whole_refunds.rest_amount - whole_refunds.postage_amount as paid_amount
    from whole_refunds
    left join sold
        on whole_refunds.source_system = sold.source_system and whole_refunds.order_id = sold.order_id
    left join taken_off
        on
            whole_refunds.document_system = taken_off.document_system
            and whole_refunds.document_id = taken_off.document_id
            and not whole_refunds.is_copy_less
    where
        whole_refunds.is_paid
        and (
            sold.sold_amount is null and sold.has_removed and whole_refunds.is_of_removed
            or whole_refunds.is_money_alone
            and whole_refunds.amount - whole_refunds.postage_amount in (
                taken_off.amount, {{ with_added_tax('taken_off.amount', 'sold', 'whole_refunds.currency') }}
            )
        )
    union all
    select
        whole_refunds.refund_system,
        whole_refunds.refund_id,
        'edit' as kind,
        1 as preference,
        1 as times,
        whole_refunds.amount as asked_amount,
        whole_refunds.rest_amount as paid_amount
    from whole_refunds
    inner join sold
        on whole_refunds.source_system = sold.source_system and whole_refunds.order_id = sold.order_id
    left join lowered_by
        on
            whole_refunds.document_system = lowered_by.source_system
            and whole_refunds.document_id = lowered_by.order_id
            and whole_refunds.amount = lowered_by.amount
    where
        whole_refunds.is_paid and whole_refunds.rest_amount < 0 and not whole_refunds.is_copy_less
        and (
            lowered_by.order_id is not null and whole_refunds.is_of_removed
            or sold.exchanged_amount = -whole_refunds.rest_amount
        )
    union all
    select
        sums.refund_system,
        sums.refund_id,
        owed_amounts.kind,
        owed_amounts.preference + 3 * sums.with_postage as preference,
        owed_amounts.times,
        owed_amounts.amount as asked_amount,
        sums.asked_amount as paid_amount
    from sums
    inner join owed_amounts
        on
            sums.source_system = owed_amounts.source_system
            and sums.order_id = owed_amounts.order_id
            and sums.currency = owed_amounts.currency
            and sums.asked_amount in (owed_amounts.amount, owed_amounts.taxed_amount)
            and coalesce(sums.refunded_at >= owed_amounts.owed_since, true)
    where owed_amounts.kind = 'return' or not sums.is_without_payment
),

-- Each once an order, or as often as it is owed; of an order that edits left nothing of, always.
chosen as (
    select
        candidates.*,
        whole_refunds.document_system,
        whole_refunds.document_id,
        whole_refunds.source_system,
        whole_refunds.order_id,
        whole_refunds.currency,
        whole_refunds.refunded_at,
        sold.order_id is not null and sold.sold_amount is null as is_nothing_left
    from candidates
    inner join whole_refunds
        on
            candidates.refund_system = whole_refunds.refund_system
            and candidates.refund_id = whole_refunds.refund_id
    left join sold
        on whole_refunds.source_system = sold.source_system and whole_refunds.order_id = sold.order_id
    qualify
        row_number() over (
            partition by candidates.refund_system, candidates.refund_id
            order by candidates.preference, candidates.paid_amount
        ) = 1
),

exact as (
    select *
    from chosen
    qualify
        is_nothing_left
        or row_number() over (
            partition by
                case when kind in ('total', 'edit') then document_system else source_system end,
                case when kind in ('total', 'edit') then document_id else order_id end,
                kind, asked_amount
            order by refunded_at, refund_system, refund_id
        ) <= times
),

-- Money that is just what nothing of the order comes to pays what is still owed, step by step: postage in one sum with
-- it and gestures are what is beyond, and what is paid less is kept.
open_money as (
    select money.*
    from money
    left join exact on money.refund_system = exact.refund_system and money.refund_id = exact.refund_id
    where exact.refund_id is null
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
        sum(amount) as amount
    from covered
    group by source_system, order_id
),

paid_exactly as (
    select
        source_system,
        order_id,
        currency,
        sum(paid_amount) as amount
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
        sum(paid_amount) as amount
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
    cast(paid_amount as decimal(18, 4)) as amount
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
