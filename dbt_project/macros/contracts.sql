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

{#- A select of what each feed's newest contract tolerates: `feed`, `tie`, `tolerance`, for the ties given. -#}
{% macro tie_tolerances(ties) -%}
{{ return(adapter.dispatch('tie_tolerances')(ties)) }}
{%- endmacro %}
{% macro duckdb__tie_tolerances(ties) -%}
{%- for tie in ties %}
select
    feed,
    '{{ tie }}' as tie,
    coalesce(cast(arg_max(shape, last_used_at) ->> '$.more.tie_tolerance.{{ tie }}' as decimal(18, 8)), 0) as tolerance
from {{ source('ops', 'contract') }}
group by feed
{%- if not loop.last %}
union all
{%- endif %}
{%- endfor %}
{%- endmacro %}
