with order_lines as (
    select * from {{ ref('dws_order_line') }}
),

refunds as (
    select * from {{ ref('dws_refund') }}
),

delivered_headers as (
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

exchange_rates as (
    {{ rates_to_base() }}
),

cancelled_elsewhere as (
    select * from {{ ref('dws_order_copy_cancelled') }}
),

headers as (
    select delivered_headers.*
    from delivered_headers
    left join cancelled_elsewhere
        on
            delivered_headers.source_system = cancelled_elsewhere.source_system
            and delivered_headers.order_id = cancelled_elsewhere.order_id
    where
        not delivered_headers.is_cancelled and not delivered_headers.is_test and delivered_headers.shipping_amount <> 0
        and cancelled_elsewhere.order_id is null
),

sold as (
    select
        source_system,
        order_id,
        min(channel) as channel,
        min(business_date) as business_date,
        min(moved_at) as moved_at,
        max(identity_key) as identity_key,
        min(node_id) as node_id
    from order_lines
    where is_counted and not is_return and source_system = document_system and order_id = document_id
    group by source_system, order_id
),

-- The postage of an order whose own system does not tell it, and that of a copy does.
postage_of_copy as (
    select
        copies.source_system,
        copies.order_id,
        headers.currency,
        headers.shipping_amount,
        row_number() over (
            partition by copies.source_system, copies.order_id order by headers.source_system, headers.order_id
        ) as place
    from headers
    inner join copies on headers.source_system = copies.document_system and headers.order_id = copies.document_id
    left join delivered_headers as originals
        on copies.source_system = originals.source_system and copies.order_id = originals.order_id
    where originals.shipping_amount is null
),

postage as (
    select
        headers.source_system,
        headers.order_id,
        headers.channel,
        headers.business_date,
        headers.currency,
        headers.ordered_at as moved_at,
        headers.identity_key,
        headers.node_id,
        headers.shipping_amount
    from headers
    left join copies
        on headers.source_system = copies.document_system and headers.order_id = copies.document_id
    left join left_out on headers.source_system = left_out.source_system and headers.order_id = left_out.order_id
    where copies.document_id is null and left_out.order_id is null
    union all
    select
        sold.source_system,
        sold.order_id,
        sold.channel,
        sold.business_date,
        postage_of_copy.currency,
        sold.moved_at,
        sold.identity_key,
        sold.node_id,
        postage_of_copy.shipping_amount
    from postage_of_copy
    inner join sold
        on postage_of_copy.source_system = sold.source_system and postage_of_copy.order_id = sold.order_id
    where postage_of_copy.place = 1
),

known_currency as (
    select
        document_system,
        document_id,
        min(currency) as currency
    from order_lines
    group by document_system, document_id
),

moved as (
    select
        source_system,
        order_id,
        document_system,
        document_id,
        is_return,
        false as is_refund,
        is_counted,
        channel,
        business_date,
        currency,
        moved_at,
        identity_key,
        node_id,
        1 as line_count,
        case when line_type = 'sale' then 1 else 0 end as sale_line_count,
        units,
        case when is_goods then gross_amount else 0 end as gross_amount,
        case when is_goods then line_discount_amount + order_discount_amount else 0 end as discount_amount,
        case when is_goods then tax_amount end as tax_amount,
        case when is_goods then tax_included_amount else 0 end as tax_included_amount,
        case when is_goods and not is_tax_known then 1 else 0 end as untaxed_count,
        case when line_type = 'shipping' then net_amount else 0 end as shipping_amount,
        case when line_type = 'gift_card' then net_amount else 0 end as gift_card_amount
    from order_lines
    union all
    -- The postage of a whole order is no line of it.
    select
        postage.source_system,
        postage.order_id,
        postage.source_system as document_system,
        postage.order_id as document_id,
        false as is_return,
        false as is_refund,
        true as is_counted,
        postage.channel,
        postage.business_date,
        coalesce(postage.currency, known_currency.currency) as currency,
        postage.moved_at,
        postage.identity_key,
        postage.node_id,
        0 as line_count,
        0 as sale_line_count,
        0 as units,
        0 as gross_amount,
        0 as discount_amount,
        null as tax_amount,
        0 as tax_included_amount,
        0 as untaxed_count,
        postage.shipping_amount,
        0 as gift_card_amount
    from postage
    left join known_currency
        on postage.source_system = known_currency.document_system and postage.order_id = known_currency.document_id
    union all
    select
        source_system,
        order_id,
        refund_system as document_system,
        refund_id as document_id,
        is_return,
        true as is_refund,
        is_counted,
        channel,
        business_date,
        currency,
        moved_at,
        identity_key,
        node_id,
        0 as line_count,
        0 as sale_line_count,
        units,
        net_amount as gross_amount,
        0 as discount_amount,
        tax_amount,
        tax_included_amount,
        case when net_amount <> 0 and not is_tax_known then 1 else 0 end as untaxed_count,
        -shipping_refunded_amount as shipping_amount,
        gift_card_amount
    from refunds
    -- A refund that pays just what its lines say has nothing beyond them.
    where
        channel is not null
        and (
            not is_rest or amount <> 0 or net_amount <> 0 or shipping_refunded_amount <> 0
        )
),

movement as (
    select
        source_system,
        order_id,
        document_system,
        document_id,
        is_return,
        is_refund,
        is_counted,
        channel,
        business_date,
        currency,
        min(moved_at) as moved_at,
        max(identity_key) as identity_key,
        min(node_id) as node_id,
        sum(line_count) as line_count,
        sum(sale_line_count) as sale_line_count,
        cast(sum(units) as decimal(18, 4)) as units,
        cast(sum(gross_amount) as decimal(18, 4)) as gross_amount,
        cast(sum(discount_amount) as decimal(18, 4)) as discount_amount,
        cast(coalesce(sum(tax_amount), 0) as decimal(18, 4)) as tax_amount,
        cast(sum(tax_included_amount) as decimal(18, 4)) as tax_included_amount,
        sum(untaxed_count) = 0 as is_tax_known,
        cast(sum(shipping_amount) as decimal(18, 4)) as shipping_amount,
        cast(sum(gift_card_amount) as decimal(18, 4)) as gift_card_amount
    from moved
    group by
        source_system, order_id, document_system, document_id, is_return, is_refund, is_counted, channel,
        business_date, currency
),

converted as (
    select
        movement.*,
        cast(movement.gross_amount - movement.discount_amount as decimal(18, 4)) as net_amount,
        {{ to_base('movement.gross_amount', 'movement.currency', 'exchange_rates.rate') }} as gross_amount_base,
        {{ to_base('movement.discount_amount', 'movement.currency', 'exchange_rates.rate') }} as discount_amount_base,
        {{ to_base('movement.tax_amount', 'movement.currency', 'exchange_rates.rate') }} as tax_amount_base,
        {{ to_base('movement.tax_included_amount', 'movement.currency', 'exchange_rates.rate') }}
            as tax_included_amount_base,
        {{ to_base('movement.shipping_amount', 'movement.currency', 'exchange_rates.rate') }} as shipping_amount_base,
        {{ to_base('movement.gift_card_amount', 'movement.currency', 'exchange_rates.rate') }} as gift_card_amount_base
    from movement
    {{ join_rate('exchange_rates', 'movement.currency', 'movement.business_date') }}
)

select
    source_system,
    order_id,
    document_system,
    document_id,
    is_return,
    is_refund,
    is_counted,
    channel,
    business_date,
    currency,
    moved_at,
    identity_key,
    node_id,
    cast(line_count as bigint) as line_count,
    cast(sale_line_count as bigint) as sale_line_count,
    units,
    gross_amount,
    discount_amount,
    net_amount,
    tax_amount,
    tax_included_amount,
    is_tax_known,
    shipping_amount,
    gift_card_amount,
    gross_amount_base,
    discount_amount_base,
    cast(gross_amount_base - discount_amount_base as decimal(18, 4)) as net_amount_base,
    tax_amount_base,
    cast(gross_amount_base - discount_amount_base - tax_included_amount_base as decimal(18, 4)) as net_revenue_base,
    shipping_amount_base,
    gift_card_amount_base
from converted
