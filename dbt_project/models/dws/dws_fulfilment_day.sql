with delivered as (
    select * from {{ ref('dwd_shipment') }}
),

-- A parcel costs what it costs on the day it is sent, whenever it is due.
shipments as (
    select
        *,
        coalesce(cast(coalesce(created_at, picked_up_at, delivered_at) as date), ds) as cost_date
    from delivered
),

headers as (
    select * from {{ ref('dwd_order') }}
),

exchange_rates as (
    {{ rates_to_base() }}
),

batches as (
    select * from {{ source('ops', 'batch') }}
),

as_of as (
    select max(ds) as as_of_date from batches
),

parcel as (
    select
        coalesce(
            shipments.promised_date,
            cast(
                coalesce(
                    shipments.promised_at, shipments.created_at, shipments.picked_up_at, shipments.delivered_at
                ) as date
            ),
            shipments.ds
        ) as due_date,
        coalesce(shipments.carrier, 'unknown') as carrier,
        shipments.promised_at is not null as is_promised,
        coalesce(
            coalesce(shipments.promised_date, cast(shipments.promised_at as date)) <= as_of.as_of_date, false
        ) as is_due,
        shipments.delivered_at is not null as is_delivered,
        coalesce(shipments.delivered_at <= shipments.promised_at, false) as is_on_time,
        {{ to_base('shipments.cost', 'shipments.currency', 'exchange_rates.rate') }} as cost_base,
        shipments.cost is not null as has_cost,
        shipments.co2e_kg
    from shipments
    cross join as_of
    left join headers
        on
            coalesce(shipments.order_system, shipments.source_system) = headers.source_system
            and shipments.order_id = headers.order_id
    {{ join_rate('exchange_rates', 'shipments.currency', 'shipments.cost_date') }}
    where not coalesce(headers.is_cancelled, false) and not coalesce(headers.is_test, false)
)

select
    due_date,
    carrier,
    count(*) as parcel_count,
    count(*) filter (where is_promised) as promised_count,
    count(*) filter (where is_due) as due_count,
    count(*) filter (where is_due and is_on_time) as on_time_count,
    count(*) filter (where is_delivered) as delivered_count,
    {{ sum_money('cost_base', 'has_cost') }} as cost_base,
    -- Summed as decimals: a sum of doubles depends on the order of the rows.
    cast(sum(cast(co2e_kg as decimal(18, 6))) as double) as co2e_kg
from parcel
group by due_date, carrier
