{#-
How DIM and DWD stay the same whatever the sequence of nights.

A key's row is the greatest of all its delivered versions in one total order: the source's own version, where it has
one (unknown is least), then the night, then the place in the lake: feed, file, the file's edition, row. "Greatest of"
is associative, so taking the pending batches into what is already there gives what one rebuild from all of ODS gives,
and taking a batch twice changes nothing. A version replaces the row whole, empty values included; where several feeds
of one source system deliver the key, that holds within each feed, and macros/several_feeds.sql says how their rows
become one.
-#}

{#- Import filter: on an incremental run only rows of batches not yet carried to the end. The nights are named too,
although a batch says its night, because the lake is partitioned by them: of other nights' files then only the footers
are read. -#}
{% macro pending_only() -%}
{%- if is_incremental() -%}
where
    _batch in (select pending.batch_id from {{ source('ops', 'pending_batch') }} as pending)
    and ds in (
        select batches.ds
        from {{ source('ops', 'batch') }} as batches
        inner join {{ source('ops', 'pending_batch') }} as pending on batches.batch_id = pending.batch_id
    )
{%- endif -%}
{%- endmacro %}

{#- A select of the row that stands per key, of what is new in `delivered` (rows of the entity's ODS view): canonical
columns, identity_key and lineage, then `_tied` and `_feeds` (macros/several_feeds.sql). -#}
{% macro latest_version(entity, key, version=none) -%}
{%- set shared = shared_systems(entity) -%}
{%- set place = ['ds', '_feed', '_file', '_edition', '_row'] -%}
{%- if shared -%}
with {{ several_feeds(entity, key, version, shared) }},

whole as (
{% endif -%}
select
    {{ prefixed('delivered', latest_columns(entity)) }},
    cast(null as varchar) as _tied,
    cast(null as {{ feeds_type() }}) as _feeds
from delivered
{% if is_incremental() -%}
left join {{ this }} as existing on {{ same_key('delivered', 'existing', key) }}
{% endif -%}
where
    true
    {%- if is_incremental() %}
    and (existing.{{ key[0] }} is null or {{ newer('delivered', 'existing', place, version) }})
    {%- endif %}
    {%- if shared %}
    and not exists (select 1 from crossed where {{ same_key('delivered', 'crossed', key) }})
    {%- endif %}
qualify row_number() over (
    partition by {{ prefixed('delivered', key) }}
    order by
        {% if version %}delivered.{{ version }} desc nulls last,{% endif %}
        {% for column in place -%}
        delivered.{{ column }} desc nulls last{% if not loop.last %},{% endif %}
        {% endfor -%}
) = 1
{%- if shared %}
)

select * from whole
union all
select * from pieced
{%- endif -%}
{%- endmacro %}

{#- The columns that `latest_version` gives of a delivered row, in order. -#}
{% macro latest_columns(entity) -%}
{{ return(
    ['source_system'] + (entity_columns(entity) | list)
    + (['identity_key'] if names_persons(entity) else []) + ['_feed', '_file', '_edition', '_row', 'ds']
) }}
{%- endmacro %}

{#- The columns with their table's name before each. -#}
{% macro prefixed(relation, columns) -%}
{% for column in columns %}{{ relation }}.{{ column }}{% if not loop.last %}, {% endif %}{% endfor %}
{%- endmacro %}

{#- True where two rows have one key. -#}
{% macro same_key(a, b, key) -%}
{% for column in key %}{% if not loop.first %} and {% endif %}{{ a }}.{{ column }} = {{ b }}.{{ column }}{% endfor %}
{%- endmacro %}

{#- True where row `a` comes after row `b` in the total order. -#}
{% macro newer(a, b, place, version=none) -%}
{%- if version -%}
(
    {{ a }}.{{ version }} > {{ b }}.{{ version }}
    or ({{ a }}.{{ version }} is not null and {{ b }}.{{ version }} is null)
    or ({{ a }}.{{ version }} is not distinct from {{ b }}.{{ version }} and {{ newer(a, b, place) }})
)
{%- elif place | length > 1 -%}
(
    {{ a }}.{{ place[0] }} > {{ b }}.{{ place[0] }}
    or ({{ a }}.{{ place[0] }} = {{ b }}.{{ place[0] }} and {{ newer(a, b, place[1:]) }})
)
{%- else -%}
{{ a }}.{{ place[0] }} > {{ b }}.{{ place[0] }}
{%- endif -%}
{%- endmacro %}
