{#- Days without a sale after which a system is taken to have delivered nothing, not to have sold nothing. -#}
{% set longest_pause = 7 %}

with balances as (
    select * from {{ ref('dwd_account_balance') }}
),

movements as (
    select * from {{ ref('dws_order_movement') }}
    where is_counted and not is_return and not is_refund
),

channel_days as (
    select * from {{ ref('dws_channel_day') }}
),

horizon as (
    select as_of_date
    from {{ ref('dws_as_of') }}
    where entity = 'sales_order'
),

tolerances as (
    {{ tie_tolerances(['ledger']) }}
),

months as (
    select
        month_label as period,
        min(date_day) as first_day,
        max(date_day) as last_day
    from {{ ref('dim_date') }}
    group by month_label
),

ledger_systems as (
    select source_system
    from balances
    group by source_system
),

booked as (
    select
        source_system,
        period,
        max(_feed) as feed,
        count(revenue_amount) as account_count,
        count(distinct currency) filter (where revenue_amount is not null) as currency_count,
        min(currency) filter (where revenue_amount is not null) as currency,
        sum(revenue_amount) as ledger_amount
    from balances
    group by source_system, period
),

sold as (
    select
        {{ month_label('business_date') }} as period,
        {{ sum_money('net_revenue_base') }} as sales_amount,
        bool_and(is_tax_known) filter (where net_revenue_base <> 0) as is_tax_known,
        bool_or(unsettled_count > 0) as has_unsettled
    from channel_days
    group by {{ month_label('business_date') }}
),

-- Every month that is over for the data or in the ledger, of each ledger.
to_compare as (
    select
        source_system,
        period
    from booked
    union
    select
        ledger_systems.source_system,
        sold.period
    from sold
    inner join months on sold.period = months.period
    cross join horizon
    cross join ledger_systems
    where months.last_day < horizon.as_of_date
),

sale_days as (
    select
        source_system,
        business_date
    from movements
    group by source_system, business_date
),

neighbours as (
    select
        source_system,
        business_date,
        lag(business_date) over (partition by source_system order by business_date) as day_before,
        lead(business_date) over (partition by source_system order by business_date) as day_after
    from sale_days
),

-- What a system did not deliver: all before its first day, and pauses; after_day and until_day are not part of it.
holes as (
    select
        source_system,
        cast(null as date) as after_day,
        business_date as until_day
    from neighbours
    where day_before is null
    union all
    select
        neighbours.source_system,
        neighbours.business_date as after_day,
        neighbours.day_after as until_day
    from neighbours
    cross join horizon
    where
        {{ days_between('neighbours.business_date', 'coalesce(neighbours.day_after, horizon.as_of_date)') }}
        > {{ longest_pause }}
),

active as (
    select
        {{ month_label('business_date') }} as period,
        source_system
    from sale_days
    group by {{ month_label('business_date') }}, source_system
),

partly as (
    select active.period
    from active
    inner join months on active.period = months.period
    inner join holes
        on
            active.source_system = holes.source_system
            and (holes.after_day is null or months.last_day > holes.after_day)
            and (holes.until_day is null or months.first_day < holes.until_day)
    group by active.period
),

sold_in as (
    select period
    from active
    group by period
),

joined as (
    select
        to_compare.source_system,
        to_compare.period,
        booked.feed,
        booked.currency,
        booked.ledger_amount,
        sold.sales_amount,
        sold.is_tax_known,
        sold.has_unsettled,
        coalesce(tolerances.tolerance, 0) as tolerance,
        case
            when (select count(*) from ledger_systems) > 1 then 'several systems deliver a ledger'
            when booked.period is null then 'no balance has arrived'
            when booked.account_count = 0 then 'no account is declared as revenue'
            when booked.currency_count > 1 then 'its revenue is in several currencies'
            when booked.currency <> '{{ reporting_currency() }}' then 'it is not in the reporting currency'
            when months.period is null then 'its period is no month'
            when sold_in.period is null then 'no sales of the month have arrived'
            when partly.period is not null or months.last_day >= horizon.as_of_date
                then 'the sales that have arrived do not cover the month'
            when sold.sales_amount is null then 'sales of the month cannot be converted'
        end as missing_reason
    from to_compare
    cross join horizon
    left join booked
        on to_compare.source_system = booked.source_system and to_compare.period = booked.period
    left join months on to_compare.period = months.period
    left join sold on to_compare.period = sold.period
    left join sold_in on to_compare.period = sold_in.period
    left join partly on to_compare.period = partly.period
    left join tolerances on booked.feed = tolerances.feed
),

differing as (
    select
        *,
        case when missing_reason is null then ledger_amount - sales_amount end as difference
    from joined
)

select
    source_system,
    period,
    feed,
    currency,
    cast(ledger_amount as decimal(18, 4)) as ledger_amount,
    sales_amount,
    cast(difference as decimal(18, 4)) as difference,
    case
        when missing_reason is not null then 'missing'
        when abs(difference) <= 0.01 then 'matched'
        else 'differing'
    end as verdict,
    case
        when missing_reason is not null then missing_reason
        when abs(difference) <= 0.01 then null
        when has_unsettled then 'documents of the month are unsettled'
        when not is_tax_known then 'the tax of some sales is not known'
    end as reason,
    tolerance,
    coalesce(abs(difference) <= greatest(tolerance * abs(ledger_amount), 0.01), true) as is_within_tolerance
from differing
