-- Every line of dws_order_line with its amounts as DWD has them, and the reason why it does not count: derived from DWD
-- and not from the model's own exclusion, so that a line which is excluded for another reason is a difference. A line
-- of an older version than its document's newest is removed, one that names fewer units than were sold is taken off in
-- part or whole.
with placed as (
    select * from dws.dws_order_line
),

lines as (
    select * from dwd.dwd_order_line
),

headers as (
    select * from dwd.dwd_order
),

cancelled_elsewhere as (
    select * from dws.dws_order_copy_cancelled
),

copies as (
    select * from dws.dws_order_copy
),

left_out as (
    select distinct
        source_system,
        order_id
    from dwd.dwd_unsettled
    where not is_held
),

newest as (
    select
        source_system,
        order_id,
        max(updated_at) as updated_at
    from lines
    group by source_system, order_id
),

-- The documents of which an edit took something off: a line, or units of one.
edited as (
    select distinct
        lines.source_system,
        lines.order_id
    from lines
    left join headers on lines.source_system = headers.source_system and lines.order_id = headers.order_id
    left join newest on lines.source_system = newest.source_system and lines.order_id = newest.order_id
    where lines.updated_at < greatest(headers.updated_at, newest.updated_at)
    union distinct
    select
        source_system,
        order_id
    from dwd.dwd_order_line_lowered
),

bundles as (
    select distinct
        source_system,
        order_id,
        parent_line_id as line_id
    from lines
    where parent_line_id is not null
)

select
    placed.currency,
    placed.line_type,
    placed.is_counted,
    placed.gross_amount,
    placed.net_amount,
    placed.order_discount_amount,
    lines.gross_amount as given_gross,
    lines.net_amount as given_net,
    case
        when placed.is_counted and lines.current_quantity < lines.quantity
            then lines.net_amount - placed.net_amount - placed.order_discount_amount
        else 0
    end as taken_net,
    case
        when placed.is_counted and lines.current_quantity < lines.quantity
            then lines.gross_amount - placed.gross_amount
        else 0
    end as taken_gross,
    case
        when placed.is_counted and placed.line_type not in ('sale', 'return', 'adjustment')
            then 'gift cards, deposits, rounding and postage: no revenue of goods'
        when placed.is_counted then 'counted'
        when left_out.order_id is not null or (placed.line_type = 'return' and of_original.order_id is not null)
            then 'lines of unsettled documents'
        when documents.is_test then 'lines of test orders'
        when documents.is_cancelled or cancelled_elsewhere.order_id is not null then 'lines of cancelled orders'
        when lines.is_test then 'test lines'
        when lines.updated_at < greatest(documents.updated_at, newest.updated_at)
            then 'lines removed from their document'
        when lines.current_quantity = 0 then 'lines taken off their document'
        when copies.basis = 'found' then 'lines of orders found in another system too'
        when copies.basis = 'decided' then 'lines of orders that are another system''s by a decision'
        when documents.external_order_id is not null then 'lines of orders that another system has too'
        when origins.is_test or origins.is_cancelled or cancelled_origins.order_id is not null
            then 'returns on cancelled or test orders'
        when placed.line_type = 'return' and edited.order_id is not null
            then 'returns of goods removed from their order'
        when lines.parent_line_id is not null then 'components of priced bundles'
        when bundles.line_id is not null then 'bundles that count by their components'
    end as reason
from placed
inner join lines
    on
        placed.document_system = lines.source_system
        and placed.document_id = lines.order_id
        and placed.line_id = lines.line_id
left join headers as documents
    on placed.document_system = documents.source_system and placed.document_id = documents.order_id
left join cancelled_elsewhere
    on
        placed.document_system = cancelled_elsewhere.source_system
        and placed.document_id = cancelled_elsewhere.order_id
left join cancelled_elsewhere as cancelled_origins
    on placed.source_system = cancelled_origins.source_system and placed.order_id = cancelled_origins.order_id
left join headers as origins on placed.source_system = origins.source_system and placed.order_id = origins.order_id
left join left_out
    on placed.document_system = left_out.source_system and placed.document_id = left_out.order_id
left join left_out as of_original
    on placed.source_system = of_original.source_system and placed.order_id = of_original.order_id
left join copies on placed.document_system = copies.document_system and placed.document_id = copies.document_id
left join newest on placed.document_system = newest.source_system and placed.document_id = newest.order_id
left join edited on placed.source_system = edited.source_system and placed.order_id = edited.order_id
left join bundles
    on
        placed.document_system = bundles.source_system
        and placed.document_id = bundles.order_id
        and placed.line_id = bundles.line_id
