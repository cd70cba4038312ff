{#- ISO 4217 code of the currency that all *_base amounts are in. -#}
{% macro reporting_currency() -%}
{{ var('reporting_currency', env_var('ONEDATA_REPORTING_CURRENCY', 'CNY')) }}
{%- endmacro %}

{#- Amount in the reporting currency; NULL where no rate is known, so that a gap is seen and never counted as
nothing. -#}
{% macro to_base(amount, currency, rate) -%}
cast(
    {{ amount }}
    * case when {{ currency }} = '{{ reporting_currency() }}' then cast(1 as decimal(18, 8)) else {{ rate }} end
    as decimal(18, 4)
)
{%- endmacro %}

{#- Sum of money: 0 for no rows, NULL where an amount is unknown (a plain sum would skip it), and decimal(18, 4)
again. -#}
{% macro sum_money(amount, where='true') -%}
case
    when count(*) filter (where {{ where }}) = count({{ amount }}) filter (where {{ where }})
        then cast(coalesce(sum({{ amount }}) filter (where {{ where }}), 0) as decimal(18, 4))
end
{%- endmacro %}
