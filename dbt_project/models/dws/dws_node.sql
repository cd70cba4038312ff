with nodes as (
    select * from {{ ref('dim_node') }}
),

ranked as (
    select
        *,
        row_number() over (
            partition by node_key
            order by updated_at desc nulls last, ds desc, source_system asc, node_id asc
        ) as place
    from nodes
    where node_key <> 'unknown'
)

select
    node_key,
    node_name,
    node_type,
    city,
    region,
    country,
    postcode,
    time_zone,
    latitude,
    longitude,
    selling_area_m2,
    headcount
from ranked
where place = 1
union all
-- What no system tells of: every fact has a row here.
select
    'unknown' as node_key,
    'unknown' as node_name,
    'unknown' as node_type,
    null as city,
    null as region,
    null as country,
    null as postcode,
    null as time_zone,
    null as latitude,
    null as longitude,
    null as selling_area_m2,
    null as headcount
