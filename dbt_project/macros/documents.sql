{#-
Which lines of a document still stand. A feed whose contract says that its documents are complete delivers a document
with all its lines: a line that is of an older version than the document is gone.
-#}

{#- A select of the feeds of complete documents, by their newest contracts: `line_feed`, and `header_feed`, that of the
headers in the same files, if there is one. -#}
{% macro complete_documents() -%}
{{ return(adapter.dispatch('complete_documents')()) }}
{%- endmacro %}
{% macro duckdb__complete_documents() -%}
select
    lines.feed as line_feed,
    min(headers.feed) as header_feed
from {{ source('ops', 'contract') }} as lines
left join {{ source('ops', 'contract') }} as headers
    on
        (headers.shape ->> '$.entity') = 'sales_order'
        and (lines.shape ->> '$.system') = (headers.shape ->> '$.system')
        and (lines.shape ->> '$.location') = (headers.shape ->> '$.location')
        and (lines.shape ->> '$.columns.updated_at.source') = (headers.shape ->> '$.columns.updated_at.source')
where (lines.shape ->> '$.entity') = 'order_line'
group by lines.feed
having arg_max(lines.shape ->> '$.more.complete', lines.last_used_at) = 'true'
{%- endmacro %}
