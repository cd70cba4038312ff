{{ config(materialized='table') }}

with given as (
    select * from {{ ref('dim_exchange_rate_day') }}
),

-- A retailer's own file is one statement: of what it said before, only what its last save says again still holds, and
-- nothing once the file is gone or has no row.
own_saved as (
    select max(updated_at) as saved_at
    from given
    where _feed = 'own_exchange_rates'
),

-- Where several systems give a day's rate they must agree (the gate of dim_exchange_rate_day).
of_day as (
    select
        given.currency,
        given.reporting_currency,
        given.rate_date,
        max(given.rate) as rate
    from given
    cross join own_saved
    where
        given.rate is not null
        and (
            given._feed <> 'own_exchange_rates'
            or given.updated_at = own_saved.saved_at and {{ own_file_says_something('exchange_rates') }}
        )
    group by given.currency, given.reporting_currency, given.rate_date
)

select
    currency,
    reporting_currency,
    rate_date as valid_from,
    lead(rate_date) over (partition by currency, reporting_currency order by rate_date) as valid_to,
    rate
from of_day
