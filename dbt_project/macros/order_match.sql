{#- What a retailer sets for orders that stand in two systems (docs/settings.md). -#}

{#- Confidence from which a found pair of orders counts once. -#}
{% macro order_match_confidence() -%}
{{ var('order_match_confidence', env_var('ONEDATA_ORDER_MATCH_CONFIDENCE', '0.95')) }}
{%- endmacro %}

{#- True while the retailer's own file of decisions says anything. -#}
{% macro has_order_matches() -%}
{{ 'true' if var('orders_decided', env_var('ONEDATA_ORDERS_DECIDED', '')) else 'false' }}
{%- endmacro %}
