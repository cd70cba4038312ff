{#- True while a file that the retailer keeps by hand beside its settings (exchange_rates, order_matches) is there and
says something: what lands of a file without a row does not tell that the save before it no longer holds. -#}
{% macro own_file_says_something(name) -%}
{{ 'true' if name in var('own_files_with_rows', env_var('ONEDATA_OWN_FILES_WITH_ROWS', '')).split() else 'false' }}
{%- endmacro %}
