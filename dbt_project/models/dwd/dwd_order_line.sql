{% set key = ['source_system', 'order_id', 'line_id'] %}
{{ config(unique_key=key) }}

with delivered as (
    select * from {{ ref('ods_order_line') }}
    {{ pending_only() }}
),

latest as (
    {{ latest_version('order_line', key, version='updated_at') }}
)

select
    latest.source_system,
    latest.order_id,
    latest.line_id,
    lower(latest.line_type) as line_type,
    latest.original_order_id,
    latest.identity_key,
    lower(latest.channel) as channel,
    latest.node_id,
    latest.product_id,
    latest.product_name,
    latest.quantity,
    latest.current_quantity,
    latest.unit_price,
    -- The source's own amount of the line wins over quantity x price.
    cast(
        coalesce(
            latest.line_amount + coalesce(latest.discount_amount, 0),
            {{ priced('latest.quantity', 'latest.unit_price') }}
        ) as decimal(18, 4)
    ) as gross_amount,
    coalesce(latest.discount_amount, 0) as discount_amount,
    cast(
        coalesce(
            latest.line_amount,
            {{ priced('latest.quantity', 'latest.unit_price') }} - coalesce(latest.discount_amount, 0)
        ) as decimal(18, 4)
    ) as net_amount,
    cast(
        latest.line_amount
        - ({{ priced('latest.quantity', 'latest.unit_price') }} - coalesce(latest.discount_amount, 0))
        as decimal(18, 4)
    ) as line_amount_difference,
    latest.tax_amount,
    latest.is_tax_included,
    upper(latest.currency) as currency,
    latest.parent_line_id,
    coalesce(latest.is_test, false) as is_test,
    latest.return_reason,
    latest.country,
    latest.business_date,
    latest.sold_at,
    latest.updated_at,
    latest._feed,
    latest._file,
    latest._edition,
    latest._row,
    latest.ds,
    latest._tied,
    latest._feeds
from latest
