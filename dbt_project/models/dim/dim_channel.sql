{{ config(materialized='table') }}

with channels as (
    select * from {{ ref('channel') }}
)

select
    channel,
    channel_name,
    channel_name_zh,
    is_physical,
    sort_order
from channels
