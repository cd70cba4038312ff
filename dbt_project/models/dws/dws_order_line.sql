with placed as (
    select * from {{ ref('dws_order_line_placed') }}
),

headers as (
    select * from {{ ref('dwd_order') }}
),

-- The lines of a cancelled order, of a copy, and those that were taken off have their share of what the header says,
-- so that they come to its total.
told as (
    select
        *,
        exclusion is null
        or exclusion in ('cancelled order', 'order that another system has too', 'taken off its document')
            as is_of_total
    from placed
),

goods as (
    select
        told.*,
        coalesce(headers.discount_amount, headers.total_discount_amount) as header_discount_amount,
        headers.discount_amount is null as is_total_discount,
        headers.tax_amount as header_tax_amount,
        headers.shipping_tax_amount,
        coalesce(headers.shipping_amount, 0) as shipping_amount,
        headers.total_amount as header_total_amount,
        headers.order_id is not null as has_header,
        told.is_of_total and told.line_type in ('sale', 'adjustment', 'shipping') as is_taxed,
        told.is_of_total and told.line_type in ('sale', 'adjustment') as has_order_money
    from told
    left join headers on told.document_system = headers.source_system and told.document_id = headers.order_id
),

-- What the header and the lines of an order say of its discounts. Coupons are the lines that take money off.
said as (
    select
        document_system,
        document_id,
        max(header_discount_amount) as discount_amount,
        bool_and(is_total_discount) as is_total_discount,
        sum(case when line_type = 'adjustment' then 0 else line_discount_amount end) as lines_discount_amount,
        sum(case when line_type = 'adjustment' then line_discount_amount else 0 end) as coupons_amount,
        sum(case when line_type = 'sale' then greatest(net_amount, 0) else 0 end) as goods_amount,
        max(header_total_amount) - max(shipping_amount) - sum(net_amount)
        - max(case when is_tax_included then 0 else coalesce(header_tax_amount, 0) end) as unexplained_amount
    from goods
    where is_of_total and not is_return and header_discount_amount is not null
    group by document_system, document_id
),

-- The discount of a whole order that its lines do not have. Whether a total of all discounts contains the coupons, the
-- order's total tells; where that tells neither, it contains them if it is as large.
order_discount as (
    select
        document_system,
        document_id,
        least(
            goods_amount,
            case
                when not is_total_discount then discount_amount
                when abs(unexplained_amount + discount_amount - lines_discount_amount) <= 0.01
                    then discount_amount - lines_discount_amount
                when discount_amount - lines_discount_amount - coupons_amount >= 0
                    then discount_amount - lines_discount_amount - coupons_amount
                else discount_amount - lines_discount_amount
            end
        ) as amount
    from said
),

discounted as (
    select
        goods.document_system,
        goods.document_id,
        goods.line_id,
        goods.currency,
        order_discount.amount,
        greatest(goods.net_amount, 0) as weight
    from goods
    inner join order_discount
        on
            goods.document_system = order_discount.document_system
            and goods.document_id = order_discount.document_id
    where goods.has_order_money and goods.line_type = 'sale' and order_discount.amount > 0
),

discount_share as (
    {{ largest_remainder('discounted', ['document_system', 'document_id'], 'line_id') }}
),

-- The part of their price that an order's goods keep after coupons that stand as lines.
couponed as (
    select
        source_system,
        order_id,
        sum(net_amount) / nullif(sum(case when line_type = 'sale' then net_amount else 0 end), 0) as paid_part
    from goods
    where
        exclusion is null
        and (line_type = 'sale' or (line_type = 'adjustment' and net_amount < 0))
    group by source_system, order_id
),

-- What was paid for an order's goods, by product.
sold_items as (
    select
        goods.source_system,
        goods.order_id,
        goods.product_key,
        goods.currency,
        sum(goods.units - coalesce(goods.taken_units, 0)) as units,
        cast(
            sum(
                cast(goods.net_amount - coalesce(discount_share.share, 0) as decimal(19, 4))
                * (goods.units - coalesce(goods.taken_units, 0)) / goods.units
            )
            * couponed.paid_part as decimal(18, 4)
        ) as paid_amount,
        max((goods.net_amount - coalesce(discount_share.share, 0)) / goods.units) * couponed.paid_part as most_paid
    from goods
    inner join couponed on goods.source_system = couponed.source_system and goods.order_id = couponed.order_id
    left join discount_share
        on
            goods.document_system = discount_share.document_system
            and goods.document_id = discount_share.document_id
            and goods.line_id = discount_share.line_id
    where goods.line_type = 'sale' and goods.exclusion is null and goods.units > 0
    group by goods.source_system, goods.order_id, goods.product_key, goods.currency, couponed.paid_part
),

returned_items as (
    select
        goods.document_system,
        goods.document_id,
        goods.line_id,
        goods.source_system,
        goods.order_id,
        goods.product_key,
        goods.currency,
        goods.moved_at,
        goods.units,
        goods.net_amount,
        sold_items.units as sold_units,
        coalesce(sold_items.paid_amount, 0) as paid_amount,
        sold_items.most_paid,
        -sum(goods.units) over so_far as units_so_far,
        -sum(goods.net_amount) over so_far as amount_so_far
    from goods
    inner join sold_items
        on
            goods.source_system = sold_items.source_system
            and goods.order_id = sold_items.order_id
            and goods.product_key = sold_items.product_key
            and goods.currency = sold_items.currency
    where goods.is_return and goods.exclusion is null and not goods.has_header and goods.units < 0
    window so_far as (
        partition by goods.source_system, goods.order_id, goods.product_key, goods.currency
        order by goods.moved_at, goods.document_system, goods.document_id, goods.line_id
        rows between unbounded preceding and current row
    )
),

-- A document that tells what came back, not what was paid (it has no total), may price goods as before a discount:
-- they are worth what was paid for them.
judged as (
    select
        *,
        units_so_far <= sold_units
        and (net_amount / units > most_paid + 0.005 or amount_so_far > paid_amount + 0.005)
            as is_overpriced
    from returned_items
),

-- `paid_left` is what those before them, whose price holds, leave of what was paid for all.
overpriced as (
    select
        *,
        paid_amount + sum(case when is_overpriced then 0 else net_amount end) over (
            partition by source_system, order_id, product_key, currency
            order by moved_at, document_system, document_id, line_id
            rows between unbounded preceding and current row
        ) as paid_left
    from judged
    qualify is_overpriced
),

worth as (
    select
        *,
        greatest(
            net_amount,
            {{ share_of_running_total('units', 'sold_units', 'paid_amount',
                ['source_system', 'order_id', 'product_key', 'currency'],
                ['moved_at', 'document_system', 'document_id', 'line_id'], 'currency') }}
        ) as amount
    from overpriced
),

worth_so_far as (
    select
        *,
        sum(amount) over (
            partition by source_system, order_id, product_key, currency
            order by moved_at, document_system, document_id, line_id
            rows between unbounded preceding and current row
        ) as so_far
    from worth
),

discount_back as (
    select
        document_system,
        document_id,
        line_id,
        cast(net_amount - greatest(amount, -greatest(paid_left + so_far - amount, 0)) as decimal(18, 4)) as share
    from worth_so_far
),

priced as (
    select
        goods.*,
        coalesce(discount_share.share, discount_back.share, 0) as order_discount_amount,
        cast(
            goods.net_amount - coalesce(discount_share.share, discount_back.share, 0) as decimal(18, 4)
        ) as priced_amount
    from goods
    left join discount_share
        on
            goods.document_system = discount_share.document_system
            and goods.document_id = discount_share.document_id
            and goods.line_id = discount_share.line_id
    left join discount_back
        on
            goods.document_system = discount_back.document_system
            and goods.document_id = discount_back.document_id
            and goods.line_id = discount_back.line_id
),

-- The tax of a whole order that its lines do not have, by order. Shipping has its part of it, by amount, where the
-- source does not say which.
order_tax as (
    select
        document_system,
        document_id,
        max(currency) as currency,
        max(header_tax_amount) - coalesce(max(shipping_tax_amount), 0) - coalesce(sum(line_tax_amount), 0) as amount,
        case when max(shipping_tax_amount) is null then max(shipping_amount) end as shipping_weight
    from priced
    where is_taxed and header_tax_amount is not null
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
        priced.is_taxed and priced.line_type in ('sale', 'shipping') and priced.line_tax_amount is null
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
    where shipping_weight > 0
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

-- Of a line that units were taken off, what goes with those that are left.
parted as (
    select
        *,
        case
            when taken_units > 0
                then {{ part_of('given_units - taken_units', 'given_units', 'gross_amount', 'currency') }}
            else gross_amount
        end as left_gross_amount,
        case
            when taken_units > 0
                then {{ part_of('given_units - taken_units', 'given_units', 'line_discount_amount', 'currency') }}
            else line_discount_amount
        end as left_line_discount_amount,
        case
            when taken_units > 0
                then {{ part_of('given_units - taken_units', 'given_units', 'order_discount_amount', 'currency') }}
            else order_discount_amount
        end as left_order_discount_amount,
        case
            when taken_units > 0
                then {{ part_of('given_units - taken_units', 'given_units', 'own_tax_amount', 'currency') }}
            else own_tax_amount
        end as left_tax_amount
    from sold
),

kept as (
    select
        *,
        case
            when taken_units > 0
                then
                    cast(
                        left_gross_amount - left_line_discount_amount - left_order_discount_amount as decimal(18, 4)
                    )
            else priced_amount
        end as left_amount
    from parted
),

-- Returns that name their tax: of the order's, the others have their share of what is left.
named_returns as (
    select
        source_system,
        order_id,
        currency,
        -sum(left_amount) as amount,
        -sum(line_tax_amount) as tax_amount
    from kept
    where is_return and exclusion is null and line_tax_amount is not null
    group by source_system, order_id, currency
),

-- What an order's goods came to, and their tax: what is given back without a tax of its own has its share of it.
order_money as (
    select
        source_system,
        order_id,
        min(currency) as currency,
        sum(left_amount) as priced_amount,
        case when count(*) = count(left_tax_amount) then sum(left_tax_amount) end as tax_amount,
        case when count(*) = count(is_tax_included) then bool_and(is_tax_included) end as is_tax_included
    from kept
    where has_order_money and not is_return and exclusion is distinct from 'taken off its document'
    group by source_system, order_id
),

taxed_money as (
    select
        order_money.*,
        order_money.priced_amount - coalesce(named_returns.amount, 0) as unnamed_amount,
        case
            when order_money.tax_amount is not null
                then greatest(order_money.tax_amount - coalesce(named_returns.tax_amount, 0), 0)
        end as unnamed_tax_amount
    from order_money
    left join named_returns
        on
            order_money.source_system = named_returns.source_system
            and order_money.order_id = named_returns.order_id
            and order_money.currency = named_returns.currency
),

given_back as (
    select
        kept.document_system,
        kept.document_id,
        kept.line_id,
        {{ share_of_running_total('kept.left_amount', 'taxed_money.unnamed_amount', 'taxed_money.unnamed_tax_amount',
            ['kept.source_system', 'kept.order_id', 'kept.currency'],
            ['kept.moved_at', 'kept.document_system', 'kept.document_id', 'kept.line_id'], 'kept.currency',
            most='case when kept.currency = taxed_money.currency then taxed_money.unnamed_amount end') }}
            as tax_amount,
        taxed_money.is_tax_included
    from kept
    inner join taxed_money on kept.source_system = taxed_money.source_system and kept.order_id = taxed_money.order_id
    where kept.is_return and kept.exclusion is null and kept.left_tax_amount is null
),

whole as (
    select
        kept.*,
        coalesce(kept.left_tax_amount, given_back.tax_amount) as tax_amount,
        coalesce(given_back.is_tax_included, kept.is_tax_included) as is_included
    from kept
    left join given_back
        on
            kept.document_system = given_back.document_system
            and kept.document_id = given_back.document_id
            and kept.line_id = given_back.line_id
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
    is_counted,
    exclusion,
    channel,
    business_date,
    moved_at,
    identity_key,
    node_id,
    product_id,
    product_key,
    currency,
    cast(case when units > 0 then units - coalesce(taken_units, 0) else units end as decimal(18, 4)) as units,
    cast(left_gross_amount as decimal(18, 4)) as gross_amount,
    cast(left_line_discount_amount as decimal(18, 4)) as line_discount_amount,
    cast(left_order_discount_amount as decimal(18, 4)) as order_discount_amount,
    left_amount as net_amount,
    cast(tax_amount as decimal(18, 4)) as tax_amount,
    line_tax_amount is not null as has_own_tax,
    is_included as is_tax_included,
    tax_amount is not null and is_included is not null as is_tax_known,
    cast(case when is_included then coalesce(tax_amount, 0) else 0 end as decimal(18, 4)) as tax_included_amount,
    cast(
        priced_amount - case when exclusion = 'taken off its document' then 0 else left_amount end as decimal(18, 4)
    ) as taken_amount,
    cast(
        coalesce(own_tax_amount, 0)
        - case when exclusion = 'taken off its document' then 0 else coalesce(left_tax_amount, 0) end
        as decimal(18, 4)
    ) as taken_tax_amount
from whole
