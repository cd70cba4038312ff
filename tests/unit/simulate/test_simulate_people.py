"""People: the requested number of each kind, in households, and reproducible by seed."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest
from polars.testing import assert_frame_equal

from onedata.simulate import names
from onedata.simulate.draws import Draws
from onedata.simulate.identity import as_text
from onedata.simulate.people import City, People, build_people
from onedata.simulate.residents import settle
from onedata.simulate.shares import IdentityRates

CITIES = (
    City("Shanghai", "Shanghai", "China", "CN", "2000", 31.23, 121.47, (1, 2)),
    City("Hangzhou", "Zhejiang", "China", "CN", "3100", 30.27, 120.16, (3,)),
    City("Suzhou", "Jiangsu", "China", "CN", "2150", 31.30, 120.58, ()),
    City("Berlin", "Berlin", "Germany", "EU", "1011", 52.52, 13.40, (4,)),
    City("Paris", "Ile-de-France", "France", "EU", "7500", 48.86, 2.35, (5, 6)),
    City("Warsaw", "Mazovia", "Poland", "EU", "0000", 52.23, 21.01, ()),
)
PERSONS = 20_000


@pytest.fixture(scope="module")
def people() -> People:
    return build_people(Draws(7), PERSONS, CITIES, 6, IdentityRates())


def share(people: People, condition: pl.Expr, of: pl.Expr | None = None) -> float:
    frame = people.frame if of is None else people.frame.filter(of)
    return float(frame.select(condition.cast(pl.Float64).mean()).item())


def test_the_frame_has_one_row_a_person_in_order_and_no_hole(people: People) -> None:
    assert people.frame["person_no"].to_list() == list(range(PERSONS))
    may_be_null = {
        "address_before",
        "union_id",
        "card_email",
        "phone_before",
        "tablet_cookie",
        "sharing_kind",
        "phone_taker",
    }
    holes = {column for column in people.frame.columns if people.frame[column].null_count()}
    assert holes == may_be_null


@pytest.mark.parametrize(
    ("condition", "of", "expected"),
    [
        ("segment = 'online'", "true", 0.30),
        ("segment = 'store'", "true", 0.40),
        ("segment = 'omni'", "true", 0.30),
        ("market = 'EU'", "true", 0.20),
        ("chinese", "market = 'CN'", 0.94),
        ("chinese", "market = 'EU'", 0.04),
        ("has_shop", "segment = 'store'", 0.0),
        ("has_shop", "segment <> 'store'", 1.0),
        ("has_card", "segment = 'online'", 0.0),
        ("has_card", "segment = 'store'", 0.65),
        ("has_card", "segment = 'omni'", 0.90),
        ("has_social", "segment <> 'omni'", 0.35),
        ("has_social", "segment = 'omni'", 0.50),
        ("shop_before", "has_shop", 0.80),
        ("shop_before", "not has_shop", 0.0),
        ("card_before", "has_card", 0.85),
        ("card_before", "not has_card", 0.0),
        ("gender = 'F'", "true", 0.58),
        ("moved", "true", 0.08),
        ("address_before is not null", "moved", 1.0),
        ("address_before is not null", "not moved", 0.0),
        ("address_before = address", "moved", 0.0),
        ("consent_marketing", "true", 0.55),
        ("consent_analytics", "true", 0.70),
    ],
)
def test_shares(people: People, condition: str, of: str, expected: float) -> None:
    found = share(people, pl.sql_expr(condition), pl.sql_expr(of))
    assert found == expected if expected in (0, 1) else found == pytest.approx(expected, abs=0.025)


@pytest.mark.parametrize(("segment", "factor"), [("online", 0.9), ("store", 0.7), ("omni", 1.5)])
def test_activity_has_the_mean_of_its_segment(people: People, segment: str, factor: float) -> None:
    activity = people.frame.filter(pl.col("segment") == segment)["activity"]
    assert activity.mean() == pytest.approx(factor, rel=0.05)
    assert activity.std() == pytest.approx(factor, rel=0.08)  # an exponential's standard deviation is its mean


def test_households_are_neighbours_of_one_to_five_with_mostly_one_name(people: People) -> None:
    homes = people.frame.group_by("household_no", maintain_order=True).agg(
        pl.len(),
        pl.col("person_no").min().alias("low"),
        pl.col("person_no").max().alias("high"),
        pl.col("city_no").n_unique().alias("cities"),
    )
    assert homes["len"].min() == 1
    assert homes["len"].max() == 5
    assert (homes["high"] - homes["low"] + 1 == homes["len"]).all()
    assert (homes["cities"] == 1).all()
    assert homes["household_no"].to_list() == list(range(homes.height))
    pairs = people.frame.with_columns(
        pl.col("household_no", "family", "given", "address", "moved").shift().name.prefix("last_")
    ).filter(pl.col("household_no") == pl.col("last_household_no"))
    assert pairs.height > 5_000
    assert 0.5 < pairs.select((pl.col("family") == pl.col("last_family")).mean()).item() < 0.75
    assert pairs.select((pl.col("given") == pl.col("last_given")).mean()).item() < 0.01
    stayed = pairs.filter(~pl.col("moved") & ~pl.col("last_moved"))
    assert (stayed["address"] == stayed["last_address"]).all()


def test_there_are_names_enough_and_some_are_common(people: People) -> None:
    for chinese in (True, False):
        of_script = people.frame.filter(pl.col("chinese") == chinese)
        assert of_script["family"].n_unique() >= 60
        assert of_script["given"].n_unique() >= 60
        assert of_script["family"].str.contains(r"^\p{Han}+$").all() == chinese
        top = of_script["family"].value_counts(sort=True)["count"][0] / of_script.height
        assert 0.06 < top < 0.13
    assert people.frame["latin_name"].str.contains(r"^[a-z]+\.[a-z]+$").all()


def test_the_lists_of_names_are_equally_long_and_no_slip_is_a_true_name() -> None:
    lists = (names.CHINESE_FEMALE, names.CHINESE_MALE, names.LATIN_FEMALE, names.LATIN_MALE)
    assert {len(names_.split()) for names_ in lists} == {40}
    assert len(names.CHINESE_FAMILY.split()) == len(names.LATIN_FAMILY.split()) >= 60
    known = names.spelled([*lists, names.CHINESE_FAMILY, names.LATIN_FAMILY])
    assert not (known.written == known.mistyped).any()
    assert known.latin.str.contains(r"^[a-z]+$").all()


def test_the_clerk_gets_some_names_wrong(people: People) -> None:
    full = (
        pl.when("chinese").then(pl.col("family") + pl.col("given")).otherwise(pl.col("given") + " " + pl.col("family"))
    )
    initial = pl.col("card_name") == pl.col("given").str.head(1) + ". " + pl.col("family")
    assert share(people, initial, ~pl.col("chinese")) == pytest.approx(0.04, abs=0.01)
    assert share(people, initial, pl.col("chinese")) == 0
    assert share(people, (pl.col("card_name") != full) & ~initial) == pytest.approx(0.03, abs=0.006)


def test_homes_lie_around_their_city(people: People) -> None:
    frame = people.frame
    for number, city in enumerate(CITIES):
        home = frame.filter(pl.col("city_no") == number)
        assert set(home["city"]) == {city.name}
        assert set(home["country"]) == {city.country}
        assert home["postcode"].str.contains(f"^{city.postcode}[0-9]{{{2 if city.market == 'CN' else 1}}}$").all()
        assert home["lat"].mean() == pytest.approx(city.lat, abs=0.02)
        assert home["lon"].std() == pytest.approx(0.08, abs=0.015)
    sizes = frame["city"].value_counts(sort=True)["city"].to_list()
    assert sizes[:3] == ["Shanghai", "Hangzhou", "Suzhou"]


def test_the_home_store_is_in_the_city_or_in_the_nearest_one_of_the_market(people: People) -> None:
    stores = {city: set(of_city["home_store"]) for (city,), of_city in people.frame.group_by("city")}
    assert stores == {
        "Shanghai": {1, 2},
        "Hangzhou": {3},
        "Suzhou": {1, 2},
        "Berlin": {4},
        "Paris": {5, 6},
        "Warsaw": {4},
    }


def test_years_and_days_are_in_range(people: People) -> None:
    assert people.frame["birth_year"].is_between(1950, 2007).all()
    assert people.frame["registered_days"].is_between(30, 1500).all()


def test_residents_are_shown_as_the_people_they_are(people: People) -> None:
    residents = settle(people)
    somebody = pl.Series([5, 17, PERSONS - 1, 5])
    told = [name for name in people.frame.columns if name in residents.frame.columns or name in ("account_id", "card")]
    true = people.frame.with_columns(pl.when("mistypes_email").then("email_mistyped").alias("email_mistyped")).select(
        told
    )
    assert {"market", "address_before", "card_name", "phone", "union_id", "account_id", "card"} <= set(told)
    assert_frame_equal(residents.shown(told, people.frame["person_no"]), true)
    assert_frame_equal(residents.shown(told, somebody), true[somebody])
    assert residents.cookie(np.array([3, 0])).to_list() == as_text("cookie", people.cookies)[[3, 0]].to_list()


def test_the_same_seed_gives_the_same_people_and_another_seed_others() -> None:
    first, again, other = (build_people(Draws(seed), 500, CITIES, 3, IdentityRates()) for seed in (1, 1, 2))
    assert first.frame.equals(again.frame)
    assert np.array_equal(first.cookies, again.cookies)
    assert first.kiosks.equals(again.kiosks)
    assert not first.frame.equals(other.frame)
    assert not set(as_text("cookies", first.cookies)) & set(as_text("cookies", other.cookies))


def test_people_of_one_market_may_be_all_there_are() -> None:
    frame = build_people(Draws(1), 100, CITIES[3:], 0, IdentityRates()).frame
    assert set(frame["market"]) == {"EU"}
    assert frame["phone"].str.starts_with("+4917").all()


@pytest.mark.parametrize(
    ("customers", "cities", "kiosks", "message"),
    [
        (0, CITIES, 1, "customers"),
        (30_000_001, CITIES, 1, "customers"),
        (5, (), 1, "store"),
        (5, CITIES[2:3], 1, "store"),
        (5, CITIES, -1, "kiosk"),
        (5, (*CITIES, City("Lagos", "Lagos", "Nigeria", "AF", "1001", 6.5, 3.4, (9,))), 1, "AF"),
    ],
)
def test_impossible_worlds_are_refused(customers: int, cities: tuple[City, ...], kiosks: int, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        build_people(Draws(1), customers, cities, kiosks, IdentityRates())
