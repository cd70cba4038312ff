with whole_refunds as (
    select * from {{ ref('dws_refund_whole') }}
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

-- Money without a line, and what is left of it if it pays the order's postage back too.
sums as (
    select
        *,
        goods_amount as asked_amount,
        0 as with_postage
    from whole_refunds
    where is_money_for_goods
    union all
    select
        *,
        goods_amount - order_postage_amount as asked_amount,
        1 as with_postage
    from whole_refunds
    where is_money_for_goods and goods_amount > order_postage_amount
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
            and whole_refunds.goods_amount in (
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
)

select
    refund_system,
    refund_id,
    document_system,
    document_id,
    source_system,
    order_id,
    currency,
    kind,
    cast(paid_amount as decimal(18, 4)) as amount
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
