"""Identifiers: shared, changed and mistyped at the requested rates, and only by the intended people."""

from __future__ import annotations

from dataclasses import fields, replace

import polars as pl
import pytest

from onedata.simulate.draws import Draws
from onedata.simulate.identity import SHARED, as_text
from onedata.simulate.people import IDENTIFIER_KINDS, City, People, build_people, identifier_owners, identifiers
from onedata.simulate.shares import IdentityRates

CITIES = (
    City("Shanghai", "Shanghai", "China", "CN", "2000", 31.23, 121.47, (1, 2)),
    City("Hangzhou", "Zhejiang", "China", "CN", "3100", 30.27, 120.16, (3,)),
    City("Berlin", "Berlin", "Germany", "EU", "1011", 52.52, 13.40, (4,)),
    City("Paris", "Ile-de-France", "France", "EU", "7500", 48.86, 2.35, ()),
)
PERSONS = 20_000
NOTHING = IdentityRates(*(0.0 for _ in fields(IdentityRates)))
EVERYTHING = replace(IdentityRates(*(1.0 for _ in fields(IdentityRates))), cookies_mean=3.0)
RECYCLED = replace(NOTHING, phone_change=0.6, phone_recycled=1.0)  # more old numbers than people to take them


def all_identifiers(people: People) -> pl.DataFrame:
    return pl.concat([identifiers(people, kind) for kind in IDENTIFIER_KINDS])


def all_owners(people: People) -> pl.DataFrame:
    return pl.concat([identifier_owners(people, kind) for kind in IDENTIFIER_KINDS])


def built(rates: IdentityRates, persons: int = PERSONS, seed: int = 11) -> People:
    return build_people(Draws(seed), persons, CITIES, 4, rates)


@pytest.fixture(scope="module")
def people() -> People:
    return built(IdentityRates())


def mean(frame: pl.DataFrame, condition: str, of: str = "true") -> float:
    return float(frame.filter(pl.sql_expr(of)).select(pl.sql_expr(condition).cast(pl.Float64).mean()).item())


def distance(one: str, other: str) -> int:
    """Letters put in, left out or replaced."""
    row = list(range(len(other) + 1))
    for place, letter in enumerate(one, start=1):
        last, row = row, [place]
        for at, letter_too in enumerate(other, start=1):
            row.append(min(last[at] + 1, row[-1] + 1, last[at - 1] + (letter != letter_too)))
    return row[-1]


@pytest.mark.parametrize(
    ("condition", "of", "expected", "tolerance"),
    [
        ("sharing_kind is not null", "true", 0.005, 1e-9),
        ("phone_before is not null", "true", 0.20, 0.01),
        ("phone_taker is not null", "phone_before is not null", 0.05, 0.01),
        ("phone_taker is not null", "phone_before is null", 0, 0),
        ("shop_phone = phone_before", "phone_before is not null", 0.5, 0.02),
        ("card_phone = phone_before", "phone_before is not null", 0.5, 0.02),
        ("shop_phone = phone and card_phone = phone", "phone_before is null", 1, 0),
        ("mistypes_email", "true", 0.01, 0.003),
        ("card_email is null", "true", 0.15, 0.01),
        ("card_email = email", "card_email is not null", 0.70 / 0.85, 0.01),
        ("union_on_card", "has_social", 0.40, 0.02),
        ("union_on_account", "has_social", 0.30, 0.02),
        ("union_on_card or union_on_account", "not has_social", 0, 0),
        ("union_id is not null", "has_social", 1, 0),
        ("union_id is null", "not has_social", 1, 0),
    ],
)
def test_shares(people: People, condition: str, of: str, expected: float, tolerance: float) -> None:
    assert mean(people.frame, condition, of) == pytest.approx(expected, abs=tolerance)


@pytest.mark.parametrize(
    ("column", "expected"), [("tablet_cookie", 0.20), ("pay_token_shared", 0.08), ("email_shared", 0.03)]
)
def test_households_share(people: People, column: str, expected: float) -> None:
    shared = pl.col(column).is_not_null() if column == "tablet_cookie" else pl.col(column)
    homes = people.frame.group_by("household_no").agg(pl.len(), shared.any().alias("some"), shared.all().alias("all"))
    assert (homes["some"] == homes["all"]).all()
    assert not homes.filter(pl.col("len") == 1)["some"].any()
    assert homes.filter(pl.col("len") > 1).select(pl.col("some").mean()).item() == pytest.approx(expected, abs=0.015)


def test_a_shared_thing_is_one_per_household(people: People) -> None:
    for column, shared in (
        ("tablet_cookie", pl.col("tablet_cookie").is_not_null()),
        ("pay_token", pl.col("pay_token_shared")),
        ("email", pl.col("email_shared")),
    ):
        homes = people.frame.filter(shared).group_by("household_no").agg(pl.col(column).n_unique())
        assert (homes[column] == 1).all()


def test_values_look_like_what_they_are(people: People) -> None:
    for column, pattern in {
        "phone": r"^(\+8613\d{9}|\+4917\d{8})$",
        "phone_before": r"^(\+8613\d{9}|\+4917\d{8})$",
        "card": r"^M\d{9}$",
        "union_id": r"^o6_[0-9a-f]{24}$",
        "pay_token": r"^tok_[0-9a-f]{16}$",
        "tablet_cookie": r"^2\.[0-9a-f]{16}$",
        "email": r"^[a-z]+\.[a-z]+\d+@[a-z0-9]+\.[a-z]+$",
    }.items():
        assert people.frame[column].drop_nulls().str.contains(pattern).all(), column
    assert as_text("cookies", people.cookies).str.contains(r"^[12]\.[0-9a-f]{16}$").all()
    assert people.frame["account_id"].to_list() == [7_000_000_000 + person for person in range(PERSONS)]
    own = people.frame.filter(pl.col("sharing_kind").is_null())
    assert (own["phone"].str.starts_with("+8613") == (own["market"] == "CN")).all()


def test_cookies_are_one_and_a_poisson(people: People) -> None:
    counts = people.frame["cookie_count"]
    assert counts.min() == 1
    assert counts.mean() == pytest.approx(2.5, abs=0.05)
    assert (counts - 1).var() == pytest.approx(1.5, abs=0.08)
    assert (people.frame["cookie_from"] == counts.cum_sum() - counts).all()
    assert len(people.cookies) == counts.sum()
    assert len(people.kiosks) == 4


def test_a_mistyped_address_is_one_letter_off_and_nobody_elses(people: People) -> None:
    frame = people.frame
    assert frame["email_mistyped"].is_unique().all()
    true = set(frame["email"]) | set(frame["card_email"].drop_nulls())
    assert not true & set(frame["email_mistyped"])
    some = frame.head(500)
    assert {distance(one, other) for one, other in zip(some["email"], some["email_mistyped"], strict=True)} == {1}


@pytest.mark.parametrize("share", [0.0, 0.005, 0.02, 0.5])
def test_phones_are_shared_by_as_many_as_asked_for(share: float) -> None:
    shared = built(replace(IdentityRates(), shared_phone=share)).frame.filter(pl.col("sharing_kind").is_not_null())
    assert shared.height == round(share * PERSONS)
    limits = {"company": (5, 50), "reseller": (50, 300), "hotline": (100, 1_000)}
    groups = shared.group_by("phone").agg(pl.len(), pl.col("sharing_kind").unique())
    for row in groups.iter_rows(named=True):
        (kind,) = row["sharing_kind"]
        assert limits[kind][0] <= row["len"] <= limits[kind][1]
    kinds = {kind: rows.height / shared.height for (kind,), rows in shared.group_by("sharing_kind")}
    if share == 0.5:
        assert kinds == pytest.approx({"company": 0.60, "reseller": 0.25, "hotline": 0.15}, abs=1e-3)


def test_a_recycled_number_is_the_present_one_of_somebody_else(people: People) -> None:
    given = people.frame.filter(pl.col("phone_taker").is_not_null())
    assert given["phone_taker"].is_unique().all()
    taken = given.join(people.frame, left_on="phone_taker", right_on="person_no", suffix="_now")
    assert taken.height == given.height > 100
    assert (taken["phone_before"] == taken["phone_now"]).all()
    assert (taken["market"] == taken["market_now"]).all()
    assert taken["sharing_kind_now"].is_null().all()
    assert (given["phone_taker"] != given["person_no"]).all()


@pytest.mark.parametrize(
    ("rates", "persons"),
    [
        (IdentityRates(), PERSONS),
        (EVERYTHING, 3_000),
        (NOTHING, 3_000),
        (RECYCLED, 3_000),
        *((EVERYTHING, few) for few in (1, 2, 3, 7)),
    ],
)
def test_owners_and_identifiers_agree(rates: IdentityRates, persons: int) -> None:
    made = built(rates, persons)
    truth, owners = all_identifiers(made), all_owners(made)
    assert truth.select("type", "value").is_unique().all()
    assert owners.is_unique().all()
    users = owners.group_by("type", "value").agg(
        pl.len().cast(pl.Int64).alias("users"), pl.col("person_no").alias("who")
    )
    both = truth.join(users, on=["type", "value"], how="full", coalesce=True).with_columns(pl.col("users").fill_null(0))
    assert both["person_no"].null_count() == 0
    assert (both["users"] == both["owner_count"]).all()
    assert both.filter(pl.col("sharing").is_null() != (pl.col("owner_count") == 1)).is_empty()
    assert both.filter(
        (pl.col("person_no") == SHARED) != (pl.col("sharing").is_not_null() & (pl.col("sharing") != "recycled"))
    ).is_empty()
    assert both.filter((pl.col("person_no") >= 0) & ~pl.col("who").list.contains(pl.col("person_no"))).is_empty()
    assert both.filter(pl.col("sharing") == "kiosk")["owner_count"].sum() == 0


def test_nothing_is_shared_that_should_not_be() -> None:
    truth = all_identifiers(built(NOTHING))
    assert set(truth["sharing"]) == {None, "kiosk"}
    assert truth.filter(pl.col("sharing").is_null())["owner_count"].max() == 1


def test_every_kind_of_identifier_and_of_sharing_is_in_the_truth() -> None:
    truth = all_identifiers(built(replace(IdentityRates(), shared_phone=0.1)))
    assert set(truth["type"]) == {"account", "loyalty", "social", "email", "phone", "cookie", "payment"}
    assert set(truth["sharing"]) == {None, "household", "company", "reseller", "hotline", "kiosk", "recycled"}
    assert truth.schema == {
        "type": pl.String,
        "value": pl.String,
        "person_no": pl.Int64,
        "sharing": pl.String,
        "owner_count": pl.Int64,
    }
    assert (truth["value"] == truth["value"].str.to_lowercase()).sum() == truth.filter(
        pl.col("type") != "loyalty"
    ).height


def test_account_and_card_are_of_those_who_have_them(people: People) -> None:
    truth = all_identifiers(people)
    for kind, has in (("account", "has_shop"), ("loyalty", "has_card"), ("social", "has_social")):
        assert (
            sorted(truth.filter(pl.col("type") == kind)["person_no"])
            == people.frame.filter(pl.col(has))["person_no"].to_list()
        )


@pytest.mark.parametrize("persons", [1, 3])
def test_a_handful_of_people_is_a_world_too(persons: int) -> None:
    for seed in range(20):
        made = built(EVERYTHING, persons, seed)
        assert made.frame.height == persons
        assert set(all_owners(made)["person_no"]) == set(range(persons))


@pytest.mark.parametrize("field", [field.name for field in fields(IdentityRates)])
@pytest.mark.parametrize("value", [-0.1, 20.5, float("nan")])
def test_bad_rates_are_refused(field: str, value: float) -> None:
    with pytest.raises(ValueError, match=field):
        replace(IdentityRates(), **{field: value})
