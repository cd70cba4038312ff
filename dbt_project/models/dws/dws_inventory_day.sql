with snapshots as (
    select * from {{ ref('dwd_inventory_snapshot') }}
),

nodes as (
    select * from {{ ref('dim_node') }}
),

places as (
    select * from {{ ref('dws_node') }}
),

listed as (
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
)

select
    listed.source_system,
    listed.node_id,
    coalesce(places.node_key, 'unknown') as node_key,
    listed.snapshot_date,
    listed.listed_count,
    listed.out_of_stock_count,
    listed.on_hand_units,
    listed.reserved_units,
    listed.in_transit_units
from listed
left join nodes on listed.source_system = nodes.source_system and listed.node_id = nodes.node_id
left join places on coalesce(nodes.node_key, listed.node_id) = places.node_key
