with placed as (
    select * from {{ ref('dws_refund_placed') }}
),

refunds as (
    select * from {{ ref('dwd_refund') }}
),

order_lines as (
    select * from {{ ref('dws_order_line') }}
),

-- A refund of a line whose tax the source names has its part of that.
lined as (
    select
        placed.*,
        refunds.order_system as line_system,
        refunds.order_id as line_order,
        refunds.order_line_id,
        order_lines.net_amount as line_amount,
        order_lines.tax_amount as line_tax_amount
    from placed
    left join refunds
        on
            placed.refund_system = refunds.source_system
            and placed.refund_id = refunds.refund_id
            and placed.line_id = refunds.line_id
            and not placed.is_rest
            and placed.is_in_its_currency
    left join order_lines
        on
            refunds.order_system = order_lines.document_system
            and refunds.order_id = order_lines.document_id
            and refunds.order_line_id = order_lines.line_id
            and order_lines.has_own_tax
            and order_lines.is_counted
            and not order_lines.is_return
            and order_lines.net_amount > 0
),

taxes_of_lines as (
    select
        refund_system,
        refund_id,
        sum(
            coalesce(tax_amount, {{ part_of('amount', 'line_amount', 'line_tax_amount', 'currency') }})
        ) as amount
    from lined
    where not is_rest
    group by refund_system, refund_id
    having count(*) = count(coalesce(tax_amount, line_tax_amount))
),

told as (
    select
        lined.*,
        sum(lined.amount) over (
            partition by lined.source_system, lined.order_id, lined.exclusion
            order by lined.refunded_at, lined.refund_system, lined.refund_id, lined.is_rest, lined.line_id
            rows between unbounded preceding and current row
        ) as paid_so_far,
        coalesce(
            taxes_of_lines.amount,
            case
                when lined.sold_amount > 0
                    then
                        {{ part_of('lined.refund_lines_amount', 'lined.sold_amount',
                            'coalesce(lined.sold_tax_amount, case when lined.is_tax_included then null else 0 end)',
                            'lined.currency') }}
            end
        ) as refund_lines_share,
        taxes_of_lines.amount is not null as is_of_own_tax
    from lined
    left join taxes_of_lines
        on lined.refund_system = taxes_of_lines.refund_system and lined.refund_id = taxes_of_lines.refund_id
),

-- Of what is paid back beyond a refund's lines, their tax comes first where it was added on top. A refund that does not
-- name its lines' tax has that of the order's lines, or their part of the order's, unless less than that was paid: then
-- the rest is all tax. One that pays less than its lines say (`amount` is negative) keeps goods' money and their tax in
-- proportion.
parted as (
    select
        *,
        case
            when not is_rest or is_tax_included or sold_amount is null or sold_amount <= 0 then 0
            when given_back_by is not null and refund_lines_amount = 0 then 0
            -- Just what the lines say, or nothing: nothing of their tax is kept.
            when amount = 0 then 0
            when refund_lines_tax_amount is not null or amount < coalesce(shipping_amount, 0) or is_of_own_tax
                then coalesce(refund_lines_tax_amount, refund_lines_share)
            else least(amount - coalesce(shipping_amount, 0), refund_lines_share)
        end as tax_of_goods_lines
    from told
),

-- Postage that no adjustment names is told by its amount, with or without the tax on top of it, once an order.
told_by_amount as (
    select
        *,
        case
            when not is_rest or shipping_amount is not null or shipping_charged_amount <= 0 then null
            when
                amount - returned_elsewhere_amount - tax_of_goods_lines
                = shipping_charged_amount + shipping_tax_added_amount
                then shipping_tax_added_amount
            when amount - returned_elsewhere_amount - tax_of_goods_lines = shipping_charged_amount then 0
            -- All that the order came to: its goods or its gift cards, its postage, and the tax on top of both.
            when
                paid_so_far
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

other_than_postage as (
    select
        *,
        coalesce(refund_lines_tax_amount, refund_lines_share) as refund_lines_tax,
        amount - tax_of_lines - shipping_refunded_amount - returned_elsewhere_amount as other_amount
    from postage
),

-- What is paid less than the lines of a refund say has the part of their tax that goes with it.
kept as (
    select
        *,
        is_rest and apart is null and refund_lines_amount > 0 and given_back_by is null and other_amount < 0
        and refund_lines_tax is not null as is_kept
    from other_than_postage
),

-- What is paid back without a line of goods contains the tax that was added on top of them.
goods as (
    select
        *,
        case when apart is null then other_amount else 0 end as paid_amount,
        case when apart is not null then other_amount else 0 end as not_goods_amount,
        case
            when apart is not null then 0
            when is_kept and not is_tax_included
                then
                    {{ part_of('other_amount', 'refund_lines_amount + refund_lines_tax', 'refund_lines_amount',
                        'currency') }}
            when is_rest and not is_tax_included and sold_amount > 0
                then
                    {{ part_of('other_amount', 'sold_amount + coalesce(sold_tax_amount, 0)', 'sold_amount',
                        'currency') }}
            else other_amount
        end as net_amount
    from kept
),

based as (
    select
        *,
        case
            when apart is not null then 'none'
            when tax_amount is not null and not is_rest and returned_elsewhere_amount = 0 then 'named'
            when paid_amount <> net_amount then 'added'
            when is_kept and is_tax_included then 'kept'
            when line_tax_amount is not null then 'line'
            else 'order'
        end as tax_basis
    from goods
),

of_lines as (
    select
        *,
        case
            when tax_basis = 'named' then -tax_amount
            when tax_basis = 'kept'
                then -{{ part_of('net_amount', 'refund_lines_amount', 'refund_lines_tax', 'currency') }}
            when tax_basis = 'line'
                then
                    {{ share_of_running_total('-net_amount', 'line_amount', 'line_tax_amount',
                        ['line_system', 'line_order', 'order_line_id', 'exclusion', 'tax_basis'],
                        ['refunded_at', 'refund_system', 'refund_id', 'line_id'], 'currency') }}
        end as own_tax_amount
    from based
),

returned_tax as (
    select
        source_system,
        order_id,
        currency,
        -sum(tax_amount) as tax_amount
    from order_lines
    where is_return and is_counted
    group by source_system, order_id, currency
),

named_money as (
    select
        of_lines.*,
        coalesce(returned_tax.tax_amount, 0) as returned_tax_amount,
        sum(case when of_lines.tax_basis in ('named', 'line', 'kept') then of_lines.net_amount else 0 end)
            over of_order as named_amount,
        coalesce(-sum(of_lines.own_tax_amount) over of_order, 0) as named_tax_amount
    from of_lines
    left join returned_tax
        on
            of_lines.source_system = returned_tax.source_system
            and of_lines.order_id = returned_tax.order_id
            and of_lines.currency = returned_tax.currency
    window of_order as (
        partition by of_lines.source_system, of_lines.order_id, of_lines.currency, of_lines.exclusion
    )
),

named as (
    select
        *,
        named_amount <> 0 or named_tax_amount <> 0 as has_named
    from named_money
),

-- Where others name their tax, what is left of the order and of its tax is that of those that name none.
left_over as (
    select
        *,
        case when tax_basis in ('named', 'line', 'kept') then 0 else -net_amount end as unnamed_amount,
        case
            when has_named and sold_amount is not null
                then greatest(sold_amount - returned_amount - named_amount, 0)
            else sold_amount
        end as left_amount,
        case
            when has_named and sold_tax_amount is not null
                then greatest(sold_tax_amount - returned_tax_amount - named_tax_amount, 0)
            else sold_tax_amount
        end as left_tax_amount,
        case when has_named then 0 else returned_amount end as amount_before
    from named
),

shared as (
    select
        *,
        {{ share_of_running_total('unnamed_amount', 'left_amount', 'left_tax_amount',
            ['source_system', 'order_id', 'currency', 'exclusion'],
            ['refunded_at', 'refund_system', 'refund_id', 'line_id'], 'currency', before='amount_before',
            most='case when is_in_its_currency then left_amount end') }} as share_amount
    from left_over
),

taxed as (
    select
        *,
        case
            when tax_basis = 'none' then 0
            when tax_basis in ('named', 'line', 'kept') then own_tax_amount
            when tax_basis = 'added' then -(paid_amount - net_amount)
            when has_named and left_amount = 0 and sold_tax_amount is not null and is_in_its_currency then 0
            else share_amount
        end as given_tax_amount
    from shared
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
    is_rest,
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
