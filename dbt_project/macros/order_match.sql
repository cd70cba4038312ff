{#- What a retailer sets for orders that stand in two systems (docs/settings.md). -#}

{#- Confidence from which a found pair of orders counts once. -#}
{% macro order_match_confidence() -%}
{{ var('order_match_confidence', env_var('ONEDATA_ORDER_MATCH_CONFIDENCE', '0.95')) }}
{%- endmacro %}

