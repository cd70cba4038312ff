{#- Derived from data_contracts/identifiers.yaml by `onedata derive`; do not edit. -#}
{%- macro blocked_values() -%}
'', 'null', 'none', 'n/a', 'na', 'anonymous', 'guest', 'unknown', '-1', '-', 'test'
{%- endmacro %}
