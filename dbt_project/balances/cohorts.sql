-- Persons by the days of their first two orders, of months that ended at least 90 days ago.
with orders as (
    select * from dws.dws_order
    where is_order and oneid is not null
),

persons as (
    select
        oneid,
        min(business_date) as first_date,
        list_sort(list(business_date))[2] as second_date
    from orders
    group by oneid
)

select persons.*
from persons
where
    last_day(persons.first_date) + 90
    <= (
        select as_of.as_of_date
        from dws.dws_as_of as as_of
        where as_of.entity = 'sales_order'
    )
