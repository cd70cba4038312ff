{#- What the contracts that rows landed by say, from the ledger. -#}

{#- A select of the source systems that a feed of the entity belongs to: `source_system`. -#}
{% macro delivering_systems(entity) -%}
{{ return(adapter.dispatch('delivering_systems')(entity)) }}
{%- endmacro %}
{% macro duckdb__delivering_systems(entity) -%}
select shape ->> '$.system' as source_system
from {{ source('ops', 'contract') }}
where (shape ->> '$.entity') = '{{ entity }}'
{%- endmacro %}
