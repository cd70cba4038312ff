{#-
Whether `value` is one of `values`, texts: NULL if it is NULL. DuckDB 1.5 makes a join of every IN with five values or
more, which took 0.40 of the 0.47 CPU seconds of a dws_refund of 18 rows; for three million rows, a look-up in a list
takes a third of the join's time.
-#}
{% macro is_one_of(value, values) -%}{{ return(adapter.dispatch('is_one_of')(value, values)) }}{%- endmacro %}

{% macro default__is_one_of(value, values) -%}
{{ return(value ~ " in ('" ~ values | join("', '") ~ "')") }}
{%- endmacro %}

{% macro duckdb__is_one_of(value, values) -%}
{{ return("contains(['" ~ values | join("', '") ~ "'], " ~ value ~ ")") }}
{%- endmacro %}
