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
    select distinct
        source_system,
        order_id,
        product_key
    from refund_lines
    where returned_units > 0 and lowered_units is null
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

-- What edits lowered the total by, and took off, less what new goods of an exchange cost; lines that were given back
-- without a payment; goods that came back, by document, in all, by product, by two documents, also with an edit.
owed as (
    select
        source_system,
        order_id,
        null as currency,
        'total' as kind,
        0 as preference,
        amount,
        amount as taxed_amount,
        lowered_at as owed_since,
        times
    from lowered_by
    union all
    select
        edits.document_system as source_system,
        edits.document_id as order_id,
        null as currency,
        'edit' as kind,
        1 as preference,
        edits.amount,
        edits.taxed_amount,
        edits.lowered_at as owed_since,
        1 as times
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
        null as owed_since,
        1 as times
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
        null as owed_since,
        1 as times
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
        null as owed_since,
        1 as times
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
        came_back_at as owed_since,
        1 as times
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
        null as owed_since,
        1 as times
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
        null as owed_since,
        1 as times
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
        null as owed_since,
        1 as times
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
        null as owed_since,
        1 as times
    from all_returned
    inner join sold on all_returned.source_system = sold.source_system and all_returned.order_id = sold.order_id
    where sold.exchanged_amount > 0
    union all
    select
        all_returned.source_system,
        all_returned.order_id,
        all_returned.currency,
        'return' as kind,
        9 as preference,
        all_returned.amount + edits.amount as amount,
        all_returned.taxed_amount + edits.taxed_amount as taxed_amount,
        null as owed_since,
        1 as times
    from all_returned
    inner join edits
        on all_returned.source_system = edits.document_system and all_returned.order_id = edits.document_id
)

select
    source_system,
    order_id,
    currency,
    kind,
    preference,
    cast(amount as decimal(18, 4)) as amount,
    cast(taxed_amount as decimal(18, 4)) as taxed_amount,
    min(owed_since) as owed_since,
    cast(sum(times) as integer) as times
from owed
where amount > 0
group by source_system, order_id, currency, kind, preference, amount, taxed_amount
