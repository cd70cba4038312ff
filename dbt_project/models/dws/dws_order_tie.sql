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

cancelled_elsewhere as (
    select * from {{ ref('dws_order_copy_cancelled') }}
),

payments as (
    select * from {{ ref('dwd_payment') }}
),

refunds as (
    select * from {{ ref('dwd_refund') }}
),

refund_effects as (
    select * from {{ ref('dws_refund') }}
),

copies as (
    select * from {{ ref('dws_order_copy') }}
),

unread_payments as (
    select * from {{ source('ops', 'unread_document') }}
    where entity = 'payment'
),

-- By contract, and by rows: a payment may be on an order of another system.
payment_systems as (
    {{ delivering_systems('payment') }}
    union
    select order_system as source_system from payments
),

refund_systems as (
    {{ delivering_systems('refund') }}
    union
    select order_system as source_system from refunds
),

-- What stands on a document, whether or not the order counts.
documents as (
    select
        document_system,
        document_id,
        count(distinct coalesce(currency, '')) as currency_count,
        min(currency) as currency,
        sum(case when exclusion = 'taken off its document' then 0 else net_amount end) as lines_amount,
        sum(
            case when is_tax_included or exclusion = 'taken off its document' then 0 else tax_amount end
        ) as added_tax_amount,
        sum(taken_amount) as taken_amount,
        sum(case when is_tax_included then 0 else taken_tax_amount end) as taken_tax_amount
    from order_lines
    where
        exclusion is null
        or exclusion in (
            'cancelled order', 'order that another system has too', 'return on a cancelled or test order',
            'taken off its document'
        )
    group by document_system, document_id
),

paid as (
    select
        order_system,
        order_id,
        count(distinct currency) filter (where taken_amount <> 0 or charged_back_amount <> 0) as currency_count,
        min(currency) filter (where taken_amount <> 0 or charged_back_amount <> 0) as currency,
        count(*) filter (where taken_amount is null or charged_back_amount is null) as unknown_count,
        sum(taken_amount) as paid_amount,
        sum(charged_back_amount) as charged_back_amount,
        bool_or(kind = 'authorization' and not is_void and (status is null or {{ has_succeeded('status') }}))
        and not bool_or(kind = 'void' and (status is null or {{ has_succeeded('status') }})) as is_authorized,
        bool_or(taken_amount <> 0 and lower(method) = 'cash') as is_paid_in_cash
    from payments
    group by order_system, order_id
),

-- A payment that could not be read, until it comes again.
in_quarantine as (
    select
        unread_payments.source_system,
        unread_payments.order_id
    from unread_payments
    where
        not exists (
            select 1
            from payments
            where
                payments.order_system = unread_payments.source_system
                and payments.order_id = unread_payments.order_id
                and (
                    (unread_payments.line_id is null and payments.ds > unread_payments.ds)
                    or (
                        payments.payment_id = unread_payments.line_id
                        and (payments.ds, payments._file, payments._edition, payments._row)
                        > (unread_payments.ds, unread_payments.path, unread_payments.edition, unread_payments.row)
                    )
                )
        )
    group by unread_payments.source_system, unread_payments.order_id
),

-- What of a refund an edit of its order took off before: of its lines, with their part of the tax added on top.
edited as (
    select
        refund_system,
        refund_id,
        min(currency) as currency,
        sum(edited_amount) as amount,
        sum(case when tax_of_lines > 0 then 0 else amount end) as lines_amount,
        sum(tax_of_lines) as tax_amount
    from refund_effects
    group by refund_system, refund_id
    having sum(edited_amount) > 0
),

refunded as (
    select
        order_system,
        order_id,
        source_system,
        refund_id,
        count(distinct currency) as currency_count,
        min(currency) as currency,
        sum(amount) as amount
    from refunds
    -- What went back: of a refund without a payment the currency is empty.
    where currency is not null and (status is null or {{ has_succeeded('status') }})
    group by order_system, order_id, source_system, refund_id
),

returned as (
    select
        refunded.order_system,
        refunded.order_id,
        greatest(max(refunded.currency_count), count(distinct refunded.currency)) as currency_count,
        min(refunded.currency) as currency,
        sum(refunded.amount) as refunded_amount,
        -- Of what the edit of an order took off its total already.
        sum(
            edited.amount
            + case
                when edited.tax_amount > 0 and edited.lines_amount > 0
                    then {{ part_of('edited.amount', 'edited.lines_amount', 'edited.tax_amount', 'edited.currency') }}
                else 0
            end
        ) as removed_amount
    from refunded
    left join edited on refunded.source_system = edited.refund_system and refunded.refund_id = edited.refund_id
    group by refunded.order_system, refunded.order_id
),

joined as (
    select
        headers.source_system,
        headers.order_id,
        headers._feed as feed,
        headers.channel,
        headers.business_date,
        headers.is_cancelled or cancelled_elsewhere.order_id is not null as is_cancelled,
        coalesce(headers.currency, documents.currency) as currency,
        headers.total_amount as header_total_amount,
        documents.document_id is null as has_no_line,
        documents.currency_count > 1
        or documents.currency <> headers.currency as has_other_currency,
        documents.lines_amount,
        documents.taken_amount,
        coalesce(documents.taken_tax_amount, 0) as taken_tax_amount,
        coalesce(headers.shipping_amount, 0) as shipping_amount,
        headers.tax_amount is not null and headers.is_tax_included is null as is_tax_place_unknown,
        coalesce(documents.added_tax_amount, 0) as lines_tax_amount,
        case
            when headers.tax_amount is null then null
            when headers.is_tax_included then 0
            else headers.tax_amount
        end as header_tax_amount,
        unsettled.order_id is not null as is_unsettled,
        copies.document_id is not null as is_copy,
        payment_systems.source_system is not null as has_payments,
        refund_systems.source_system is not null as has_refunds,
        in_quarantine.order_id is not null as has_unread_payment,
        paid.order_id is not null as is_payment_known,
        paid.paid_amount,
        paid.charged_back_amount,
        paid.unknown_count > 0 as is_payment_unclear,
        paid.currency_count > 1
        or paid.currency <> coalesce(headers.currency, documents.currency) as is_paid_otherwise,
        paid.is_authorized,
        paid.is_paid_in_cash,
        returned.currency_count > 1
        or returned.currency <> coalesce(headers.currency, documents.currency) as is_returned_otherwise,
        case when returned.currency_count = 1 then returned.refunded_amount end as refunded_amount,
        coalesce(returned.removed_amount, 0) as removed_amount
    from headers
    left join documents
        on headers.source_system = documents.document_system and headers.order_id = documents.document_id
    left join unsettled on headers.source_system = unsettled.source_system and headers.order_id = unsettled.order_id
    left join cancelled_elsewhere
        on
            headers.source_system = cancelled_elsewhere.source_system
            and headers.order_id = cancelled_elsewhere.order_id
    left join copies on headers.source_system = copies.document_system and headers.order_id = copies.document_id
    left join paid on headers.source_system = paid.order_system and headers.order_id = paid.order_id
    left join returned on headers.source_system = returned.order_system and headers.order_id = returned.order_id
    left join in_quarantine
        on headers.source_system = in_quarantine.source_system and headers.order_id = in_quarantine.order_id
    left join payment_systems on headers.source_system = payment_systems.source_system
    left join refund_systems on headers.source_system = refund_systems.source_system
),

-- A header may go on saying what an order was placed with, where units were taken off its lines: its total and tax are
-- less by them. Another header has what is left. One that names no tax has that of its lines.
headed as (
    select
        *,
        abs(
            header_total_amount - lines_amount - taken_amount - shipping_amount
            - coalesce(header_tax_amount, lines_tax_amount + taken_tax_amount)
        ) <= 0.01 as is_as_placed
    from joined
),

left_over as (
    select
        *,
        header_total_amount - case when is_as_placed then taken_amount + taken_tax_amount else 0 end as total_amount,
        coalesce(header_tax_amount - case when is_as_placed then taken_tax_amount else 0 end, lines_tax_amount)
            as added_tax_amount
    from headed
),

unpaid as (
    select
        *,
        case
            when is_unsettled then 'the document is unsettled'
            when has_unread_payment then 'a payment of it is in quarantine'
            when not has_payments then 'its system delivers no payments'
            when is_copy and not is_payment_known then 'another system has the order too'
            when is_payment_unclear then 'the kind or state of a payment is not known'
            when is_paid_otherwise then 'it is paid in another currency'
        end as payments_unknown,
        case
            when is_unsettled then 'the document is unsettled'
            when total_amount is null then 'the header names no total'
            when has_no_line then 'no line of it counts'
            when has_other_currency then 'header and lines are in several currencies'
            when is_tax_place_unknown then 'it is not known whether prices include the tax'
        end as lines_missing
    from left_over
),

missing as (
    select
        *,
        case
            when total_amount is null then 'the header names no total'
            when payments_unknown is not null then payments_unknown
            when is_cancelled then 'the document is cancelled'
            when total_amount = 0 then null
            when not is_payment_known then 'no payment has arrived'
            when paid_amount = 0 and is_authorized then 'it is authorized, not captured'
        end as payments_missing
    from unpaid
),

worth as (
    select
        *,
        case
            when payments_unknown is not null then payments_unknown
            when is_returned_otherwise then 'it is paid back in another currency'
            when not is_cancelled then payments_missing
            when paid_amount <> 0 and not has_refunds then 'its system delivers no refunds'
        end as net_missing,
        case when is_cancelled then 0 else total_amount - coalesce(refunded_amount, 0) + removed_amount end
            as worth_amount,
        coalesce(paid_amount, 0) - coalesce(refunded_amount, 0) - coalesce(charged_back_amount, 0) as net_paid_amount
    from missing
),

differing as (
    select
        *,
        case
            when lines_missing is null then total_amount - lines_amount - shipping_amount - added_tax_amount
        end as lines_difference,
        -- A line that was removed from an order after it was paid is in what was paid.
        case
            when payments_missing is not null then null
            when abs(total_amount + removed_amount - paid_amount) <= 0.01
                then total_amount + removed_amount - paid_amount
            else total_amount - coalesce(paid_amount, 0)
        end as payments_difference,
        case when net_missing is null then worth_amount - net_paid_amount end as net_difference
    from worth
),

told as (
    select
        *,
        case
            when payments_missing is not null then payments_missing
            when abs(payments_difference) <= 0.01 then null
            when paid_amount = 0 then 'no payment on it took money'
            when is_paid_in_cash and abs(payments_difference) <= 0.05 then 'it is paid in cash, which may be rounded'
            when sign(paid_amount) * sign(total_amount) < 0 then 'money went the other way'
            when abs(paid_amount) < abs(total_amount) then 'it is paid in part'
            else 'it is paid with more than its total'
        end as payments_reason
    from differing
)

select
    source_system,
    order_id,
    feed,
    channel,
    business_date,
    is_cancelled,
    currency,
    header_total_amount as total_amount,
    cast(lines_amount as decimal(18, 4)) as lines_amount,
    shipping_amount,
    cast(added_tax_amount as decimal(18, 4)) as added_tax_amount,
    cast(lines_difference as decimal(18, 4)) as lines_difference,
    case
        when lines_missing is not null then 'missing'
        when abs(lines_difference) <= 0.01 then 'matched'
        else 'differing'
    end as lines_tie,
    lines_missing as lines_reason,
    cast(paid_amount as decimal(18, 4)) as paid_amount,
    cast(refunded_amount as decimal(18, 4)) as refunded_amount,
    cast(charged_back_amount as decimal(18, 4)) as charged_back_amount,
    cast(payments_difference as decimal(18, 4)) as payments_difference,
    case
        when payments_missing is not null then 'missing'
        when abs(payments_difference) <= 0.01 then 'matched'
        else 'differing'
    end as payments_tie,
    payments_reason,
    cast(worth_amount as decimal(18, 4)) as worth_amount,
    cast(case when net_missing is null then net_paid_amount end as decimal(18, 4)) as net_paid_amount,
    cast(net_difference as decimal(18, 4)) as net_difference,
    case
        when net_missing is not null then 'missing'
        when abs(net_difference) <= 0.01 then 'matched'
        else 'differing'
    end as net_tie,
    case
        when net_missing is not null then net_missing
        when abs(net_difference) <= 0.01 then null
        when is_cancelled and net_difference < 0 then 'it is cancelled, and not all is paid back'
        when is_cancelled then 'it is cancelled, and more is taken back than was paid'
        when abs(net_difference - charged_back_amount) <= 0.01 then 'the bank took it back'
        when abs(net_difference - removed_amount) <= 0.01
            then 'a line that was removed is paid back, and its total still has it'
        else payments_reason
    end as net_reason
from told
