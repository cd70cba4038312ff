-- The movements that count, with base amounts recomputed from their own currency and rounded once per movement, as in
-- the model.
with movements as (
    select * from dws.dws_order_movement
    where is_counted
),

rates as (
    select * from dim.dim_exchange_rate
    where reporting_currency = '{{ reporting_currency() }}'
),

rated as (
    select
        movements.*,
        case
            when movements.currency = '{{ reporting_currency() }}' then cast(1 as decimal(18, 8))
            else rates.rate
        end as rate
    from movements
    asof left join rates on movements.currency = rates.currency and movements.business_date >= rates.valid_from
)

select
    is_return,
    is_refund,
    not is_return and not is_refund as is_sale,
    business_date,
    line_count,
    cast(cast(gross_amount as decimal(20, 4)) * rate as decimal(18, 4)) as gross,
    cast(cast(discount_amount as decimal(20, 4)) * rate as decimal(18, 4)) as discount,
    cast(cast(tax_amount as decimal(20, 4)) * rate as decimal(18, 4)) as tax,
    cast(cast(tax_included_amount as decimal(20, 4)) * rate as decimal(18, 4)) as tax_included,
    cast(cast(shipping_amount as decimal(20, 4)) * rate as decimal(18, 4)) as shipping,
    cast(cast(gift_card_amount as decimal(20, 4)) * rate as decimal(18, 4)) as gift_card
from rated
