with lines as (
    select * from {{ ref('dwd_order_line') }}
),

headers as (
    select * from {{ ref('dwd_order') }}
),

copies as (
    select * from {{ ref('dws_order_copy') }}
),

cancelled_elsewhere as (
    select * from {{ ref('dws_order_copy_cancelled') }}
),

lowered as (
    select * from {{ ref('dwd_order_line_lowered') }}
),

refunds as (
    select * from {{ ref('dwd_refund') }}
    where order_line_id is not null and not is_rest
),

sellers as (
    select * from {{ ref('dws_return_seller') }}
),

products as (
    select
        source_system,
        product_id,
        product_key
    from {{ ref('dim_product') }}
),

left_out as (
    select
        source_system,
        order_id
    from {{ ref('dwd_unsettled') }}
    where not is_held
    group by source_system, order_id
),

document_feeds as (
    {{ complete_documents() }}
),

-- The newest version of each document that comes with all its lines: that of its newest line, or of its header where
-- no line is left.
document_version as (
    select
        lines.source_system,
        lines.order_id,
        lines._feed,
        max(greatest(lines.updated_at, coalesce(headers.updated_at, lines.updated_at))) as updated_at
    from lines
    inner join document_feeds on lines._feed = document_feeds.line_feed
    left join headers
        on
            lines.source_system = headers.source_system
            and lines.order_id = headers.order_id
            and document_feeds.header_feed = headers._feed
    group by lines.source_system, lines.order_id, lines._feed
),

versioned as (
    select
        lines.*,
        coalesce(lines.updated_at < document_version.updated_at, false) as is_removed
    from lines
    left join document_version
        on
            lines.source_system = document_version.source_system
            and lines.order_id = document_version.order_id
            and lines._feed = document_version._feed
),

-- Which order a return belongs to: the one of that id in the same source system, else in the only other system that
-- has one (a store takes back what the online shop sold), or whose order sold the product. Where none is known, the
-- return stands for itself. An order that is the copy of one with its id is no other order.
wanted as (
    select
        source_system,
        original_order_id
    from versioned
    where line_type = 'return' and original_order_id is not null
    group by source_system, original_order_id
),

known_documents as (
    select
        source_system,
        order_id,
        is_cancelled or is_test as is_void
    from headers
    where order_id in (select wanted.original_order_id from wanted)
    union all
    select
        source_system,
        order_id,
        false as is_void
    from versioned
    where line_type = 'sale' and not is_test and order_id in (select wanted.original_order_id from wanted)
    union all
    select
        source_system,
        order_id,
        true as is_void
    from cancelled_elsewhere
    where order_id in (select wanted.original_order_id from wanted)
),

known_orders as (
    select
        source_system,
        order_id,
        bool_or(is_void) as is_void
    from known_documents
    where
        not exists (
            select copies.document_id from copies
            where
                copies.document_system = known_documents.source_system
                and copies.document_id = known_documents.order_id
                and copies.order_id = known_documents.order_id
        )
    group by source_system, order_id
),

originals as (
    select
        wanted.source_system as document_system,
        wanted.original_order_id,
        case
            when bool_or(known_orders.source_system = wanted.source_system) then wanted.source_system
            when count(*) = 1 then min(known_orders.source_system)
            when count(sellers.source_system) = 1 then min(sellers.source_system)
        end as source_system,
        case
            when bool_or(known_orders.source_system = wanted.source_system)
                then bool_or(known_orders.is_void and known_orders.source_system = wanted.source_system)
            when count(*) = 1 then bool_or(known_orders.is_void)
            when count(sellers.source_system) = 1
                then bool_or(known_orders.is_void and known_orders.source_system = sellers.source_system)
            else false
        end as is_void
    from wanted
    inner join known_orders on wanted.original_order_id = known_orders.order_id
    left join sellers
        on
            wanted.source_system = sellers.document_system
            and wanted.original_order_id = sellers.original_order_id
            and known_orders.source_system = sellers.source_system
    group by wanted.source_system, wanted.original_order_id
),

-- A bundle counts once: by its own line where that has a price, else by its components. One that stands in a priced
-- bundle counts by that.
bundles as (
    select
        components.source_system,
        components.order_id,
        components.parent_line_id,
        max(parents.parent_line_id) as outer_line_id,
        bool_or(parents.net_amount <> 0) as is_priced
    from versioned as components
    inner join versioned as parents
        on
            components.source_system = parents.source_system
            and components.order_id = parents.order_id
            and components.parent_line_id = parents.line_id
    where not parents.is_removed and not components.is_removed
    group by components.source_system, components.order_id, components.parent_line_id
),

-- A return line that stands in the copy of an order alone is one of the order.
with_returns as (
    select
        source_system,
        order_id
    from versioned
    where line_type = 'return' and not is_removed and not is_test
    group by source_system, order_id
),

placed as (
    select
        versioned.source_system as document_system,
        versioned.order_id as document_id,
        versioned.line_id,
        coalesce(originals.source_system, versioned.source_system) as named_system,
        case
            when originals.source_system is null then versioned.order_id else versioned.original_order_id
        end as named_order,
        versioned.line_type,
        versioned.line_type = 'return' as is_return,
        case
            when left_out.order_id is not null then 'unsettled document'
            when of_original.order_id is not null and original_copies.document_id is null then 'unsettled document'
            when headers.is_test then 'test order'
            when headers.is_cancelled or cancelled_elsewhere.order_id is not null then 'cancelled order'
            when versioned.is_test then 'test line'
            when versioned.is_removed then 'removed from its document'
            when
                copies.document_id is not null
                and (versioned.line_type <> 'return' or with_returns.order_id is not null)
                then 'order that another system has too'
            when originals.is_void then 'return on a cancelled or test order'
            when of_bundle.is_priced or outer_bundle.is_priced then 'component of a priced bundle'
            when not own_bundle.is_priced then 'bundle that counts by its components'
        end as own_exclusion,
        -- A sale happens where and when its order was placed, a return where and when the goods came back.
        case
            when versioned.line_type = 'return' then versioned.channel
            else coalesce(headers.channel, versioned.channel)
        end as channel,
        case
            when versioned.line_type = 'return'
                then coalesce(versioned.business_date, headers.business_date, versioned.ds)
            else coalesce(headers.business_date, versioned.business_date, versioned.ds)
        end as business_date,
        case
            when versioned.line_type = 'return' then coalesce(versioned.sold_at, headers.ordered_at)
            else coalesce(headers.ordered_at, versioned.sold_at)
        end as moved_at,
        coalesce(headers.identity_key, versioned.identity_key) as identity_key,
        coalesce(versioned.node_id, headers.node_id) as node_id,
        versioned.product_id,
        versioned.currency,
        case
            when versioned.line_type in ('sale', 'return') then versioned.quantity else 0
        end as units,
        case when versioned.line_type in ('sale', 'gift_card') then versioned.quantity end as given_units,
        versioned.current_quantity,
        -- What takes money off without being goods (a coupon, a ticket's discount) is a discount.
        case
            when versioned.line_type = 'adjustment' and versioned.net_amount < 0 then 0 else versioned.gross_amount
        end as gross_amount,
        case
            when versioned.line_type = 'adjustment' and versioned.net_amount < 0
                then -versioned.net_amount
            else versioned.discount_amount
        end as line_discount_amount,
        versioned.net_amount,
        versioned.tax_amount as line_tax_amount,
        coalesce(versioned.is_tax_included, headers.is_tax_included) as is_tax_included
    from versioned
    left join headers
        on versioned.source_system = headers.source_system and versioned.order_id = headers.order_id
    left join cancelled_elsewhere
        on
            versioned.source_system = cancelled_elsewhere.source_system
            and versioned.order_id = cancelled_elsewhere.order_id
    left join left_out
        on versioned.source_system = left_out.source_system and versioned.order_id = left_out.order_id
    left join originals
        on
            versioned.source_system = originals.document_system
            and case
                when versioned.line_type = 'return' then versioned.original_order_id
            end = originals.original_order_id
    -- What comes back of an order that is left out is left out with it, unless another system's counts for it.
    left join left_out as of_original
        on
            originals.source_system = of_original.source_system
            and originals.original_order_id = of_original.order_id
    left join copies as original_copies
        on
            originals.source_system = original_copies.document_system
            and originals.original_order_id = original_copies.document_id
    left join copies
        on versioned.source_system = copies.document_system and versioned.order_id = copies.document_id
    left join with_returns
        on copies.source_system = with_returns.source_system and copies.order_id = with_returns.order_id
    left join bundles as of_bundle
        on
            versioned.source_system = of_bundle.source_system
            and versioned.order_id = of_bundle.order_id
            and versioned.parent_line_id = of_bundle.parent_line_id
    left join bundles as outer_bundle
        on
            of_bundle.source_system = outer_bundle.source_system
            and of_bundle.order_id = outer_bundle.order_id
            and of_bundle.outer_line_id = outer_bundle.parent_line_id
    left join bundles as own_bundle
        on
            versioned.source_system = own_bundle.source_system
            and versioned.order_id = own_bundle.order_id
            and versioned.line_id = own_bundle.parent_line_id
),

-- A return on a copy of an order is one on the order. A return document that knows no products of its own writes those
-- of the order's system.
counted_for as (
    select
        placed.*,
        coalesce(copies.source_system, placed.named_system) as source_system,
        coalesce(copies.order_id, placed.named_order) as order_id,
        coalesce(own_products.product_key, order_products.product_key, placed.product_id) as product_key
    from placed
    left join copies
        on
            placed.named_system = copies.document_system and placed.named_order = copies.document_id
            and placed.own_exclusion is distinct from 'order that another system has too'
    left join products as own_products
        on placed.document_system = own_products.source_system and placed.product_id = own_products.product_id
    left join products as order_products
        on placed.named_system = order_products.source_system and placed.product_id = order_products.product_id
),

-- Goods that came back and that an edit took off their order too are off it already: of an order's product no more
-- units are given back than the order still has.
edited as (
    select
        source_system,
        order_id,
        product_key,
        coalesce(sum(units) filter (where own_exclusion is null), 0) as units
    from counted_for
    where line_type = 'sale'
    group by source_system, order_id, product_key
    having bool_or(own_exclusion = 'removed from its document')
),

-- Units that an edit took off a line; those that came back before it are the reason of it.
lowered_items as (
    select
        counted_for.source_system,
        counted_for.order_id,
        counted_for.product_key,
        sum(lowered.lowered_units) as units,
        max(lowered.last_lowered_at) as lowered_at
    from counted_for
    inner join lowered
        on
            counted_for.document_system = lowered.source_system
            and counted_for.document_id = lowered.order_id
            and counted_for.line_id = lowered.line_id
    where counted_for.line_type = 'sale' and counted_for.own_exclusion is null
    group by counted_for.source_system, counted_for.order_id, counted_for.product_key
),

-- Units that the source says are no longer on a line, but for those that refunds of the line tell of.
refunded_units as (
    select
        order_system,
        order_id,
        order_line_id,
        sum(quantity) as units,
        sum(case when restock_type = 'cancel' then 0 else quantity end) as units_back
    from refunds
    where not {{ has_failed('status') }}
    group by order_system, order_id, order_line_id
),

lacking as (
    select
        counted_for.document_system,
        counted_for.document_id,
        counted_for.line_id,
        counted_for.source_system,
        counted_for.order_id,
        counted_for.product_key,
        greatest(
            counted_for.given_units - counted_for.current_quantity - coalesce(refunded_units.units, 0), 0
        ) as units,
        coalesce(refunded_units.units_back, 0) as units_back
    from counted_for
    left join refunded_units
        on
            counted_for.document_system = refunded_units.order_system
            and counted_for.document_id = refunded_units.order_id
            and counted_for.line_id = refunded_units.order_line_id
    where counted_for.own_exclusion is null and counted_for.current_quantity < counted_for.given_units
),

returned_units as (
    select
        source_system,
        order_id,
        product_key,
        -sum(units) as units
    from counted_for
    where is_return and own_exclusion is null
    group by source_system, order_id, product_key
),

lacking_so_far as (
    select
        *,
        sum(units_back) over (partition by source_system, order_id, product_key) as product_units_back,
        sum(units) over (
            partition by source_system, order_id, product_key
            order by line_id
            rows between unbounded preceding and current row
        ) as units_so_far
    from lacking
),

-- What came back beyond those refunds is told of by the return; the others were taken off.
taken_off as (
    select
        lacking_so_far.document_system,
        lacking_so_far.document_id,
        lacking_so_far.line_id,
        least(
            lacking_so_far.units,
            greatest(
                0,
                lacking_so_far.units_so_far + lacking_so_far.product_units_back - coalesce(returned_units.units, 0)
            )
        ) as units
    from lacking_so_far
    left join returned_units
        on
            lacking_so_far.source_system = returned_units.source_system
            and lacking_so_far.order_id = returned_units.order_id
            and lacking_so_far.product_key = returned_units.product_key
),

returned_so_far as (
    select
        document_system,
        document_id,
        line_id,
        source_system,
        order_id,
        product_key,
        moved_at,
        units,
        -sum(units) over (
            partition by source_system, order_id, product_key
            order by moved_at, document_system, document_id, line_id
            rows between unbounded preceding and current row
        ) as units_so_far
    from counted_for
    where is_return and own_exclusion is null
),

returned_and_removed as (
    select
        returned_so_far.document_system,
        returned_so_far.document_id,
        returned_so_far.line_id
    from returned_so_far
    left join edited
        on
            returned_so_far.source_system = edited.source_system
            and returned_so_far.order_id = edited.order_id
            and returned_so_far.product_key = edited.product_key
    left join lowered_items
        on
            returned_so_far.source_system = lowered_items.source_system
            and returned_so_far.order_id = lowered_items.order_id
            and returned_so_far.product_key = lowered_items.product_key
    where
        returned_so_far.units_so_far + returned_so_far.units >= edited.units
        or (
            returned_so_far.units_so_far <= lowered_items.units
            and returned_so_far.moved_at <= lowered_items.lowered_at
        )
)

select
    counted_for.document_system,
    counted_for.document_id,
    counted_for.line_id,
    counted_for.source_system,
    counted_for.order_id,
    counted_for.line_type,
    counted_for.is_return,
    -- Gift cards, deposits, rounding and shipping are no goods: money that is not revenue of goods.
    counted_for.line_type in ('sale', 'return', 'adjustment') as is_goods,
    counted_for.own_exclusion is null
    and returned_and_removed.line_id is null
    and coalesce(taken_off.units < counted_for.given_units, true) as is_counted,
    case
        when returned_and_removed.line_id is not null then 'return of goods that were removed from their order'
        when taken_off.units >= counted_for.given_units then 'taken off its document'
        else counted_for.own_exclusion
    end as exclusion,
    counted_for.channel,
    counted_for.business_date,
    counted_for.moved_at,
    counted_for.identity_key,
    counted_for.node_id,
    counted_for.product_id,
    counted_for.product_key,
    counted_for.currency,
    counted_for.units,
    counted_for.given_units,
    case when taken_off.units < counted_for.given_units then taken_off.units end as taken_units,
    counted_for.gross_amount,
    counted_for.line_discount_amount,
    counted_for.net_amount,
    counted_for.line_tax_amount,
    counted_for.is_tax_included
from counted_for
left join returned_and_removed
    on
        counted_for.document_system = returned_and_removed.document_system
        and counted_for.document_id = returned_and_removed.document_id
        and counted_for.line_id = returned_and_removed.line_id
left join taken_off
    on
        counted_for.document_system = taken_off.document_system
        and counted_for.document_id = taken_off.document_id
        and counted_for.line_id = taken_off.line_id
