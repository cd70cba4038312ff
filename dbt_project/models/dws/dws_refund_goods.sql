with refunds as (
    select * from {{ ref('dwd_refund') }}
),

order_lines as (
    select * from {{ ref('dws_order_line') }}
),

headers as (
    select * from {{ ref('dwd_order') }}
),

copies as (
    select * from {{ ref('dws_order_copy') }}
),

sold as (
    select * from {{ ref('dws_order_sold') }}
),

came_back as (
    select * from {{ ref('dws_order_returned') }}
),

lowered as (
    select * from {{ ref('dwd_order_line_lowered') }}
),

differences as (
    select
        document_system,
        document_id,
        copy_units < order_units or (copy_units = order_units and copy_amount < order_amount) as is_copy_less,
        copy_amount - order_amount as more_amount
    from {{ ref('dws_order_copy_difference') }}
),

products as (
    select
        source_system,
        product_id,
        product_key
    from {{ ref('dim_product') }}
),

-- What was sold on the line that a refund names.
sold_lines as (
    select
        document_system,
        document_id,
        line_id,
        line_type,
        product_id,
        product_key,
        is_goods,
        case when units > 0 then net_amount / units end as unit_amount,
        exclusion = 'removed from its document' as is_removed
    from order_lines
    where not is_return
),

-- What is paid back on a copy of an order is paid back on the order. Edits of the copy take off what is paid back only
-- where the order lacks it too.
named as (
    select
        refunds.*,
        coalesce(copies.source_system, refunds.order_system) as counted_system,
        coalesce(copies.order_id, refunds.order_id) as counted_order,
        coalesce(refunds.product_id, sold_lines.product_id) as sold_product_id,
        sold_lines.product_key as sold_product_key,
        sold_lines.unit_amount,
        documents.shipping_amount as document_shipping_amount,
        coalesce(differences.is_copy_less, false) as is_copy_less,
        case when differences.more_amount > 0 then differences.more_amount end as more_amount,
        coalesce(sold_lines.is_removed and not coalesce(differences.is_copy_less, false), false) as is_of_removed,
        case when not sold_lines.is_goods then sold_lines.line_type end as line_apart
    from refunds
    left join copies
        on refunds.order_system = copies.document_system and refunds.order_id = copies.document_id
    left join differences
        on refunds.order_system = differences.document_system and refunds.order_id = differences.document_id
    left join headers as documents
        on refunds.order_system = documents.source_system and refunds.order_id = documents.order_id
    left join sold_lines
        on
            refunds.order_system = sold_lines.document_system
            and refunds.order_id = sold_lines.document_id
            and refunds.order_line_id = sold_lines.line_id
),

-- By product, and in all. Money of several currencies is none.
returned as (
    select
        source_system,
        order_id,
        product_key,
        sum(units) as units,
        case when count(distinct currency) = 1 then sum(amount) end as amount,
        min(currency) as currency
    from came_back
    where product_key <> ''
    group by source_system, order_id, product_key
    union all
    select
        source_system,
        order_id,
        '' as product_key,
        sum(units) as units,
        case when count(distinct currency) = 1 then sum(amount) end as amount,
        min(currency) as currency
    from came_back
    group by source_system, order_id
),

-- Goods that a return document takes back are given back there, once: of the refund's goods those beyond the returned
-- units stand for themselves. Units that an edit took off are no longer sold: a refund of them takes nothing off again.
of_goods as (
    select
        named.*,
        coalesce(
            own_products.product_key, order_products.product_key, named.sold_product_key, named.product_id, ''
        ) as product_key,
        lowered.lowered_units,
        case when lowered.line_id is not null then named.order_line_id end as lowered_line_id
    from named
    left join products as own_products
        on named.source_system = own_products.source_system and named.product_id = own_products.product_id
    left join products as order_products
        on named.counted_system = order_products.source_system and named.product_id = order_products.product_id
    left join lowered
        on
            named.order_system = lowered.source_system
            and named.order_id = lowered.order_id
            and named.order_line_id = lowered.line_id
            and not named.is_copy_less
            -- An edit and its refund are booked within a moment, a refund of later has nothing to do with it.
            and coalesce(
                named.refunded_at between {{ days_earlier('lowered.first_lowered_at', 1) }}
                and {{ hours_later('lowered.last_lowered_at', 1) }},
                true
            )
),

-- Who leaves the stock to the warehouse writes `no_restock`, or nothing, of goods that came back: then all is paid back
-- that they cost. A repayment that failed gives nothing back.
told as (
    select
        of_goods.*,
        returned.units as all_returned_units,
        returned.amount as all_returned_amount,
        returned.currency as returned_currency,
        case
            when {{ has_failed('of_goods.status') }} then 0
            when of_goods.restock_type = 'return' or of_goods.lowered_units is not null then of_goods.quantity
            when
                coalesce(of_goods.restock_type, 'no_restock') = 'no_restock'
                and of_goods.amount + 0.01
                >= of_goods.quantity * least(of_goods.unit_amount, returned.amount / nullif(returned.units, 0))
                then of_goods.quantity
            else 0
        end as goods_units
    from of_goods
    left join returned
        on
            of_goods.counted_system = returned.source_system
            and of_goods.counted_order = returned.order_id
            and of_goods.product_key = returned.product_key
            and of_goods.quantity > 0
            and of_goods.restock_type is distinct from 'cancel'
),

running as (
    select
        *,
        sum(goods_units) over (
            partition by counted_system, counted_order, product_key, lowered_line_id
            order by refunded_at, source_system, refund_id, line_id
            rows between unbounded preceding and current row
        ) as goods_units_so_far
    from told
),

matched as (
    select
        running.*,
        least(
            running.goods_units,
            greatest(
                0,
                coalesce(greatest(running.lowered_units, running.all_returned_units), 0)
                - (running.goods_units_so_far - running.goods_units)
            )
        ) as returned_units,
        case
            when running.returned_currency = coalesce(running.currency, sold.currency)
                then running.all_returned_amount
        end as worth_of_all
    from running
    left join sold on running.counted_system = sold.source_system and running.counted_order = sold.order_id
),

-- What the return document gave back for these units, which may not be what is paid: part was paid back before, or a
-- part is kept.
valued as (
    select
        *,
        count(*) over (partition by source_system, refund_id) as row_count,
        -({{ share_of_running_total('-(case when lowered_units is null then returned_units else 0 end)',
            'all_returned_units', 'worth_of_all',
            ['counted_system', 'counted_order', 'product_key', 'all_returned_units'],
            ['refunded_at', 'source_system', 'refund_id', 'line_id'], 'currency') }}) as worth_amount
    from matched
)

select
    valued.source_system as refund_system,
    valued.refund_id,
    valued.line_id,
    valued.order_system as document_system,
    valued.order_id as document_id,
    valued.counted_system as source_system,
    valued.counted_order as order_id,
    coalesce(valued.currency, sold.currency) as currency,
    valued.refunded_at,
    valued.restock_type,
    valued.is_rest,
    valued.amount,
    valued.tax_amount,
    -- Tax stands beside postage in what the source says of it, also where prices contain it, if both were paid.
    case
        when
            valued.shipping_amount > 0 and coalesce(sold.is_tax_included, true)
            and valued.shipping_amount <> coalesce(headers.shipping_amount, valued.document_shipping_amount, 0)
            and (valued.row_count > 1 or valued.shipping_amount + valued.tax_amount <= valued.amount)
            then valued.shipping_amount + valued.tax_amount
        else valued.shipping_amount
    end as shipping_amount,
    case
        when valued.currency <> coalesce(headers.currency, sold.currency) then 0
        else coalesce(headers.shipping_amount, valued.document_shipping_amount, 0)
    end as shipping_charged_amount,
    valued.sold_product_id,
    valued.product_key,
    valued.is_copy_less,
    valued.more_amount,
    valued.is_of_removed,
    valued.line_apart,
    valued.lowered_units,
    valued.goods_units,
    valued.returned_units,
    cast(
        case
            when valued.returned_units <= 0 then 0
            when valued.lowered_units is null and valued.worth_amount is not null then valued.worth_amount
            when valued.returned_units = valued.goods_units then valued.amount
            else {{ part_of('valued.returned_units', 'valued.goods_units', 'valued.amount', 'valued.currency') }}
        end as decimal(18, 4)
    ) as returned_amount,
    valued.status is null or {{ has_succeeded('valued.status') }} or valued.status = 'pending' as is_paid,
    valued.status is null as is_without_payment
from valued
left join headers on valued.counted_system = headers.source_system and valued.counted_order = headers.order_id
left join sold on valued.counted_system = sold.source_system and valued.counted_order = sold.order_id
