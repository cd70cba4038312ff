{#- Per entity, where its facts are, with the local day and the instant (UTC) of each fact. An instant without a day is
held against the end of the newest night in the retailer's own zone. -#}
{% set facts = {
    'inventory_snapshot': [['dwd_inventory_snapshot', 'snapshot_date', 'null']],
    'sales_order': [
        ['dwd_order', 'business_date', 'ordered_at'],
        ['dwd_order_line', 'business_date', 'sold_at'],
    ],
    'shipment': [
        ['dwd_shipment', 'announced_date', 'created_at'],
        ['dwd_shipment', 'delivered_date', 'delivered_at'],
        ['dwd_shipment', 'null', 'picked_up_at'],
        ['dwd_shipment', 'null', 'updated_at'],
    ],
    'social_engagement': [['dwd_social_engagement', 'business_date', 'occurred_at']],
    'survey_response': [['dwd_survey_response', 'business_date', 'answered_at']],
    'web_event': [['dwd_web_event', 'business_date', 'occurred_at']],
} %}

with batches as (
    select * from {{ source('ops', 'batch') }}
),

newest_night as (
    select
        max(ds) as night,
        {{ end_of_day('max(ds)', retailer_zone()) }} as ends_at
    from batches
),

horizon as (
    {%- for entity, places in facts.items() %}
    {%- for model, day, instant in places %}
    select
        '{{ entity }}' as entity,
        max(cast({{ day }} as date)) filter (where cast({{ day }} as date) <= newest_night.night) as as_of_date,
        max(cast({{ instant }} as timestamp)) filter (
            where
            coalesce(
                cast({{ day }} as date) <= newest_night.night,
                cast({{ instant }} as timestamp) < newest_night.ends_at
            )
        ) as as_of_at
    from {{ ref(model) }}
    cross join newest_night
    {%- if not loop.last %}
    union all
    {%- endif %}
    {%- endfor %}
    {%- if not loop.last %}
    union all
    {%- endif %}
    {%- endfor %}
),

own as (
    select
        entity,
        max(as_of_date) as as_of_date,
        max(as_of_at) as as_of_at
    from horizon
    group by entity
)

select
    entity,
    {%- if as_of_setting() %}
    date '{{ as_of_setting() }}' as as_of_date,
    {{ end_of_day("date '" ~ as_of_setting() ~ "'", retailer_zone()) }} as as_of_at,
    true as is_set
    {%- else %}
    as_of_date,
    as_of_at,
    false as is_set
    {%- endif %}
from own
