{#- The rows of one entity in the lake, all feeds and nights: of the files that the manifests name, as the ledger knows
them, and of no others. Files are read by name: one that is older than a column of the entity has NULL in it, and the
empty file that carries the entity's columns (ensure_lake) makes sure that each is there. Where a type has changed, a
column has the type that holds both; the ODS model casts it to the entity's. -#}
{%- macro lake(entity) -%}
    {{ return(adapter.dispatch('lake')(entity)) }}
{%- endmacro -%}

{%- macro duckdb__lake(entity) -%}
    {#- The folder's own name is taken literally, whatever it is called. -#}
    {%- set folder = env_var("ONEDATA_LAKE") | replace("[", "[[]") | replace("*", "[*]") | replace("?", "[?]") -%}
    {%- set folder = folder | replace("'", "''") -%}
    {%- set files = run_query(
        "select 'source=' || l.feed || '/ds=' || l.ds || '/' || l.name from ops.lake_file as l "
        ~ "inner join ops.batch as b on l.batch_id = b.batch_id where l.entity = '" ~ entity ~ "' order by 1"
    ).rows if execute else [] -%}
    read_parquet(
        [
            '{{ folder }}/ods/{{ entity }}/source=_schema/ds=1970-01-01/empty.parquet'
            {%- for file in files %},
            '{{ folder }}/ods/{{ entity }}/{{ file[0] }}'
            {%- endfor %}
        ],
        union_by_name = true,
        hive_partitioning = true,
        hive_types = {'source': varchar, 'ds': date}
    )
{%- endmacro -%}
