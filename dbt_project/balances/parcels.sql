-- Every parcel with its cost in the reporting currency, what became of its promise when the data ends, as far as its
-- newest version can be read, and whether its order is excluded. Its cost takes the rate of the day on which it was
-- announced.
with parcels as (
    select
        *,
        coalesce(announced_date, ds) as announced_on,
        promised_at is not null or promised_date is not null as is_promised
    from dwd.dwd_shipment
),

headers as (
    select * from dwd.dwd_order
),

cancelled_elsewhere as (
    select * from dws.dws_order_copy_cancelled
),

unread as (
    select * from dwd.dwd_shipment_unread
),

as_of as (
    select * from dws.dws_as_of
    where entity = 'shipment'
),

rates as (
    select * from dim.dim_exchange_rate
    where reporting_currency = '{{ reporting_currency() }}'
),

rated as (
    select
        parcels.*,
        case
            when parcels.currency = '{{ reporting_currency() }}' then cast(1 as decimal(18, 8))
            else rates.rate
        end as rate
    from parcels
    asof left join rates on parcels.currency = rates.currency and parcels.announced_on >= rates.valid_from
)

select
    rated.promised_at,
    rated.delivered_at,
    coalesce(rated.promised_date, rated.announced_on) as due_date,
    cast(cast(rated.cost as decimal(20, 4)) * rated.rate as decimal(18, 4)) as cost_base,
    coalesce(headers.is_cancelled or headers.is_test, false) or cancelled_elsewhere.order_id is not null as is_void,
    rated.is_promised,
    rated.is_promised
    and (
        rated.delivered_at is not null
        or unread.shipment_id is null
        and coalesce(rated.promised_at < as_of.as_of_at, rated.promised_date < as_of.as_of_date, false)
    ) as is_due,
    rated.is_promised and rated.delivered_at is null and unread.shipment_id is not null
    and coalesce(rated.promised_at < as_of.as_of_at, rated.promised_date < as_of.as_of_date, false) as is_unread,
    coalesce(
        rated.delivered_at <= rated.promised_at,
        rated.promised_at is null and rated.delivered_date <= rated.promised_date,
        false
    ) as is_on_time
from rated
cross join as_of
left join unread on rated.source_system = unread.source_system and rated.shipment_id = unread.shipment_id
left join cancelled_elsewhere
    on
        coalesce(rated.order_system, rated.source_system) = cancelled_elsewhere.source_system
        and rated.order_id = cancelled_elsewhere.order_id
left join headers
    on coalesce(rated.order_system, rated.source_system) = headers.source_system and rated.order_id = headers.order_id
