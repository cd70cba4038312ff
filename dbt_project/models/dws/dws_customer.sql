{#- Whatever nobody is known of counts for one row, unknown, so that customers add up to sales. -#}
{% set channels = ['online', 'store', 'social', 'marketplace'] %}

with oneid_map as (
    select * from {{ source('oneid', 'oneid_map') }}
    where valid_to is null
),

known_persons as (
    select oneid from {{ source('oneid', 'person') }}
),

household_map as (
    select * from {{ source('oneid', 'household_map') }}
    where valid_to is null
),

orders as (
    select * from {{ ref('dws_order') }}
),

headers as (
    select * from {{ ref('dwd_order') }}
),

web_events as (
    select * from {{ ref('dwd_web_event') }}
),

engagements as (
    select * from {{ ref('dwd_social_engagement') }}
),

survey_responses as (
    select * from {{ ref('dwd_survey_response') }}
),

profiles as (
    select * from {{ ref('dim_customer') }}
),

households as (
    select
        household_id,
        count(*) as household_size
    from household_map
    group by household_id
),

ranked as (
    select
        orders.*,
        row_number() over (
            partition by orders.oneid, orders.is_order
            order by
                orders.business_date asc,
                orders.ordered_at asc nulls last,
                orders.source_system asc,
                orders.order_id asc
        ) as order_rank
    from orders
),

bought as (
    select
        coalesce(oneid, 'unknown') as oneid,
        count(*) filter (where is_order) as order_count,
        {{ sum_money('net_revenue_base') }} as net_revenue_base,
        {%- for channel in channels %}
        count(*) filter (where is_order and channel = '{{ channel }}') as order_count_{{ channel }},
        {{ sum_money('net_revenue_base', "channel = '" ~ channel ~ "'") }} as net_revenue_{{ channel }}_base,
        {%- endfor %}
        count(*) filter (where return_line_count > 0) as return_count,
        {{ sum_money('returned_amount_base') }} as returned_amount_base,
        {{ sum_money('refunded_amount_base') }} as refunded_amount_base,
        count(*) filter (where is_cross_channel) as cross_channel_order_count,
        min(business_date) filter (where is_order) as first_order_date,
        min(business_date) filter (where is_order and order_rank = 2) as second_order_date,
        max(business_date) filter (where is_order) as last_order_date,
        min(ordered_at) as first_seen_at,
        max(ordered_at) as last_seen_at
    from ranked
    group by coalesce(oneid, 'unknown')
),

-- A session is one browser's; its events may carry the cookie first and the account later.
visits_by_key as (
    select
        identity_key,
        source_system,
        visitor_id,
        session_id,
        count(*) as event_count,
        min(occurred_at) as first_seen_at,
        max(occurred_at) as last_seen_at
    from web_events
    group by identity_key, source_system, visitor_id, session_id
),

visits as (
    select
        coalesce(oneid_map.oneid, 'unknown') as oneid,
        visits_by_key.source_system,
        visits_by_key.visitor_id,
        visits_by_key.session_id,
        sum(visits_by_key.event_count) as event_count,
        min(visits_by_key.first_seen_at) as first_seen_at,
        max(visits_by_key.last_seen_at) as last_seen_at
    from visits_by_key
    left join oneid_map on visits_by_key.identity_key = oneid_map.identity_key
    group by
        coalesce(oneid_map.oneid, 'unknown'),
        visits_by_key.source_system,
        visits_by_key.visitor_id,
        visits_by_key.session_id
),

browsed as (
    select
        oneid,
        sum(event_count) as event_count,
        count(session_id) as session_count,
        min(first_seen_at) as first_seen_at,
        max(last_seen_at) as last_seen_at
    from visits
    group by oneid
),

engaged as (
    select
        coalesce(oneid_map.oneid, 'unknown') as oneid,
        count(*) as engagement_count,
        min(engagements.occurred_at) as first_seen_at,
        max(engagements.occurred_at) as last_seen_at
    from engagements
    left join oneid_map on engagements.identity_key = oneid_map.identity_key
    group by coalesce(oneid_map.oneid, 'unknown')
),

registered as (
    select
        oneid_map.oneid,
        min(profiles.registered_at) as registered_at
    from profiles
    inner join oneid_map on profiles.identity_key = oneid_map.identity_key
    group by oneid_map.oneid
),

-- An answer is its order's person's; where the order does not count, cancelled for example, its header's.
about as (
    select
        coalesce(orders.oneid, oneid_map.oneid, 'unknown') as oneid,
        survey_responses.satisfaction,
        survey_responses.recommend_score
    from survey_responses
    left join orders
        on
            coalesce(survey_responses.order_system, survey_responses.source_system) = orders.source_system
            and survey_responses.order_id = orders.order_id
    left join headers
        on
            coalesce(survey_responses.order_system, survey_responses.source_system) = headers.source_system
            and survey_responses.order_id = headers.order_id
    left join oneid_map on headers.identity_key = oneid_map.identity_key
),

answered as (
    select
        oneid,
        count(satisfaction) as satisfaction_count,
        sum(satisfaction) as satisfaction_sum,
        count(recommend_score) as recommend_count,
        count(*) filter (where recommend_score >= 9) as promoter_count,
        count(*) filter (where recommend_score <= 6) as detractor_count
    from about
    group by oneid
),

nobody as (
    select oneid from bought
    union distinct
    select oneid from browsed
    union distinct
    select oneid from engaged
    union distinct
    select oneid from answered
),

persons as (
    select
        oneid,
        true as is_known
    from known_persons
    union all
    select
        oneid,
        false as is_known
    from nobody
    where oneid = 'unknown'
)

select
    persons.oneid,
    persons.is_known,
    household_map.household_id,
    households.household_size,
    coalesce(bought.order_count, 0) as order_count,
    case when bought.oneid is null then 0 else bought.net_revenue_base end as net_revenue_base,
    {%- for channel in channels %}
    coalesce(bought.order_count_{{ channel }}, 0) as order_count_{{ channel }},
    case
        when bought.oneid is null then 0 else bought.net_revenue_{{ channel }}_base
    end as net_revenue_{{ channel }}_base,
    {%- endfor %}
    coalesce(bought.return_count, 0) as return_count,
    case when bought.oneid is null then 0 else bought.returned_amount_base end as returned_amount_base,
    case when bought.oneid is null then 0 else bought.refunded_amount_base end as refunded_amount_base,
    coalesce(bought.cross_channel_order_count, 0) as cross_channel_order_count,
    bought.first_order_date,
    bought.second_order_date,
    bought.last_order_date,
    cast(coalesce(browsed.event_count, 0) as bigint) as web_event_count,
    coalesce(browsed.session_count, 0) as web_session_count,
    coalesce(engaged.engagement_count, 0) as social_engagement_count,
    coalesce(answered.satisfaction_count, 0) as satisfaction_count,
    cast(answered.satisfaction_sum as double) / nullif(answered.satisfaction_count, 0) as satisfaction_average,
    coalesce(answered.recommend_count, 0) as recommend_count,
    100 * cast(answered.promoter_count - answered.detractor_count as double)
    / nullif(answered.recommend_count, 0) as net_promoter_score,
    registered.registered_at,
    least(
        bought.first_seen_at, browsed.first_seen_at, engaged.first_seen_at, registered.registered_at
    ) as first_seen_at,
    greatest(
        bought.last_seen_at, browsed.last_seen_at, engaged.last_seen_at, registered.registered_at
    ) as last_seen_at
from persons
left join household_map on persons.oneid = household_map.oneid
left join households on household_map.household_id = households.household_id
left join bought on persons.oneid = bought.oneid
left join browsed on persons.oneid = browsed.oneid
left join engaged on persons.oneid = engaged.oneid
left join registered on persons.oneid = registered.oneid
left join answered on persons.oneid = answered.oneid
