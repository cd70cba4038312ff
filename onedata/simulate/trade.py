"""What happens in the world, as DuckDB tables: visits, orders, parcels, returns, tickets, engagements and answers.

Days are numbers from 0 (``d``); a row's ``night`` is the day whose files deliver it. Timestamps are local
(Asia/Shanghai), amounts CNY. Nothing here lies after the last night: what would happen later has not happened.
"""

from __future__ import annotations

import duckdb

VISITS = """
create table visit as  -- one order or one walk to the till
with drawn as (
    select person_no, d, ds, segment, home_store,
           unnest(range(1, 1 + floor(activity * getvariable('rate') * footfall
               + u('visits', person_no || ':' || d))::int)) as k
    from person cross join day
), placed as (
    select person_no, d, ds, k, segment, home_store,
           segment = 'online' or (segment = 'omni' and u('place', concat_ws(':', person_no, d, k)) < 0.5) as online,
           u('when', concat_ws(':', person_no, d, k)) as w1, u('when too', concat_ws(':', person_no, d, k)) as w2
    from drawn
)
select row_number() over (order by d, clock, person_no, k) as visit_no, person_no, d, segment, home_store, online,
       ds + to_seconds(clock) as placed_at
-- the web sells most in the evening; stores are open from 10:00 to 22:00
from (select *, case when online then 1800 + floor(pow(w1, 0.6) * 84000)::int
                     else 36000 + floor((w1 + w2) / 2 * 43000)::int end as clock
      from placed);

create table line as
with drawn as (
    select visit_no, d, online,
           unnest(range(1, 2 + least(5, floor(waiting(u('lines', visit_no)) * 1.5))::int))::int as line_no
    from visit
), chosen as (
    select *, concat_ws(':', visit_no, line_no) as k, skewed(getvariable('products'), u('sku', k)) as product_no,
           u('quantity', k) as q, u('discount', k) as off from drawn
)
select visit_no, line_no, product_no, sku, title, 1 + (q < 0.18)::int + (q < 0.05)::int as qty,
       case when d >= change_day then new_price else price end as unit_price,
       money(qty * unit_price * case when off < 0.12 then 0.1 when off < 0.2 then 0.2 else 0 end) as discount,
       (qty * unit_price - discount)::decimal(18, 2) as net,
       not online and line_no > 1 and u('void', k) < 0.012 as void
from chosen join product using (product_no);
"""

SHOP = """
create table shop_order as
with drawn as (
    select visit.* exclude (segment, home_store), person.* exclude (person_no), 5400000000 + visit_no as order_id,
           u('test', visit_no) < 0.005 as is_test, account_day >= d or u('guest', visit_no) < 0.08 as guest,
           union_id is not null and u('feed', visit_no) < 0.25 as social,
           person.segment = 'omni' and u('pickup', visit_no) < 0.2 as pickup,
           placed_at::time < time '16:00' as early, ds + interval 34 hour as cancel_at,
           ds + interval 18 hour as packed_at,
           d + 1 < getvariable('days') as has_next, u('utm', visit_no) as r
    from visit join person using (person_no) join day using (d) where online
)
select *, case when social then 'social' else 'online' end as channel,
       case when social or r < 0.35 then getvariable('platforms')[1 + floor(r * 1e4)::int % 3] end as utm_source,
       case when social or r < 0.35 then getvariable('campaigns')[1 + floor(r * 1e5)::int % 4] end as utm_campaign,
       case when r > 0.98 then 'REF-' || upper(substr(md5('ref' || visit_no % 50), 1, 6)) end as referrer,
       not early and not is_test and has_next and u('cancel', visit_no) < 0.06 as cancelled,
       not early and not is_test and has_next as has_update,
       u('late', visit_no) < 0.01 and has_next as late  -- delivered a night late, then in its last version only
from drawn;

create table order_version as
select visit_no, d + late::int as night,
       case when early and not is_test then packed_at else placed_at end as updated_at,
       case when early and not is_test then 'fulfilled' end as fulfillment, null::timestamp as cancelled_at
from shop_order where not (late and has_update)
union all
select visit_no, d + 1, case when cancelled then cancel_at else packed_at + interval 1 day end,
       case when not cancelled then 'fulfilled' end, case when cancelled then cancel_at end
from shop_order where has_update;

create table basket as
select visit_no, list({id: (5400000000 + visit_no) * 10 + line_no, sku: sku, title: title, quantity: qty,
       price: unit_price::text,
                       total_discount: discount::text} order by line_no) as line_items,
       sum(net) as net, sum(discount) as discounts,
       case when sum(net) < 199 then 10.00 else 0 end::decimal(18, 2) as postage,
       list(sku order by line_no) as skus
from line semi join shop_order using (visit_no) group by visit_no;

create table shipment as
with packed as (
    select visit_no, order_id, d, placed_at, o.zip,
           coalesce(store.node_id, getvariable('warehouse')[1]) as origin, round(4 + u('suburb', person_no) * 25
           + coalesce(km(store.lat, store.lon, o.lat, o.lon),
                      km(getvariable('warehouse')[6]::double, getvariable('warehouse')[7]::double, o.lat, o.lon)),
                      1) as distance,
           packed_at + to_days((not early)::int)
               + to_seconds(floor(u('collect', visit_no) * 3600)::int) as picked_up_at
    from shop_order as o left join node as store  -- one order in five leaves from a store of the customer's city
        on store.node_id = 'S' || lpad(city_no::varchar, 3, '0') and u('ship from store', visit_no) < 0.2
    where not (pickup or is_test or cancelled)
), driven as (
    select *, picked_up_at + to_seconds(floor(3600
           * (12 + distance / 50 + waiting(u('road', visit_no)) * (2 + distance / 80)))::int)
           as due, picked_up_at::date + interval 22 hour
           + to_days(case when distance <= 300 then 1 when distance <= 1200 then 2 else 3 end) as promised_at
    from packed
)
select visit_no, 'SF' || (880000000 + visit_no) as shipment_id, order_id, placed_at, zip, origin, distance,
       picked_up_at, promised_at,
       -- nobody rings a bell at night: such a parcel comes in the morning
       case when hour(due) < 9 then due::date + interval 9 hour + to_seconds(visit_no % 7200)
            when hour(due) >= 22 then due::date + interval 33 hour + to_seconds(visit_no % 7200)
                else due end as delivered_at,
       picked_up_at::date - getvariable('start') as night,
       delivered_at::date - getvariable('start') as delivered_night
from driven where night < getvariable('days');
"""

TILLS = """
create table return_document as  -- at most one an order
with candidate as (
    select visit_no, person_no, home_store, true as online, channel,
           pickup or (segment = 'omni' and u('counter', visit_no) < 0.5)
           as in_store, coalesce(delivered_night, case when pickup then d + 1 end) + 1
               + floor(u('back', visit_no) * 2)::int as d
    from shop_order left join shipment using (visit_no)
    where not is_test and not cancelled and u('returns', visit_no) < 0.12
    union all
    select visit_no, person_no, home_store, false, 'store', true, d + 1 + floor(u('back', visit_no) * 3)::int
    from visit where not online and u('returns', visit_no) < 0.04 and u('till', visit_no) > 0.018
)
select * from candidate where d < getvariable('days');

create table returned as
select return_document.*, line.* exclude (visit_no) from return_document join line using (visit_no)
where not void and (line_no = 1 or u('all back', visit_no) < 0.4);

create table till as  -- one till transaction
with event as (
    select s as store, w as workstation, d, ds + interval 585 minute as began_at, 'control' as kind, null as visit_no,
           null as person_no
    from range(1, getvariable('stores') + 1) t(s), range(1, 4) r(w), day
    union all
    select case when u('away', visit_no) < 0.85 then home_store
           else 1 + floor(u('where', visit_no) * getvariable('stores'))::int end,
           1 + floor(u('workstation', visit_no) * 3)::int, d, placed_at, 'sale', visit_no, person_no
    from visit where not online
    union all
    select home_store, 1 + floor(u('counter till', visit_no) * 3)::int, d,
           night(d) + to_seconds(39600 + floor(u('counter time', visit_no) * 36000)::int), 'return', visit_no,
           person_no
    from return_document where in_store
), numbered as (
    select *, row_number() over (partition by store, workstation, d order by began_at, kind, visit_no) as sequence,
           'S' || lpad(store::varchar, 3, '0') as node_id
    from event
)
select numbered.*, concat_ws('-', node_id, workstation, sequence, night(d)) as ticket_id,
       kind = 'sale' and u('till', visit_no) < 0.008 as training,
       kind = 'sale' and u('till', visit_no) between 0.008 and 0.018 as cancelled,
       case when card_day < d and has_card and u('shows card', visit_no) < 0.85 then card end as card_shown
from numbered left join person using (person_no);

create table till_line as
select 'Sale' as kind, line.*, null as origin from line join visit using (visit_no) where not online
union all
select 'Return', returned.* exclude (person_no, home_store, online, channel, in_store, d),
       coalesce(sale.ticket_id, (5400000000 + returned.visit_no)::text)
from returned left join till as sale on sale.visit_no = returned.visit_no and sale.kind = 'sale' where in_store;
"""

VOICES = """
create table engagement as
with actor as (
    select union_id from person where has_social
    union all select 'o6_' || substr(md5('stranger' || getvariable('seed') || s), 1, 24)
    from range(1, 2 + getvariable('customers') // 10) t(s)
), drawn as (
    select union_id, d, ds, unnest(range(greatest(0, floor(u('engages', union_id || d) * 4)::int - 1))) as k
    from actor cross join day
), acted as (
    select *, union_id || ':' || d || ':' || k as key, skewed(40, u('post', key)) as post, u('act', key) as act,
           ds + to_microseconds(floor(u('act time', key) * 86399e6)::bigint) as occurred_at
    from drawn
)
select d as night, row_number() over (partition by d order by occurred_at, union_id) - 1 as r, union_id, occurred_at,
       'EV' || strftime(ds, '%y%m%d') || lpad(r::varchar, 7, '0') as event_id, 'POST' || (1000 + post) as post_id,
       case when act < 0.55 then 'view' when act < 0.77 then 'like' when act < 0.85 then 'save'
           when act < 0.91 then 'comment'
            when act < 0.96 then 'share' else 'click' end as type, getvariable('platforms')[1 + post % 3] as platform,
       getvariable('campaigns')[1 + post % 4] as campaign_id,
       'SKU-' || lpad((1 + post * 7 % getvariable('products'))::varchar, 5, '0') as sku
from acted;

create table survey as
with asked as (
    select visit_no, order_id::text as order_id, delivered_at + interval 2 hour as asked_at,
           delivered_at > promised_at as late
    from shipment where delivered_night < getvariable('days') and u('survey', visit_no) < 0.25
    union all
    select visit_no, ticket_id, began_at + interval 15 minute, false from till
    where kind = 'sale' and card_shown is not null and not (training or cancelled) and u('survey', visit_no) < 0.1
), answered as (
    select *, asked_at + to_seconds(300 + floor(pow(u('answers', visit_no), 4) * 60000)::int) as answered_at,
           case when late then 1 + floor(u('csat', visit_no) * 3)::int
               else 3 + floor(sqrt(u('csat', visit_no)) * 3)::int end as score
    from asked
)
select 'R' || (300000 + visit_no) as response_id, * exclude (visit_no, remarks),
       answered_at::date - getvariable('start') as night,
       greatest(0, least(10, score * 2 - 1 + floor(u('nps', visit_no) * 3)::int)) as nps,
       case when u('comments', visit_no) < 0.6 then pick(remarks, u('comment', visit_no)) end as comment
from answered join (select score, list(remark order by remark_no) as remarks from remark group by score) using (score)
where night < getvariable('days');
"""


def run_trade(connection: duckdb.DuckDBPyConnection) -> None:
    """Create what happened in the world of ``build_world``: one table an event kind, named above."""
    for script in (VISITS, SHOP, TILLS, VOICES):
        connection.execute(script)
