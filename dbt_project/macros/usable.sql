{#- Derived from data_contracts/identifiers.yaml by `onedata derive`; do not edit. -#}
{%- macro usable(value, kind) -%}
{%- set shipped = {
    "every kind": ["not contains(['', 'null', 'none', 'n/a', 'na', 'anonymous', 'guest', 'unknown', '-1', "
        ~ "'-', 'test'], lower({value}))", "replace({value}, '0', '') != ''"],
    "account": [],
    "loyalty": [],
    "social": [],
    "payment": ["not contains(['cash'], lower({value}))"],
    "cookie": ["not contains(['(not set)'], lower({value}))"]
} -%}
{%- set own = env_var('ONEDATA_USABLE', '') -%}
{%- if env_var('ONEDATA_IDENTIFIERS', 'unknown') and not own -%}
{{ exceptions.raise_compiler_error('run the models by onedata, which passes the identifier policy') }}
{%- endif -%}
{%- set policy = fromjson(own) if own else shipped -%}
{{ (policy['every kind'] + policy[kind]) | join(' and ') | replace('{value}', value) }}
{%- endmacro %}
