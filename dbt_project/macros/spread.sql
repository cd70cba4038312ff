{#-
How an amount of a whole document gets to its rows, to the least unit of money: each row has its share by weight,
rounded down, and the units that are left go to the rows with the largest remainders (the method of the largest
remainder, Hamilton 1792). Amounts are whole numbers on the way: no rounding of an engine decides, and the shares add
up to the amount.
-#}

{#- A select of document, row and `share`, decimal(18, 4), of the rows of `relation`, which has `amount` (of the
document, the same in each of its rows), `weight` (0 or more) and `currency`. Without any weight the first row has
all. -#}
{% macro largest_remainder(relation, document, row) -%}
{%- set by_document = 'partition by ' ~ document | join(', ') -%}
select
    {{ document | join(', ') }},
    {{ row }},
    {{ money_of_units('(case when total > 0 then floored + case when place <= left_over then 1 else 0 end'
        ~ ' when place = 1 then parts else 0 end) * step') }} as share
from (
    select
        *,
        parts - sum(floored) over ({{ by_document }}) as left_over,
        row_number() over ({{ by_document }} order by remainder desc, {{ row }} asc) as place
    from (
        select
            *,
            case
                when total > 0 then {{ whole_quotient('parts * weight_units', 'nullif(total, 0)') }} else 0
            end as floored,
            case when total > 0 then (parts * weight_units) % nullif(total, 0) else 0 end as remainder
        from (
            select
                *,
                {{ whole_quotient('amount_units', 'step') }} as parts
            from (
                select
                    *,
                    sum(weight_units) over ({{ by_document }}) as total,
                    case
                        when amount_units % {{ least_units('currency') }} = 0 then {{ least_units('currency') }} else 1
                    end as step
                from (
                    select
                        {{ document | join(', ') }},
                        {{ row }},
                        currency,
                        {{ units_of_money('amount') }} as amount_units,
                        {{ units_of_money('weight') }} as weight_units
                    from {{ relation }}
                ) as in_units
            ) as stepped
        ) as parted
    ) as floored_down
) as placed
{%- endmacro %}

{#- Money as a whole number of ten-thousandths, and back. -#}
{% macro units_of_money(amount) -%}{{ return(adapter.dispatch('units_of_money')(amount)) }}{%- endmacro %}
{% macro duckdb__units_of_money(amount) -%}
{{ return('cast(cast(' ~ amount ~ ' as decimal(22, 4)) * 10000 as hugeint)') }}
{%- endmacro %}

{% macro money_of_units(number) -%}
{{ return('cast(cast(' ~ number ~ ' as decimal(22, 0)) * cast(0.0001 as decimal(4, 4)) as decimal(18, 4))') }}
{%- endmacro %}

{#- Quotient of whole numbers, rounded towards zero. -#}
{% macro whole_quotient(number, divisor) -%}
{{ return(adapter.dispatch('whole_quotient')(number, divisor)) }}
{%- endmacro %}
{% macro duckdb__whole_quotient(number, divisor) -%}{{ return('(' ~ number ~ ') // ' ~ divisor) }}{%- endmacro %}

{#- The least unit of a currency in ten-thousandths (ISO 4217's minor unit). -#}
{% macro least_units(currency) -%}
{%- set of_ten_thousand = ['CLP', 'ISK', 'JPY', 'KRW', 'PYG', 'UGX', 'VND', 'XAF', 'XOF'] -%}
{%- set of_ten = ['BHD', 'IQD', 'JOD', 'KWD', 'LYD', 'OMR', 'TND'] -%}
{{ return(
    'case when ' ~ is_one_of(currency, of_ten_thousand) ~ ' then 10000 when ' ~ is_one_of(currency, of_ten)
    ~ ' then 10 else 100 end'
) }}
{%- endmacro %}

{#- The unit to which parts of `amount` are rounded: its currency's least, or cents where it has fractions of that. -#}
{% macro units_of_step(amount, currency) -%}
{%- set least = least_units(currency) -%}
{{ return('case when ' ~ units_of_money(amount) ~ ' % ' ~ least ~ ' = 0 then ' ~ least ~ ' else 100 end') }}
{%- endmacro %}

{#- part = whole_part * amount / whole, rounded to the currency's least unit, half away from zero; decimal(18, 4). -#}
{% macro part_of(amount, whole, whole_part, currency) -%}
{%- set units = units_of_money(amount) -%}
{{ return(
    money_of_units('sign(' ~ units ~ ') * ' ~ units_of_part('abs(' ~ units ~ ')', whole, whole_part, currency))
) }}
{%- endmacro %}

{% macro units_of_part(amount_units, whole, whole_part, currency) -%}
{%- set all = units_of_money(whole) -%}
{%- set step = '(' ~ units_of_step(whole_part, currency) ~ ')' -%}
{{ return(
    whole_quotient('2 * ' ~ units_of_money(whole_part) ~ ' * (' ~ amount_units ~ ') + ' ~ step ~ ' * ' ~ all,
        '(2 * ' ~ step ~ ' * ' ~ all ~ ')') ~ ' * ' ~ step
) }}
{%- endmacro %}

{#- The part of `whole_part` that goes with `amount`, of `whole`, to the currency's least unit, for amounts that are
given back one after the other: each has what the running total comes to less what those before it had, so that all
parts of a whole that is given back add up to the whole, and never to more. `amount` is negative, as the result is;
`before` is what went before the first; `most`, what is given back at most, is NULL where it is in another currency than
the whole. -#}
{% macro share_of_running_total(amount, whole, whole_part, partition, order, currency, before='0', most=none) -%}
{%- set one = units_of_money('-(' ~ amount ~ ')') -%}
{%- set running = 'sum(' ~ one ~ ') over (partition by ' ~ partition | join(', ') ~ ' order by ' ~ order | join(', ')
    ~ ' rows between unbounded preceding and current row) + ' ~ units_of_money(before) -%}
{%- set so_far = 'least(' ~ running ~ ', ' ~ units_of_money(most or whole) ~ ')' -%}
{%- set until = 'least(' ~ running ~ ' - ' ~ one ~ ', ' ~ units_of_money(most or whole) ~ ')' -%}
case
    when {{ whole }} > 0 and {{ whole_part }} >= 0
        then {{ money_of_units('-(' ~ units_of_part(so_far, whole, whole_part, currency) ~ ' - '
            ~ units_of_part(until, whole, whole_part, currency) ~ ')') }}
end
{%- endmacro %}

{#- An amount of goods with its part of the tax that was added on top of them; `order` has what was sold. -#}
{% macro with_added_tax(amount, order, currency) -%}
{%- set sold, tax = order ~ '.sold_amount', order ~ '.sold_tax_amount' -%}
{{ amount }} + case
    when {{ order }}.is_tax_included then 0
    else coalesce({{ part_of(amount, sold, tax, currency) }}, 0)
end
{%- endmacro %}

{#- Units by their price. DuckDB multiplies decimals of 18 digits within 18 digits, eight of them behind the point. -#}
{% macro priced(units, price) -%}
cast(cast({{ units }} as decimal(19, 4)) * {{ price }} as decimal(18, 4))
{%- endmacro %}
