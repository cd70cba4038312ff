{{ config(materialized='table') }}

with unread as (
    select * from {{ source('ops', 'unread_document') }}
    where entity = 'shipment' and line_id is not null
),

shipments as (
    select * from {{ ref('dwd_shipment') }}
),

-- A version that cannot be compared is held against the night and the place in the file.
compared as (
    select
        shipments.source_system,
        shipments.shipment_id,
        unread.ds,
        unread.rule,
        case
            when shipments.updated_at <> unread.version then shipments.updated_at > unread.version
            when shipments.ds <> unread.ds then shipments.ds > unread.ds
            else
                (shipments._file, shipments._edition, shipments._row)
                > (unread.path, unread.edition, unread.row)
        end as is_settled
    from unread
    inner join shipments
        on
            unread.line_id = shipments.shipment_id
            and unread.source_system = coalesce(shipments.order_system, shipments.source_system)
)

select
    source_system,
    shipment_id,
    min(ds) as unread_since,
    {{ listed('rule') }} as rules
from compared
where not is_settled
group by source_system, shipment_id
