with snapshots as (
    select * from {{ ref('dwd_inventory_snapshot') }}
)

select
    source_system,
    node_id,
    snapshot_date,
    count(*) as listed_count,
    count(*) filter (where on_hand - coalesce(reserved, 0) <= 0) as out_of_stock_count,
    cast(sum(on_hand) as decimal(18, 4)) as on_hand_units,
    cast(coalesce(sum(reserved), 0) as decimal(18, 4)) as reserved_units,
    cast(coalesce(sum(in_transit), 0) as decimal(18, 4)) as in_transit_units
from snapshots
group by source_system, node_id, snapshot_date
