"""What the retailer's systems deliver of it all: one set of files a night, in each system's own format.

DuckDB writes the files; Python only walks over nights and files.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import duckdb

from onedata.simulate.model import SimulationSettings
from onedata.simulate.poslog import deliver_tills

CSV = "format csv, header"


@dataclass(frozen=True)
class Delivery:
    """One file a night: ``query`` is its rows, in order, with ``{d}`` for the number of the night."""

    feed: str
    path: str
    options: str
    query: str
    first_night_only: bool = False


VIEWS = """
create view shop_profile as
select *, account_day as version_day, night(account_day) + to_seconds(28800 + person_no % 40000) as registered_at,
       registered_at as changed_at from person where has_shop
union all by name  -- a few move house
select * replace (door + 7 as door, '迁居路' as street), moved as version_day,
       night(account_day) + to_seconds(28800 + person_no % 40000) as registered_at,
       night(moved) + to_seconds(36000 + person_no % 30000) as changed_at
from (select *, 1 + floor(u('moves', person_no) * 20 * (getvariable('days') - 1))::int as moved from person
      where has_shop and u('moves', person_no) < 0.05) where moved > account_day and moved < getvariable('days');

create view card_profile as
select *, card_day as version_day, case when u('tier', person_no) < 0.75 then 'basic' else 'silver' end as tier,
       night(card_day) + to_seconds(39600 + person_no % 36000) as joined_at, joined_at as changed_at from person
       where has_card
union all by name  -- a few rise to gold
select *, risen as version_day, 'gold' as tier, night(card_day) + to_seconds(39600 + person_no % 36000) as joined_at,
       night(risen) + to_seconds(3600 + person_no % 7200) as changed_at
from (select *, 1 + floor(u('rises', person_no) * 25 * (getvariable('days') - 1))::int as risen from person
      where has_card and u('rises', person_no) < 0.04) where risen > card_day and risen < getvariable('days');

create view web_event as
with step as (
    select d, visit_no, person_no, cookies, guest, account_id, utm_source, utm_campaign, is_test, placed_at, order_id,
           skus,
           unnest([{name: 'view_item', ago: 540}, {name: 'add_to_cart', ago: 300}, {name: 'begin_checkout', ago: 120},
                   {name: 'purchase', ago: 0}], recursive := true)
    from shop_order join basket using (visit_no)
)
select d, visit_no % 1000000 + epoch_us(placed_at - to_seconds(ago)) as local_us, name,
       pick(cookies, u('cookie', visit_no)) as cookie,
       not guest as signed_in, account_id, 1700000000 + visit_no as session_id, skus[1] as sku,
       case when name = 'purchase' then order_id::text end as transaction_id, utm_source, utm_campaign
from step
union all  -- and most who look do not buy
select d, epoch_us(ds) + floor(u('browses at', b) * 80000e6)::bigint + step * 41000000,
       case step when 2 then 'add_to_cart' else 'view_item' end,
       pick(cookies, u('browser', b)), u('signs in', b) < 0.4 and account_day < d, account_id,
       1600000000 + person_no * 1000 + d,
       'SKU-' || lpad(skewed(getvariable('products'), u('looks at', b || ':' || step))::varchar, 5, '0'), null,
       case when r < 0.06 then pick(getvariable('platforms'), r / 0.06) end,
       case when r < 0.06 then getvariable('campaigns')[1] end
from (select *, unnest(range(1 + floor(r * 15)::int)) as step
      from (select *, person_no || ':' || d as b, u('browses', b) as r from person cross join day where has_shop)
           where r < 0.2);

create view spend as
select d, ds, p as platform, c as campaign_id, c || '-' || a as adset_id, concat_ws(':', p, c, a, d) as k,
       2000 + floor(u('seen', k) * 60000)::int as impressions,
       floor(impressions * (0.005 + 0.03 * u('clicked', k)))::int as clicks,
       money(clicks * (0.6 + u('bid', k))) as spend
from day, unnest(getvariable('platforms')) t(p), unnest(getvariable('campaigns')) q(c), range(1, 5) r(a);

create view stock as
select d, ds, sku, node_id, cost, concat_ws(':', sku, node_id, d) as k,
       -- a shelf in twenty is empty, a warehouse bin in a hundred
       case when u('empty', k) < case node_type when 'store' then 0.05 else 0.01 end then 0
            else 1 + floor(u('stock', k) * (6 + 60 / sqrt(product_no)) * case node_type when 'store' then 1
                else 30 end)::int end as held,
       floor(held * 0.3 * u('reserved', k))::int as reserved, floor(u('coming', k) * 12)::int as in_transit
from day, node, product;
"""

ORDERS = """
select order_id as id, '#' || visit_no + 10000 as name, visit_no + 10000 as order_number,
       iso(placed_at) as created_at,
       iso(updated_at) as updated_at, iso(cancelled_at) as cancelled_at, 'CNY' as currency,
       (net + cost)::text as total_price,
       discounts::text as total_discounts,
       case when cancelled_at is null then 'paid' else 'refunded' end as financial_status,
       fulfillment as fulfillment_status, case when social then 'social' else 'web' end as source_name,
       is_test as test, email,
       case when u('gives phone', visit_no) < 0.8 then phone end as phone,
       case when not guest then {{id: account_id, email: email, phone: phone}} end as customer,
       case when utm_source is null then '/'
           else '/?utm_source=' || utm_source || '&utm_campaign=' || utm_campaign end as landing_site,
       list_filter([{{name: 'utm_source', value: utm_source}}, {{name: 'utm_campaign', value: utm_campaign}},
                    {{name: 'referrer_code', value: referrer}},
                    {{name: 'union_id', value: case when social then union_id end}}],
                   lambda a: a.value is not null) as note_attributes,
       case when pickup then 'S' || lpad(home_store::varchar, 3, '0') end as location_id,
       case when not pickup then {{address1: door || ' ' || street, city: city, zip: zip, country: 'China'}}
           end as shipping_address,
       case when pickup then [{{code: 'PICKUP', title: 'Pick up in store', price: cost::text}}]
            else [{{code: 'STANDARD', title: 'Standard', price: cost::text}}] end as shipping_lines, line_items
from (select *, case when pickup then 0.00 else postage end::decimal(18, 2) as cost
      from order_version join shop_order using (visit_no) join basket using (visit_no) where night = {d})
order by updated_at, visit_no
"""

EVENTS = """
select strftime(make_timestamp(local_us), '%Y%m%d') as event_date, local_us - 28800000000 as event_timestamp,
       name as event_name,
       cookie as user_pseudo_id, case when signed_in then account_id::text end as user_id,
       [{{key: 'ga_session_id', value: {{string_value: null::text, int_value: session_id}}}},
        {{key: 'page_location', value: {{string_value: '/p/' || sku, int_value: null}}}}] as event_params,
       {{transaction_id: transaction_id}} as ecommerce, [{{item_id: sku}}] as items,
       {{source: coalesce(utm_source, '(direct)'),
           medium: case when utm_source is null then '(none)' else 'social' end,
         name: coalesce(utm_campaign, '(direct)')}} as traffic_source,
       {{category: case when cookie like '1.%' then 'mobile' else 'desktop' end}} as device,
       {{country: 'China'}} as geo
from web_event where d = {d} order by local_us, cookie, name
"""

DELIVERIES = (
    Delivery("shop_orders", "shop/orders/orders_{ds}.jsonl", "format json", ORDERS),
    Delivery("shop_events", "shop/events/events_{ds}.jsonl", "format json", EVENTS),
    Delivery("shop_customers", "shop/customers/customers_{ds}.csv", CSV, """
select account_id as id, email, phone, given as first_name, family as last_name, door || ' ' || street as address,
       city, province,
       'China' as country, zip, u('agrees', person_no) < 0.6 as accepts_marketing,
       case when union_on_account then union_id end as union_id,
       iso(registered_at) as created_at, iso(changed_at) as updated_at
from shop_profile where greatest(version_day, 0) = {d} order by changed_at, id"""),
    Delivery("shop_products", "shop/products/products_{ds}.csv", CSV, """
select sku, title, category, supplier, region as supply_region,
       case when {d} >= change_day then new_price else price end as price, cost,
       'CNY' as currency, weight as weight_g,
       iso(case when {d} = change_day then night({d}) else timestamp '2025-11-01' end) as updated_at
from product where {d} = 0 or change_day = {d} order by sku"""),
    Delivery("pos_members", "pos/members/members_{ds}.csv", CSV + ", delimiter ';'", """
select card as member_id, case when person_no % 10 = 3 then upper(card_email) else card_email end as email,
       concat_ws(' ', card_phone[:3], card_phone[4:6], card_phone[7:10], card_phone[11:]) as phone,
       case when chinese then family || given else given || ' ' || family end as name, gender, birth_year, city, tier,
       case when union_on_card then union_id end as union_id, u('opts in', person_no) < 0.7 as opt_in,
       strftime(joined_at, '%Y-%m-%d %H:%M:%S') as joined_at, strftime(changed_at, '%Y-%m-%d %H:%M:%S') as updated_at
from card_profile where greatest(version_day, 0) = {d} order by changed_at, member_id"""),
    Delivery("pos_stores", "pos/stores/stores_{ds}.csv", CSV, """
select node_id, name, node_type, city, province, 'China' as country, zip, 'Asia/Shanghai' as time_zone, area_m2,
       headcount,
       '2025-12-01T00:00:00+08:00' as updated_at from node order by node_id""", first_night_only=True),
    Delivery("social_spend", "social/spend/spend_{ds}.csv", CSV, """
select ds as date, platform, campaign_id, adset_id, impressions, clicks, spend, 'CNY' as currency
from spend where d = {d} order by platform, campaign_id, adset_id"""),
    Delivery("logistics_shipments", "logistics/shipments/shipments_{ds}.csv", CSV, """
select shipment_id, order_id, 'SF Express' as carrier, 'standard' as service, iso(promised_at) as promised_at,
       iso(placed_at) as created_at, iso(picked_up_at) as picked_up_at,
       iso(case when arrived then delivered_at end) as delivered_at,
       case when arrived then 'delivered' else 'picked_up' end as status, money(8 + distance * 0.012) as cost,
       'CNY' as currency,
       origin as origin_node, zip as destination_postcode, distance as distance_km, pick(['box', 'bag', 'reusable'],
       u('packaging', visit_no)) as packaging, round(0.05 + distance * 0.00021, 4) as co2e_kg,
       iso(case when arrived then delivered_at else picked_up_at end) as updated_at
from (select *, false as arrived from shipment where night = {d} union all select *, true from shipment
     where delivered_night = {d})
order by updated_at, shipment_id"""),
    Delivery("logistics_inventory", "logistics/inventory/inventory_{ds}.parquet", "format parquet", """
select ds as snapshot_date, sku, node_id,
       case when {d} = getvariable('negative_night') and k like 'SKU-00003:S001:%' then -40
       else held end as on_hand, reserved, in_transit, 2 as safety_stock, cost as unit_cost, 'CNY' as currency
from stock where d = {d} order by node_id, sku"""),
    Delivery("logistics_returns", "logistics/returns/returns_{ds}.csv", CSV, """
select 'RMA-' || (700000 + visit_no) as rma_id, line_no as rma_line, 5400000000 + visit_no as order_id,
       channel as sales_channel,
       getvariable('warehouse')[1] as node_id, sku, title, qty as quantity, unit_price, discount, 'CNY' as currency,
       pick(['too small', 'too large', 'damaged', 'changed mind', 'not as described'],
           u('reason', visit_no)) as reason,
       iso(night(d) + to_seconds(32400 + visit_no % 30000)) as received_at
from returned where not in_store and d = {d} order by rma_id, line_no"""),
    Delivery("service_surveys", "service/surveys/surveys_{ds}.csv", CSV, """
select response_id, order_id, score as csat, nps, comment, iso(asked_at) as asked_at, iso(answered_at) as answered_at
from survey where night = {d} order by answered_at, response_id"""),
)  # fmt: skip

PAGE_OVERLAP = 4
ENGAGEMENTS = """
select event_id, platform, post_id, union_id, type, sku as product_tag, campaign_id, iso(occurred_at) as created_at
from engagement where night = {d} and r >= {first} and r < {last} order by r
"""


def deliver(connection: duckdb.DuckDBPyConnection, settings: SimulationSettings, source: Path) -> dict[str, list[int]]:
    """Write every file of every night below ``source``; the answer is each feed's rows by night, as delivered."""
    connection.execute(VIEWS)
    for folder in {Path(delivery.path).parent for delivery in DELIVERIES} | {
        Path("pos/transactions"),
        Path("social/engagements"),
    }:
        (source / folder).mkdir(parents=True)
    rows: dict[str, list[int]] = {}
    for d, ds in enumerate(settings.nights):
        counts = {
            each.feed: _copy(connection, each.query.format(d=d), source / each.path.format(ds=ds), each.options)
            for each in DELIVERIES
            if d == 0 or not each.first_night_only
        }
        counts["shop_order_lines"] = _one(connection, f"select sum(len(line_items)) from order_version join basket using (visit_no) where night = {d}")
        counts |= deliver_tills(connection, d, source / "pos" / "transactions", str(ds))
        counts["social_engagements"] = _pages(connection, d, source / "social" / "engagements", str(ds))
        for feed, count in counts.items():
            rows.setdefault(feed, []).append(count)
    return rows


def _copy(connection: duckdb.DuckDBPyConnection, query: str, path: Path, options: str) -> int:
    target = str(path).replace("'", "''")
    return _one(connection, f"copy ({query}) to '{target}' ({options})")


def _one(connection: duckdb.DuckDBPyConnection, query: str) -> int:
    row = connection.execute(query).fetchone()
    return int(row[0] or 0) if row else 0


def _pages(connection: duckdb.DuckDBPyConnection, d: int, folder: Path, ds: str) -> int:
    """Pages of at most about an eighth of the night; each begins with the last few rows of the one before."""
    total = _one(connection, f"select count(*) from engagement where night = {d}")
    size = max(60, -(-total // 8))
    written = 0
    for page, start in enumerate(range(0, max(total, 1), size), start=1):
        query = ENGAGEMENTS.format(d=d, first=max(0, start - PAGE_OVERLAP), last=start + size)
        written += _copy(connection, query, folder / f"page_{ds}_{page}.jsonl", "format json")
    return written
