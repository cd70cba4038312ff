{#-
How a key that several feeds of one source system deliver gets its row.

Within a feed the latest version stands whole. Across feeds each column comes from the newest version of a feed whose
contract maps it: an empty value of a mapped column is a statement, an unmapped column is none. Newest is by the
source's own version (unknown is least), then the night, then the `priority` that the contracts declare. Where these
tie and the feeds differ, `_tied` names the column, and the gate of the layer closes: the name of a feed decides
nothing.

`_feeds` keeps what each feed said, so that a later night can take one feed's row anew. Both are NULL for a key that
one feed delivers, which is the usual one: of it nothing more is computed than its latest version.
-#}

{#- The source systems of an entity that more than one feed has delivered, by the ledger. -#}
{% macro shared_systems(entity) -%}
{{ return(adapter.dispatch('shared_systems')(entity)) }}
{%- endmacro %}
{% macro duckdb__shared_systems(entity) -%}
{%- set found = run_query(
    "select c.shape ->> 'system' as source_system from ops.batch as b inner join ops.contract as c on b.feed = c.feed "
    ~ "where b.entity = '" ~ entity ~ "' group by 1 having count(distinct b.feed) > 1 order by 1"
).rows if execute else [] -%}
{{ return(found | map(attribute=0) | list) }}
{%- endmacro %}

{#- CTEs: `crossed` holds the keys of `delivered` that several feeds deliver, `pieced` their rows, with the columns of
`latest_version`. -#}
{% macro several_feeds(entity, key, version, shared) -%}
{%- set ods = ref('ods_' ~ entity) -%}
{%- set columns = entity_columns(entity) -%}
{%- set read = ['source_system'] + (columns | list)
    + ['_feed', '_file', '_edition', '_row', 'ds', '_priority', '_mapped'] -%}
{%- set said = columns | reject('in', key) | list -%}
{%- set newest_first = ([version ~ ' desc nulls last'] if version else [])
    + ['ds desc', 'coalesce(_priority, 0) desc'] -%}
crossed as (
    select {{ prefixed('delivered', key) }}
    from delivered
    {% if is_incremental() -%}
    left join {{ this }} as existing on {{ same_key('delivered', 'existing', key) }}
    {% endif -%}
    where
        delivered.source_system in (
            {%- for system in shared %}{{ dbt.string_literal(dbt.escape_single_quotes(system)) }}
            {%- if not loop.last %}, {% endif %}{% endfor -%}
        )
    group by {{ prefixed('delivered', key) }}
    having
        min(delivered._feed) <> max(delivered._feed)
        {%- if is_incremental() %}
        or min(existing._feed) <> min(delivered._feed)
        or count(existing._feeds) > 0
        {%- endif %}
),

stated as (
    select {{ prefixed('delivered', read) }}
    from delivered
    inner join crossed on {{ same_key('delivered', 'crossed', key) }}
    {%- if is_incremental() %}
    union all
    {{ feeds_read(columns, key) }}
    union all
    -- Until now one feed delivered these keys: its rows are read from the lake once more.
    select {{ prefixed('earlier', read) }}
    from {{ ods }} as earlier
    inner join {{ this }} as existing
        on
            {{ same_key('earlier', 'existing', key) }}
            and earlier._feed = existing._feed and earlier.ds = existing.ds
            and earlier._file = existing._file and earlier._edition = existing._edition
            and earlier._row = existing._row
    inner join crossed on {{ same_key('existing', 'crossed', key) }}
    where existing._feeds is null
    {%- endif %}
),

by_feed as (
    select *
    from stated
    qualify row_number() over (
        partition by {{ prefixed('stated', key) }}, stated._feed
        order by {{ (newest_first[:-1] + ['_file desc', '_edition desc nulls last', '_row desc']) | join(', ') }}
    ) = 1
),

ranked as (
    select
        *,
        row_number() over (
            partition by {{ prefixed('by_feed', key) }} order by {{ newest_first | join(', ') }}, by_feed._feed
        ) as _number,
        dense_rank() over (
            partition by {{ prefixed('by_feed', key) }} order by {{ newest_first | join(', ') }}
        ) as _place
    from by_feed
),

newest as (
    select
        {{ key | join(', ') }},
        {% for column in said -%}
        {{ value_of_first(column, '_number', maps(column)) }} as {{ column }},
        {% endfor -%}
        {% for column in ['_feed', '_file', '_edition', '_row', 'ds'] -%}
        {{ value_of_first(column, '_number', 'true') }} as {{ column }},
        {% endfor -%}
        {{ feeds_kept(columns, key) }} as _feeds
    from ranked
    group by {{ key | join(', ') }}
),

even as (
    select {{ key | join(', ') }}
    from ranked
    group by {{ key | join(', ') }}
    having count(distinct _place) < count(*)
),

placed as (
    select
        ranked.*,
        {% for column in said -%}
        min(ranked._place) filter (where {{ maps(column) }})
            over (partition by {{ prefixed('ranked', key) }}) as _place_of_{{ column }}
            {%- if not loop.last %},{% endif %}
        {% endfor %}
    from ranked
    inner join even on {{ same_key('ranked', 'even', key) }}
),

tied as (
    select
        {{ key | join(', ') }},
        nullif(concat_ws(
            ', '
            {%- for column in said -%}
            {%- set of_the_newest -%}
            filter (where _place = _place_of_{{ column }} and ({{ maps(column) }}))
            {%- endset -%},
            case
                when
                    count(distinct {{ column }}) {{ of_the_newest }} > 1
                    or count({{ column }}) {{ of_the_newest }} between 1 and count(*) {{ of_the_newest }} - 1
                    then '{{ column }}'
            end
            {%- endfor %}
        ), '') as _tied
    from placed
    group by {{ key | join(', ') }}
),

pieced as (
    select
        {% for column in latest_columns(entity) -%}
        {% if column == 'identity_key' %}{{ identity_key(entity) }} as identity_key{% else %}{{ column }}{% endif %},
        {% endfor -%}
        _tied,
        _feeds
    from (
        select newest.*, tied._tied
        from newest
        left join tied on {{ same_key('newest', 'tied', key) }}
    ) as decided
)
{%- endmacro %}

{#- True where the row's feed speaks of the column. A row that landed before `_mapped` was kept speaks of what it
gives. -#}
{% macro maps(column) -%}
{{ column }} is not null or position(',{{ column }},' in ',' || _mapped || ',') > 0
{%- endmacro %}

{#- Aggregate: the column's value, NULL too, in the first of the rows that fulfil the condition. -#}
{% macro value_of_first(column, order, condition) -%}
{{ return(adapter.dispatch('value_of_first')(column, order, condition)) }}
{%- endmacro %}
{% macro duckdb__value_of_first(column, order, condition) -%}
arg_min_null({{ column }}, {{ order }}) filter (where {{ condition }})
{%- endmacro %}

{#- The type of `_feeds`, the aggregate that makes it, and the select of rows from it. Values are kept as text, whose
casts are exact, so that an entity may get a column without a rebuild. -#}
{% macro feeds_type() -%}{{ return(adapter.dispatch('feeds_type')()) }}{%- endmacro %}
{% macro duckdb__feeds_type() -%}
struct(
    _feed varchar, _file varchar, _edition bigint, _row bigint, ds date, _priority bigint, _mapped varchar,
    stated json
)[]
{%- endmacro %}

{% macro feeds_kept(columns, key) -%}{{ return(adapter.dispatch('feeds_kept')(columns, key)) }}{%- endmacro %}
{% macro duckdb__feeds_kept(columns, key) -%}
list_sort(list(
    struct_pack(
        _feed := _feed, _file := _file, _edition := _edition, _row := _row, ds := ds, _priority := _priority,
        _mapped := _mapped,
        stated := to_json(struct_pack(
            {%- for column in columns if column not in key %}
            {{ column }} := cast({{ column }} as varchar){% if not loop.last %},{% endif %}
            {%- endfor %}
        ))
    )
))
{%- endmacro %}

{% macro feeds_read(columns, key) -%}{{ return(adapter.dispatch('feeds_read')(columns, key)) }}{%- endmacro %}
{% macro duckdb__feeds_read(columns, key) -%}
select
    kept.source_system,
    {% for column, type in columns.items() -%}
    {% if column in key -%}
    kept.{{ column }},
    {% else -%}
    cast(kept.one.stated ->> '$.{{ column }}' as {{ type }}) as {{ column }},
    {% endif -%}
    {% endfor -%}
    kept.one._feed,
    kept.one._file,
    kept.one._edition,
    kept.one._row,
    kept.one.ds,
    kept.one._priority,
    kept.one._mapped
from (
    select {{ prefixed('existing', key) }}, unnest(existing._feeds) as one
    from {{ this }} as existing
    inner join crossed on {{ same_key('existing', 'crossed', key) }}
) as kept
{%- endmacro %}
