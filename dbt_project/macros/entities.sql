{#- Derived from data_contracts/canonical by `onedata derive`; do not edit. -#}

{#- Column to type, of a canonical entity. -#}
{%- macro entity_columns(entity) -%}
{%- set columns = {
    "account_balance": {
        "period": "varchar",
        "account_code": "varchar",
        "account_name": "varchar",
        "account_type": "varchar",
        "balance": "decimal(18,4)",
        "revenue_amount": "decimal(18,4)",
        "currency": "varchar",
        "posted_at": "timestamp"
    },
    "consent": {
        "consent_id": "varchar",
        "email": "varchar",
        "loyalty_id": "varchar",
        "purpose": "varchar",
        "is_granted": "boolean",
        "recorded_in": "varchar",
        "policy_version": "varchar",
        "business_date": "date",
        "recorded_at": "timestamp"
    },
    "customer": {
        "customer_id": "varchar",
        "loyalty_id": "varchar",
        "social_union_id": "varchar",
        "email": "varchar",
        "phone": "varchar",
        "full_name": "varchar",
        "address": "varchar",
        "city": "varchar",
        "region": "varchar",
        "country": "varchar",
        "postcode": "varchar",
        "gender": "varchar",
        "birth_year": "bigint",
        "member_tier": "varchar",
        "marketing_consent": "boolean",
        "registered_at": "timestamp",
        "updated_at": "timestamp"
    },
    "exchange_rate": {
        "currency": "varchar",
        "reporting_currency": "varchar",
        "rate_date": "date",
        "rate": "decimal(18,8)",
        "updated_at": "timestamp"
    },
    "inventory_snapshot": {
        "snapshot_date": "date",
        "product_id": "varchar",
        "node_id": "varchar",
        "on_hand": "decimal(18,4)",
        "reserved": "decimal(18,4)",
        "in_transit": "decimal(18,4)",
        "safety_stock": "decimal(18,4)",
        "unit_cost": "decimal(18,4)",
        "currency": "varchar"
    },
    "marketing_spend": {
        "spend_date": "date",
        "platform": "varchar",
        "campaign_id": "varchar",
        "adset_id": "varchar",
        "impressions": "bigint",
        "clicks": "bigint",
        "spend": "decimal(18,4)",
        "currency": "varchar"
    },
    "node": {
        "node_id": "varchar",
        "node_key": "varchar",
        "node_name": "varchar",
        "node_type": "varchar",
        "city": "varchar",
        "region": "varchar",
        "country": "varchar",
        "postcode": "varchar",
        "time_zone": "varchar",
        "latitude": "double",
        "longitude": "double",
        "selling_area_m2": "double",
        "headcount": "bigint",
        "updated_at": "timestamp"
    },
    "order_line": {
        "order_id": "varchar",
        "line_id": "varchar",
        "line_type": "varchar",
        "original_order_id": "varchar",
        "channel": "varchar",
        "node_id": "varchar",
        "product_id": "varchar",
        "product_name": "varchar",
        "quantity": "decimal(18,4)",
        "current_quantity": "decimal(18,4)",
        "unit_price": "decimal(18,4)",
        "discount_amount": "decimal(18,4)",
        "line_amount": "decimal(18,4)",
        "tax_amount": "decimal(18,4)",
        "is_tax_included": "boolean",
        "currency": "varchar",
        "parent_line_id": "varchar",
        "is_test": "boolean",
        "return_reason": "varchar",
        "country": "varchar",
        "customer_id": "varchar",
        "loyalty_id": "varchar",
        "business_date": "date",
        "sold_at": "timestamp",
        "updated_at": "timestamp"
    },
    "order_match": {
        "order_system": "varchar",
        "order_id": "varchar",
        "other_system": "varchar",
        "other_order_id": "varchar",
        "decision": "varchar",
        "note": "varchar",
        "updated_at": "timestamp"
    },
    "payment": {
        "order_id": "varchar",
        "order_system": "varchar",
        "payment_id": "varchar",
        "parent_payment_id": "varchar",
        "kind": "varchar",
        "status": "varchar",
        "is_void": "boolean",
        "method": "varchar",
        "instalments": "bigint",
        "amount": "decimal(18,4)",
        "currency": "varchar",
        "paid_at": "timestamp"
    },
    "postcode_location": {
        "location_id": "varchar",
        "postcode": "varchar",
        "latitude": "double",
        "longitude": "double",
        "city": "varchar",
        "region": "varchar"
    },
    "price": {
        "price_date": "date",
        "product_id": "varchar",
        "market": "varchar",
        "channel": "varchar",
        "list_price": "decimal(18,4)",
        "price": "decimal(18,4)",
        "currency": "varchar",
        "promotion": "varchar"
    },
    "product": {
        "product_id": "varchar",
        "product_key": "varchar",
        "product_name": "varchar",
        "category": "varchar",
        "supplier_id": "varchar",
        "supply_region": "varchar",
        "list_price": "decimal(18,4)",
        "unit_cost": "decimal(18,4)",
        "currency": "varchar",
        "weight_g": "bigint",
        "updated_at": "timestamp"
    },
    "product_category": {
        "category": "varchar",
        "category_name": "varchar"
    },
    "refund": {
        "refund_id": "varchar",
        "line_id": "varchar",
        "order_id": "varchar",
        "order_system": "varchar",
        "channel": "varchar",
        "order_line_id": "varchar",
        "node_id": "varchar",
        "product_id": "varchar",
        "product_name": "varchar",
        "quantity": "decimal(18,4)",
        "amount": "decimal(18,4)",
        "shipping_amount": "decimal(18,4)",
        "is_rest": "boolean",
        "tax_amount": "decimal(18,4)",
        "currency": "varchar",
        "restock_type": "varchar",
        "is_restocked": "boolean",
        "method": "varchar",
        "status": "varchar",
        "note": "varchar",
        "business_date": "date",
        "refunded_at": "timestamp",
        "paid_at": "timestamp"
    },
    "sales_order": {
        "order_id": "varchar",
        "channel": "varchar",
        "node_id": "varchar",
        "status": "varchar",
        "is_cancelled": "boolean",
        "is_test": "boolean",
        "fulfilment_method": "varchar",
        "currency": "varchar",
        "shipping_amount": "decimal(18,4)",
        "total_amount": "decimal(18,4)",
        "discount_amount": "decimal(18,4)",
        "total_discount_amount": "decimal(18,4)",
        "tax_amount": "decimal(18,4)",
        "shipping_tax_amount": "decimal(18,4)",
        "is_tax_included": "boolean",
        "external_order_id": "varchar",
        "external_system": "varchar",
        "lines_difference": "decimal(18,4)",
        "customer_id": "varchar",
        "loyalty_id": "varchar",
        "social_union_id": "varchar",
        "email": "varchar",
        "phone": "varchar",
        "payment_token": "varchar",
        "shipping_address": "varchar",
        "utm_source": "varchar",
        "utm_campaign": "varchar",
        "referrer_code": "varchar",
        "business_date": "date",
        "ordered_at": "timestamp",
        "updated_at": "timestamp"
    },
    "shipment": {
        "shipment_id": "varchar",
        "order_id": "varchar",
        "order_system": "varchar",
        "carrier": "varchar",
        "service": "varchar",
        "status": "varchar",
        "origin_node_id": "varchar",
        "destination_postcode": "varchar",
        "distance_km": "double",
        "cost": "decimal(18,4)",
        "currency": "varchar",
        "packaging": "varchar",
        "co2e_kg": "double",
        "created_at": "timestamp",
        "announced_date": "date",
        "promised_date": "date",
        "promised_at": "timestamp",
        "picked_up_at": "timestamp",
        "delivered_date": "date",
        "delivered_at": "timestamp",
        "updated_at": "timestamp"
    },
    "social_engagement": {
        "event_id": "varchar",
        "platform": "varchar",
        "post_id": "varchar",
        "social_union_id": "varchar",
        "engagement_type": "varchar",
        "product_id": "varchar",
        "campaign_id": "varchar",
        "business_date": "date",
        "occurred_at": "timestamp"
    },
    "social_post": {
        "platform": "varchar",
        "post_id": "varchar",
        "post_type": "varchar",
        "social_union_id": "varchar",
        "body": "varchar",
        "language": "varchar",
        "product_id": "varchar",
        "product_tags": "varchar",
        "campaign_id": "varchar",
        "reply_to_post_id": "varchar",
        "url": "varchar",
        "business_date": "date",
        "posted_at": "timestamp"
    },
    "stock_movement": {
        "movement_id": "varchar",
        "movement_type": "varchar",
        "product_id": "varchar",
        "node_id": "varchar",
        "quantity": "decimal(18,4)",
        "reference": "varchar",
        "unit_cost": "decimal(18,4)",
        "currency": "varchar",
        "business_date": "date",
        "moved_at": "timestamp"
    },
    "survey_response": {
        "response_id": "varchar",
        "order_id": "varchar",
        "order_system": "varchar",
        "channel": "varchar",
        "satisfaction": "bigint",
        "recommend_score": "bigint",
        "effort_score": "bigint",
        "title": "varchar",
        "comment": "varchar",
        "business_date": "date",
        "asked_at": "timestamp",
        "answered_at": "timestamp"
    },
    "trace_event": {
        "event_id": "varchar",
        "event_type": "varchar",
        "action": "varchar",
        "biz_step": "varchar",
        "disposition": "varchar",
        "node_id": "varchar",
        "parent_id": "varchar",
        "product_id": "varchar",
        "quantity": "decimal(18,4)",
        "transaction_type": "varchar",
        "transaction_id": "varchar",
        "business_date": "date",
        "occurred_at": "timestamp"
    },
    "web_event": {
        "event_id": "varchar",
        "event_name": "varchar",
        "visitor_id": "varchar",
        "session_id": "varchar",
        "customer_id": "varchar",
        "product_id": "varchar",
        "order_id": "varchar",
        "utm_source": "varchar",
        "utm_medium": "varchar",
        "utm_campaign": "varchar",
        "device": "varchar",
        "country": "varchar",
        "business_date": "date",
        "occurred_at": "timestamp"
    }
} -%}
{{ return(columns[entity]) }}
{%- endmacro -%}

{#- Whether rows of a canonical entity name persons. -#}
{%- macro names_persons(entity) -%}
{{ return(entity in [
    "consent",
    "customer",
    "order_line",
    "sales_order",
    "social_engagement",
    "social_post",
    "web_event"
]) }}
{%- endmacro -%}

{#- The identifier that stands for the person of this row, strongest kind first; empty where the row names nobody. -#}
{%- macro identity_key(entity) -%}
{%- if entity == "consent" -%}
coalesce(
        case
            when {{ usable('loyalty_id', 'loyalty') }}
            then 'loyalty:' || loyalty_id
        end,
        'email:' || email
    )
{%- elif entity == "customer" -%}
coalesce(
        case
            when {{ usable('customer_id', 'account') }}
            then 'account:' || source_system || ':' || customer_id
        end,
        case
            when {{ usable('loyalty_id', 'loyalty') }}
            then 'loyalty:' || loyalty_id
        end,
        case
            when {{ usable('social_union_id', 'social') }}
            then 'social:' || social_union_id
        end,
        'email:' || email,
        'phone:' || phone
    )
{%- elif entity == "order_line" -%}
coalesce(
        case
            when {{ usable('customer_id', 'account') }}
            then 'account:' || source_system || ':' || customer_id
        end,
        case
            when {{ usable('loyalty_id', 'loyalty') }}
            then 'loyalty:' || loyalty_id
        end
    )
{%- elif entity == "sales_order" -%}
coalesce(
        case
            when {{ usable('customer_id', 'account') }}
            then 'account:' || source_system || ':' || customer_id
        end,
        case
            when {{ usable('loyalty_id', 'loyalty') }}
            then 'loyalty:' || loyalty_id
        end,
        case
            when {{ usable('social_union_id', 'social') }}
            then 'social:' || social_union_id
        end,
        'email:' || email,
        'phone:' || phone,
        case
            when {{ usable('payment_token', 'payment') }}
            then 'payment:' || payment_token
        end
    )
{%- elif entity == "social_engagement" -%}
case
            when {{ usable('social_union_id', 'social') }}
            then 'social:' || social_union_id
        end
{%- elif entity == "social_post" -%}
case
            when {{ usable('social_union_id', 'social') }}
            then 'social:' || social_union_id
        end
{%- elif entity == "web_event" -%}
coalesce(
        case
            when {{ usable('customer_id', 'account') }}
            then 'account:' || source_system || ':' || customer_id
        end,
        case
            when {{ usable('visitor_id', 'cookie') }}
            then 'cookie:' || source_system || ':' || visitor_id
        end
    )
{%- endif -%}
{%- endmacro %}
