{#- What is said of a parcel's promise. `shipments` is dwd_shipment. A promise is an instant; where only its day is
known, it holds until that day ends where the parcel goes. -#}

{#- True where delivery was promised. -#}
{% macro is_promised(shipments) -%}
({{ shipments }}.promised_at is not null or {{ shipments }}.promised_date is not null)
{%- endmacro %}

{#- True where it is decided whether the promise was kept: the parcel was delivered, or the promise had passed when the
data of shipments ends. `as_of` is the row of shipment in dws_as_of. -#}
{% macro is_due(shipments, as_of) -%}
coalesce(
    case
        when {{ shipments }}.delivered_at is not null then {{ is_promised(shipments) }}
        when {{ shipments }}.promised_at is not null then {{ shipments }}.promised_at < {{ as_of }}.as_of_at
        else {{ shipments }}.promised_date < {{ as_of }}.as_of_date
    end, false
)
{%- endmacro %}

{#- True where the parcel was delivered by the promised instant, or day. -#}
{% macro is_on_time(shipments) -%}
coalesce(
    case
        when {{ shipments }}.promised_at is not null then {{ shipments }}.delivered_at <= {{ shipments }}.promised_at
        else {{ shipments }}.delivered_date <= {{ shipments }}.promised_date
    end, false
)
{%- endmacro %}
