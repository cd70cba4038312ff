{#-
How DIM and DWD stay the same whatever the sequence of nights.

A key's row is the greatest of all its delivered versions in one total order: the source's own version, where it has one
(unknown is least), then the night, then the place in the lake. "Greatest of" is associative, so taking the pending
batches into what is already there gives what one rebuild from all of ODS gives, and taking a batch twice changes
nothing.
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

{#- The rest of a select from `delivered`: its latest row per key, where that is newer than the row already in the
table. -#}
{% macro latest_version(delivered, key, version=none) -%}
{%- set place = ['ds', '_feed', '_file', '_row'] -%}
{%- if is_incremental() -%}
left join {{ this }} as existing
    on
        {% for column in key -%}
        {% if not loop.first %}and {% endif %}{{ delivered }}.{{ column }} = existing.{{ column }}
        {% endfor %}
where existing.{{ key[0] }} is null or {{ newer(delivered, 'existing', place, version) }}
{% endif -%}
qualify row_number() over (
    partition by {% for column in key %}{{ delivered }}.{{ column }}{% if not loop.last %}, {% endif %}{% endfor %}
    order by
        {% if version %}{{ delivered }}.{{ version }} desc nulls last,{% endif %}
        {% for column in place -%}
        {{ delivered }}.{{ column }} desc nulls last{% if not loop.last %},{% endif %}
        {% endfor -%}
) = 1
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
