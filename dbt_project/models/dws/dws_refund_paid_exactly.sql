{#- Preferences of what money pays: less is likelier; ten more with the order's postage in one sum. -#}
{%- set with_edits = 9 -%}
{%- set less_fee = 30 -%}

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

-- Goods of returns that no refund names, and the documents that they stand in.
returned_goods as (
    select came_back.*
    from came_back
    left join covered
        on
            came_back.source_system = covered.source_system
            and came_back.order_id = covered.order_id
            and covered.product_key in (came_back.product_key, '')
    where covered.order_id is null
),

return_documents as (
    select
        source_system,
        order_id,
        document_system,
        document_id,
        currency,
        count(*) as product_count,
        min(moved_at) as came_back_at,
        sum(amount) as amount,
        sum(taxed_amount) as taxed_amount
    from returned_goods
    group by source_system, order_id, document_system, document_id, currency
),

all_returned as (
    select
        source_system,
        order_id,
        currency,
        count(*) as document_count,
        sum(amount) as amount,
        sum(taxed_amount) as taxed_amount
    from return_documents
    group by source_system, order_id, currency
),

edits as (
    select
        source_system as document_system,
        order_id as document_id,
        amount,
        amount as taxed_amount,
        lowered_at
    from lowered_by
    union all
    select
        document_system,
        document_id,
        amount,
        taxed_amount,
        null as lowered_at
    from taken_off
),

unpaid as (
    select
        source_system,
        order_id,
        currency,
        amount,
        amount + lines_tax_amount as taxed_amount
    from whole_refunds
    where not is_money_alone and is_without_payment and amount > 0
),

-- What an order owes: what edits took off, less what new goods of an exchange cost; lines that were given back without
-- a payment; goods that came back, by product, document, two documents and in all, also with what edits took off.
owed as (
    select
        edits.document_system as source_system,
        edits.document_id as order_id,
        null as currency,
        'edit' as kind,
        1 as preference,
        edits.amount,
        edits.taxed_amount,
        edits.lowered_at as owed_since
    from edits
    union all
    select
        taken_off.document_system as source_system,
        taken_off.document_id as order_id,
        null as currency,
        'edit' as kind,
        1 as preference,
        taken_off.amount - sold.exchanged_amount as amount,
        taken_off.taxed_amount - sold.exchanged_amount as taxed_amount,
        null as owed_since
    from taken_off
    inner join sold on taken_off.document_system = sold.source_system and taken_off.document_id = sold.order_id
    where sold.exchanged_amount > 0
    union all
    select
        source_system,
        order_id,
        currency,
        'unpaid' as kind,
        2 as preference,
        amount,
        taxed_amount,
        null as owed_since
    from unpaid
    union all
    select
        source_system,
        order_id,
        currency,
        'unpaid' as kind,
        3 as preference,
        sum(amount) as amount,
        sum(taxed_amount) as taxed_amount,
        null as owed_since
    from unpaid
    group by source_system, order_id, currency
    having count(*) > 1
    union all
    select
        source_system,
        order_id,
        currency,
        'return' as kind,
        4 as preference,
        amount,
        taxed_amount,
        null as owed_since
    from return_documents
    union all
    select
        source_system,
        order_id,
        currency,
        'return' as kind,
        5 as preference,
        amount,
        taxed_amount,
        null as owed_since
    from all_returned
    where document_count > 1
    union all
    select
        returned_goods.source_system,
        returned_goods.order_id,
        returned_goods.currency,
        'return' as kind,
        6 as preference,
        returned_goods.amount,
        returned_goods.taxed_amount,
        null as owed_since
    from returned_goods
    inner join return_documents
        on
            returned_goods.source_system = return_documents.source_system
            and returned_goods.order_id = return_documents.order_id
            and returned_goods.document_system = return_documents.document_system
            and returned_goods.document_id = return_documents.document_id
            and returned_goods.currency = return_documents.currency
    where return_documents.product_count > 1
    union all
    select
        one.source_system,
        one.order_id,
        one.currency,
        'return' as kind,
        7 as preference,
        one.amount + other.amount as amount,
        one.taxed_amount + other.taxed_amount as taxed_amount,
        null as owed_since
    from return_documents as one
    inner join return_documents as other
        on
            one.source_system = other.source_system
            and one.order_id = other.order_id
            and one.currency = other.currency
            and (one.document_system, one.document_id) < (other.document_system, other.document_id)
    inner join all_returned
        on
            one.source_system = all_returned.source_system
            and one.order_id = all_returned.order_id
            and one.currency = all_returned.currency
    where all_returned.document_count > 2
    union all
    select
        all_returned.source_system,
        all_returned.order_id,
        all_returned.currency,
        'return' as kind,
        8 as preference,
        all_returned.amount - sold.exchanged_amount as amount,
        all_returned.taxed_amount - sold.exchanged_amount as taxed_amount,
        null as owed_since
    from all_returned
    inner join sold on all_returned.source_system = sold.source_system and all_returned.order_id = sold.order_id
    where sold.exchanged_amount > 0
    union all
    select
        all_returned.source_system,
        all_returned.order_id,
        all_returned.currency,
        'return' as kind,
        {{ with_edits }} as preference,
        all_returned.amount + edits.amount as amount,
        all_returned.taxed_amount + edits.taxed_amount as taxed_amount,
        null as owed_since
    from all_returned
    inner join edits
        on all_returned.source_system = edits.document_system and all_returned.order_id = edits.document_id
),

owed_amounts as (
    select
        source_system,
        order_id,
        currency,
        kind,
        preference,
        amount,
        taxed_amount,
        min(owed_since) as owed_since,
        count(*) as times
    from owed
    where amount > 0
    group by source_system, order_id, currency, kind, preference, amount, taxed_amount
),

-- A parcel that is paid less a fee: the smallest one that costs as much or more, but no more than twice.
parcels_less_fee as (
    select
        sums.refund_system,
        sums.refund_id,
        return_documents.amount,
        return_documents.taxed_amount,
        row_number() over (
            partition by sums.refund_system, sums.refund_id
            order by return_documents.taxed_amount, return_documents.document_system, return_documents.document_id
        ) as place
    from sums
    inner join return_documents
        on
            sums.source_system = return_documents.source_system
            and sums.order_id = return_documents.order_id
            and sums.currency = return_documents.currency
            and coalesce(sums.refunded_at >= return_documents.came_back_at, true)
    where
        sums.is_money_alone and sums.with_postage = 0
        and return_documents.taxed_amount > sums.asked_amount
        and return_documents.taxed_amount <= 2 * sums.asked_amount
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
        owed_amounts.preference + 10 * sums.with_postage as preference,
        owed_amounts.times,
        owed_amounts.amount as asked_amount,
        sums.asked_amount as paid_amount
    from sums
    inner join owed_amounts
        on
            owed_amounts.source_system
            = case when owed_amounts.kind = 'edit' then sums.document_system else sums.source_system end
            and owed_amounts.order_id
            = case when owed_amounts.kind = 'edit' then sums.document_id else sums.order_id end
            and coalesce(sums.currency = owed_amounts.currency, true)
            and sums.asked_amount in (owed_amounts.amount, owed_amounts.taxed_amount)
            and coalesce(sums.refunded_at >= {{ days_earlier('owed_amounts.owed_since', 1) }}, true)
    where
        case
            when owed_amounts.kind = 'unpaid' then not sums.is_without_payment
            when owed_amounts.kind = 'edit' then not sums.is_copy_less
            else true
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
