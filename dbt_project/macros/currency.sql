{#- ISO 4217 code of the currency that all *_base amounts are in. -#}
{% macro reporting_currency() -%}
{{ var('reporting_currency', env_var('ONEDATA_REPORTING_CURRENCY', 'CNY')) }}
{%- endmacro %}

{#- Amount in the reporting currency; NULL where no rate is known, so that a gap is seen and never counted as
nothing. DuckDB multiplies decimals of 18 digits within 18 digits: an order of ten million would be too much. -#}
{% macro to_base(amount, currency, rate) -%}
cast(
    cast({{ amount }} as decimal(20, 4))
    * case when {{ currency }} = '{{ reporting_currency() }}' then cast(1 as decimal(18, 8)) else {{ rate }} end
    as decimal(18, 4)
)
{%- endmacro %}

{#- Join of the rate that holds on a day: the day's own, else the last one before it; none before the first. The rows
of `rates` are those of dim_exchange_rate into the reporting currency, as `rates_to_base` selects them. -#}
{% macro join_rate(rates, currency, day) -%}
{{ return(adapter.dispatch('join_rate')(rates, currency, day)) }}
{%- endmacro %}
{% macro duckdb__join_rate(rates, currency, day) -%}
asof left join {{ rates }} on {{ currency }} = {{ rates }}.currency and {{ day }} >= {{ rates }}.valid_from
{%- endmacro %}

{% macro rates_to_base() -%}
select
    currency,
    valid_from,
    rate
from {{ ref('dim_exchange_rate') }}
where reporting_currency = '{{ reporting_currency() }}'
{%- endmacro %}

{#- Sum of money: 0 for no rows, NULL where an amount is unknown (a plain sum would skip it), and decimal(18, 4)
again. -#}
{% macro sum_money(amount, where='true') -%}
case
    when count(*) filter (where {{ where }}) = count({{ amount }}) filter (where {{ where }})
        then cast(coalesce(sum({{ amount }}) filter (where {{ where }}), 0) as decimal(18, 4))
end
{%- endmacro %}
