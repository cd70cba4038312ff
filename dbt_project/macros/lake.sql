{#- The rows of one entity in the lake, all feeds and nights. The first file is the empty one that carries the entity's columns. -#}
{%- macro lake(entity) -%}
    {{ return(adapter.dispatch('lake')(entity)) }}
{%- endmacro -%}

{%- macro duckdb__lake(entity) -%}
    {#- The folder's own name is taken literally, whatever it is called. -#}
    {%- set folder = env_var("ONEDATA_LAKE") | replace("[", "[[]") | replace("*", "[*]") | replace("?", "[?]") | replace("'", "''") -%}
    read_parquet(
        '{{ folder }}/ods/{{ entity }}/*/*/*.parquet',
        hive_partitioning = true,
        hive_types = {'source': varchar, 'ds': date}
    )
{%- endmacro -%}
