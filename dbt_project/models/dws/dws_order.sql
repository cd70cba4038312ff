{%- set amounts = [
    'gross_amount_base', 'discount_amount_base', 'returned_amount_base', 'refunded_amount_base', 'net_amount_base',
    'net_revenue_base', 'tax_amount_base', 'shipping_amount_base', 'shipping_refunded_base', 'gift_card_amount_base',
] %}

with movements as (
    select * from {{ ref('dws_order_movement') }}
),

left_out as (
    select
        source_system,
        order_id
    from {{ ref('dwd_unsettled') }}
    where not is_held
    group by source_system, order_id
),

cancelled_elsewhere as (
    select * from {{ ref('dws_order_copy_cancelled') }}
),

delivered_headers as (
    select orders.*
    from {{ ref('dwd_order') }} as orders
    left join left_out on orders.source_system = left_out.source_system and orders.order_id = left_out.order_id
    left join cancelled_elsewhere
        on
            orders.source_system = cancelled_elsewhere.source_system
            and orders.order_id = cancelled_elsewhere.order_id
    where
        not orders.is_cancelled and not orders.is_test and left_out.order_id is null
        and cancelled_elsewhere.order_id is null
),

copies as (
    select * from {{ ref('dws_order_copy') }}
),

shipments as (
    select * from {{ ref('dwd_shipment') }}
),

unread_shipments as (
    select * from {{ ref('dwd_shipment_unread') }}
),

engagements as (
    select * from {{ ref('dwd_social_engagement') }}
),

web_events as (
    select * from {{ ref('dwd_web_event') }}
),

nodes as (
    select * from {{ ref('dim_node') }}
),

places as (
    select * from {{ ref('dws_node') }}
),

social_platform as (
    select * from {{ ref('social_platform') }}
),

oneid_map as (
    select * from {{ source('oneid', 'oneid_map') }}
    where valid_to is null
),

as_of as (
    select * from {{ ref('dws_as_of') }}
    where entity = 'shipment'
),

social_tags as (
    select utm_source from social_platform
    union distinct
    select platform as utm_source from engagements
),

-- An order that another system has too counts there.
headers as (
    select delivered_headers.*
    from delivered_headers
    left join copies
        on
            delivered_headers.source_system = copies.document_system
            and delivered_headers.order_id = copies.document_id
    where copies.document_id is null
),

-- Who the order's copy in another system is known to be of.
named_by_copies as (
    select
        copies.source_system,
        copies.order_id,
        max(delivered_headers.identity_key) as identity_key
    from copies
    inner join delivered_headers
        on
            copies.document_system = delivered_headers.source_system
            and copies.document_id = delivered_headers.order_id
    group by copies.source_system, copies.order_id
),

marked as (
    select
        movements.*,
        not movements.is_return and not movements.is_refund as is_sale,
        not movements.is_refund
        and movements.source_system = movements.document_system
        and movements.order_id = movements.document_id as is_own
    from movements
),

-- Per order, what its own document says and what other documents gave back on it. Where no header tells channel, day
-- and person, the sale's lines do, and on a return that stands for itself its own.
moved as (
    select
        source_system,
        order_id,
        coalesce(min(channel) filter (where is_sale), min(channel)) as channel,
        coalesce(min(business_date) filter (where is_sale), min(business_date)) as business_date,
        coalesce(min(moved_at) filter (where is_sale), min(moved_at)) as moved_at,
        coalesce(
            max(identity_key) filter (where is_own and is_sale), max(identity_key) filter (where is_own)
        ) as identity_key,
        coalesce(min(node_id) filter (where is_own and is_sale), min(node_id) filter (where is_own)) as node_id,
        count(*) filter (where is_own and line_count > 0) as own_count,
        count(*) filter (where is_counted) as counted_count,
        coalesce(sum(line_count) filter (where is_counted), 0) as line_count,
        coalesce(sum(sale_line_count) filter (where is_counted), 0) as sale_line_count,
        coalesce(sum(line_count) filter (where is_counted and is_return), 0) as return_line_count,
        coalesce(sum(units) filter (where is_counted and is_sale), 0) as units,
        -coalesce(sum(units) filter (where is_counted and is_return), 0) as returned_units,
        {{ sum_money('gross_amount_base', 'is_counted and is_sale') }} as gross_amount_base,
        {{ sum_money('discount_amount_base', 'is_counted and is_sale') }} as discount_amount_base,
        -{{ sum_money('net_amount_base', 'is_counted and is_return') }} as returned_amount_base,
        -{{ sum_money('net_amount_base', 'is_counted and is_refund and not is_return') }} as refunded_amount_base,
        {{ sum_money('net_amount_base', 'is_counted') }} as net_amount_base,
        {{ sum_money('net_revenue_base', 'is_counted') }} as net_revenue_base,
        {{ sum_money('tax_amount_base', 'is_counted') }} as tax_amount_base,
        {{ sum_money('shipping_amount_base', 'is_counted and not is_refund') }} as shipping_amount_base,
        -{{ sum_money('shipping_amount_base', 'is_counted and is_refund') }} as shipping_refunded_base,
        {{ sum_money('gift_card_amount_base', 'is_counted') }} as gift_card_amount_base,
        coalesce(bool_and(is_tax_known) filter (where is_counted), true) as is_tax_known,
        min(channel) filter (where is_counted and is_return) as first_return_channel,
        max(channel) filter (where is_counted and is_return) as last_return_channel
    from marked
    group by source_system, order_id
),

-- Documents all of whose lines were booked on other orders are returns, not orders without lines.
emptied as (
    select
        document_system,
        document_id
    from marked
    where not is_own and not is_refund
    group by document_system, document_id
),

joined as (
    select
        coalesce(headers.source_system, moved.source_system) as source_system,
        coalesce(headers.order_id, moved.order_id) as order_id,
        -- A header whose lines never came is an order, unless it pays money back.
        coalesce(
            moved.sale_line_count > 0
            or (
                headers.order_id is not null and coalesce(moved.own_count, 0) = 0 and emptied.document_id is null
                and coalesce(headers.total_amount, 0) >= 0
            ),
            false
        ) as is_order,
        coalesce(headers.channel, moved.channel) as channel,
        coalesce(headers.business_date, moved.business_date) as business_date,
        coalesce(headers.ordered_at, moved.moved_at) as ordered_at,
        coalesce(headers.identity_key, moved.identity_key, named_by_copies.identity_key) as identity_key,
        coalesce(headers.node_id, moved.node_id) as node_id,
        headers.fulfilment_method,
        coalesce(headers.has_referrer, false) as is_referred,
        headers.utm_source,
        moved.counted_count,
        coalesce(moved.line_count, 0) as line_count,
        coalesce(moved.sale_line_count, 0) as sale_line_count,
        coalesce(moved.return_line_count, 0) as return_line_count,
        coalesce(moved.units, 0) as units,
        coalesce(moved.returned_units, 0) as returned_units,
        {%- for name in amounts %}
        case when moved.order_id is null then 0 else moved.{{ name }} end as {{ name }},
        {%- endfor %}
        coalesce(moved.is_tax_known, false) as is_tax_known,
        moved.first_return_channel,
        moved.last_return_channel
    from headers
    full outer join moved on headers.source_system = moved.source_system and headers.order_id = moved.order_id
    left join named_by_copies
        on
            coalesce(headers.source_system, moved.source_system) = named_by_copies.source_system
            and coalesce(headers.order_id, moved.order_id) = named_by_copies.order_id
    left join emptied
        on headers.source_system = emptied.document_system and headers.order_id = emptied.document_id
),

parcels as (
    select
        coalesce(copies.source_system, shipments.order_system, shipments.source_system) as source_system,
        coalesce(copies.order_id, shipments.order_id) as order_id,
        count(*) as parcel_count,
        count(*) filter (where {{ is_promised('shipments') }}) as promised_count,
        count(*) filter (where {{ is_on_time('shipments') }}) as on_time_count,
        count(*) filter (
            where
            shipments.delivered_at is not null and {{ is_promised('shipments') }} and not {{ is_on_time('shipments') }}
            or shipments.delivered_at is null and unread_shipments.shipment_id is null
            and {{ is_due('shipments', 'as_of') }}
        ) as late_count,
        count(shipments.delivered_at) as delivered_count,
        max(shipments.promised_at) as promised_at,
        max(shipments.delivered_at) as delivered_at,
        bool_or(places.node_type = 'store') as is_from_store,
        bool_or(places.node_type = 'warehouse') as is_from_warehouse
    from shipments
    cross join as_of
    -- Whether a parcel came whose newest version cannot be read is not known: it is neither late nor in time.
    left join unread_shipments
        on
            shipments.source_system = unread_shipments.source_system
            and shipments.shipment_id = unread_shipments.shipment_id
    left join nodes
        on shipments.source_system = nodes.source_system and shipments.origin_node_id = nodes.node_id
    left join places on coalesce(nodes.node_key, shipments.origin_node_id) = places.node_key
    left join copies
        on
            coalesce(shipments.order_system, shipments.source_system) = copies.document_system
            and shipments.order_id = copies.document_id
    group by
        coalesce(copies.source_system, shipments.order_system, shipments.source_system),
        coalesce(copies.order_id, shipments.order_id)
),

placed as (
    select
        joined.*,
        oneid_map.oneid,
        social_tags.utm_source is not null as is_from_social
    from joined
    left join social_tags on joined.utm_source = social_tags.utm_source
    left join oneid_map on joined.identity_key = oneid_map.identity_key
    -- What was paid back on an order that never came has no line.
    where joined.is_order or joined.counted_count > 0
),

-- Orders before which a touch of another channel is looked for, where the order's own visit is none. Who buys in the
-- shop or in a social app leaves web events by buying: they tell of another channel only on an order of a store or a
-- marketplace.
asked as (
    select
        source_system,
        order_id,
        oneid,
        ordered_at,
        channel in ('store', 'marketplace') as is_elsewhere
    from placed
    where is_order and oneid is not null and ordered_at is not null and channel <> 'social' and not is_from_social
),

buyers as (
    select
        oneid,
        bool_or(is_elsewhere) as buys_elsewhere
    from asked
    group by oneid
),

-- One pass over all orders and touches of a person in time: an order is before a touch of the same instant.
timeline as (
    select
        source_system,
        order_id,
        oneid,
        ordered_at as happened_at,
        false as is_touch,
        false as is_social,
        is_elsewhere
    from asked
    union all
    select
        null as source_system,
        null as order_id,
        buyers.oneid,
        engagements.occurred_at as happened_at,
        true as is_touch,
        true as is_social,
        false as is_elsewhere
    from engagements
    inner join oneid_map on engagements.identity_key = oneid_map.identity_key
    inner join buyers on oneid_map.oneid = buyers.oneid
    union all
    select
        null as source_system,
        null as order_id,
        buyers.oneid,
        web_events.occurred_at as happened_at,
        true as is_touch,
        social_tags.utm_source is not null as is_social,
        false as is_elsewhere
    from web_events
    inner join oneid_map on web_events.identity_key = oneid_map.identity_key
    inner join buyers on oneid_map.oneid = buyers.oneid
    left join social_tags on web_events.utm_source = social_tags.utm_source
    where buyers.buys_elsewhere or social_tags.utm_source is not null
),

last_touches as (
    select
        source_system,
        order_id,
        happened_at as ordered_at,
        is_touch,
        max(case when is_touch and is_social then happened_at end) over so_far as social_at,
        case
            when is_elsewhere then max(case when is_touch and not is_social then happened_at end) over so_far
        end as online_at
    from timeline
    window so_far as (
        partition by oneid order by happened_at asc, is_touch asc rows between unbounded preceding and current row
    )
),

touched as (
    select
        source_system,
        order_id,
        case when social_at >= coalesce(online_at, social_at) then 'social' else 'online' end as browse_channel
    from last_touches
    where not is_touch and greatest(social_at, online_at) >= {{ days_earlier('ordered_at', var('browse_days')) }}
),

legs as (
    select
        placed.*,
        coalesce(places.node_key, 'unknown') as node_key,
        case
            when placed.is_order and placed.is_from_social and placed.channel <> 'social' then 'social'
            else touched.browse_channel
        end as browse_channel,
        case
            when placed.channel = 'store' and parcels.is_from_warehouse then 'warehouse'
            when placed.channel = 'store' then null
            when
                parcels.is_from_store
                or placed.fulfilment_method in ('pickup', 'ship_from_store')
                or places.node_type = 'store'
                then 'store'
        end as fulfil_channel,
        case
            when placed.first_return_channel <> placed.channel then placed.first_return_channel
            else placed.last_return_channel
        end as return_channel,
        coalesce(parcels.parcel_count, 0) as parcel_count,
        parcels.promised_at,
        case when parcels.delivered_count = parcels.parcel_count then parcels.delivered_at end as delivered_at,
        case
            when parcels.late_count > 0 then false
            when parcels.promised_count > 0 and parcels.on_time_count = parcels.promised_count then true
        end as is_on_time
    from placed
    left join parcels on placed.source_system = parcels.source_system and placed.order_id = parcels.order_id
    left join nodes on placed.source_system = nodes.source_system and placed.node_id = nodes.node_id
    left join places on coalesce(nodes.node_key, placed.node_id) = places.node_key
    left join touched on placed.source_system = touched.source_system and placed.order_id = touched.order_id
)

select
    source_system,
    order_id,
    oneid,
    coalesce(oneid, 'unknown') as customer_key,
    is_order,
    channel,
    business_date,
    ordered_at,
    node_id,
    node_key,
    fulfilment_method,
    is_referred,
    cast(line_count as integer) as line_count,
    cast(sale_line_count as integer) as sale_line_count,
    cast(return_line_count as integer) as return_line_count,
    cast(units as decimal(18, 4)) as units,
    cast(returned_units as decimal(18, 4)) as returned_units,
    {%- for name in amounts %}
    cast({{ name }} as decimal(18, 4)) as {{ name }},
    {%- endfor %}
    is_tax_known,
    browse_channel,
    fulfil_channel,
    return_channel,
    is_order
    and (
        coalesce(browse_channel <> channel, false)
        or coalesce(fulfil_channel <> channel, false)
        or coalesce(return_channel <> channel, false)
    ) as is_cross_channel,
    concat_ws(
        ' ',
        case when browse_channel is not null then concat('browse:', browse_channel) end,
        case when is_order then concat('buy:', channel) end,
        case when fulfil_channel is not null then concat('fulfil:', fulfil_channel) end,
        case when return_channel is not null then concat('return:', return_channel) end
    ) as legs,
    cast(parcel_count as integer) as parcel_count,
    promised_at,
    delivered_at,
    is_on_time
from legs
