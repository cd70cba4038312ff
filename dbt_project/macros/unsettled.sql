{#- What is needed of a row of DWD to compare it with one in quarantine: a struct `said` per feed that delivered the
key, with its version and its place in the lake. -#}
{% macro said_by_feed(version) -%}{{ return(adapter.dispatch('said_by_feed')(version)) }}{%- endmacro %}
{% macro duckdb__said_by_feed(version) -%}
unnest(
            case
                when _feeds is null
                    then [
                        struct_pack(
                            _feed := _feed, _file := _file, _edition := _edition, _row := _row, ds := ds,
                            version := {{ version }}
                        )
                    ]
                else
                    list_transform(
                        _feeds,
                        lambda one: struct_pack(
                            _feed := one._feed, _file := one._file, _edition := one._edition, _row := one._row,
                            ds := one.ds, version := cast(one.stated ->> '$.{{ version }}' as timestamp)
                        )
                    )
            end
        ) as said
{%- endmacro %}

{#- The distinct texts of a group, in order, with a comma between. -#}
{% macro listed(text) -%}{{ return(adapter.dispatch('listed')(text)) }}{%- endmacro %}
{% macro duckdb__listed(text) -%}array_to_string(list_sort(list(distinct {{ text }})), ', ')
{%- endmacro %}
