with lines as (
    select * from {{ ref('dwd_order_line') }}
),

headers as (
    select * from {{ ref('dwd_order') }}
),

copies as (
    select * from {{ ref('dws_order_copy') }}
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
-- has one (a store takes back what the online shop sold). Where neither is known, the return stands for itself.
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
),

known_orders as (
    select
        source_system,
        order_id,
        bool_or(is_void) as is_void
    from known_documents
    group by source_system, order_id
),

originals as (
    select
        wanted.source_system as document_system,
        wanted.original_order_id,
        case
            when bool_or(known_orders.source_system = wanted.source_system) then wanted.source_system
            when count(*) = 1 then min(known_orders.source_system)
        end as source_system,
        case
            when bool_or(known_orders.source_system = wanted.source_system)
                then bool_or(known_orders.is_void and known_orders.source_system = wanted.source_system)
            when count(*) = 1 then bool_or(known_orders.is_void)
            else false
        end as is_void
    from wanted
    inner join known_orders on wanted.original_order_id = known_orders.order_id
    group by wanted.source_system, wanted.original_order_id
),

-- A bundle counts once: by its own line where that has a price, else by its components.
bundles as (
    select
        components.source_system,
        components.order_id,
        components.parent_line_id,
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
            when coalesce(headers.is_test, false) then 'test order'
            when coalesce(headers.is_cancelled, false) then 'cancelled order'
            when versioned.is_test then 'test line'
            when versioned.is_removed then 'removed from its document'
            when copies.document_id is not null then 'order that another system has too'
            when coalesce(originals.is_void, false) then 'return on a cancelled or test order'
            when coalesce(of_bundle.is_priced, false) then 'component of a priced bundle'
            when coalesce(not own_bundle.is_priced, false) then 'bundle that counts by its components'
        end as exclusion,
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
        coalesce(versioned.is_tax_included, headers.is_tax_included) as is_tax_included,
        coalesce(
            headers.discount_amount,
            headers.total_discount_amount
        ) as header_discount_amount,
        headers.discount_amount is null as is_total_discount,
        headers.tax_amount as header_tax_amount,
        headers.shipping_tax_amount,
        coalesce(headers.shipping_amount, 0) as shipping_amount
    from versioned
    left join headers
        on versioned.source_system = headers.source_system and versioned.order_id = headers.order_id
    left join left_out
        on versioned.source_system = left_out.source_system and versioned.order_id = left_out.order_id
    left join originals
        on
            versioned.source_system = originals.document_system
            and case
                when versioned.line_type = 'return' then versioned.original_order_id
            end = originals.original_order_id
    left join copies
        on versioned.source_system = copies.document_system and versioned.order_id = copies.document_id
    left join bundles as of_bundle
        on
            versioned.source_system = of_bundle.source_system
            and versioned.order_id = of_bundle.order_id
            and versioned.parent_line_id = of_bundle.parent_line_id
    left join bundles as own_bundle
        on
            versioned.source_system = own_bundle.source_system
            and versioned.order_id = own_bundle.order_id
            and versioned.line_id = own_bundle.parent_line_id
),

-- A return on a copy of an order is one on the order.
counted_for as (
    select
        placed.*,
        coalesce(copies.source_system, placed.named_system) as source_system,
        coalesce(copies.order_id, placed.named_order) as order_id,
        -- Gift cards, deposits, rounding and shipping are no goods: money that is not revenue of goods.
        placed.line_type in ('sale', 'return', 'adjustment') as is_goods,
        -- The lines of a cancelled order and of a copy have their share too, so that they come to its total.
        (placed.exclusion is null or placed.exclusion in ('cancelled order', 'order that another system has too'))
        and placed.line_type in ('sale', 'adjustment') as has_order_money
    from placed
    left join copies
        on
            placed.named_system = copies.document_system and placed.named_order = copies.document_id
            and placed.exclusion is distinct from 'order that another system has too'
),

-- The discount of a whole order that its lines do not have, by order.
order_discount as (
    select
        document_system,
        document_id,
        max(header_discount_amount) - sum(
            case when is_total_discount then line_discount_amount else 0 end
        ) as amount
    from counted_for
    where has_order_money and header_discount_amount is not null
    group by document_system, document_id
),

discounted as (
    select
        counted_for.document_system,
        counted_for.document_id,
        counted_for.line_id,
        counted_for.currency,
        order_discount.amount,
        greatest(counted_for.net_amount, 0) as weight
    from counted_for
    inner join order_discount
        on
            counted_for.document_system = order_discount.document_system
            and counted_for.document_id = order_discount.document_id
    where counted_for.has_order_money and counted_for.line_type = 'sale' and order_discount.amount > 0
),

discount_share as (
    {{ largest_remainder('discounted', ['document_system', 'document_id'], 'line_id') }}
),

priced as (
    select
        counted_for.*,
        coalesce(discount_share.share, 0) as order_discount_amount,
        cast(counted_for.net_amount - coalesce(discount_share.share, 0) as decimal(18, 4)) as priced_amount
    from counted_for
    left join discount_share
        on
            counted_for.document_system = discount_share.document_system
            and counted_for.document_id = discount_share.document_id
            and counted_for.line_id = discount_share.line_id
),

-- The tax of a whole order that its lines do not have, by order. Shipping has its part of it, by amount, where the
-- source does not say which.
order_tax as (
    select
        document_system,
        document_id,
        max(currency) as currency,
        max(header_tax_amount) - coalesce(max(shipping_tax_amount), 0) - coalesce(sum(line_tax_amount), 0) as amount,
        case when max(shipping_tax_amount) is null then max(shipping_amount) else 0 end as shipping_weight
    from priced
    where has_order_money and header_tax_amount is not null
    group by document_system, document_id
    having count(*) > count(line_tax_amount)
),

-- Where goods are sold and taken back in one document, the tax of the whole does not tell that of either.
exchange as (
    select
        document_system,
        document_id
    from priced
    where is_return and exclusion is null and line_tax_amount is null
    group by document_system, document_id
),

taxed as (
    select
        priced.document_system,
        priced.document_id,
        priced.line_id,
        priced.currency,
        order_tax.amount,
        greatest(priced.priced_amount, 0) as weight
    from priced
    inner join order_tax
        on priced.document_system = order_tax.document_system and priced.document_id = order_tax.document_id
    where
        priced.has_order_money and priced.line_type = 'sale' and priced.line_tax_amount is null
        and order_tax.amount > 0
    union all
    select
        document_system,
        document_id,
        '' as line_id,
        currency,
        amount,
        shipping_weight as weight
    from order_tax
    where shipping_weight > 0 and amount > 0
),

tax_share as (
    {{ largest_remainder('taxed', ['document_system', 'document_id'], 'line_id') }}
),

sold as (
    select
        priced.*,
        case
            when priced.is_return then priced.line_tax_amount
            when priced.line_tax_amount is not null then priced.line_tax_amount
            when priced.header_tax_amount is not null and exchange.document_id is null
                then coalesce(tax_share.share, 0)
        end as own_tax_amount
    from priced
    left join exchange
        on priced.document_system = exchange.document_system and priced.document_id = exchange.document_id
    left join tax_share
        on
            priced.document_system = tax_share.document_system
            and priced.document_id = tax_share.document_id
            and priced.line_id = tax_share.line_id
),

-- What an order's goods came to, and their tax: what is given back without a tax of its own has its share of it.
order_money as (
    select
        source_system,
        order_id,
        sum(priced_amount) as priced_amount,
        case when count(*) = count(own_tax_amount) then sum(own_tax_amount) end as tax_amount,
        case when count(*) = count(is_tax_included) then bool_and(is_tax_included) end as is_tax_included
    from sold
    where has_order_money and not is_return
    group by source_system, order_id
),

given_back as (
    select
        sold.document_system,
        sold.document_id,
        sold.line_id,
        {{ share_of_running_total('sold.priced_amount', 'order_money.priced_amount', 'order_money.tax_amount',
            ['sold.source_system', 'sold.order_id', 'sold.currency'],
            ['sold.moved_at', 'sold.document_system', 'sold.document_id', 'sold.line_id']) }} as tax_amount,
        order_money.is_tax_included
    from sold
    inner join order_money on sold.source_system = order_money.source_system and sold.order_id = order_money.order_id
    where sold.is_return and sold.exclusion is null and sold.own_tax_amount is null
),

whole as (
    select
        sold.*,
        coalesce(sold.own_tax_amount, given_back.tax_amount) as tax_amount,
        coalesce(given_back.is_tax_included, sold.is_tax_included) as is_included
    from sold
    left join given_back
        on
            sold.document_system = given_back.document_system
            and sold.document_id = given_back.document_id
            and sold.line_id = given_back.line_id
)

select
    document_system,
    document_id,
    line_id,
    source_system,
    order_id,
    line_type,
    is_return,
    is_goods,
    exclusion is null as is_counted,
    exclusion,
    channel,
    business_date,
    moved_at,
    identity_key,
    node_id,
    product_id,
    currency,
    cast(units as decimal(18, 4)) as units,
    cast(gross_amount as decimal(18, 4)) as gross_amount,
    cast(line_discount_amount as decimal(18, 4)) as line_discount_amount,
    cast(order_discount_amount as decimal(18, 4)) as order_discount_amount,
    priced_amount as net_amount,
    cast(tax_amount as decimal(18, 4)) as tax_amount,
    is_included as is_tax_included,
    tax_amount is not null and is_included is not null as is_tax_known,
    cast(case when is_included then coalesce(tax_amount, 0) else 0 end as decimal(18, 4)) as tax_included_amount
from whole
