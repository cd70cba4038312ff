with delivered as (
    select * from {{ ref('dwd_shipment') }}
),

-- A parcel costs what it costs on the day it is sent, whenever it is due.
shipments as (
    select
        *,
        coalesce(announced_date, ds) as cost_date
    from delivered
),

unread_shipments as (
    select * from {{ ref('dwd_shipment_unread') }}
),

headers as (
    select * from {{ ref('dwd_order') }}
),

cancelled_elsewhere as (
    select * from {{ ref('dws_order_copy_cancelled') }}
),

exchange_rates as (
    {{ rates_to_base() }}
),

as_of as (
    select * from {{ ref('dws_as_of') }}
    where entity = 'shipment'
),

parcel as (
    select
        coalesce(shipments.promised_date, shipments.announced_date, shipments.ds) as due_date,
        coalesce(shipments.carrier, 'unknown') as carrier,
        {{ is_promised('shipments') }} as is_promised,
        -- Whether a parcel came whose newest version cannot be read is not known.
        {{ is_due('shipments', 'as_of') }} as is_due,
        shipments.delivered_at is null and unread_shipments.shipment_id is not null as is_unread,
        shipments.delivered_at is not null as is_delivered,
        {{ is_on_time('shipments') }} as is_on_time,
        {{ to_base('shipments.cost', 'shipments.currency', 'exchange_rates.rate') }} as cost_base,
        shipments.cost is not null as has_cost,
        shipments.co2e_kg
    from shipments
    cross join as_of
    left join unread_shipments
        on
            shipments.source_system = unread_shipments.source_system
            and shipments.shipment_id = unread_shipments.shipment_id
    left join headers
        on
            coalesce(shipments.order_system, shipments.source_system) = headers.source_system
            and shipments.order_id = headers.order_id
    left join cancelled_elsewhere
        on
            coalesce(shipments.order_system, shipments.source_system) = cancelled_elsewhere.source_system
            and shipments.order_id = cancelled_elsewhere.order_id
    {{ join_rate('exchange_rates', 'shipments.currency', 'shipments.cost_date') }}
    where
        not coalesce(headers.is_cancelled, false) and not coalesce(headers.is_test, false)
        and cancelled_elsewhere.order_id is null
)

select
    due_date,
    carrier,
    count(*) as parcel_count,
    count(*) filter (where is_promised) as promised_count,
    count(*) filter (where is_due and not is_unread) as due_count,
    count(*) filter (where is_due and is_unread) as unread_count,
    count(*) filter (where is_due and is_on_time) as on_time_count,
    count(*) filter (where is_delivered) as delivered_count,
    {{ sum_money('cost_base', 'has_cost') }} as cost_base,
    -- Summed as decimals: a sum of doubles depends on the order of the rows.
    cast(sum(cast(co2e_kg as decimal(18, 6))) as double) as co2e_kg
from parcel
group by due_date, carrier
