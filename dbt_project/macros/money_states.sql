{#- What a source calls a payment or repayment that reached its receiver, and one that did not; any other word is not
known. -#}
{% macro has_succeeded(status) -%}
{{ is_one_of(status, ['success', 'succeeded', 'paid', 'captured', 'settled', 'refunded', 'completed']) }}
{%- endmacro %}

{% macro has_not_succeeded(status) -%}
{{ is_one_of(status, [
    'failure', 'failed', 'error', 'declined', 'cancelled', 'canceled', 'void', 'voided', 'pending', 'expired'
]) }}
{%- endmacro %}

{#- A repayment that will not reach its receiver. -#}
{% macro has_failed(status) -%}
coalesce(
    {{ is_one_of(status, [
        'failure', 'failed', 'error', 'declined', 'cancelled', 'canceled', 'void', 'voided'
    ]) }}, false
)
{%- endmacro %}
