with placed as (
    select * from {{ ref('dws_refund_placed') }}
),

-- Of what is paid back beyond a refund's lines, their tax comes first where it was added on top. A refund that does not
-- name its lines' tax has their part of the order's, unless less than that was paid: then the rest is all tax. One that
-- pays less than its lines say (`amount` is negative) keeps goods' money and their tax in proportion.
parted as (
    select
        *,
        case
            when not is_rest or is_tax_included or sold_amount is null or sold_amount <= 0 then 0
            when given_back_by is not null then 0
            when refund_lines_tax_amount is not null or amount < coalesce(shipping_amount, 0)
                then
                    coalesce(
                        refund_lines_tax_amount,
                        {{ part_of('refund_lines_amount', 'sold_amount', 'coalesce(sold_tax_amount, 0)', 'currency') }}
                    )
            else
                least(
                    amount - coalesce(shipping_amount, 0),
                    {{ part_of('refund_lines_amount', 'sold_amount', 'coalesce(sold_tax_amount, 0)', 'currency') }}
                )
        end as tax_of_goods_lines
    from placed
),

-- Postage that no adjustment names is told by its amount, with or without the tax on top of it, once an order.
told_by_amount as (
    select
        *,
        case
            when not is_rest or shipping_amount is not null or shipping_charged_amount <= 0 then null
            when amount - tax_of_goods_lines = shipping_charged_amount + shipping_tax_added_amount
                then shipping_tax_added_amount
            when amount - tax_of_goods_lines = shipping_charged_amount then 0
            -- All that the order came to: its goods or its gift cards, its postage, and the tax on top of both.
            when
                refund_lines_amount = 0
                and amount
                = coalesce(sold_amount + case when is_tax_included then 0 else coalesce(sold_tax_amount, 0) end, 0)
                + coalesce(gift_cards_amount, 0) + shipping_charged_amount + shipping_tax_added_amount
                and (sold_amount is null or coalesce(gift_cards_amount, 0) = 0)
                then shipping_tax_added_amount
        end as shipping_tax_amount,
        sum(case when apart = 'shipping' then amount else coalesce(shipping_amount, 0) end) over (
            partition by source_system, order_id, exclusion
            order by refunded_at, refund_system, refund_id, line_id
            rows between unbounded preceding and current row
        ) as shipping_named_amount
    from parted
),

ordered as (
    select
        *,
        row_number() over (
            partition by source_system, order_id, exclusion, shipping_tax_amount is not null
            order by refunded_at, refund_system, refund_id, line_id
        ) as place
    from told_by_amount
),

postage as (
    select
        *,
        tax_of_goods_lines
        + case
            when is_rest and not is_tax_included and sold_amount > 0 then coalesce(tax_amount, 0) else 0
        end
        + case
            when shipping_tax_amount is not null and shipping_named_amount = 0 and place = 1 then shipping_tax_amount
            else 0
        end as tax_of_lines,
        case
            when apart = 'shipping' then amount - returned_elsewhere_amount
            when shipping_amount is not null then shipping_amount
            when shipping_tax_amount is not null and shipping_named_amount = 0 and place = 1
                then shipping_charged_amount
            else 0
        end as shipping_refunded_amount
    from ordered
),

-- What is paid back without a line of goods contains the tax that was added on top of them.
goods as (
    select
        *,
        case
            when apart is null then amount - tax_of_lines - shipping_refunded_amount - returned_elsewhere_amount
            else 0
        end as paid_amount,
        case
            when apart is not null then amount - shipping_refunded_amount - returned_elsewhere_amount
            else 0
        end as not_goods_amount,
        case
            when apart is not null then 0
            when is_rest and not is_tax_included and sold_amount > 0
                then
                    {{ part_of('amount - tax_of_lines - shipping_refunded_amount - returned_elsewhere_amount',
                        'sold_amount + coalesce(sold_tax_amount, 0)', 'sold_amount', 'currency') }}
            else amount - tax_of_lines - shipping_refunded_amount - returned_elsewhere_amount
        end as net_amount
    from postage
),

taxed as (
    select
        *,
        case
            when apart is not null then 0
            when tax_amount is not null and not is_rest and returned_elsewhere_amount = 0 then -tax_amount
            when paid_amount <> net_amount then -(paid_amount - net_amount)
            else
                {{ share_of_running_total('-net_amount', 'sold_amount', 'sold_tax_amount',
                    ['source_system', 'order_id', 'currency', 'exclusion'],
                    ['refunded_at', 'refund_system', 'refund_id', 'line_id'], 'currency', before='returned_amount',
                    most='case when is_in_its_currency then sold_amount end') }}
        end as given_tax_amount
    from goods
)

select
    refund_system,
    refund_id,
    line_id,
    source_system,
    order_id,
    coalesce(restock_type = 'return', false) and units > 0 and apart is null as is_return,
    exclusion is null as is_counted,
    exclusion,
    channel,
    business_date,
    refunded_at as moved_at,
    identity_key,
    node_id,
    product_id,
    currency,
    cast(case when restock_type = 'return' and apart is null then -units else 0 end as decimal(18, 4)) as units,
    amount,
    cast(returned_elsewhere_amount as decimal(18, 4)) as returned_elsewhere_amount,
    cast(
        case
            when exclusion = 'refund of what was removed from its order' then amount
            when given_back_by = 'edit' then returned_elsewhere_amount
            else 0
        end as decimal(18, 4)
    ) as edited_amount,
    cast(shipping_refunded_amount as decimal(18, 4)) as shipping_refunded_amount,
    cast(not_goods_amount as decimal(18, 4)) as not_goods_amount,
    cast(case when apart = 'gift_card' then -not_goods_amount else 0 end as decimal(18, 4)) as gift_card_amount,
    cast(tax_of_lines as decimal(18, 4)) as tax_of_lines,
    cast(paid_amount - net_amount as decimal(18, 4)) as tax_of_added,
    cast(-net_amount as decimal(18, 4)) as net_amount,
    cast(given_tax_amount as decimal(18, 4)) as tax_amount,
    given_tax_amount is not null and is_tax_included is not null as is_tax_known,
    cast(case when is_tax_included then coalesce(given_tax_amount, 0) else 0 end as decimal(18, 4))
        as tax_included_amount
from taxed
