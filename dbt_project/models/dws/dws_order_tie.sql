with headers as (
    select * from {{ ref('dwd_order') }}
    where not is_test
),

order_lines as (
    select * from {{ ref('dws_order_line') }}
),

unsettled as (
    select
        source_system,
        order_id
    from {{ ref('dwd_unsettled') }}
    group by source_system, order_id
),

payments as (
    select * from {{ ref('dwd_payment') }}
),

refunds as (
    select * from {{ ref('dwd_refund') }}
    where status is null or status in ('success', 'succeeded', 'paid', 'refunded', 'completed')
),

-- What stands on a document, whether or not the order counts.
of_lines as (
    select
        document_system,
        document_id,
        currency,
        count(*) as line_count,
        sum(net_amount) as lines_amount,
        sum(case when is_tax_included then 0 else tax_amount end) as added_tax_amount
    from order_lines
    where
        exclusion is null
        or exclusion in (
            'cancelled order', 'order that another system has too', 'return on a cancelled or test order'
        )
    group by document_system, document_id, currency
),

documents as (
    select
        document_system,
        document_id,
        sum(line_count) as line_count,
        count(*) as currency_count,
        min(currency) as currency,
        sum(lines_amount) as lines_amount,
        sum(added_tax_amount) as added_tax_amount
    from of_lines
    group by document_system, document_id
),

paid as (
    select
        source_system,
        order_id,
        currency,
        sum(amount) as paid_amount
    from payments
    group by source_system, order_id, currency
),

returned as (
    select
        order_system,
        order_id,
        case when count(distinct currency) <= 1 then sum(amount) end as refunded_amount
    from refunds
    group by order_system, order_id
),

settled as (
    select
        source_system,
        order_id,
        count(*) as currency_count,
        min(currency) as currency,
        sum(paid_amount) as paid_amount
    from paid
    group by source_system, order_id
),

joined as (
    select
        headers.source_system,
        headers.order_id,
        headers.channel,
        headers.business_date,
        headers.is_cancelled,
        coalesce(headers.currency, documents.currency) as currency,
        headers.total_amount,
        documents.lines_amount,
        coalesce(headers.shipping_amount, 0) as shipping_amount,
        case
            when headers.tax_amount is null then coalesce(documents.added_tax_amount, 0)
            when headers.is_tax_included then 0
            else headers.tax_amount
        end as added_tax_amount,
        settled.paid_amount,
        returned.refunded_amount,
        case
            when unsettled.order_id is not null then 'the document is unsettled'
            when headers.total_amount is null then 'the header names no total'
            when documents.document_id is null then 'no line of it counts'
            when documents.currency_count > 1 or documents.currency <> coalesce(headers.currency, documents.currency)
                then 'header and lines are in several currencies'
            when headers.tax_amount is not null and headers.is_tax_included is null
                then 'it is not known whether prices include the tax'
        end as lines_missing,
        case
            when headers.total_amount is null then 'the header names no total'
            when settled.order_id is null then 'no payment has arrived'
            when settled.currency_count > 1 or settled.currency <> coalesce(headers.currency, documents.currency)
                then 'it is paid in another currency'
        end as payments_missing
    from headers
    left join documents
        on headers.source_system = documents.document_system and headers.order_id = documents.document_id
    left join unsettled on headers.source_system = unsettled.source_system and headers.order_id = unsettled.order_id
    left join settled on headers.source_system = settled.source_system and headers.order_id = settled.order_id
    left join returned on headers.source_system = returned.order_system and headers.order_id = returned.order_id
),

differing as (
    select
        *,
        case
            when lines_missing is null then total_amount - lines_amount - shipping_amount - added_tax_amount
        end as lines_difference,
        case when payments_missing is null then total_amount - paid_amount end as payments_difference
    from joined
)

select
    source_system,
    order_id,
    channel,
    business_date,
    is_cancelled,
    currency,
    total_amount,
    cast(lines_amount as decimal(18, 4)) as lines_amount,
    shipping_amount,
    cast(added_tax_amount as decimal(18, 4)) as added_tax_amount,
    cast(lines_difference as decimal(18, 4)) as lines_difference,
    case
        when lines_missing is not null then 'missing'
        when abs(lines_difference) <= 0.01 then 'matched'
        else 'differing'
    end as lines_tie,
    lines_missing as lines_missing_reason,
    cast(paid_amount as decimal(18, 4)) as paid_amount,
    cast(refunded_amount as decimal(18, 4)) as refunded_amount,
    cast(payments_difference as decimal(18, 4)) as payments_difference,
    case
        when payments_missing is not null then 'missing'
        when abs(payments_difference) <= 0.01 then 'matched'
        else 'differing'
    end as payments_tie,
    payments_missing as payments_missing_reason
from differing
