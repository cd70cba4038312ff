{{ config(materialized='table') }}

with given as (
    select * from {{ ref('dim_exchange_rate_day') }}
),

-- Where several systems give a day's rate they must agree (the gate of dim_exchange_rate_day).
of_day as (
    select
        currency,
        reporting_currency,
        rate_date,
        max(rate) as rate
    from given
    where rate is not null
    group by currency, reporting_currency, rate_date
)

select
    currency,
    reporting_currency,
    rate_date as valid_from,
    lead(rate_date) over (partition by currency, reporting_currency order by rate_date) as valid_to,
    rate
from of_day
