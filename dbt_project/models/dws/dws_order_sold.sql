with order_lines as (
    select * from {{ ref('dws_order_line') }}
),

headers as (
    select * from {{ ref('dwd_order') }}
),

sides as (
    select
        source_system,
        order_id,
        min(channel) filter (where not is_return) as channel,
        min(currency) filter (where not is_return) as currency,
        max(identity_key) filter (where not is_return) as identity_key,
        coalesce(
            bool_and(coalesce(exclusion in ('test order', 'test line', 'cancelled order'), false)) filter (
                where not is_return
            ),
            false
        ) as is_void,
        sum(net_amount) filter (where is_counted and is_goods and not is_return) as sold_amount,
        sum(net_amount) filter (where is_counted and line_type = 'gift_card') as gift_cards_amount,
        case
            when bool_and(is_tax_known) filter (where is_counted and is_goods and not is_return)
                then sum(tax_amount) filter (where is_counted and is_goods and not is_return)
        end as sold_tax_amount,
        count(is_tax_included) filter (where is_counted and is_goods and not is_return) = 0 as is_silent,
        coalesce(bool_and(is_tax_included) filter (where is_counted and is_goods and not is_return), true)
            as is_tax_included,
        bool_or(line_type = 'gift_card') and not bool_or(is_goods) as has_gift_cards_alone,
        coalesce(
            bool_or(exclusion in ('removed from its document', 'taken off its document')) filter (where not is_return),
            false
        ) as has_removed,
        -- With what an edit took off: an order that exchanges goods lists both.
        sum(net_amount) filter (
            where not is_return and document_system = source_system and document_id = order_id
            and (is_counted or exclusion in ('removed from its document', 'taken off its document'))
        ) as listed_amount
    from order_lines
    group by source_system, order_id
)

select
    sides.source_system,
    sides.order_id,
    sides.channel,
    sides.currency,
    sides.identity_key,
    sides.is_void,
    cast(sides.sold_amount as decimal(18, 4)) as sold_amount,
    cast(sides.gift_cards_amount as decimal(18, 4)) as gift_cards_amount,
    cast(sides.sold_tax_amount as decimal(18, 4)) as sold_tax_amount,
    sides.is_silent,
    sides.is_tax_included,
    sides.has_gift_cards_alone,
    sides.has_removed,
    cast(
        sides.listed_amount + coalesce(headers.shipping_amount, 0) - headers.total_amount as decimal(18, 4)
    ) as exchanged_amount,
    -- What the order's tax has beyond that of its goods is that of its postage.
    cast(
        case
            when sides.is_tax_included then 0
            else coalesce(headers.shipping_tax_amount, headers.tax_amount - sides.sold_tax_amount, 0)
        end as decimal(18, 4)
    ) as shipping_tax_added_amount
from sides
left join headers on sides.source_system = headers.source_system and sides.order_id = headers.order_id
