{{ config(materialized='table') }}

with delivered as (
    select * from {{ ref('ods_order_line') }}
),

delivered_headers as (
    select * from {{ ref('ods_sales_order') }}
),

-- Only orders of which a newer version came: of others their first version is the one that stands.
edited as (
    select
        source_system,
        order_id,
        min(updated_at) as first_at
    from delivered
    where line_type = 'sale'
    group by source_system, order_id
    having min(updated_at) < max(updated_at)
),

first_headers as (
    select
        delivered_headers.source_system,
        delivered_headers.order_id,
        delivered_headers.total_amount
    from delivered_headers
    inner join edited
        on delivered_headers.source_system = edited.source_system and delivered_headers.order_id = edited.order_id
    qualify
        row_number() over (
            partition by delivered_headers.source_system, delivered_headers.order_id
            order by
                delivered_headers.updated_at asc nulls last, delivered_headers.ds desc, delivered_headers._feed desc,
                delivered_headers._file desc, delivered_headers._edition desc, delivered_headers._row desc
        ) = 1
),

first_lines as (
    select delivered.*
    from delivered
    inner join edited
        on
            delivered.source_system = edited.source_system
            and delivered.order_id = edited.order_id
            and delivered.updated_at = edited.first_at
    where delivered.line_type = 'sale'
    qualify
        row_number() over (
            partition by delivered.source_system, delivered.order_id, delivered.line_id
            order by
                delivered.ds desc, delivered._feed desc, delivered._file desc, delivered._edition desc,
                delivered._row desc
        ) = 1
)

select
    first_lines.source_system,
    first_lines.order_id,
    first_lines.line_id,
    first_lines.identity_key,
    lower(first_lines.channel) as channel,
    first_lines.product_id,
    first_lines.quantity,
    cast(
        coalesce(
            first_lines.line_amount,
            {{ priced('first_lines.quantity', 'first_lines.unit_price') }}
            - coalesce(first_lines.discount_amount, 0)
        ) as decimal(18, 4)
    ) as net_amount,
    upper(first_lines.currency) as currency,
    first_lines.parent_line_id,
    coalesce(first_lines.is_test, false) as is_test,
    first_lines.business_date,
    first_lines.sold_at,
    first_headers.total_amount as order_total_amount
from first_lines
left join first_headers
    on first_lines.source_system = first_headers.source_system and first_lines.order_id = first_headers.order_id
