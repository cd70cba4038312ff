{#- Derived from data_contracts/identifiers.yaml by `onedata derive`; do not edit. -#}
{%- macro usable(value, kind) -%}
{%- set shipped = {
    "account": "lower({value}) not in ('', 'null', 'none', 'n/a', 'na', 'anonymous', 'guest', 'unknown', '-1', '-', 'test')\n            and replace({value}, '0', '') != ''",
    "loyalty": "lower({value}) not in ('', 'null', 'none', 'n/a', 'na', 'anonymous', 'guest', 'unknown', '-1', '-', 'test')\n            and replace({value}, '0', '') != ''",
    "social": "lower({value}) not in ('', 'null', 'none', 'n/a', 'na', 'anonymous', 'guest', 'unknown', '-1', '-', 'test')\n            and replace({value}, '0', '') != ''",
    "payment": "lower({value}) not in ('', 'null', 'none', 'n/a', 'na', 'anonymous', 'guest', 'unknown', '-1', '-', 'test')\n            and replace({value}, '0', '') != ''\n            and lower({value}) not in ('cash')",
    "cookie": "lower({value}) not in ('', 'null', 'none', 'n/a', 'na', 'anonymous', 'guest', 'unknown', '-1', '-', 'test')\n            and replace({value}, '0', '') != ''\n            and lower({value}) not in ('(not set)')"
} -%}
{%- set own = env_var('ONEDATA_USABLE', '') -%}
{%- if env_var('ONEDATA_IDENTIFIERS', 'unknown') and not own -%}
{{ exceptions.raise_compiler_error('run the models by onedata, which passes the identifier policy') }}
{%- endif -%}
{{ (fromjson(own) if own else shipped)[kind] | replace('{value}', value) }}
{%- endmacro %}
