{% set channels = ['online', 'store', 'social', 'marketplace'] %}

with customers as (
    select * from {{ ref('dws_customer') }}
),

profiles as (
    select * from {{ ref('dim_customer') }}
),

oneid_map as (
    select * from {{ source('oneid', 'oneid_map') }}
    where valid_to is null
),

as_of as (
    select * from {{ ref('dws_as_of') }}
    where entity = 'sales_order'
),

ranked_profiles as (
    select
        oneid_map.oneid,
        profiles.city,
        profiles.region,
        profiles.country,
        profiles.member_tier,
        profiles.marketing_consent,
        row_number() over (
            partition by oneid_map.oneid
            order by
                coalesce(profiles.updated_at, profiles.registered_at) desc nulls last,
                profiles.ds desc,
                profiles.source_system asc,
                profiles.customer_id asc
        ) as profile_rank
    from profiles
    inner join oneid_map on profiles.identity_key = oneid_map.identity_key
),

-- From the newest profile that knows: city, region and country together from one, tier and consent each from its own.
-- Unknown parts pass as '' because engines differ in whether min_by skips NULL.
golden as (
    select
        oneid,
        count(*) as profile_count,
        nullif(
            min_by(coalesce(city, ''), profile_rank) filter (where coalesce(city, region, country) is not null), ''
        ) as city,
        nullif(
            min_by(coalesce(region, ''), profile_rank) filter (where coalesce(city, region, country) is not null), ''
        ) as region,
        nullif(
            min_by(coalesce(country, ''), profile_rank) filter (where coalesce(city, region, country) is not null), ''
        ) as country,
        min_by(member_tier, profile_rank) filter (where member_tier is not null) as member_tier,
        min_by(marketing_consent, profile_rank) filter (where marketing_consent is not null) as marketing_consent
    from ranked_profiles
    group by oneid
),

used as (
    select
        oneid,
        order_count_marketplace > 0 as uses_marketplace,
        order_count_online > 0 or web_event_count > 0 as uses_online,
        order_count_social > 0 or social_engagement_count > 0 as uses_social,
        order_count_store > 0 as uses_store
    from customers
    where oneid <> 'unknown'
)

select
    customers.oneid,
    customers.oneid <> 'unknown' as is_known,
    customers.household_id,
    customers.household_size,
    golden.city,
    golden.region,
    golden.country,
    golden.member_tier,
    golden.marketing_consent,
    customers.registered_at,
    coalesce(golden.profile_count, 0) as profile_count,
    case
        when used.oneid is not null
            then concat_ws(
                    ',',
                    case when used.uses_marketplace then 'marketplace' end,
                    case when used.uses_online then 'online' end,
                    case when used.uses_social then 'social' end,
                    case when used.uses_store then 'store' end
                )
    end as channels_used,
    case
        when used.oneid is not null
            then
                case when used.uses_marketplace then 1 else 0 end
                + case when used.uses_online then 1 else 0 end
                + case when used.uses_social then 1 else 0 end
                + case when used.uses_store then 1 else 0 end
    end as channel_count,
    customers.order_count,
    customers.net_revenue_base,
    {%- for channel in channels %}
    customers.order_count_{{ channel }},
    customers.net_revenue_{{ channel }}_base,
    {%- endfor %}
    cast(
        cast(customers.net_revenue_base as double) / nullif(customers.order_count, 0) as decimal(18, 4)
    ) as average_order_value_base,
    customers.cross_channel_order_count,
    customers.return_count,
    customers.returned_amount_base,
    customers.refunded_amount_base,
    customers.first_seen_at,
    customers.last_seen_at,
    customers.first_order_date,
    customers.last_order_date,
    case
        when used.oneid is not null then {{ days_between('customers.last_order_date', 'as_of.as_of_date') }}
    end as recency_days,
    case when used.oneid is not null then customers.order_count end as frequency,
    case when used.oneid is not null then customers.net_revenue_base end as monetary_base,
    customers.web_event_count,
    customers.web_session_count,
    customers.social_engagement_count,
    customers.satisfaction_count,
    customers.satisfaction_average,
    customers.recommend_count,
    customers.net_promoter_score
from customers
cross join as_of
left join used on customers.oneid = used.oneid
left join golden on customers.oneid = golden.oneid
