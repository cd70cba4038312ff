{#- Preferences of what money pays (dws_order_owed): less is likelier; ten more with the order's postage in one sum. -#}
{%- set of_document, of_all, with_edits, less_fee = 4, 5, 9, 30 -%}

with whole_refunds as (
    select * from {{ ref('dws_refund_whole') }}
),

owed as (
    select * from {{ ref('dws_order_owed') }}
),

sold as (
    select * from {{ ref('dws_order_sold') }}
),

all_returned as (
    select
        source_system,
        order_id,
        currency,
        max(taxed_amount) as taxed_amount
    from owed
    where preference in ({{ of_document }}, {{ of_all }})
    group by source_system, order_id, currency
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

-- A parcel that is paid less a fee: the smallest one that costs as much or more, but no more than twice.
parcels_less_fee as (
    select
        sums.refund_system,
        sums.refund_id,
        owed.amount,
        owed.taxed_amount,
        row_number() over (
            partition by sums.refund_system, sums.refund_id
            order by owed.taxed_amount, owed.amount
        ) as place
    from sums
    inner join owed
        on
            sums.source_system = owed.source_system
            and sums.order_id = owed.order_id
            and sums.currency = owed.currency
            and coalesce(sums.refunded_at >= owed.owed_since, true)
    where
        sums.is_money_alone and sums.with_postage = 0 and owed.preference = {{ of_document }}
        and owed.taxed_amount > sums.asked_amount
        and owed.taxed_amount <= 2 * sums.asked_amount
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
        coalesce(owed.times, 1) as times,
        whole_refunds.amount as asked_amount,
        whole_refunds.amount as paid_amount
    from whole_refunds
    left join owed
        on
            whole_refunds.document_system = owed.source_system
            and whole_refunds.document_id = owed.order_id
            and whole_refunds.amount = owed.amount
            and owed.kind = 'total'
            and not whole_refunds.has_goods_back
            and not whole_refunds.is_copy_less
            and coalesce(whole_refunds.refunded_at >= {{ days_earlier('owed.owed_since', 1) }}, true)
    where
        whole_refunds.is_paid
        and (owed.order_id is not null or whole_refunds.amount = whole_refunds.more_amount)
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
    where
        whole_refunds.is_paid
        and sold.sold_amount is null and sold.has_removed and whole_refunds.is_of_removed
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
    left join owed
        on
            whole_refunds.document_system = owed.source_system
            and whole_refunds.document_id = owed.order_id
            and whole_refunds.amount = owed.amount
            and owed.kind = 'total'
    where
        whole_refunds.is_paid and whole_refunds.rest_amount < 0 and not whole_refunds.is_copy_less
        and (
            owed.order_id is not null and whole_refunds.is_of_removed
            or sold.exchanged_amount = -whole_refunds.rest_amount
        )
    union all
    select
        sums.refund_system,
        sums.refund_id,
        owed.kind,
        owed.preference + 10 * sums.with_postage as preference,
        owed.times,
        owed.amount as asked_amount,
        sums.asked_amount as paid_amount
    from sums
    inner join owed
        on
            owed.source_system
            = case when owed.kind = 'edit' then sums.document_system else sums.source_system end
            and owed.order_id
            = case when owed.kind = 'edit' then sums.document_id else sums.order_id end
            and coalesce(sums.currency = owed.currency, true)
            and sums.asked_amount in (owed.amount, owed.taxed_amount)
    where
        case
            when owed.kind = 'unpaid' then not sums.is_without_payment
            when owed.kind = 'edit'
                then
                    not sums.is_copy_less
                    and coalesce(sums.refunded_at >= {{ days_earlier('owed.owed_since', 1) }}, true)
            else owed.kind = 'return'
        end
    union all
    select
        refund_system,
        refund_id,
        'return' as kind,
        {{ less_fee }} as preference,
        1 as times,
        amount as asked_amount,
        taxed_amount as paid_amount
    from parcels_less_fee
    where place = 1
),

chosen as (
    select
        candidates.*,
        whole_refunds.document_system,
        whole_refunds.document_id,
        whole_refunds.source_system,
        whole_refunds.order_id,
        whole_refunds.currency,
        whole_refunds.refunded_at,
        sold.order_id is not null and sold.sold_amount is null as is_nothing_left,
        all_returned.taxed_amount as all_returned_amount
    from candidates
    inner join whole_refunds
        on
            candidates.refund_system = whole_refunds.refund_system
            and candidates.refund_id = whole_refunds.refund_id
    left join sold
        on whole_refunds.source_system = sold.source_system and whole_refunds.order_id = sold.order_id
    left join all_returned
        on
            whole_refunds.source_system = all_returned.source_system
            and whole_refunds.order_id = all_returned.order_id
            and whole_refunds.currency = all_returned.currency
    qualify
        row_number() over (
            partition by candidates.refund_system, candidates.refund_id
            order by candidates.preference, candidates.paid_amount
        ) = 1
),

-- Each as often as it is owed; of an order that edits left nothing of, always.
in_turn as (
    select *
    from chosen
    qualify
        is_nothing_left
        or row_number() over (
            partition by
                case when kind in ('total', 'edit') then document_system else source_system end,
                case when kind in ('total', 'edit') then document_id else order_id end,
                kind, asked_amount
            order by preference >= {{ less_fee }}, refunded_at, refund_system, refund_id
        ) <= times
),

-- Two parcels and each of them are not owed together.
within_returned as (
    select
        *,
        kind = 'return' and preference % 10 <> {{ with_edits }} as is_of_returns
    from in_turn
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
from within_returned
qualify
    not is_of_returns
    or sum(paid_amount) over (
        partition by source_system, order_id, currency, is_of_returns
        order by preference >= {{ less_fee }}, refunded_at, refund_system, refund_id
        rows between unbounded preceding and current row
    ) <= all_returned_amount
