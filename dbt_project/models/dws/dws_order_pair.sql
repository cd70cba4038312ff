with headers as (
    select * from {{ ref('dwd_order') }}
),

sale_lines as (
    select * from {{ ref('dwd_order_line') }}
    where line_type = 'sale'
),

first_lines as (
    select * from {{ ref('dwd_order_line_first') }}
),

products as (
    select * from {{ ref('dim_product') }}
),

left_out as (
    select
        source_system,
        order_id
    from {{ ref('dwd_unsettled') }}
    where not is_held
    group by source_system, order_id
),

oneid_map as (
    select * from {{ source('oneid', 'oneid_map') }}
    where valid_to is null
),

-- An order that was edited is compared as it stands, and as it was first delivered: the other system may have it so.
compared_lines as (
    {%- for lines, is_first in [('sale_lines', 'false'), ('first_lines', 'true')] %}
    select
        source_system,
        order_id,
        {{ is_first }} as is_first,
        product_id,
        quantity,
        net_amount,
        currency,
        channel,
        business_date,
        sold_at,
        identity_key,
        is_test,
        parent_line_id,
        {{ 'order_total_amount' if loop.last else 'null' }} as order_total_amount
    from {{ lines }}
    {%- if not loop.last %}
    union all
    {%- endif %}
    {%- endfor %}
),

-- What stands in each order, by the retailer's own keys of the goods.
goods as (
    select
        compared_lines.source_system,
        compared_lines.order_id,
        compared_lines.is_first,
        max(compared_lines.order_total_amount) as order_total_amount,
        coalesce(products.product_key, compared_lines.product_id) as product_key,
        sum(compared_lines.quantity) as quantity,
        sum(compared_lines.net_amount) as net_amount,
        min(compared_lines.currency) as currency,
        max(compared_lines.currency) as last_currency,
        min(compared_lines.channel) as channel,
        min(compared_lines.business_date) as business_date,
        min(compared_lines.sold_at) as sold_at,
        max(compared_lines.identity_key) as identity_key,
        bool_or(compared_lines.is_test) as is_test
    from compared_lines
    left join products
        on compared_lines.source_system = products.source_system and compared_lines.product_id = products.product_id
    where compared_lines.parent_line_id is null
    group by
        compared_lines.source_system, compared_lines.order_id, compared_lines.is_first,
        coalesce(products.product_key, compared_lines.product_id)
),

baskets as (
    select
        source_system,
        order_id,
        is_first,
        max(order_total_amount) as order_total_amount,
        {{ listed("concat(product_key, ' x ', cast(quantity as decimal(18, 4)))") }} as items,
        bool_or(product_key is null) as has_unnamed,
        sum(net_amount) as net_amount,
        min(currency) as currency,
        max(last_currency) as last_currency,
        min(channel) as channel,
        min(business_date) as business_date,
        min(sold_at) as sold_at,
        max(identity_key) as identity_key,
        bool_or(is_test) as is_test
    from goods
    group by source_system, order_id, is_first
),

documents as (
    select distinct
        baskets.source_system,
        baskets.order_id,
        baskets.items,
        coalesce(headers.channel, baskets.channel) as channel,
        coalesce(headers.currency, baskets.currency) as currency,
        cast(
            coalesce(baskets.order_total_amount, headers.total_amount, baskets.net_amount) as decimal(18, 4)
        ) as total_amount,
        coalesce(headers.business_date, baskets.business_date) as business_date,
        coalesce(headers.ordered_at, baskets.sold_at) as ordered_at,
        coalesce(headers.identity_key, baskets.identity_key) as identity_key,
        headers.fulfilment_method
    from baskets
    left join headers on baskets.source_system = headers.source_system and baskets.order_id = headers.order_id
    left join left_out on baskets.source_system = left_out.source_system and baskets.order_id = left_out.order_id
    where
        left_out.order_id is null
        and not baskets.has_unnamed
        and not baskets.is_test
        and not coalesce(headers.is_test, false)
        and baskets.currency = baskets.last_currency
        and coalesce(baskets.order_total_amount, headers.total_amount, baskets.net_amount) > 0
),

orders as (
    select
        documents.*,
        oneid_map.oneid,
        {{ time_bucket('documents.ordered_at', var('order_match_minutes')) }} as bucket
    from documents
    left join oneid_map on documents.identity_key = oneid_map.identity_key
),

near as (
    select
        *,
        bucket - 1 as near_bucket
    from orders
    union all
    select
        *,
        bucket as near_bucket
    from orders
    union all
    select
        *,
        bucket + 1 as near_bucket
    from orders
),

-- Orders of two systems with one total and one basket, at one time: within the minutes where both moments are known,
-- else on one day.
paired as (
    select
        orders.source_system as first_system,
        orders.order_id as first_id,
        near.source_system as second_system,
        near.order_id as second_id,
        orders.channel as first_channel,
        near.channel as second_channel,
        orders.currency,
        orders.total_amount,
        orders.items,
        orders.oneid as first_oneid,
        near.oneid as second_oneid,
        orders.identity_key as first_identity_key,
        near.identity_key as second_identity_key,
        orders.fulfilment_method as first_fulfilment,
        near.fulfilment_method as second_fulfilment,
        {{ seconds_between('orders.ordered_at', 'near.ordered_at') }} as seconds_apart
    from orders
    inner join near
        on
            orders.source_system < near.source_system
            and orders.currency = near.currency
            and orders.total_amount = near.total_amount
            and orders.items = near.items
            and orders.bucket = near.near_bucket
    union all
    select
        orders.source_system as first_system,
        orders.order_id as first_id,
        others.source_system as second_system,
        others.order_id as second_id,
        orders.channel as first_channel,
        others.channel as second_channel,
        orders.currency,
        orders.total_amount,
        orders.items,
        orders.oneid as first_oneid,
        others.oneid as second_oneid,
        orders.identity_key as first_identity_key,
        others.identity_key as second_identity_key,
        orders.fulfilment_method as first_fulfilment,
        others.fulfilment_method as second_fulfilment,
        null as seconds_apart
    from orders
    inner join orders as others
        on
            orders.source_system < others.source_system
            and orders.currency = others.currency
            and orders.total_amount = others.total_amount
            and orders.items = others.items
            and orders.business_date = others.business_date
    where orders.ordered_at is null or others.ordered_at is null
),

weighed as (
    select
        *,
        case
            when first_oneid = second_oneid then 'same'
            when first_oneid is not null and second_oneid is not null then 'different'
            when first_identity_key = second_identity_key then 'identifier'
            else 'unknown'
        end as person,
        -- Goods that left a store with their buyer were not sent.
        first_fulfilment = 'carry_out' and second_fulfilment in ('ship', 'ship_from_store')
        or second_fulfilment = 'carry_out' and first_fulfilment in ('ship', 'ship_from_store') as is_sent_and_carried
    from paired
    where
        coalesce(seconds_apart, 0) <= 60 * {{ var('order_match_minutes') }}
        and not (first_channel = 'store' and second_channel = 'store')
),

scored as (
    select
        *,
        cast(
            0.60
            + case person when 'same' then 0.30 when 'identifier' then 0.20 else 0 end
            + case when seconds_apart <= 60 then 0.10 when seconds_apart <= 600 then 0.04 else 0 end
            - case when is_sent_and_carried then 0.10 else 0 end as decimal(3, 2)
        ) as confidence
    from weighed
    where person <> 'different'
)

select
    first_system,
    first_id,
    second_system,
    second_id,
    first_channel,
    second_channel,
    currency,
    total_amount,
    items,
    person,
    seconds_apart,
    confidence
from scored
where confidence >= 0.70
qualify
    row_number() over (
        partition by first_system, first_id, second_system, second_id
        order by confidence desc, total_amount desc, items asc, currency asc, seconds_apart asc
    ) = 1
