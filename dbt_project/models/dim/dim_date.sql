{{ config(materialized='table') }}

-- From the first business day that landing accepts.
with days as (
    select series.date_day from {{ date_series('1990-01-01', '2050-12-31') }} as series
)

select
    date_day,
    cast(extract(year from date_day) as integer) as year_number,
    cast(extract(quarter from date_day) as integer) as quarter_number,
    cast(extract(month from date_day) as integer) as month_number,
    {{ month_label('date_day') }} as month_label,
    cast(extract(day from date_day) as integer) as day_of_month,
    cast({{ iso_year('date_day') }} as integer) as iso_year,
    cast(extract(week from date_day) as integer) as iso_week,
    cast({{ iso_weekday('date_day') }} as integer) as iso_weekday,
    {{ iso_weekday('date_day') }} >= 6 as is_weekend
from days
