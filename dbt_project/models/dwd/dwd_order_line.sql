{% set key = ['source_system', 'order_id', 'line_id'] %}
{{ config(unique_key=key) }}

with delivered as (
    select * from {{ ref('ods_order_line') }}
    {{ pending_only() }}
)

select
    delivered.source_system,
    delivered.order_id,
    delivered.line_id,
    lower(delivered.line_type) as line_type,
    delivered.original_order_id,
    delivered.identity_key,
    lower(delivered.channel) as channel,
    delivered.node_id,
    delivered.product_id,
    delivered.product_name,
    delivered.quantity,
    delivered.unit_price,
    -- The source's own amount of the line wins over quantity x price.
    cast(
        coalesce(
            delivered.line_amount + coalesce(delivered.discount_amount, 0),
            cast(delivered.quantity * delivered.unit_price as decimal(18, 4))
        ) as decimal(18, 4)
    ) as gross_amount,
    coalesce(delivered.discount_amount, 0) as discount_amount,
    cast(
        coalesce(
            delivered.line_amount,
            cast(delivered.quantity * delivered.unit_price as decimal(18, 4)) - coalesce(delivered.discount_amount, 0)
        ) as decimal(18, 4)
    ) as net_amount,
    cast(
        delivered.line_amount
        - (cast(delivered.quantity * delivered.unit_price as decimal(18, 4)) - coalesce(delivered.discount_amount, 0))
        as decimal(18, 4)
    ) as line_amount_difference,
    delivered.tax_amount,
    upper(delivered.currency) as currency,
    coalesce(delivered.is_test, false) as is_test,
    delivered.return_reason,
    delivered.country,
    delivered.business_date,
    delivered.sold_at,
    delivered.updated_at,
    delivered._feed,
    delivered._file,
    delivered._row,
    delivered.ds
from delivered
{{ latest_version('delivered', key, version='updated_at') }}
