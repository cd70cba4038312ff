"""The world before anybody buys: places, goods and people, as DuckDB tables.

Every draw is ``u(tag, key)``, a number in [0, 1) that depends only on the seed, the tag and the key (MD5): the
same seed gives the same world in any order of execution and on any number of threads.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

import duckdb

from onedata.simulate import catalogue
from onedata.simulate.model import SimulationSettings

MACROS = """
create macro u(tag, k) as md5_number_lower(concat_ws(':', getvariable('seed'), tag, k)) / 18446744073709551616.0;
create macro pick(choices, r) as choices[1 + floor(r * len(choices))::int];
create macro skewed(n, r) as least(n, floor(pow(n + 1, r)))::int;  -- 1..n with Zipf-like shares: k has ln(1 + 1/k)
create macro waiting(r) as -ln(1 - r);                             -- exponential, mean 1
create macro iso(t) as strftime(t, '%Y-%m-%dT%H:%M:%S') || '+08:00';
create macro night(d) as getvariable('start') + d::int;            -- day number 0.. -> date
create macro money(x) as round(x, 2)::decimal(18, 2);
create macro km(lat1, lon1, lat2, lon2) as round(12742 * asin(sqrt(
    pow(sin(radians(lat2 - lat1) / 2), 2) + cos(radians(lat1)) * cos(radians(lat2))
        * pow(sin(radians(lon2 - lon1) / 2), 2))), 1);
"""

PLACES = """
create table node as
select 'S' || lpad(s::varchar, 3, '0') as node_id, 'store' as node_type, city || ' store ' || s as name, city,
       province,
       zip4 || '00' as zip, lat, lon, 120 + floor(u('area', s) * 900)::int as area_m2,
       5 + floor(u('head', s) * 30)::int as headcount
from range(1, getvariable('stores') + 1) t(s) join city on city_no = 1 + (s - 1) % getvariable('cities')
union all select w[1], 'warehouse', w[2], w[3], w[4], w[5], w[6]::double, w[7]::double, 24000, 180
from (select getvariable('warehouse') as w);
"""

GOODS = """
create table product as
with drawn as (
    select p as product_no, category, weight, region, 'SKU-' || lpad(p::varchar, 5, '0') as sku,
           pick(string_split(getvariable('adjectives'), '|'), u('adjective', p)) || ' '
           || pick(string_split(nouns, '|'), u('noun', p)) || ' ' || lpad(p::varchar, 3, '0') as title,
           floor(low * pow(high / low, u('price', p)))::int + 0.90 as price,
           u('cost', p) as cost_share, u('change', p) as change
    from range(1, getvariable('products') + 1) t(p)
         join category on category_no = 1 + (p - 1) % getvariable('categories')
)
select product_no, category, weight, region, sku, title, price::decimal(18, 2) as price,
       money(price * (0.35 + 0.25 * cost_share)) as cost, 'SUP-' || (10 + product_no % 17) as supplier,
       -- one SKU in twelve is re-priced on one day of the period, valid from that day's opening
       case when change < 1 / 12.0 then floor(change * 12 * getvariable('days'))::int end as change_day,
       floor(price * (0.85 + 0.3 * u('new price', product_no)))::int + 0.90::decimal(18, 2) as new_price
from drawn;
"""

PEOPLE = """
create table person as
with drawn as (
    select p, case when u('segment', p) < 0.3 then 'online' when u('segment', p) < 0.7 then 'store'
           else 'omni' end as segment,
           u('chinese', p) < 0.85 as chinese, skewed(getvariable('cities'), u('city', p)) as city_no,
           u('registers', p) as r1,
           u('joins', p) as r2
    from range(1, getvariable('customers') + 1) t(p)
), named as (
    select drawn.*, city.* exclude (city_no),
           case when chinese then pick(getvariable('cn_family'), u('family', p))
               else pick(getvariable('la_family'), u('family', p))
           end as family,
           case when chinese then pick(getvariable('cn_given'), u('given', p))
               else pick(getvariable('la_given'), u('given', p))
           end as given,
           segment <> 'store' as has_shop,
           case segment when 'store' then u('member', p) < 0.65 when 'omni' then u('member', p) < 0.9
               else false end as has_card,
           u('social', p) < 0.35 as has_social
    from drawn join city using (city_no)
)
select p as person_no, 'P' || lpad(p::varchar, 8, '0') as person_id, segment, chinese, city_no, city, province, lat,
       lon,
       zip4 || lpad(floor(u('zip', p) * 100)::int::varchar, 2, '0') as zip, family[1] as family, given[1] as given,
       pick(['Renmin Road', 'Jiefang Street', 'Zhongshan Avenue', 'Xinhua Lane', '中山路', '人民路'],
           u('street', p)) as street,
       1 + floor(u('door', p) * 400)::int as door, case when u('gender', p) < 0.58 then 'F' else 'M' end as gender,
       1950 + floor(58 * (u('born', p) + u('born too', p)) / 2)::int as birth_year,
       waiting(u('activity', p)) as activity,
       has_shop, has_card, has_social, 7000000000 + p as account_id,
       'M' || lpad((100000 + p)::varchar, 9, '0') as card,
       case when has_social then 'o6_' || substr(md5('union' || getvariable('seed') || p), 1, 24) end as union_id,
       has_social and u('binds card', p) < 0.4 as union_on_card,
       has_social and u('binds shop', p) < 0.3 as union_on_account,
       given[2] || '.' || family[2] || p || '@'
           || pick(['qq.com', '163.com', 'gmail.com', 'outlook.com'], u('domain', p)) as email,
       -- at the till seven in ten leave the address of their shop account, some another one, some none
       case when u('same mail', p) < 0.7 then email
           when u('same mail', p) < 0.85 then family[2] || '.' || p || '@foxmail.com'
       end as card_email,
       '+8613' || lpad((p * 618033989 % 1000000000)::varchar, 9, '0') as phone,
       -- one card in a hundred carries the number of another member of the household
       case when u('household', p) < 0.01
           and p > 1 then '+8613' || lpad(((p - 1) * 618033989 % 1000000000)::varchar, 9, '0')
            else phone end as card_phone,
       ['1.' || substr(md5('phone' || getvariable('seed') || p), 1, 16),
        '2.' || substr(md5('laptop' || getvariable('seed') || p), 1, 16)] as cookies,
       -- day the account, the card was opened; below 0: before the period
       case when r1 < 0.9 then -30 - floor(r1 * 1500)::int
           else floor((r1 - 0.9) * 10 * getvariable('days'))::int end as account_day,
       case when r2 < 0.92 then -30 - floor(r2 * 1500)::int
           else floor((r2 - 0.92) * 12.5 * getvariable('days'))::int end as card_day,
       -- a store of the person's own city where there is one
       case when city_no <= getvariable('stores')
            then city_no + getvariable('cities')
                 * floor(u('store', p) * (1 + (getvariable('stores') - city_no) // getvariable('cities')))::int
            else 1 + floor(u('store', p) * getvariable('stores'))::int end as home_store
from named;

create table day as
select d::int as d, night(d) as ds, weight / avg(weight) over () as footfall
from (select d, [0.85, 0.85, 0.9, 0.95, 1.1, 1.25, 1.1][isodow(night(d))] as weight
     from range(getvariable('days')) t(d));
"""


def build_world(connection: duckdb.DuckDBPyConnection, settings: SimulationSettings) -> None:
    """Create the macros and the tables ``city, category, node, product, person, day`` in an empty database."""
    variables: dict[str, object] = {
        "seed": settings.seed,
        "start": settings.start,
        "days": settings.days,
        "customers": settings.customers,
        "rate": settings.orders_per_customer_day,
        "products": settings.products,
        "stores": settings.stores,
        "cities": len(catalogue.CITIES),
        "categories": len(catalogue.CATEGORIES),
        "warehouse": [str(part) for part in catalogue.WAREHOUSE],
        "adjectives": catalogue.ADJECTIVES,
        "platforms": catalogue.PLATFORMS,
        "campaigns": catalogue.CAMPAIGNS,
        "cn_family": _spelled(catalogue.CHINESE_FAMILY),
        "cn_given": _spelled(catalogue.CHINESE_GIVEN),
        "la_family": _spelled(catalogue.LATIN_FAMILY),
        "la_given": _spelled(catalogue.LATIN_GIVEN),
    }
    for name, value in variables.items():
        connection.execute(f"set variable {name} = ?", [value])
    connection.execute("create table city (city_no int, city text, province text, zip4 text, lat double, lon double)")
    connection.executemany("insert into city values (?, ?, ?, ?, ?, ?)", _numbered(catalogue.CITIES))
    connection.execute("create table category (category_no int, category text, nouns text, low double, high double, weight int, region text)")
    connection.executemany("insert into category values (?, ?, ?, ?, ?, ?, ?)", _numbered(catalogue.CATEGORIES))
    connection.execute("create table remark (remark_no int, score int, remark text)")
    connection.executemany("insert into remark values (?, ?, ?)", _numbered(catalogue.COMMENTS))
    for script in (MACROS, PLACES, GOODS, PEOPLE):
        connection.execute(script)


def _numbered(rows: Sequence[tuple[object, ...]]) -> list[tuple[object, ...]]:
    return [(number, *row) for number, row in enumerate(rows, start=1)]


def _spelled(names: str) -> list[list[str]]:
    """``[[name, Latin spelling], ...]`` of a list of names separated by spaces."""
    split = re.compile(r"([^\x00-\x7f]+)([a-z]+)")
    spelled = []
    for name in names.split():
        chinese = split.fullmatch(name)
        plain = name.lower().translate(str.maketrans("íüáãéëñó", "iuaaeeno", "'"))
        spelled.append([chinese[1], chinese[2]] if chinese else [name, plain])
    return spelled
