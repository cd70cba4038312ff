{#-
Which lines of a document still stand. A feed whose contract says that its documents are complete delivers a document
with all its lines: a line that is of an older version than the document is gone.
-#}

{#- The feeds of complete documents, by their newest contracts: [line feed, feed of the headers in the same files or
none]. -#}
{% macro complete_documents() -%}
{{ return(adapter.dispatch('complete_documents')()) }}
{%- endmacro %}
{% macro duckdb__complete_documents() -%}
{%- set found = run_query(
    "with newest as (select feed, shape from ops.contract "
    ~ "qualify row_number() over (partition by feed order by last_used_at desc, version desc) = 1) "
    ~ "select lines.feed, min(headers.feed) from newest as lines left join newest as headers "
    ~ "on (headers.shape ->> '$.entity') = 'sales_order' "
    ~ "and (lines.shape ->> '$.system') = (headers.shape ->> '$.system') "
    ~ "and (lines.shape ->> '$.location') = (headers.shape ->> '$.location') "
    ~ "and (lines.shape ->> '$.columns.updated_at.source') = (headers.shape ->> '$.columns.updated_at.source') "
    ~ "where (lines.shape ->> '$.entity') = 'order_line' and (lines.shape ->> '$.more.complete') = 'true' "
    ~ "group by 1 order by 1"
).rows if execute else [] -%}
{%- set pairs = [] -%}
{%- for row in found -%}{%- do pairs.append([row[0], row[1]]) -%}{%- endfor -%}
{{ return(pairs) }}
{%- endmacro %}
