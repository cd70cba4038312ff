"""The people of the simulated world: households, names, homes, possessions, and the ground truth of their
identifiers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl

from onedata.simulate import names
from onedata.simulate.calendar import MARKETS
from onedata.simulate.draws import Bools, Draws, Floats, Ints, by_weight, exponential
from onedata.simulate.identity import (
    MOST_PEOPLE,
    SHARED,
    Bytes,
    as_text,
    kiosk_cookies,
    with_identifiers,
)
from onedata.simulate.shares import IdentityRates

EU_SHARE = 0.2
HOUSEHOLD_SIZES = [0.25, 0.30, 0.22, 0.15, 0.08]
# Segment, share of the people, purchase rate, share with a loyalty card, with a social account.
IDENTIFIER_KINDS = ("account", "loyalty", "social", "email", "phone", "cookie", "payment")
SEGMENTS = (("online", 0.3, 0.9, 0.0, 0.35), ("store", 0.4, 0.7, 0.65, 0.35), ("omni", 0.3, 1.5, 0.9, 0.5))


@dataclass(frozen=True)
class City:
    """A city where people live. ``postcode``: its first four digits of six (China) or five; ``stores``: node numbers of
    its stores; position in degrees."""

    name: str
    region: str
    country: str
    market: str
    postcode: str
    lat: float
    lon: float
    stores: tuple[int, ...]


@dataclass(frozen=True)
class People:
    """``frame``: one row per person, ordered by ``person_no`` from 0; ``cookies``: all own cookies, person by person (a
    person has ``cookie_count``, starting at ``cookie_from``), one row of ASCII codes each; ``kiosks``: the cookie of
    each store's kiosk."""

    frame: pl.DataFrame
    cookies: Bytes
    kiosks: pl.Series


def build_people(
    draws: Draws, customers: int, cities: Sequence[City], kiosk_count: int, rates: IdentityRates
) -> People:
    """All people of the world; the largest cities of each market first.

    Raises ``ValueError`` if there are too few or too many people, no store at all, or a market other than CN and EU.
    """
    if not 1 <= customers <= MOST_PEOPLE:
        raise ValueError(f"customers must be from 1 to {MOST_PEOPLE}, not {customers}")
    if kiosk_count < 0:
        raise ValueError(f"kiosk_count must not be negative: {kiosk_count}")
    if not any(city.stores for city in cities):
        raise ValueError("no city has a store")
    if unknown := {city.market for city in cities} - set(MARKETS):
        raise ValueError(f"unknown markets: {sorted(unknown)}")
    frame = _homes(draws, _households(draws, customers), cities, rates)
    frame = _possessions(draws, _named(draws, frame), cities)
    frame, cookies = with_identifiers(draws, frame, rates)
    return People(frame, cookies, kiosk_cookies(draws, kiosk_count))


def identifiers(people: People, kind: str) -> pl.DataFrame:
    """Ground truth of one of ``IDENTIFIER_KINDS``, one row each: ``type, value, person_no, sharing, owner_count``.

    ``person_no`` is its owner, for a recycled phone the current one, -2 if several share it. Kiosks have no owner and
    count 0.
    """
    uses = _uses(people, kind)
    own = uses.filter(pl.col("sharing").is_null()).select(
        "type", "value", "person_no", "sharing", owner_count=pl.lit(1, pl.Int64)
    )
    shared = (
        uses.filter(pl.col("sharing").is_not_null())
        .group_by("type", "value", maintain_order=True)
        .agg(
            pl.col("owner").first().alias("person_no"),
            pl.col("sharing").first(),
            pl.len().cast(pl.Int64).alias("owner_count"),
        )
    )
    if kind != "cookie":
        return pl.concat([own, shared])
    kiosks = people.kiosks.alias("value").to_frame()
    kiosks = kiosks.select(
        pl.lit("cookie").alias("type"),
        "value",
        person_no=pl.lit(SHARED, pl.Int64),
        sharing=pl.lit("kiosk"),
        owner_count=pl.lit(0, pl.Int64),
    )
    return pl.concat([own, shared, kiosks])


def identifier_owners(people: People, kind: str) -> pl.DataFrame:
    """One of ``IDENTIFIER_KINDS``, one row per identifier and person who truly uses it, including shared ones: ``type,
    value, person_no``.

    Kiosks are excluded.
    """
    return _uses(people, kind).select("type", "value", "person_no")


def _uses(people: People, wanted: str) -> pl.DataFrame:
    """``type, value, person_no, sharing, owner``, one row per identifier and user; ``owner`` is meaningful only if it
    is shared."""
    frame, person = people.frame, pl.col("person_no")
    everybody, nobody = pl.lit(SHARED, pl.Int64), pl.lit(None, pl.String)
    takers = frame["phone_taker"].drop_nulls().implode()
    taken = pl.coalesce("sharing_kind", pl.when(person.is_in(takers)).then(pl.lit("recycled")))
    recycled = pl.when(pl.col("phone_taker").is_not_null()).then(pl.lit("recycled"))
    kinds: list[tuple[str, pl.Expr, pl.Expr, pl.Expr]] = [
        ("account", pl.when("has_shop").then(pl.col("account_id").cast(pl.String)), nobody, everybody),
        ("loyalty", pl.when("has_card").then("card"), nobody, everybody),
        ("social", pl.col("union_id"), nobody, everybody),
        ("email", pl.col("email"), pl.when("email_shared").then(pl.lit("household")), everybody),
        ("email", pl.when("mistypes_email").then("email_mistyped"), nobody, everybody),
        ("email", pl.when(pl.col("card_email") != pl.col("email")).then("card_email"), nobody, everybody),
        ("phone", pl.col("phone"), taken, pl.when(pl.col("sharing_kind").is_null()).then(person).otherwise(everybody)),
        ("phone", pl.col("phone_before"), recycled, pl.col("phone_taker")),
        ("cookie", pl.col("tablet_cookie"), pl.lit("household"), everybody),
        ("payment", pl.col("pay_token"), pl.when("pay_token_shared").then(pl.lit("household")), everybody),
    ]
    parts = [
        frame.select(
            pl.lit(kind).alias("type"), value.alias("value"), person, sharing.alias("sharing"), owner.alias("owner")
        ).drop_nulls("value")
        for kind, value, sharing, owner in kinds
        if kind == wanted
    ]
    if wanted != "cookie":
        return pl.concat(parts)
    cookies = pl.DataFrame(
        {"value": as_text("value", people.cookies), "person_no": _repeated(frame["cookie_count"].to_numpy())}
    )
    parts.append(cookies.select(pl.lit("cookie").alias("type"), "value", person, sharing=nobody, owner=everybody))
    return pl.concat(parts)


def _repeated(counts: Ints) -> Ints:
    """Repeat each position as often as its count."""
    positions: Ints = np.repeat(np.arange(len(counts)), counts)
    return positions


def _households(draws: Draws, customers: int) -> pl.DataFrame:
    """Household of each person, position in it and its size; the last household takes the remaining people."""
    sizes = 1 + draws.choose("household size", customers, HOUSEHOLD_SIZES)
    ends = np.cumsum(sizes)
    last = int(np.searchsorted(ends, customers))
    sizes = np.append(sizes[:last], customers - (ends[last] - sizes[last]))
    household, person = _repeated(sizes), np.arange(customers)
    return pl.DataFrame(
        {
            "person_no": person,
            "household_no": household,
            "member_no": person - (np.cumsum(sizes) - sizes)[household],
            "household_size": sizes[household],
        }
    )


def _homes(draws: Draws, frame: pl.DataFrame, cities: Sequence[City], rates: IdentityRates) -> pl.DataFrame:
    """City, address and position. A household lives together, except for members who moved out, within the city."""
    household, customers = frame["household_no"].to_numpy(), frame.height
    households = int(household[-1]) + 1
    city_no = draws.choose("city", households, _city_weights(cities))[household]
    moved = draws.chance("moved", customers, rates.movers)
    # One set of draws for all dwellings: those of the households, then one for each person who may move.
    dwelling, dwellings = np.where(moved, households + np.arange(customers), household), households + customers
    streets = pl.Series((names.CHINESE_STREETS + "|" + names.EUROPEAN_STREETS).split("|"))
    chinese = names.CHINESE_STREETS.count("|") + 1
    in_china = np.array([city.market == "CN" for city in cities])[city_no]
    street, door = draws.uniform("street", dwellings), 1 + draws.below("door", dwellings, 999)
    street_no, street_before = (
        np.where(
            in_china, np.floor(street[place] * chinese), chinese + np.floor(street[place] * (len(streets) - chinese))
        ).astype(np.int64)
        for place in (dwelling, household)
    )
    same = moved & (street_no == street_before) & (door[dwelling] == door[household])
    door_now = door[dwelling] + same
    shift = [
        np.round((draws.uniform(way, dwellings) + draws.uniform(f"{way} too", dwellings) - 1) * 0.2, 5)[dwelling]
        for way in ("north", "east")
    ]
    number = pl.Series(draws.below("postcode", dwellings, 100)[dwelling])
    # Chinese postcodes have six digits, German ones five.
    digits = [2 if city.market == "CN" else 1 for city in cities]
    suffix = pl.select(
        pl.when(pl.Series(digits).gather(city_no) == 2)
        .then(number.cast(pl.String).str.zfill(2))
        .otherwise((number % 10).cast(pl.String))
    ).to_series()
    before = pl.concat_str(pl.Series(door[household]).cast(pl.String), pl.lit(" "), streets.gather(street_before))
    return frame.with_columns(
        market=pl.Series([city.market for city in cities]).gather(city_no),
        city_no=pl.Series(city_no),
        city=pl.Series([city.name for city in cities]).gather(city_no),
        region=pl.Series([city.region for city in cities]).gather(city_no),
        country=pl.Series([city.country for city in cities]).gather(city_no),
        postcode=pl.Series([city.postcode for city in cities]).gather(city_no) + suffix,
        lat=pl.Series(np.round(np.array([city.lat for city in cities])[city_no] + shift[0], 5)),
        lon=pl.Series(np.round(np.array([city.lon for city in cities])[city_no] + shift[1], 5)),
        chinese=pl.Series(draws.uniform("chinese", households)[household] < np.where(in_china, 0.94, 0.04)),
        street=streets.gather(street_no),
        door=pl.Series(door_now),
        moved=pl.Series(moved),
        address_before=pl.when(pl.Series(moved)).then(before),
    ).with_columns(address=pl.concat_str(pl.col("door").cast(pl.String), pl.lit(" "), pl.col("street")))


def _city_weights(cities: Sequence[City]) -> Floats:
    """Zipf within each market; the markets are split by ``EU_SHARE`` (a single market has all)."""
    weights = np.zeros(len(cities))
    for market, share in zip(MARKETS, (1 - EU_SHARE, EU_SHARE), strict=True):
        inside = np.array([city.market == market for city in cities])
        ranks = 1 / np.arange(1, inside.sum() + 1)
        weights[inside] = ranks / sum(ranks.tolist()) * share
    return weights


def _named(draws: Draws, frame: pl.DataFrame) -> pl.DataFrame:
    """Names, gender, year of birth, and the name as the clerk typed it on the card."""
    count, household, chinese = frame.height, frame["household_no"].to_numpy(), frame["chinese"].to_numpy()
    female = draws.chance("gender", count, 0.58)
    families = names.spelled([names.CHINESE_FAMILY, names.LATIN_FAMILY])
    given_lists = [names.CHINESE_FEMALE, names.CHINESE_MALE, names.LATIN_FEMALE, names.LATIN_MALE]
    given_names = names.spelled(given_lists)
    # Three in four have the household's name, the others a different one. The lists of both scripts have equal length.
    own, many = draws.chance("own family name", count, 0.25), len(families.written) // 2
    uniform = np.where(own, draws.uniform("family", count), draws.uniform("household family", count)[household])
    family = by_weight(uniform, names.zipf(many)) + np.where(chinese, 0, many)
    each = len(given_names.written) // len(given_lists)
    given = _apart(by_weight(draws.uniform("given", count), names.zipf(each)), household, each) + each * (
        2 * ~chinese + ~female
    )
    slip = pl.Series(draws.uniform("card name", count))
    initial = ~pl.col("chinese") & (slip < 0.07)
    typed = (
        pl.when(slip < 0.03)
        .then(given_names.mistyped.gather(given))
        .when(initial)
        .then(pl.col("given").str.head(1) + ".")
        .otherwise("given")
    )
    return frame.with_columns(
        family=families.written.gather(family),
        given=given_names.written.gather(given),
        latin_name=pl.concat_str(given_names.latin.gather(given), pl.lit("."), families.latin.gather(family)),
        gender=pl.when(pl.Series(female)).then(pl.lit("F")).otherwise(pl.lit("M")),
        birth_year=pl.Series(
            1950 + np.floor(29 * (draws.uniform("born", count) + draws.uniform("born too", count))).astype(np.int64)
        ),
    ).with_columns(
        card_name=pl.when("chinese").then(pl.col("family") + typed).otherwise(typed + " " + pl.col("family"))
    )


def _apart(given: Ints, household: Ints, many: int) -> Ints:
    """The same picks, but members of a household seldom have the same: the later one takes another name."""
    for gap in range(1, len(HOUSEHOLD_SIZES)):
        same = (household[gap:] == household[:-gap]) & (given[gap:] == given[:-gap])
        given[gap:] = (given[gap:] + same * (5 * gap + 2)) % many
    return given


def _possessions(draws: Draws, frame: pl.DataFrame, cities: Sequence[City]) -> pl.DataFrame:
    """Segment and what depends on it: activity, accounts, the store, consents."""
    count = frame.height
    labels, shares, factors, cards, socials = (np.array(column) for column in zip(*SEGMENTS, strict=True))
    segment = draws.choose("segment", count, shares)
    has_shop: Bools = segment != 1
    has_card = draws.chance("card", count, cards[segment])
    return frame.with_columns(
        segment=pl.Series(labels.tolist()).gather(segment),
        # Rounded, so that the last bit of a processor's logarithm has no effect.
        activity=pl.Series(np.round(exponential(draws.uniform("activity", count)) * factors[segment], 6)),
        has_shop=pl.Series(has_shop),
        has_card=pl.Series(has_card),
        has_social=pl.Series(draws.chance("social", count, socials[segment])),
        shop_before=pl.Series(has_shop & draws.chance("shop before", count, 0.80)),
        card_before=pl.Series(has_card & draws.chance("card before", count, 0.85)),
        home_store=pl.Series(_home_store(draws, frame["city_no"].to_numpy(), cities)),
        consent_marketing=pl.Series(draws.chance("consent marketing", count, 0.55)),
        consent_analytics=pl.Series(draws.chance("consent analytics", count, 0.70)),
        registered_days=pl.Series(30 + draws.below("registered", count, 1471)),
    )


def _home_store(draws: Draws, city_no: Ints, cities: Sequence[City]) -> Ints:
    """A store of the person's city, else of the market's nearest city with a store, else of the nearest city with a
    store."""
    stores = [_nearest(city, cities).stores for city in cities]
    counts = np.array([len(choice) for choice in stores])
    flat = np.array([store for choice in stores for store in choice], dtype=np.int64)
    picked: Ints = flat[
        (np.cumsum(counts) - counts)[city_no] + draws.below("home store", len(city_no), counts[city_no])
    ]
    return picked


def _nearest(city: City, cities: Sequence[City]) -> City:
    """The nearest city with a store; degrees are accurate enough."""
    with_store = [other for other in cities if other.stores]
    return min(
        with_store,
        key=lambda other: (
            other.market != city.market,
            (other.lat - city.lat) ** 2 + ((other.lon - city.lon) * 0.7) ** 2,
        ),
    )
