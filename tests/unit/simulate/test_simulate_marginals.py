"""Totals of a retailer of 3,000 customers and four weeks (25 May to 21 June, 18 June is a peak day), compared with the
requested ones.

Tolerances: counts are near-Poisson, so a share of n has a standard error below 0.5 / sqrt(n); means over people with
exponentially distributed amounts have one of 1 / sqrt(people). All bounds are at least four of these.
"""

from __future__ import annotations

from datetime import date

import duckdb
import pytest
from read_back import number, rows, tables

from onedata.simulate import SimulationSummary
from onedata.simulate.calendar import night_of
from onedata.simulate.people import SEGMENTS

START = date(2026, 5, 25)
RATE = 0.25
NIGHTS = [night_of(START, day) for day in range(28)]
SOLD = (
    "not is_return and not is_test and of_version is distinct from 2 and not coalesce(is_gift_card, false) "
    "and source <> 'marketplace'"
)
"""As customers ordered, before they changed anything, and once where a marketplace has the order too."""
BUYS = f"(select night, count(distinct journey_no) as n from lines where {SOLD} group by night)"
EARNED = "sum(net * case currency when 'EUR' then 7.8 else 1 end) filter (where counts) / 100"


def test_purchases_a_customer_and_day_are_as_asked(known: duckdb.DuckDBPyConnection) -> None:
    sold = number(known, f"select sum(n) from {BUYS}")
    # Journeys that ended in nothing because the shelf was empty.
    lost = number(known, "select count(distinct journey_no) from touches where lost_to_stock_out")
    activity = number(known, "select avg(activity) from persons")
    asked = RATE * activity * sum(night.demand for night in NIGHTS) * 3_000
    assert 0.97 < (sold + lost) / asked < 1.03


def test_weekends_are_busier_than_the_week(known: duckdb.DuckDBPyConnection) -> None:
    # Two weeks without a campaign; Monday to Wednesday are asked to be 0.87 of a mean day, Saturday and Sunday 1.18.
    plain = "night between '2026-05-25' and '2026-06-07'"
    ratio = f"select avg(n) filter (isodow(night) >= 6) / avg(n) filter (isodow(night) <= 3) from {BUYS} where {plain}"
    assert number(known, ratio) == pytest.approx(1.18 / 0.87, rel=0.12)


def test_the_peak_day_stands_out(known: duckdb.DuckDBPyConnection) -> None:
    days = dict(rows(known, f"select strftime(night, '%m-%d'), n from {BUYS}"))
    assert max(days, key=lambda day: days[day]) == "06-18"
    others = sorted(days[day] for day in days if "06-11" <= day < "06-18")
    assert days["06-18"] > 1.5 * others[len(others) // 2]
    campaign = sum(others) / len(others)
    before = sum(days[day] for day in days if "06-01" <= day <= "06-07") / 7
    assert campaign > 1.2 * before


def test_segments_have_their_shares(known: duckdb.DuckDBPyConnection) -> None:
    found = dict(rows(known, "select segment, count(*) / 3000 from persons group by 1"))
    assert found == pytest.approx({name: share for name, share, *_ in SEGMENTS}, abs=0.04)


def test_omnichannel_customers_are_worth_more(known: duckdb.DuckDBPyConnection) -> None:
    earned = f"(select person_no, {EARNED} as e from lines group by 1)"
    worth = dict(
        rows(
            known,
            f"select segment, sum(coalesce(e, 0)) / count(*) from persons left join {earned} using (person_no) "
            "group by 1",
        )
    )
    assert worth["omni"] > 1.3 * worth["online"]
    assert worth["omni"] > 1.3 * worth["store"]
    assert min(worth.values()) > 0


def test_people_buy_where_their_segment_does(known: duckdb.DuckDBPyConnection) -> None:
    found = rows(
        known,
        f"select segment, channel, count(distinct journey_no) from lines join persons using (person_no) where {SOLD} "
        "group by all",
    )
    many = {(segment, channel): count for segment, channel, count in found}
    assert {channel for segment, channel in many if segment == "store"} == {"store"}
    assert {channel for segment, channel in many if segment == "online"} == {"online", "social"}
    omni = sum(count for (segment, _), count in many.items() if segment == "omni")
    assert many["omni", "store"] / omni == pytest.approx(0.45, abs=0.05)
    # A third of the half with a social account buys there what they would buy online.
    assert many["omni", "social"] / (omni - many["omni", "store"]) == pytest.approx(0.33 * 0.5, abs=0.05)


def test_shelves_run_empty_and_sales_are_lost(known: duckdb.DuckDBPyConnection) -> None:
    rate = "select 1 - sum(served) / sum(wanted) from demand where "
    assert 0.01 < number(known, rate + "true") < 0.12
    assert 0.001 < number(known, rate + "night < '2026-06-01'") < 0.05
    assert (
        number(known, "select count(*) from demand where served + saved > wanted or least(wanted, served, saved) < 0")
        == 0
    )
    assert number(known, "select sum(saved) from demand where node_id like 'W%'") == 0
    assert number(known, "select count(distinct journey_no) from touches where lost_to_stock_out") > 100
    assert (
        number(known, "select count(*) from touches where lost_to_stock_out and (document is not null or not converts)")
        == 0
    )
    assert (
        number(known, "select count(*) from touches where converts and not lost_to_stock_out and document is null") == 0
    )


def test_what_was_served_is_what_was_sold(known: duckdb.DuckDBPyConnection) -> None:
    sold = (
        f"select night, sku, sum(quantity)::bigint as n from lines where {SOLD} and not (source = 'pos' "
        "and cancelled_us is not null) group by all"
    )
    had = "select night, sku, sum(served + saved)::bigint as n from demand group by all having sum(served + saved) > 0"
    assert rows(known, f"(({sold}) except ({had})) union all (({had}) except ({sold}))") == []


def test_some_goods_sell_much_better_than_others(known: duckdb.DuckDBPyConnection) -> None:
    assert (
        number(known, f"select max(n) / median(n) from (select sku, count(*) as n from lines where {SOLD} group by 1)")
        > 5
    )


def test_prices_differ_between_channels_on_some_days_only(retailer: SimulationSummary) -> None:
    differs = (
        "(select price_date, sku, count(distinct price) > 1 as differs from shop_prices where market = 'CN' "
        "and price <> '-0.01' group by all)"
    )
    with duckdb.connect() as con:
        tables(con, retailer.source, "shop_prices")
        assert 0.02 < number(con, f"select avg(differs::int) from {differs} where price_date < '2026-06-08'") < 0.06
        assert number(con, f"select count(distinct sku) filter (differs) / count(distinct sku) from {differs}") > 0.4
        promoted = (
            "select avg((promotion is not null)::int) from shop_prices where market = 'CN' "
            "and channel = 'online' and price_date "
        )
        assert 0.01 < number(con, promoted + "< '2026-06-08'") < 0.06
        assert 0.12 < number(con, promoted + "between '2026-06-10' and '2026-06-18'") < 0.35
        assert rows(con, "select distinct market, currency from shop_prices order by 1") == [
            ("CN", "CNY"),
            ("EU", "EUR"),
        ]
        assert (
            number(
                con,
                "select count(*) from shop_prices where (promotion is null) <> (price = list_price) "
                "and price <> '-0.01'",
            )
            == 0
        )


def test_two_currencies_zones_and_scripts(known: duckdb.DuckDBPyConnection, retailer: SimulationSummary) -> None:
    assert dict(rows(known, "select currency, count(*) > 500 from lines group by 1")) == {"CNY": True, "EUR": True}
    assert 0.15 < number(known, "select avg((market = 'EU')::int) from persons") < 0.25
    assert 0.6 < number(known, r"select avg(regexp_matches(family, '^\p{Han}+$')::int) from persons") < 0.9
    with duckdb.connect() as con:
        stores = f"read_csv('{retailer.source}/pos/stores/*.csv')"
        assert rows(con, f"select distinct time_zone, currency from {stores} order by 1") == [
            ("Asia/Shanghai", "CNY"),
            ("Europe/Berlin", "EUR"),
        ]
        assert (
            number(
                con,
                f"select count(*) from {stores} where coalesce(area_m2, 0) <= 0 or coalesce(headcount, 0) <= 0 "
                "or lat is null or lon is null",
            )
            == 0
        )


def test_the_books_balance(retailer: SimulationSummary) -> None:
    with duckdb.connect() as con:
        ledger = f"read_csv('{retailer.source}/finance/ledger/*.csv', types = {{'balance': 'decimal(18, 2)'}})"
        assert rows(con, f"select period, sum(balance)::varchar from {ledger} group by 1 order by 1") == [
            ("2026-04", "0.00"),
            ("2026-05", "0.00"),
        ]
