"""Compare the whole night with a script without the platform, in one process, as a ratio.

``python benchmarks/night.py --order-lines 1000000`` generates a retailer, warms the file cache, runs the reference
script, then the nights through the real Dagster job (one run for all of them), compares the results, and finally runs
an empty night in its own process. The last line of its output is JSON; README.md explains each figure.

The reference, contained in this file, is what one experienced engineer would write for exactly these twenty-five feeds:
the same reads, typed Parquet by night (where refunds, prices, posts, traces, movements, balances and consents end, as
on the platform), keyed hashes for identifiers, latest versions, joins, connected components, summaries and the same
published tables; no contracts, gates, ledger, quarantine, vault, lineage, incremental nights or orchestration. The file
is long so that both sides can be read in one place.
"""

import hashlib
import json
import os
import re
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from datetime import date, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Annotated

import duckdb
import numpy as np
import pyarrow as pa
import typer
from lxml import etree
from measure import Cost, measured
from night_process import empty_night_cpu_s, imports_cpu_s

from onedata.settings import Settings, load_settings
from onedata.simulate import SimulationSettings, simulate

ORDER_LINES_PER_CUSTOMER = 10
HASH_BLOCK = 1 << 20


class NotComparable(RuntimeError):
    """The two sides produced different results, or one produced nothing: a ratio would be meaningless."""


@dataclass(frozen=True)
class Made:
    """Results that must be equal on both sides: latest order lines, and net revenue in the reporting currency."""

    order_lines: int
    net_revenue: Decimal


# --- The reference ----------------------------------------------------------------------------------------------------

MACROS = r"""
create macro ds_of(path) as regexp_extract(path, '\d{4}-\d{2}-\d{2}')::date;
create macro utc(v) as try_cast(v as timestamptz) at time zone 'UTC';
create macro utc_local(v) as (try_cast(v as timestamp) at time zone 'Asia/Shanghai') at time zone 'UTC';
create macro utc_german(v) as (try_strptime(v, '%d.%m.%Y %H:%M:%S') at time zone 'Europe/Berlin') at time zone 'UTC';
create macro day_german(v) as try_strptime(v, '%d.%m.%Y')::date;
create macro money(v) as try_cast(v as decimal(18, 4));
create macro money_german(v) as try_cast(replace(v, ',', '.') as decimal(18, 4));
create macro channel_of(v) as case v when 'web' then 'online' when 'social' then 'social' when 'pos' then 'store' end;
create macro word_of(v) as lower(regexp_extract(v, '[^:/-]+$'));
create macro id_of(v) as regexp_extract(v, '[^:/]+$');
create macro usable(v) as v is not null and lower(v) not in
    ('', 'null', 'none', 'n/a', 'na', 'anonymous', 'guest', 'unknown', '-1', '-', 'test') and replace(v, '0', '') <> '';
create macro text_of(v) as lower(regexp_replace(trim(v), '\s+', ' ', 'g'));
create macro phone_of(v) as '+' || ltrim(regexp_replace(v, '[^0-9]', '', 'g'), '0');
create macro token(v) as case when usable(v) and v <> '+'
    and split_part(v, '@', 2) not in ('example.com', 'example.org', 'test.com', 'localhost') then
    left(sha256(getvariable('outer_key') || unhex(sha256(getvariable('inner_key') || encode(v)))), 32) end;
create macro account(system, v) as case when usable(v) then 'account:' || system || ':' || v end;
create macro kind(name, v) as case when usable(v) then name || ':' || v end;
"""

# One statement per feed: read, type, hash. Rows without required values are dropped.
READ_ORDERS = """
create temp table raw_order as select *, ds_of(filename) as ds from read_json('{source}/shop/orders/orders_*.jsonl',
    {json}, maximum_object_size=16000000, columns={{
    id: 'varchar', created_at: 'varchar', updated_at: 'varchar', cancelled_at: 'varchar', currency: 'varchar',
    total_price: 'varchar', fulfillment_status: 'varchar', source_name: 'varchar', test: 'boolean', email: 'varchar',
    phone: 'varchar', location_id: 'varchar', customer: 'struct(id varchar)',
    note_attributes: 'struct(name varchar, value varchar)[]',
    shipping_address: 'struct(address1 varchar, country varchar)',
    shipping_lines: 'struct(code varchar, price varchar)[]',
    line_items: 'struct(id varchar, sku varchar, title varchar, quantity varchar, price varchar,
    total_discount varchar)[]'
}})
"""

CSV = """all_varchar=true, header=true, filename=true, union_by_name=true, ignore_errors=true, quote='"', escape='"'"""
JSON_LINES = "format='newline_delimited', ignore_errors=true, filename=true"

POST = """
select platform, post_id, 'KIND' as post_type, AUTHOR as social_union_id, text as body, lang as language,
    product_tags[1] as product_id, array_to_string(product_tags, ' ') as product_tags, campaign_id, reply_to as
        reply_to_post_id,
    url, left(created_at, 10)::date as business_date, utc(created_at) as posted_at, 'social' as source_system,
    filename as _file, ds_of(filename) as ds
from read_json('{source}/social/KINDs/*.jsonl', {json}, columns={{post_id: 'varchar', platform: 'varchar',
    author_id: 'varchar', created_at: 'varchar', text: 'varchar', lang: 'varchar', product_tags: 'varchar[]',
    campaign_id: 'varchar', reply_to: 'varchar', url: 'varchar'}})
where post_id is not null
"""

ODS: dict[str, str] = {
    "sales_order/source=shop": """
select id as order_id, channel_of(source_name) as channel, location_id as node_id,
    case when cancelled_at is not null then 'cancelled' else coalesce(fulfillment_status, 'unfulfilled') end as status,
    cancelled_at is not null as is_cancelled, test as is_test,
    case shipping_lines[1].code when 'PICKUP' then 'pickup' when 'SHIP_FROM_STORE' then 'ship_from_store' else 'ship'
        end
    as fulfilment_method, currency,
    shipping_lines[1].price::decimal(18, 4) as shipping_amount, total_price::decimal(18, 4) as total_amount,
    customer.id as customer_id, null::varchar as loyalty_id,
    list_filter(note_attributes, lambda a: a.name = 'union_id')[1].value as social_union_id,
    token(text_of(email)) as email, token(phone_of(phone)) as phone,
    token(text_of(shipping_address.address1)) as shipping_address,
    list_filter(note_attributes, lambda a: a.name = 'utm_source')[1].value as utm_source,
    list_filter(note_attributes, lambda a: a.name = 'utm_campaign')[1].value as utm_campaign,
    list_filter(note_attributes, lambda a: a.name = 'referrer_code')[1].value as referrer_code,
    left(created_at, 10)::date as business_date, utc(created_at) as ordered_at, utc(updated_at) as updated_at,
    'shop' as source_system, filename as _file, ds from raw_order where id is not null
""",
    "order_line/source=shop": """
select id as order_id, line.id as line_id, 'sale' as line_type, null::varchar as original_order_id,
    channel_of(source_name) as channel, location_id as node_id, line.sku as product_id, line.title as product_name,
    money(line.quantity) as quantity, money(line.price) as unit_price, money(line.total_discount) as discount_amount,
    currency, test as is_test, null::varchar as return_reason, shipping_address.country as country,
    customer.id as customer_id, null::varchar as loyalty_id, left(created_at, 10)::date as business_date,
    utc(created_at) as sold_at, utc(updated_at) as updated_at, 'shop' as source_system, filename as _file, ds
from (select *, unnest(line_items) as line from raw_order) where quantity >= 1 and unit_price >= 0
""",
    "sales_order/source=pos": """
select store || '-' || till || '-' || number || '-' || day as order_id, 'store' as channel, store as node_id,
    case when cancel = 'true' then 'cancelled' when suspend = 'true' then 'suspended' else 'completed' end as status,
    coalesce(cancel, 'false') = 'true' as is_cancelled,
    coalesce(training, 'false') = 'true' or coalesce(suspend, 'false') = 'true' as is_test,
    'carry_out' as fulfilment_method, currency, null::decimal(18, 4) as shipping_amount,
    money(total) as total_amount, null::varchar as customer_id, loyalty as loyalty_id,
    null::varchar as social_union_id, null::varchar as email, null::varchar as phone, null::varchar as shipping_address,
    null::varchar as utm_source, null::varchar as utm_campaign, null::varchar as referrer_code, day::date as
        business_date,
    utc_local(begun) as ordered_at, utc_local(ended) as updated_at, 'pos' as source_system, path as _file, ds_of(path)
        as ds
from raw_ticket
""",
    "order_line/source=pos": """
select store || '-' || till || '-' || number || '-' || day as order_id, line_number as line_id,
    case when is_return then 'return' else 'sale' end as line_type, original as original_order_id, 'store' as channel,
    store as node_id, sku as product_id, title as product_name,
    money(quantity) * case when is_return then -1 else 1 end as quantity, money(price) as unit_price,
    money(discount) * case when is_return then -1 else 1 end as discount_amount, currency,
    coalesce(training, 'false') = 'true' or coalesce(suspend, 'false') = 'true' or coalesce(void, 'false') = 'true' as
        is_test,
    null::varchar as return_reason, 'China' as country, null::varchar as customer_id, loyalty as loyalty_id,
    day::date as business_date, utc_local(begun) as sold_at, utc_local(ended) as updated_at, 'pos' as source_system,
    path as _file, ds_of(path) as ds
from raw_ticket_line where money(quantity) is not null and money(price) >= 0
""",
    "sales_order/source=pos_eu": """
select StoreID || '-' || Till || '-' || ReceiptNo || '-' || day_german(BusinessDate) as order_id, 'store' as channel,
    StoreID as node_id, case Status when 'CANCELLED' then 'cancelled' when 'SUSPENDED' then 'suspended' else
        'completed' end as status,
    Status = 'CANCELLED' as is_cancelled, Status in ('TRAINING', 'SUSPENDED') as is_test, 'carry_out' as
        fulfilment_method,
    Currency as currency, null::decimal(18, 4) as shipping_amount,
    money_german(Total) * case when Status = 'RETURN' then -1 else 1 end as total_amount, null::varchar as customer_id,
    LoyaltyNo as loyalty_id, null::varchar as social_union_id, null::varchar as email, null::varchar as phone,
    null::varchar as shipping_address, null::varchar as utm_source, null::varchar as utm_campaign,
    null::varchar as referrer_code, day_german(BusinessDate) as business_date, utc_german("Start") as ordered_at,
    utc_german("End") as updated_at, 'pos' as source_system, filename as _file, ds_of(filename) as ds
from read_csv('{source}/pos/flat/tickets_*.csv', delim=';', {csv})
""",
    "order_line/source=pos_eu": """
select StoreID || '-' || Till || '-' || ReceiptNo || '-' || day_german(BusinessDate) as order_id, Line as line_id,
    case Kind when 'S' then 'sale' when 'R' then 'return' end as line_type, OrigReceipt as original_order_id, 'store'
        as channel,
    StoreID as node_id, ArticleNo as product_id, Text as product_name,
    money_german(Quantity) * case when Kind = 'R' then -1 else 1 end as quantity, money_german(UnitPrice) as unit_price,
    money_german(Discount) * case when Kind = 'R' then -1 else 1 end as discount_amount, Currency as currency,
    Status in ('TRAINING', 'SUSPENDED') or coalesce(Voided, '0') = '1' as is_test, null::varchar as return_reason,
    'Germany' as country, null::varchar as customer_id, LoyaltyNo as loyalty_id, day_german(BusinessDate) as
        business_date,
    utc_german("Start") as sold_at, utc_german("End") as updated_at, 'pos' as source_system, filename as _file,
    ds_of(filename) as ds
from read_csv('{source}/pos/flat/ticket_lines_*.csv', delim=';', {csv}) as row
where money_german(row.Quantity) is not null and money_german(row.UnitPrice) >= 0
""",
    "order_line/source=logistics": """
select rma_id as order_id, rma_line as line_id, 'return' as line_type, order_id as original_order_id,
    sales_channel as channel, node_id, sku as product_id, title as product_name, -money(row.quantity) as quantity,
    money(row.unit_price) as unit_price, -money(discount) as discount_amount, currency, false as is_test,
    reason as return_reason, null::varchar as country, null::varchar as customer_id, null::varchar as loyalty_id,
    left(received_at, 10)::date as business_date, utc(received_at) as sold_at, utc(received_at) as updated_at,
    'logistics' as source_system, filename as _file, ds_of(filename) as ds
from read_csv('{source}/logistics/returns/*.csv', {csv}) as row where money(row.quantity) >= 1
    and money(row.unit_price) >= 0
""",
    "customer/source=shop": """
select id as customer_id, null::varchar as loyalty_id, union_id as social_union_id, token(text_of(email)) as email,
    token(phone_of(phone)) as phone, token(text_of(case when unicode(last_name) > 10000 then last_name || first_name
        else concat_ws(' ', first_name, last_name) end)) as full_name, token(text_of(address)) as address, city,
    province as region, country, zip as postcode, null::varchar as gender, null::bigint as birth_year,
    null::varchar as member_tier, try_cast(accepts_marketing as boolean) as marketing_consent, utc(created_at) as
        registered_at,
    utc(updated_at) as updated_at, 'shop' as source_system, filename as _file, ds_of(filename) as ds
from read_csv('{source}/shop/customers/*.csv', {csv}) as row where coalesce(row.email like '%_@_%', true)
""",
    "customer/source=pos": """
select member_id as customer_id, member_id as loyalty_id, union_id as social_union_id, token(text_of(email)) as email,
    token(phone_of(phone)) as phone, token(text_of(name)) as full_name, null::varchar as address, city,
    null::varchar as region, null::varchar as country, null::varchar as postcode, gender,
    try_cast(row.birth_year as bigint) as birth_year, tier as member_tier, try_cast(opt_in as boolean) as
        marketing_consent,
    utc_local(joined_at) as registered_at, utc_local(updated_at) as updated_at, 'pos' as source_system,
    filename as _file, ds_of(filename) as ds
from read_csv('{source}/pos/members/*.csv', delim=';', {csv}) as row
where coalesce(row.email like '%_@_%', true) and (row.birth_year is null or try_cast(row.birth_year as bigint) between
    1900 and 2025)
""",
    "web_event/source=shop": """
select user_pseudo_id || '-' || event_timestamp || '-' || event_name as event_id, event_name,
    user_pseudo_id as visitor_id,
    list_filter(event_params, lambda p: p.key = 'ga_session_id')[1].value.int_value::varchar as session_id,
    user_id as customer_id, items[1].item_id as product_id, ecommerce.transaction_id as order_id,
    nullif(traffic_source.source, '(direct)') as utm_source, nullif(traffic_source.medium, '(none)') as utm_medium,
    nullif(traffic_source.name, '(direct)') as utm_campaign, device.category as device, geo.country as country,
    strptime(event_date, '%Y%m%d')::date as business_date, make_timestamp(event_timestamp) as occurred_at,
    'shop' as source_system, filename as _file, ds_of(filename) as ds
from read_json('{source}/shop/events/*.jsonl', {json}, columns={{
    event_date: 'varchar', event_timestamp: 'bigint', event_name: 'varchar', user_pseudo_id: 'varchar', user_id:
        'varchar',
    event_params: 'struct(key varchar, value struct(string_value varchar, int_value bigint))[]',
    ecommerce: 'struct(transaction_id varchar)', items: 'struct(item_id varchar)[]',
    traffic_source: 'struct(source varchar, medium varchar, name varchar)', device: 'struct(category varchar)',
    geo: 'struct(country varchar)'}}) where event_name is not null and user_pseudo_id is not null and event_timestamp
        is not null
""",
    "social_engagement/source=social": """
select event_id, platform, post_id, union_id as social_union_id, type as engagement_type, product_tag as product_id,
    campaign_id, try_cast(left(created_at, 10) as date) as business_date, utc(created_at) as occurred_at, 'social' as
        source_system,
    filename as _file, ds_of(filename) as ds
from read_json('{source}/social/engagements/*.jsonl', {json},
    columns={{event_id: 'varchar', platform: 'varchar', post_id: 'varchar', union_id: 'varchar', type: 'varchar',
    product_tag: 'varchar', campaign_id: 'varchar', created_at: 'varchar'}}) where event_id is not null and
        utc(created_at) is not null
""",
    "marketing_spend/source=social": """
select date as spend_date, platform, campaign_id, adset_id, impressions, clicks, spend, currency, 'social' as
    source_system,
    filename as _file, ds_of(filename) as ds
from read_json('{source}/social/spend/*.jsonl', {json}, columns={{date: 'date', platform: 'varchar',
    campaign_id: 'varchar',
    adset_id: 'varchar', impressions: 'bigint', clicks: 'bigint', spend: 'decimal(18, 4)', currency: 'varchar'}})
where campaign_id is not null and spend >= 0
""",
    "shipment/source=logistics": """
select shipment_id, order_id, 'shop' as order_system, carrier, service, status, origin_node as origin_node_id,
    destination_postcode, try_cast(row.distance_km as double) as distance_km, money(row.cost) as cost, currency,
        packaging,
    try_cast(row.co2e_kg as double) as co2e_kg, utc(created_at) as created_at,
    try_cast(left(row.promised_at, 10) as date) as promised_date, utc(promised_at) as promised_at,
    utc(picked_up_at) as picked_up_at, utc(delivered_at) as delivered_at, utc(updated_at) as updated_at,
    'logistics' as source_system, filename as _file, ds_of(filename) as ds
from read_csv('{source}/logistics/shipments/*.csv', {csv}) as row
where (row.delivered_at is null or utc(row.delivered_at) is not null) and try_cast(row.distance_km as double) between 0
    and 6000
""",
    "inventory_snapshot/source=logistics": """
select snapshot_date::date as snapshot_date, sku as product_id, node_id, on_hand::decimal(18, 4) as on_hand,
    reserved::decimal(18, 4) as reserved, in_transit::decimal(18, 4) as in_transit,
    safety_stock::decimal(18, 4) as safety_stock, unit_cost::decimal(18, 4) as unit_cost, currency,
    'logistics' as source_system, filename as _file, ds_of(filename) as ds
from read_parquet('{source}/logistics/inventory/*.parquet', filename=true, union_by_name=true) as row
where row.on_hand >= 0 and row.sku is not null
""",
    "survey_response/source=service": """
select response_id, order_id, channel, try_cast(csat as bigint) as satisfaction, try_cast(nps as bigint) as
    recommend_score,
    try_cast(ces as bigint) as effort_score, comment, utc(asked_at) as asked_at, utc(answered_at) as answered_at,
    'service' as source_system, filename as _file, ds_of(filename) as ds
from read_csv('{source}/service/surveys/*.csv', {csv})
where try_cast(csat as bigint) between 1 and 5 and try_cast(nps as bigint) between 0 and 10
""",
    "product/source=shop": """
select sku as product_id, title as product_name, category, supplier as supplier_id, supply_region,
    price::decimal(18, 4) as list_price, cost::decimal(18, 4) as unit_cost, currency, weight_g::bigint as weight_g,
    utc(updated_at) as updated_at, 'shop' as source_system, filename as _file, ds_of(filename) as ds
from read_csv('{source}/shop/products/*.csv', {csv})
""",
    "node/source=pos": """
select node_id, name as node_name, node_type, city, province as region, country, zip as postcode, time_zone,
    lat::double as latitude, lon::double as longitude, area_m2::double as selling_area_m2, headcount::bigint as
        headcount,
    utc(updated_at) as updated_at, 'pos' as source_system, filename as _file, ds_of(filename) as ds
from read_csv('{source}/pos/stores/*.csv', {csv})
""",
    # The following feeds end here, as on the platform: nothing is built from them yet.
    "refund/source=shop": """
select id as refund_id, line.id as line_id, order_id, line.line_item_id as order_line_id, line.location_id as node_id,
    line.line_item.sku as product_id, line.line_item.title as product_name, money(line.quantity) as quantity,
    money(line.subtotal) as amount, transactions[1].currency as currency, line.restock_type as restock_type,
    restock as is_restocked, transactions[1].gateway as method, transactions[1].status as status, note,
    left(created_at, 10)::date as business_date, utc(created_at) as refunded_at, utc(transactions[1].created_at) as
        paid_at,
    'shop' as source_system, filename as _file, ds_of(filename) as ds
from (select *, unnest(refund_line_items) as line from read_json('{source}/shop/refunds/*.jsonl', {json}, columns={{
    id: 'varchar', order_id: 'varchar', created_at: 'varchar', note: 'varchar', restock: 'boolean',
    refund_line_items:
        'struct(id varchar, line_item_id varchar, quantity varchar, subtotal varchar, restock_type varchar,
        location_id varchar, line_item struct(sku varchar, title varchar))[]',
    transactions: 'struct(currency varchar, gateway varchar, status varchar, created_at varchar)[]'}}))
where money(line.quantity) >= 1 and money(line.subtotal) >= 0
""",
    "price/source=shop": """
select price_date::date as price_date, sku as product_id, market, channel, money(list_price) as list_price,
    money(row.price) as price, currency, promotion, 'shop' as source_system, filename as _file, ds_of(filename) as ds
from read_csv('{source}/shop/prices/*.csv', {csv}) as row where money(row.price) >= 0
""",
    "social_post/source=posts": POST.replace("KIND", "post").replace("AUTHOR", "null::varchar"),
    "social_post/source=mentions": POST.replace("KIND", "mention").replace("AUTHOR", "author_id"),
    "trace_event/source=logistics": """
select e.eventID as event_id, e.type as event_type, e.action as action, word_of(e.bizStep) as biz_step,
    word_of(e.disposition) as disposition, id_of(coalesce(e.readPoint.id, e.bizLocation.id)) as node_id, e.parentID as
        parent_id,
    id_of(e.quantityList[1].epcClass) as product_id, money(e.quantityList[1].quantity) as quantity,
    word_of(e.bizTransactionList[1].type) as transaction_type, e.bizTransactionList[1].bizTransaction as transaction_id,
    left(e.eventTime, 10)::date as business_date, utc(e.eventTime) as occurred_at, 'logistics' as source_system,
    filename as _file, ds_of(filename) as ds
from (select unnest(epcisBody.eventList) as e, filename from read_json('{source}/logistics/epcis/*.jsonl', {json},
    maximum_object_size=16000000, columns={{epcisBody:
        'struct(eventList struct(eventID varchar, type varchar, action varchar,
    bizStep varchar, disposition varchar, readPoint struct(id varchar), bizLocation struct(id varchar),
    parentID varchar,
    quantityList struct(epcClass varchar, quantity varchar)[],
    bizTransactionList struct(type varchar, bizTransaction varchar)[], eventTime varchar)[])'}}))
where e.eventID is not null
""",
    "stock_movement/source=logistics": """
select movement_id, movement_type, sku as product_id, node_id, row.quantity::decimal(18, 4) as quantity, reference,
    row.unit_cost::decimal(18, 4) as unit_cost, currency, left(row.moved_at, 10)::date as business_date,
    utc(row.moved_at) as moved_at, 'logistics' as source_system, filename as _file, ds_of(filename) as ds
from read_parquet('{source}/logistics/movements/*.parquet', filename=true, union_by_name=true) as row
    where row.sku is not null
""",
    "account_balance/source=finance": """
select period, account_code, account_name, account_type, money(row.balance) as balance, currency, utc(row.posted_at) as
    posted_at,
    'finance' as source_system, filename as _file, ds_of(filename) as ds
from read_csv('{source}/finance/ledger/*.csv', {csv}) as row where money(row.balance) is not null
""",
    "consent/source=customer": """
select consent_id, token(text_of(row.email)) as email, member_id as loyalty_id, purpose,
    try_cast(granted as boolean) as is_granted, source as recorded_in, policy_version,
    left(row.recorded_at, 10)::date as business_date, utc(row.recorded_at) as recorded_at, 'customer' as source_system,
    filename as _file, ds_of(filename) as ds
from read_csv('{source}/customer/consents/*.csv', {csv}) as row where try_cast(granted as boolean) is not null
""",
}

IDENTITY: dict[str, tuple[str, ...]] = {
    "customer": (
        "account(source_system, customer_id)",
        "kind('loyalty', loyalty_id)",
        "kind('social', social_union_id)",
        "'email:' || email",
    ),
    "sales_order": (
        "account(source_system, customer_id)",
        "kind('loyalty', loyalty_id)",
        "kind('social', social_union_id)",
        "'email:' || email",
    ),
    "order_line": ("account(source_system, customer_id)", "kind('loyalty', loyalty_id)"),
    "web_event": ("account(source_system, customer_id)",),
    "social_engagement": ("kind('social', social_union_id)",),
    "social_post": ("kind('social', social_union_id)",),
    "consent": ("kind('loyalty', loyalty_id)", "'email:' || email"),
}

# Table: entity, key, whether versions are ordered by updated_at, columns (identity_key is added automatically).
DETAIL: dict[str, tuple[str, str, bool, str]] = {
    "dim_customer": (
        "customer",
        "customer_id",
        True,
        "customer_id, loyalty_id, social_union_id, email, phone, city, region, country, postcode, gender, birth_year, "
        "member_tier, marketing_consent, registered_at, updated_at",
    ),
    "dim_product": (
        "product",
        "product_id",
        True,
        "product_id, product_name, category, supplier_id, supply_region, list_price, unit_cost, currency, weight_g, "
        "updated_at",
    ),
    "dim_node": (
        "node",
        "node_id",
        True,
        "node_id, node_name, node_type, city, region, country, postcode, time_zone, latitude, longitude, "
        "selling_area_m2, headcount, updated_at",
    ),
    "dwd_order": (
        "sales_order",
        "order_id",
        True,
        "order_id, channel, node_id, status, is_cancelled, is_test, fulfilment_method, currency, shipping_amount, "
        "total_amount, referrer_code is not null as has_referrer, "
        "lower(utm_source) as utm_source, utm_campaign, business_date, ordered_at, updated_at",
    ),
    "dwd_order_line": (
        "order_line",
        "order_id, line_id",
        True,
        "order_id, line_id, line_type, original_order_id, channel, node_id, product_id, product_name, quantity, "
        "unit_price, (quantity * unit_price)::decimal(18, 4) as gross_amount, coalesce(discount_amount, 0) as "
        "discount_amount, ((quantity * unit_price)::decimal(18, 4) - coalesce(discount_amount, 0))::decimal(18, 4) as "
        "net_amount, currency, coalesce(is_test, false) as is_test, return_reason, country, business_date, sold_at, "
        "updated_at",
    ),
    "dwd_web_event": (
        "web_event",
        "event_id",
        False,
        "event_id, event_name, visitor_id, session_id, product_id, order_id, lower(utm_source) as utm_source, "
        "utm_medium, utm_campaign, device, country, business_date, occurred_at",
    ),
    "dwd_social_engagement": (
        "social_engagement",
        "event_id",
        False,
        "event_id, platform, post_id, engagement_type, product_id, campaign_id, business_date, occurred_at",
    ),
    "dwd_marketing_spend": (
        "marketing_spend",
        "spend_date, platform, campaign_id, adset_id",
        False,
        "spend_date, platform, campaign_id, adset_id, impressions, clicks, spend, currency",
    ),
    "dwd_shipment": (
        "shipment",
        "shipment_id",
        True,
        "shipment_id, order_id, order_system, carrier, service, status, origin_node_id, destination_postcode, "
        "distance_km, cost, currency, packaging, co2e_kg, created_at, promised_date, promised_at, picked_up_at, "
        "delivered_at, updated_at",
    ),
    "dwd_inventory_snapshot": (
        "inventory_snapshot",
        "snapshot_date, product_id, node_id",
        False,
        "snapshot_date, product_id, node_id, on_hand, reserved, in_transit, safety_stock, unit_cost, currency",
    ),
    "dwd_survey_response": (
        "survey_response",
        "response_id, order_id",
        False,
        "response_id, order_id, channel, satisfaction, recommend_score, effort_score, comment is not null as "
        "has_comment, asked_at, answered_at",
    ),
}

CHANNELS = ("online", "store", "social", "marketplace")
BY_CHANNEL = ", ".join(
    f"count(*) filter (where is_order and channel = '{name}') as order_count_{name}, "
    f"coalesce(sum(net_amount_base) filter (where channel = '{name}'), 0)::decimal(18, 4) as net_revenue_{name}_base"
    for name in CHANNELS
)

RATES = """
create table exchange_rate as
select currency, rate_date::date as rate_date, arg_max(try_cast(rate as decimal(18, 8)), updated_at) as rate
from read_csv('{source}/finance/rates/*.csv', all_varchar=true, union_by_name=true)
where reporting_currency = '{currency}' and try_cast(rate as decimal(18, 8)) > 0
group by 1, 2 union all select '{currency}', date '0001-01-01', 1
"""

SUMMARIES = f"""
create table dim_date as select d::date as date_day, year(d) as year_number, quarter(d) as quarter_number,
    month(d) as month_number, strftime(d, '%Y-%m') as month_label, day(d) as day_of_month, isoyear(d) as iso_year,
    week(d) as iso_week, isodow(d) as iso_weekday, isodow(d) >= 6 as is_weekend
from generate_series(date '2009-01-01', date '2030-12-31', interval 1 day) as days(d);
create table dim_channel as from (values ('online', 'Online shop', false, 1), ('store', 'Store', true, 2),
    ('social', 'Social commerce', false, 3), ('marketplace', 'Marketplace', false, 4)) as t(channel, channel_name,
        is_physical, sort_order);
create table as_of as select max(ds) as as_of_date from dwd_order_line;

-- Per document, what was sold and what came back, each on the order it belongs to; *_base is in the reporting currency.
create table dws_order_movement as
with original as (
    select order_id, any_value(source_system) as source_system, bool_or(is_cancelled or is_test) as is_void
        from dwd_order
    where order_id in (select original_order_id from dwd_order_line where line_type = 'return') group by order_id
), placed as (
    select coalesce(o.source_system, l.source_system) as source_system, coalesce(o.order_id, l.order_id) as order_id,
        l.source_system as document_system, l.order_id as document_id, l.line_type = 'return' as is_return,
        not l.is_test and not coalesce(h.is_cancelled or h.is_test, false) and not coalesce(o.is_void, false) as
            is_counted,
        case when is_return then l.channel else coalesce(h.channel, l.channel) end as channel,
        case when is_return then l.business_date else coalesce(h.business_date, l.business_date) end as business_date,
        coalesce(h.ordered_at, l.sold_at) as moved_at, coalesce(h.identity_key, l.identity_key) as identity_key,
        coalesce(l.node_id, h.node_id) as node_id, l.currency, l.quantity, l.gross_amount, l.discount_amount,
            l.net_amount
    from dwd_order_line l left join dwd_order h on h.source_system = l.source_system and h.order_id = l.order_id
    left join original o on o.order_id = case when l.line_type = 'return' then l.original_order_id end
), movement as (
    select source_system, order_id, document_system, document_id, is_return, is_counted, channel, business_date,
        currency,
        min(moved_at) as moved_at, max(identity_key) as identity_key, min(node_id) as node_id, count(*) as line_count,
        sum(quantity)::decimal(18, 4) as units, sum(gross_amount)::decimal(18, 4) as gross_amount,
        sum(discount_amount)::decimal(18, 4) as discount_amount, sum(net_amount)::decimal(18, 4) as net_amount
    from placed group by 1, 2, 3, 4, 5, 6, 7, 8, 9
)
select m.*, (gross_amount * rate)::decimal(18, 4) as gross_amount_base, (discount_amount * rate)::decimal(18, 4) as
    discount_amount_base,
    ((gross_amount * rate)::decimal(18, 4) - (discount_amount * rate)::decimal(18, 4))::decimal(18, 4) as
        net_amount_base
from movement m asof left join exchange_rate x on x.currency = m.currency and m.business_date >= x.rate_date;

create table dws_order as
with moved as (
    select source_system, order_id, min(channel) filter (where not is_return) as channel,
        min(business_date) filter (where not is_return) as business_date,
        max(identity_key) filter (where not is_return) as identity_key, min(node_id) filter (where not is_return) as
            node_id,
        min(channel) filter (where is_counted and is_return) as return_channel,
        coalesce(sum(line_count) filter (where is_counted), 0)::int as line_count,
        coalesce(sum(line_count) filter (where is_counted and not is_return), 0)::int as sale_line_count,
        coalesce(sum(line_count) filter (where is_counted and is_return), 0)::int as return_line_count,
        coalesce(sum(units) filter (where is_counted and not is_return), 0)::decimal(18, 4) as units,
        -coalesce(sum(units) filter (where is_counted and is_return), 0)::decimal(18, 4) as returned_units,
        coalesce(sum(gross_amount_base) filter (where is_counted and not is_return), 0)::decimal(18, 4) as
            gross_amount_base,
        coalesce(sum(discount_amount_base) filter (where is_counted and not is_return), 0)::decimal(18, 4) as
            discount_amount_base,
        -coalesce(sum(net_amount_base) filter (where is_counted and is_return), 0)::decimal(18, 4) as
            returned_amount_base,
        coalesce(sum(net_amount_base) filter (where is_counted), 0)::decimal(18, 4) as net_amount_base
    from dws_order_movement group by 1, 2
), parcel as (
    select s.order_system as source_system, s.order_id, count(*) as parcel_count, max(s.promised_at) as promised_at,
        case when count(s.delivered_at) = count(*) then max(s.delivered_at) end as delivered_at,
        bool_or(n.node_type = 'store') as is_from_store,
        bool_or(n.node_type = 'warehouse') as is_from_warehouse,
        case when bool_or(s.delivered_at > s.promised_at or (s.delivered_at is null and s.promised_date <=
            a.as_of_date)) then false
            when bool_and(s.delivered_at <= s.promised_at) then true end as is_on_time
    from dwd_shipment s cross join as_of a left join dim_node n on n.node_id = s.origin_node_id group by 1, 2
), touch as (
    select p.oneid, occurred_at, true as is_social from dwd_social_engagement join oneid_map p using (identity_key)
    union all
    select p.oneid, occurred_at, coalesce(utm_source in (select distinct platform from dwd_social_engagement), false)
    from dwd_web_event join oneid_map p using (identity_key)
), leg as (
    select coalesce(h.source_system, m.source_system) as source_system, coalesce(h.order_id, m.order_id) as order_id,
        p.oneid,
        coalesce(m.sale_line_count > 0, false) or (h.order_id is not null and w.order_id is null and
            coalesce(h.total_amount, 0) >= 0) as is_order,
        coalesce(h.channel, m.channel) as channel,
        coalesce(h.business_date, m.business_date) as business_date, h.ordered_at, coalesce(h.node_id, m.node_id) as
            node_id,
        h.fulfilment_method, coalesce(h.has_referrer, false) as is_referred,
        m.* exclude (source_system, order_id, channel, business_date, identity_key, node_id),
        case when coalesce(h.channel, m.channel) <> 'social' then
            case when h.utm_source in (select distinct platform from dwd_social_engagement) then 'social'
                when h.ordered_at - interval 30 day <= ts.occurred_at
                    and (coalesce(h.channel, m.channel) = 'online' or tw.occurred_at is null
                        or ts.occurred_at >= tw.occurred_at) then 'social'
                when coalesce(h.channel, m.channel) <> 'online'
                    and h.ordered_at - interval 30 day <= tw.occurred_at then 'online' end end as browse_channel,
        case when coalesce(h.channel, m.channel) = 'store' and s.is_from_warehouse then 'warehouse'
            when coalesce(h.channel, m.channel) <> 'store' and (s.is_from_store or h.fulfilment_method in ('pickup',
            'ship_from_store')
            or n.node_type = 'store') then 'store' end as fulfil_channel,
        coalesce(s.parcel_count, 0)::int as parcel_count, s.promised_at, s.delivered_at, s.is_on_time
    from (select * from dwd_order where not is_cancelled and not is_test) h
    full join moved m on m.source_system = h.source_system and m.order_id = h.order_id
    left join parcel s on s.source_system = coalesce(h.source_system, m.source_system)
        and s.order_id = coalesce(h.order_id, m.order_id)
    left join dim_node n on n.node_id = coalesce(h.node_id, m.node_id)
    left join oneid_map p on p.identity_key = coalesce(h.identity_key, m.identity_key)
    asof left join (from touch where is_social) ts on ts.oneid = p.oneid and ts.occurred_at < h.ordered_at
    asof left join (from touch where not is_social) tw on tw.oneid = p.oneid and tw.occurred_at < h.ordered_at
    -- A header all of whose lines were left out is an order still; one whose lines stand on another order is a return.
    left join (select distinct source_system, order_id from dwd_order_line) w on w.source_system = h.source_system
        and w.order_id = h.order_id
    where m.line_count > 0 or (h.order_id is not null and w.order_id is null)
)
select * replace (coalesce(line_count, 0) as line_count, coalesce(sale_line_count, 0) as sale_line_count,
        coalesce(return_line_count, 0) as return_line_count, coalesce(units, 0) as units, coalesce(returned_units, 0)
            as returned_units,
        coalesce(gross_amount_base, 0) as gross_amount_base, coalesce(discount_amount_base, 0) as discount_amount_base,
        coalesce(returned_amount_base, 0) as returned_amount_base, coalesce(net_amount_base, 0) as net_amount_base),
    is_order and coalesce(browse_channel <> channel or fulfil_channel <> channel or return_channel <> channel, false)
    as is_cross_channel,
    concat_ws(' ', 'browse:' || browse_channel, case when is_order then 'buy:' || channel end, 'fulfil:' ||
        fulfil_channel,
        'return:' || return_channel) as legs
from leg;

create table dws_channel_day as
with money as (
    select channel, business_date, sum(line_count)::bigint as line_count,
        coalesce(sum(units) filter (where not is_return), 0)::decimal(18, 4) as units,
        coalesce(sum(gross_amount_base) filter (where not is_return), 0)::decimal(18, 4) as gross_base,
        coalesce(sum(discount_amount_base) filter (where not is_return), 0)::decimal(18, 4) as discount_base,
        -coalesce(sum(net_amount_base) filter (where is_return), 0)::decimal(18, 4) as returns_base,
        sum(net_amount_base)::decimal(18, 4) as net_revenue_base
    from dws_order_movement where is_counted group by 1, 2
), bought as (
    select channel, business_date, count(*) as order_count, count(distinct oneid) as customer_count
    from dws_order where is_order group by 1, 2
)
select channel, business_date, coalesce(order_count, 0) as order_count, line_count, units, gross_base, discount_base,
    returns_base, net_revenue_base, coalesce(customer_count, 0) as customer_count
from money left join bought using (channel, business_date);

create table dws_fulfilment_day as
select coalesce(s.promised_date, s.ds) as due_date, coalesce(s.carrier, 'unknown') as carrier, count(*) as parcel_count,
    count(s.promised_at) as promised_count, count(*) filter (where s.promised_date <= a.as_of_date) as due_count,
    count(*) filter (where s.promised_date <= a.as_of_date and s.delivered_at <= s.promised_at) as on_time_count,
    count(s.delivered_at) as delivered_count, sum((s.cost * x.rate)::decimal(18, 4))::decimal(18, 4) as cost_base,
        sum(s.co2e_kg) as co2e_kg
from dwd_shipment s cross join as_of a
asof left join exchange_rate x on x.currency = s.currency
    and coalesce(coalesce(s.created_at, s.picked_up_at, s.delivered_at)::date, s.ds) >= x.rate_date
left join dwd_order h on h.source_system = s.order_system and h.order_id = s.order_id
where not coalesce(h.is_cancelled or h.is_test, false) group by 1, 2;

create table dws_inventory_day as
select source_system, node_id, snapshot_date, count(*) as listed_count,
    count(*) filter (where on_hand - coalesce(reserved, 0) <= 0) as out_of_stock_count,
    sum(on_hand)::decimal(18, 4) as on_hand_units, sum(reserved)::decimal(18, 4) as reserved_units,
    sum(in_transit)::decimal(18, 4) as in_transit_units
from dwd_inventory_snapshot group by 1, 2, 3;

create table dws_customer as
with bought as (
    select oneid, count(*) filter (where is_order) as order_count, sum(net_amount_base)::decimal(18,
        4) as net_revenue_base,
        {BY_CHANNEL}, count(*) filter (where return_line_count > 0) as return_count,
        sum(returned_amount_base)::decimal(18, 4) as returned_amount_base,
        count(*) filter (where is_cross_channel) as cross_channel_order_count,
        min(business_date) filter (where is_order) as first_order_date,
        min(business_date) filter (where is_order and place = 2) as second_order_date,
        max(business_date) filter (where is_order) as last_order_date, min(ordered_at) as first_seen_at,
            max(ordered_at) as last_seen_at
    from (select *, row_number() over (partition by oneid, is_order order by business_date, ordered_at, source_system,
        order_id) as place
        from dws_order where oneid is not null) group by oneid
), browsed as (
    select oneid, sum(n)::bigint as web_event_count, count(*) as web_session_count, min(first_at) as first_seen_at,
        max(last_at) as last_seen_at
    from (select p.oneid, visitor_id, session_id, count(*) as n, min(occurred_at) as first_at,
        max(occurred_at) as last_at
        from dwd_web_event join oneid_map p using (identity_key) group by all) group by oneid
), engaged as (
    select p.oneid, count(*) as engagement_count, min(occurred_at) as first_seen_at, max(occurred_at) as last_seen_at
    from dwd_social_engagement join oneid_map p using (identity_key) group by 1
), registered as (
    select p.oneid, min(registered_at) as registered_at from dim_customer join oneid_map p using (identity_key)
        group by 1
), answered as (
    select o.oneid, count(r.satisfaction) as satisfaction_count, avg(r.satisfaction) as satisfaction_average
    from dwd_survey_response r join dws_order o using (order_id) where o.oneid is not null group by 1
)
select oneid, b.* exclude (oneid, first_seen_at, last_seen_at), coalesce(web_event_count, 0) as web_event_count,
    coalesce(web_session_count, 0) as web_session_count, coalesce(engagement_count, 0) as social_engagement_count,
    coalesce(satisfaction_count, 0) as satisfaction_count, satisfaction_average, registered_at,
    least(b.first_seen_at, w.first_seen_at, e.first_seen_at, registered_at) as first_seen_at,
    greatest(b.last_seen_at, w.last_seen_at, e.last_seen_at, registered_at) as last_seen_at
from (select distinct oneid from oneid_map) left join bought b using (oneid) left join browsed w using (oneid)
left join engaged e using (oneid) left join registered using (oneid) left join answered using (oneid);

create table ads_channel_day as
select *, (net_revenue_base::double / nullif(order_count, 0))::decimal(18, 4) as average_order_value_base
    from dws_channel_day;

create table ads_customer_360 as
with golden as (
    select p.oneid, count(*) as profile_count, arg_max(city, c.updated_at) as city, arg_max(region,
        c.updated_at) as region,
        arg_max(country, c.updated_at) as country, arg_max(member_tier, c.updated_at) as member_tier,
        arg_max(marketing_consent, c.updated_at) as marketing_consent
    from dim_customer c join oneid_map p using (identity_key) group by 1
)
select c.oneid, g.* exclude (oneid), c.* exclude (oneid),
    concat_ws(',', case when order_count_marketplace > 0 then 'marketplace' end,
        case when order_count_online > 0 or web_event_count > 0 then 'online' end,
        case when order_count_social > 0 or social_engagement_count > 0 then 'social' end,
        case when order_count_store > 0 then 'store' end) as channels_used,
    (net_revenue_base::double / nullif(order_count, 0))::decimal(18, 4) as average_order_value_base,
    date_diff('day', last_order_date, a.as_of_date) as recency_days
from dws_customer c cross join as_of a left join golden g on g.oneid = c.oneid;

create table ads_kpi as
with measured as (
    select 'net_revenue' as kpi_id, strftime(business_date, '%Y-%m') as period, sum(net_revenue_base)::double as
        numerator, null as denominator
    from dws_channel_day group by 2 union all
    select 'orders', strftime(business_date, '%Y-%m'), sum(order_count), null from dws_channel_day group by 2 union all
    select 'average_order_value', strftime(business_date, '%Y-%m'), sum(net_revenue_base), sum(order_count)
        from dws_channel_day group by 2 union all
    select 'return_rate', strftime(business_date, '%Y-%m'), sum(returns_base), sum(net_revenue_base + returns_base)
        from dws_channel_day group by 2 union all
    select 'cross_channel_order_share_by_value', strftime(business_date, '%Y-%m'), sum(net_amount_base) filter (where
        is_cross_channel), sum(net_amount_base)
    from dws_order group by 2 union all
    select 'cross_channel_order_share_by_count', strftime(business_date, '%Y-%m'),
        count(*) filter (where is_order and is_cross_channel), count(*) filter (where is_order)
    from dws_order group by 2 union all
    select 'repurchase_rate_90d', strftime(first_order_date, '%Y-%m'),
        count(*) filter (where second_order_date - first_order_date <= 90), count(*)
    from dws_customer cross join as_of where last_day(first_order_date) + 90 <= as_of_date group by 2 union all
    select 'on_time_delivery_rate', strftime(due_date, '%Y-%m'), sum(on_time_count), sum(due_count)
        from dws_fulfilment_day group by 2 union all
    select 'stockout_rate', strftime(snapshot_date, '%Y-%m'), sum(out_of_stock_count), sum(listed_count)
        from dws_inventory_day group by 2 union all
    select 'customer_satisfaction', strftime(answered_at, '%Y-%m'), sum(satisfaction), count(satisfaction)
        from dwd_survey_response group by 2
), summed as (
    from measured union all select kpi_id, 'all', sum(numerator), sum(denominator) from measured group by 1
)
select kpi_id, period, case when denominator is null then numerator else numerator / nullif(denominator, 0) end as
    value,
    numerator, denominator from summed;
"""

PUBLISHED: dict[str, str] = {
    "dim_product": "* exclude (unit_cost, supplier_id)",
    "dim_node": "* exclude (postcode)",
    "dim_date": "*",
    "dim_channel": "*",
    "dws_order": "*",
    "dws_channel_day": "*",
    "dws_fulfilment_day": "*",
    "dws_inventory_day": "*",
    "ads_channel_day": "*",
    "ads_kpi": "*",
    "ads_customer_360": "*",
}

NAMESPACE = "{http://www.nrf-arts.org/IXRetail/namespace/}"
TICKET = (
    "store",
    "till",
    "number",
    "day",
    "begun",
    "ended",
    "currency",
    "cancel",
    "training",
    "suspend",
    "loyalty",
    "total",
    "path",
)
LINE = ("line_number", "void", "sku", "title", "price", "discount", "quantity", "original", "is_return")
HEADER_TAGS = (
    "RetailStoreID",
    "WorkstationID",
    "SequenceNumber",
    "BusinessDayDate",
    "BeginDateTime",
    "EndDateTime",
    "CurrencyCode",
)
ITEM_TAGS = ("ItemID", "Description", "RegularSalesUnitPrice", "DiscountAmount", "Quantity")
Value = str | bool | None


def reference(source: Path, home: Path, settings: Settings) -> Made:
    """Build everything below ``home`` from the feeds in ``source``, with the platform's threads and memory limit."""
    home.mkdir(parents=True)
    with duckdb.connect(str(home / "warehouse.duckdb")) as con:
        con.execute(
            f"set timezone = 'UTC'; set threads = {settings.threads}; set memory_limit = '{settings.memory_limit}'"
        )
        con.execute(f"set temp_directory = '{home / 'tmp'}'")
        key = hashlib.sha256(b"a benchmark's key").digest().ljust(64, b"\0")
        for name, pad in (("inner_key", 0x36), ("outer_key", 0x5C)):
            con.execute(f"set variable {name} = ?::blob", [bytes(byte ^ pad for byte in key)])
        con.execute(MACROS)
        con.execute(RATES.format(source=source, currency=settings.reporting_currency))
        _write_ods(con, source, home / "lake")
        _write_detail(con, home / "lake")
        _recognise(con, home / "lake")
        con.execute(SUMMARIES)
        _publish(con, home / "published")
        row = con.execute(
            "select (select count(*) from dwd_order_line), (select sum(net_revenue_base) from ads_channel_day)"
        ).fetchone()
    assert row is not None
    return Made(int(row[0]), Decimal(row[1]))


def _write_ods(con: duckdb.DuckDBPyConnection, source: Path, lake: Path) -> None:
    con.execute(READ_ORDERS.format(source=source, json=JSON_LINES))
    _read_tills(con, source)
    for place, query in ODS.items():
        (lake / place).mkdir(parents=True)
        con.execute(
            f"copy ({query.format(source=source, csv=CSV, json=JSON_LINES)}) to '{lake / place}' (format parquet, "
            "partition_by (ds), overwrite_or_ignore)"
        )
    con.execute("drop table raw_order; drop table raw_ticket; drop table raw_ticket_line")


def _read_tills(con: duckdb.DuckDBPyConnection, source: Path) -> None:
    """Tickets and their sale and return lines, one pass over each XML file."""
    con.execute(f"create temp table raw_ticket ({', '.join(f'{name} varchar' for name in TICKET)})")
    kinds = [f"{name} {'boolean' if name == 'is_return' else 'varchar'}" for name in LINE]
    con.execute(f"create temp table raw_ticket_line ({', '.join([*(f'{name} varchar' for name in TICKET), *kinds])})")
    for path in sorted((source / "pos" / "transactions").glob("*.xml")):
        tickets: list[tuple[Value, ...]] = []
        lines: list[tuple[Value, ...]] = []
        for ticket, members in _tickets(path):
            tickets.append(ticket)
            lines += [(*ticket, *line) for line in members]
        _append(con, "raw_ticket", TICKET, tickets)
        _append(con, "raw_ticket_line", (*TICKET, *LINE), lines)


def _append(
    con: duckdb.DuckDBPyConnection, table: str, names: Sequence[str], rows: Sequence[tuple[Value, ...]]
) -> None:
    if rows:
        batch = pa.table(dict(zip(names, map(pa.array, zip(*rows, strict=True)), strict=True)))
        con.register("batch", batch)
        con.execute(f"insert into {table} select * from batch")
        con.unregister("batch")


def _tickets(path: Path) -> Iterator[tuple[tuple[Value, ...], list[tuple[Value, ...]]]]:
    """Each retail transaction of a till's log: its header and its goods lines."""
    for _, element in etree.iterparse(str(path), events=("end",), tag=f"{NAMESPACE}Transaction"):
        retail = element.find(f"{NAMESPACE}RetailTransaction")
        if retail is not None:
            head = (element.findtext(NAMESPACE + tag) for tag in HEADER_TAGS)
            flags = (element.get(name) for name in ("CancelFlag", "TrainingModeFlag", "SuspendFlag"))
            loyalty = retail.findtext(f".//{NAMESPACE}LoyaltyAccountID")
            ticket = (*head, *flags, loyalty, retail.findtext(f"{NAMESPACE}Total"), str(path))
            yield ticket, [line for line in map(_line, retail.findall(f"{NAMESPACE}LineItem")) if line]
        element.clear()
        while element.getprevious() is not None:
            del element.getparent()[0]


def _line(item: etree._Element) -> tuple[Value, ...] | None:
    goods = item.find(f"{NAMESPACE}Sale")
    is_return = goods is None
    if goods is None:
        goods = item.find(f"{NAMESPACE}Return")
    if goods is None:
        return None
    fields = (goods.findtext(NAMESPACE + tag) for tag in ITEM_TAGS)
    original = goods.findtext(f"{NAMESPACE}TransactionLink/{NAMESPACE}TransactionID")
    return (item.findtext(f"{NAMESPACE}SequenceNumber"), item.get("VoidFlag"), *fields, original, is_return)


def _write_detail(con: duckdb.DuckDBPyConnection, lake: Path) -> None:
    """The latest version of every key, from the Parquet just written."""
    for table, (entity, key, versioned, columns) in DETAIL.items():
        identity = f"coalesce({', '.join(IDENTITY[entity])}) as identity_key, " if entity in IDENTITY else ""
        order = ("updated_at desc nulls last, " if versioned else "") + "ds desc, _file desc"
        con.execute(
            f"create table {table} as select source_system, {identity}{columns}, ds from {_lake(lake, entity)} "
            f"qualify row_number() over (partition by source_system, {key} order by {order}) = 1"
        )


def _lake(lake: Path, entity: str) -> str:
    return f"read_parquet('{lake}/{entity}/*/*/*.parquet', hive_partitioning=true, hive_types={{'ds': date}})"


def _recognise(con: duckdb.DuckDBPyConnection, lake: Path) -> None:
    """All identifiers that ever occur on one row belong to one person."""
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    rows = " union all ".join(
        f"select list_filter([{', '.join(keys)}], lambda k: k is not null) as keys from {_lake(lake, entity)}"
        for entity, keys in IDENTITY.items()
    )
    con.execute(f"create temp table seen as select distinct keys from ({rows}) where len(keys) > 0")
    con.execute(
        "create temp table identifier as select row_number() over () - 1 as id, key "
        "from (select distinct unnest(keys) as key from seen)"
    )
    edges = con.execute(
        "select distinct a.id as a, b.id as b from (select keys[1] as first_key, unnest(keys[2:]) as other_key "
        "from seen where len(keys) > 1) join identifier a on a.key = first_key join identifier b on b.key = other_key"
    ).fetchnumpy()
    count = con.execute("select count(*) from identifier").fetchone()
    size = int(count[0]) if count else 0
    links = coo_array((np.ones(len(edges["a"]), dtype=np.int8), (edges["a"], edges["b"])), shape=(size, size))
    con.register(
        "component", pa.table({"id": np.arange(size), "label": connected_components(links, directed=False)[1]})
    )
    con.execute(
        "create table oneid_map as select key as identity_key, 'P' || upper(left(md5(min(key) "
        "over (partition by label)), 20)) as oneid from identifier join component using (id)"
    )
    con.unregister("component")


def _publish(con: duckdb.DuckDBPyConnection, folder: Path) -> None:
    (folder / "parquet").mkdir(parents=True)
    con.execute(f"attach '{folder / 'onedata.duckdb'}' as published")
    for table, columns in PUBLISHED.items():
        con.execute(f"create table published.main.{table} as select {columns} from {table}")
        con.execute(f"copy published.main.{table} to '{folder / 'parquet' / table}.parquet' (format parquet)")
    con.execute("detach published")


# --- The platform -----------------------------------------------------------------------------------------------------


def platform(settings: Settings) -> None:
    """Run the nights of the source folder in one run of the real job; its imports and parsing are part of the cost.

    Raises:
        NotComparable: a gate or an error stopped the run.
    """
    from onedata_assets.runner import run_nights
    from onedata_assets.selection import select_nights

    if not run_nights(settings, select_nights(settings, None, None), each_night=False, full_refresh=False):
        raise NotComparable("the platform's night failed; its own message stands above")


def made_by_platform(settings: Settings) -> tuple[Made, int]:
    """Results of the platform, and its number of received rows."""
    with duckdb.connect(str(settings.warehouse), read_only=True) as con:
        row = con.execute(
            "select (select count(*) from dwd.dwd_order_line), (select sum(net_revenue_as_priced_base) "
            "from ads.ads_channel_day), (select sum(received) from ops.file)"
        ).fetchone()
    assert row is not None
    return Made(int(row[0]), Decimal(row[1])), int(row[2])


def seconds_by_stage(settings: Settings, wall_s: float) -> dict[str, float]:
    """Wall seconds of every step of the home's runs, from Dagster's event log; ``(start)`` is the time outside of
    steps."""
    import dagster as dg

    os.environ["DAGSTER_HOME"] = str(settings.dagster_home)
    stages: dict[str, float] = {}
    with dg.DagsterInstance.get() as instance:
        for run in instance.get_runs():
            for step in instance.get_run_step_stats(run.run_id):
                if step.start_time is not None and step.end_time is not None:
                    stages[step.step_key] = stages.get(step.step_key, 0.0) + step.end_time - step.start_time
    stages["(start)"] = wall_s - sum(stages.values())
    return {name: round(seconds, 2) for name, seconds in sorted(stages.items(), key=lambda item: -item[1])}


# --- The comparison ---------------------------------------------------------------------------------------------------


def warm(source: Path) -> date:
    """Load every file into the cache by hashing it; returns the last night with a file."""
    last = date.min
    for path in sorted(source.rglob("*.*")):
        digest = hashlib.sha256()
        with path.open("rb") as stream:
            while block := stream.read(HASH_BLOCK):
                digest.update(block)
        named = re.search(r"\d{4}-\d{2}-\d{2}", path.name)
        last = max(last, date.fromisoformat(named[0]) if named else last)
    return last


def compare(source: Path, home: Path) -> dict[str, object]:
    """Run both sides and the empty night; returns the line of JSON as a dictionary.

    Raises:
        NotComparable: the sides differ in order lines or in net revenue.
    """
    settings = replace(load_settings(), home=home / "platform", source=source)
    last = warm(source)
    with measured() as reference_cost:
        expected = reference(source, home / "reference", settings)
    typer.echo(f"reference: {reference_cost}; {expected}", err=True)
    with measured() as cost:
        platform(settings)
    made, rows = made_by_platform(settings)
    typer.echo(f"platform: {cost}; {made}", err=True)
    if made != expected:
        raise NotComparable(f"the reference made {expected}, the platform {made}")
    stages = seconds_by_stage(settings, cost.wall_s)
    empty = {
        "empty_night_cpu_s": round(empty_night_cpu_s(settings, last + timedelta(days=1)), 2),
        "empty_night_imports_cpu_s": round(imports_cpu_s(settings), 2),
    }
    return _line_of(made, rows, cost, reference_cost, empty, stages)


def _line_of(
    made: Made, rows: int, cost: Cost, reference_cost: Cost, empty: dict[str, float], stages: dict[str, float]
) -> dict[str, object]:
    return {
        "benchmark": "night",
        "order_lines": made.order_lines,
        "rows": rows,
        "platform_cpu_s": round(cost.cpu_s, 2),
        "platform_wall_s": round(cost.wall_s, 2),
        "reference_cpu_s": round(reference_cost.cpu_s, 2),
        "reference_wall_s": round(reference_cost.wall_s, 2),
        "ratio_cpu": round(cost.cpu_s / reference_cost.cpu_s, 3),
        "ratio_wall": round(cost.wall_s / reference_cost.wall_s, 3),
        "peak_memory_mb": round(cost.peak_mb),
        "reference_peak_memory_mb": round(reference_cost.peak_mb),
        **empty,
        "by_stage": stages,
    }


def main(
    order_lines: Annotated[int, typer.Option(help="Approximate number of order lines to generate.")] = 1_000_000,
    nights: Annotated[int, typer.Option(help="Number of nights to generate; they run as one backfill.")] = 5,
    source: Annotated[
        Path | None, typer.Option(help="Use this generated source folder instead of generating one.")
    ] = None,
    home: Annotated[
        Path | None, typer.Option(help="Working folder; must be empty or missing. Default: a temporary one.")
    ] = None,
    keep: Annotated[bool, typer.Option("--keep", help="Keep the working folder, and print its path.")] = False,
) -> None:
    """Compare a night of the platform with a script; the last line printed is JSON."""
    if home is not None and home.exists() and any(home.iterdir()):
        raise typer.BadParameter(f"{home} is not empty", param_hint="--home")
    with ExitStack() as stack:
        work = home or Path(tempfile.mkdtemp(prefix="onedata-night-"))
        work.mkdir(parents=True, exist_ok=True)
        if not keep:
            stack.callback(_remove, work)
        if source is None:
            asked = SimulationSettings.for_order_lines(
                order_lines, max(1, order_lines // ORDER_LINES_PER_CUSTOMER), nights
            )
            typer.echo(
                f"generating {order_lines} order lines of {asked.customers} customers in {nights} nights", err=True
            )
            source = simulate(asked, work / "retailer").source
        result = compare(source.resolve(), work.resolve())
        if keep:
            typer.echo(f"kept: {work}", err=True)
    typer.echo(json.dumps(result))


def _remove(folder: Path) -> None:
    import shutil

    shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    app = typer.Typer(pretty_exceptions_enable=False)
    app.command()(main)
    app()
