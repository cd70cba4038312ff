with refund_lines as (
    select * from {{ ref('dws_refund_goods') }}
),

sold as (
    select * from {{ ref('dws_order_sold') }}
),

whole_refunds as (
    select
        refund_lines.refund_system,
        refund_lines.refund_id,
        refund_lines.document_system,
        refund_lines.document_id,
        refund_lines.source_system,
        refund_lines.order_id,
        min(refund_lines.currency) as currency,
        min(refund_lines.refunded_at) as refunded_at,
        sum(refund_lines.amount) as amount,
        sum(case when refund_lines.is_rest then refund_lines.amount else 0 end) as rest_amount,
        -- What the source says is postage, with the tax on top of it.
        sum(
            case
                when refund_lines.is_rest
                    then
                        coalesce(refund_lines.shipping_amount, 0)
                        + case when sold.is_tax_included then 0 else coalesce(refund_lines.tax_amount, 0) end
                else 0
            end
        ) as postage_amount,
        -- The tax on top of its lines, which comes first of what is paid beyond them; empty where it is not named.
        case
            when bool_and(refund_lines.is_rest or refund_lines.is_of_removed) or bool_and(sold.is_tax_included) then 0
            when
                count(*) filter (where not refund_lines.is_rest and not refund_lines.is_of_removed)
                = count(refund_lines.tax_amount) filter (
                    where not refund_lines.is_rest and not refund_lines.is_of_removed
                )
                then
                    sum(refund_lines.tax_amount) filter (
                        where not refund_lines.is_rest and not refund_lines.is_of_removed
                    )
        end as lines_tax_amount,
        case
            when count(refund_lines.shipping_amount) filter (where refund_lines.is_rest) = 0
                then
                    nullif(max(refund_lines.shipping_charged_amount), 0)
                    + coalesce(max(sold.shipping_tax_added_amount), 0)
        end as order_postage_amount,
        bool_and(refund_lines.is_rest) as is_money_alone,
        bool_or(refund_lines.is_copy_less) as is_copy_less,
        max(refund_lines.more_amount) as more_amount,
        bool_or(coalesce(refund_lines.restock_type = 'return', false)) as has_goods_back,
        bool_and(refund_lines.is_rest or refund_lines.is_of_removed) as is_of_removed,
        bool_or(refund_lines.is_paid) as is_paid,
        bool_and(refund_lines.is_without_payment) as is_without_payment
    from refund_lines
    left join sold on refund_lines.source_system = sold.source_system and refund_lines.order_id = sold.order_id
    group by
        refund_lines.refund_system, refund_lines.refund_id, refund_lines.document_system, refund_lines.document_id,
        refund_lines.source_system, refund_lines.order_id
)

select
    refund_system,
    refund_id,
    document_system,
    document_id,
    source_system,
    order_id,
    currency,
    refunded_at,
    cast(amount as decimal(18, 4)) as amount,
    cast(rest_amount as decimal(18, 4)) as rest_amount,
    cast(postage_amount as decimal(18, 4)) as postage_amount,
    cast(coalesce(lines_tax_amount, 0) as decimal(18, 4)) as lines_tax_amount,
    cast(rest_amount - postage_amount - lines_tax_amount as decimal(18, 4)) as goods_amount,
    cast(order_postage_amount as decimal(18, 4)) as order_postage_amount,
    is_money_alone,
    coalesce(is_paid and rest_amount - postage_amount - lines_tax_amount > 0, false) as is_money_for_goods,
    is_copy_less,
    more_amount,
    has_goods_back,
    is_of_removed,
    is_paid,
    is_without_payment
from whole_refunds
