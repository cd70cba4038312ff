{#- Every KPI is a sum over months of a numerator and, for rates, of a denominator; 'all' is the sum of its months. -#}
{% set kpis = [
    {'id': 'net_revenue', 'unit': reporting_currency(), 'feeds': ['orders'], 'is_rate': false},
    {'id': 'orders', 'unit': 'count', 'feeds': ['orders'], 'is_rate': false},
    {'id': 'average_order_value', 'unit': reporting_currency(), 'feeds': ['orders'], 'is_rate': true},
    {'id': 'return_rate', 'unit': 'ratio', 'feeds': ['orders'], 'is_rate': true},
    {'id': 'cross_channel_order_share_by_value', 'unit': 'ratio', 'feeds': ['orders', 'shipments'], 'is_rate': true},
    {'id': 'cross_channel_order_share_by_count', 'unit': 'ratio', 'feeds': ['orders', 'shipments'], 'is_rate': true},
    {'id': 'repurchase_rate_90d', 'unit': 'ratio', 'feeds': ['orders', 'customers'], 'is_rate': true},
    {'id': 'on_time_delivery_rate', 'unit': 'ratio', 'feeds': ['shipments'], 'is_rate': true},
    {'id': 'stockout_rate', 'unit': 'ratio', 'feeds': ['inventory'], 'is_rate': true},
    {'id': 'customer_satisfaction', 'unit': 'score_1_5', 'feeds': ['surveys'], 'is_rate': true},
] %}

with orders as (
    select * from {{ ref('dws_order') }}
),

channel_days as (
    select * from {{ ref('dws_channel_day') }}
),

fulfilment_days as (
    select * from {{ ref('dws_fulfilment_day') }}
),

inventory_days as (
    select * from {{ ref('dws_inventory_day') }}
),

customers as (
    select * from {{ ref('dws_customer') }}
    where oneid is distinct from 'unknown'
),

survey_responses as (
    select * from {{ ref('dwd_survey_response') }}
),

dates as (
    select * from {{ ref('dim_date') }}
),

as_of as (
    select * from {{ ref('dws_as_of') }}
    where entity = 'sales_order'
),

month_ends as (
    select
        month_label,
        max(date_day) as month_end
    from dates
    group by month_label
),

arrived as (
    select
        'orders' as feed,
        count(*) > 0 as is_fed
    from channel_days
    union all
    select
        'customers' as feed,
        count(first_order_date) > 0 as is_fed
    from customers
    union all
    select
        'shipments' as feed,
        count(*) > 0 as is_fed
    from fulfilment_days
    union all
    select
        'inventory' as feed,
        count(*) > 0 as is_fed
    from inventory_days
    union all
    select
        'surveys' as feed,
        count(satisfaction) > 0 as is_fed
    from survey_responses
),

needs as (
    {%- for kpi in kpis %}
    {%- for feed in kpi.feeds %}
    select
        '{{ kpi.id }}' as kpi_id,
        '{{ kpi.unit }}' as unit,
        {{ kpi.is_rate }} as is_rate,
        '{{ feed }}' as feed
    {%- if not loop.last %}
    union all
    {%- endif %}
    {%- endfor %}
    {%- if not loop.last %}
    union all
    {%- endif %}
    {%- endfor %}
),

kpi as (
    select
        needs.kpi_id,
        needs.unit,
        needs.is_rate,
        min(needs.feed) filter (where not arrived.is_fed) as missing_feed
    from needs
    inner join arrived on needs.feed = arrived.feed
    group by needs.kpi_id, needs.unit, needs.is_rate
),

channel_month as (
    select
        {{ month_label('business_date') }} as period,
        sum(order_count) as order_count,
        {{ sum_money('net_revenue_base') }} as net_revenue_base,
        {{ sum_money('net_revenue_as_priced_base') }} as net_revenue_as_priced_base,
        {{ sum_money('returns_base + refunds_base') }} as given_back_base
    from channel_days
    group by {{ month_label('business_date') }}
),

measured as (
    select
        'net_revenue' as kpi_id,
        period,
        cast(net_revenue_base as decimal(28, 8)) as numerator,
        cast(null as decimal(28, 8)) as denominator
    from channel_month
    union all
    select
        'orders' as kpi_id,
        period,
        cast(order_count as decimal(28, 8)) as numerator,
        cast(null as decimal(28, 8)) as denominator
    from channel_month
    union all
    select
        'average_order_value' as kpi_id,
        period,
        cast(net_revenue_base as decimal(28, 8)) as numerator,
        cast(order_count as decimal(28, 8)) as denominator
    from channel_month
    union all
    select
        'return_rate' as kpi_id,
        period,
        cast(given_back_base as decimal(28, 8)) as numerator,
        cast(net_revenue_as_priced_base + given_back_base as decimal(28, 8)) as denominator
    from channel_month
    union all
    select
        'cross_channel_order_share_by_value' as kpi_id,
        {{ month_label('business_date') }} as period,
        cast({{ sum_money('net_revenue_base', 'is_cross_channel') }} as decimal(28, 8)) as numerator,
        cast({{ sum_money('net_revenue_base') }} as decimal(28, 8)) as denominator
    from orders
    group by {{ month_label('business_date') }}
    union all
    select
        'cross_channel_order_share_by_count' as kpi_id,
        {{ month_label('business_date') }} as period,
        cast(count(*) filter (where is_order and is_cross_channel) as decimal(28, 8)) as numerator,
        cast(count(*) filter (where is_order) as decimal(28, 8)) as denominator
    from orders
    group by {{ month_label('business_date') }}
    union all
    -- A month's cohort counts only once its last customer has had 90 days to come back.
    select
        'repurchase_rate_90d' as kpi_id,
        month_ends.month_label as period,
        cast(
            count(*) filter (
                where {{ days_between('customers.first_order_date', 'customers.second_order_date') }} <= 90
            ) as decimal(28, 8)
        ) as numerator,
        cast(count(*) as decimal(28, 8)) as denominator
    from customers
    cross join as_of
    inner join month_ends on {{ month_label('customers.first_order_date') }} = month_ends.month_label
    where {{ days_between('month_ends.month_end', 'as_of.as_of_date') }} >= 90
    group by month_ends.month_label
    union all
    select
        'on_time_delivery_rate' as kpi_id,
        {{ month_label('due_date') }} as period,
        cast(sum(on_time_count) as decimal(28, 8)) as numerator,
        cast(sum(due_count) as decimal(28, 8)) as denominator
    from fulfilment_days
    group by {{ month_label('due_date') }}
    union all
    select
        'stockout_rate' as kpi_id,
        {{ month_label('snapshot_date') }} as period,
        cast(sum(out_of_stock_count) as decimal(28, 8)) as numerator,
        cast(sum(listed_count) as decimal(28, 8)) as denominator
    from inventory_days
    group by {{ month_label('snapshot_date') }}
    union all
    select
        'customer_satisfaction' as kpi_id,
        {{ month_label('coalesce(business_date, ds)') }} as period,
        cast(sum(satisfaction) as decimal(28, 8)) as numerator,
        cast(count(*) as decimal(28, 8)) as denominator
    from survey_responses
    where satisfaction is not null
    group by {{ month_label('coalesce(business_date, ds)') }}
),

totals as (
    select
        kpi_id,
        'all' as period,
        case when count(*) = count(numerator) then cast(sum(numerator) as decimal(28, 8)) end as numerator,
        case when count(*) = count(denominator) then cast(sum(denominator) as decimal(28, 8)) end as denominator
    from measured
    group by kpi_id
),

all_totals as (
    select
        kpi.kpi_id,
        'all' as period,
        totals.numerator,
        totals.denominator
    from kpi
    left join totals on kpi.kpi_id = totals.kpi_id
),

periods as (
    select * from measured
    union all
    select * from all_totals
),

valued as (
    select
        periods.kpi_id,
        periods.period,
        kpi.unit,
        kpi.missing_feed,
        case when kpi.missing_feed is null then periods.numerator end as numerator,
        case when kpi.missing_feed is null then periods.denominator end as denominator,
        case
            when kpi.missing_feed is not null then null
            when kpi.is_rate
                then cast(cast(periods.numerator as double) / nullif(periods.denominator, 0) as decimal(28, 8))
            else periods.numerator
        end as kpi_value
    from periods
    inner join kpi on periods.kpi_id = kpi.kpi_id
    where periods.period = 'all' or kpi.missing_feed is null
)

select
    kpi_id,
    period,
    kpi_value as value,
    numerator,
    denominator,
    unit,
    kpi_value is not null as is_available,
    case
        when kpi_value is not null then null
        when missing_feed = 'orders' then 'No order has arrived.'
        when missing_feed = 'customers' then 'No order is linked to a customer.'
        when missing_feed = 'shipments' then 'No shipment has arrived.'
        when missing_feed = 'inventory' then 'No inventory snapshot has arrived.'
        when missing_feed = 'surveys' then 'No survey answer with a satisfaction score has arrived.'
        when
            kpi_id = 'repurchase_rate_90d'
            then 'No monthly cohort of first-time customers is complete and at least 90 days old.'
        when denominator = 0 then 'Nothing to measure in this period.'
        else 'An amount in this period has no exchange rate.'
    end as reason
from valued
