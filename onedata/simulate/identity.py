"""Identifiers of people, their true owners, and the identifiers that several people share.

Every value is a bijection of a number that is used once, so two people share an identifier only if this file makes
them.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import polars as pl
import pyarrow as pa

from onedata.simulate.draws import Bools, Draws, Ints, by_weight
from onedata.simulate.names import CHINESE_DOMAINS, LATIN_DOMAINS
from onedata.simulate.shares import IdentityRates

Words = npt.NDArray[np.uint64]
Bytes = npt.NDArray[np.uint8]

SHARED = -2
"""The owner of an identifier that several people share."""
FIRST_ACCOUNT = 7_000_000_000
ACCOUNT = pl.col("person_no") + FIRST_ACCOUNT
CARD = pl.concat_str(pl.lit("M"), (pl.col("person_no") + 100_001).cast(pl.String).str.zfill(9))
MOST_PEOPLE = 30_000_000
"""Three telephone numbers a person must fit in the eight digits of the European ones."""
PHONE_CHINA, PHONE_EUROPE = (
    (8613 * 10**9, 10**9, 618_033_989),
    (4917 * 10**8, 10**8, 61_803_399),
)  # base, how many, step without a common divisor
# Kind, smallest and largest group, share of the people with a shared phone. Largest kind last.
SHARED_PHONES = (("company", 5, 50, 0.60), ("reseller", 50, 300, 0.25), ("hotline", 100, 1_000, 0.15))


def with_identifiers(draws: Draws, frame: pl.DataFrame, rates: IdentityRates) -> tuple[pl.DataFrame, Bytes]:
    """The people with all their identifiers, and their own cookies, person by person: one row of ASCII codes each."""
    frame, cookies = _cookies(draws, _tokens(draws, frame, rates), rates)
    return _phones(draws, _emails(draws, frame, rates), rates), cookies


def kiosk_cookies(draws: Draws, count: int) -> pl.Series:
    """The cookies of ``count`` kiosks in stores."""
    return _hexadecimal("2.", "kiosk", _mixed(draws, "cookie", np.arange(count) + 2**61))


def _household_shares(draws: Draws, purpose: str, frame: pl.DataFrame, share: float) -> Bools:
    """Whether a person's household, of two or more, shares the item."""
    household = frame["household_no"].to_numpy()
    chosen: Bools = draws.chance(purpose, int(household[-1]) + 1, share)[household] & (
        frame["household_size"].to_numpy() > 1
    )
    return chosen


def _tokens(draws: Draws, frame: pl.DataFrame, rates: IdentityRates) -> pl.DataFrame:
    """Account, loyalty card, social union id and payment token."""
    person = frame["person_no"].to_numpy()
    shared = _household_shares(draws, "household card", frame, rates.household_card)
    payer = np.where(shared, person - frame["member_no"].to_numpy(), person)
    union = _hexadecimal(
        "o6_", "union_id", _mixed(draws, "union", person), _mixed(draws, "union too", person), digits=24
    )
    return frame.with_columns(
        account_id=ACCOUNT,
        card=CARD,
        union_id=pl.when("has_social").then(union),
        union_on_card=pl.col("has_social") & pl.Series(draws.chance("union on card", len(person), 0.4)),
        union_on_account=pl.col("has_social") & pl.Series(draws.chance("union on account", len(person), 0.3)),
        pay_token=_hexadecimal("tok_", "pay_token", _mixed(draws, "payment", payer)),
        pay_token_shared=pl.Series(shared),
    )


def _cookies(draws: Draws, frame: pl.DataFrame, rates: IdentityRates) -> tuple[pl.DataFrame, Bytes]:
    """Own cookies ('1.' a phone, '2.' a computer) and the household's tablet."""
    poisson = [1.0]  # the factor exp(-mean) cancels, since weights are relative to their sum
    while len(poisson) < 80:
        poisson.append(poisson[-1] * rates.cookies_mean / len(poisson))
    counts = 1 + by_weight(draws.uniform("cookies", frame.height), np.array(poisson))
    ends = np.cumsum(counts)
    table = _table("1.", _mixed(draws, "cookie", np.arange(ends[-1])), digits=16)
    table[:, 0] += draws.chance("computer", len(table), 0.4).astype(np.uint8)
    tablet = _hexadecimal("2.", "tablet", _mixed(draws, "cookie", frame["household_no"].to_numpy() + 2**60))
    columns = frame.with_columns(
        cookie_from=pl.Series(ends - counts),
        cookie_count=pl.Series(counts),
        tablet_cookie=pl.when(pl.Series(_household_shares(draws, "tablet", frame, rates.household_tablet))).then(
            tablet
        ),
    )
    return columns, table


def _emails(draws: Draws, frame: pl.DataFrame, rates: IdentityRates) -> pl.DataFrame:
    """Address, its typo, and the address on the card; unique digits keep persons apart."""
    count = frame.height
    person, chinese, member = frame["person_no"].to_numpy(), frame["chinese"].to_numpy(), frame["member_no"].to_numpy()
    shared = _household_shares(draws, "household e-mail", frame, rates.household_email)
    holder = np.where(shared, person - member, person)
    start = int(draws.below("e-mail", 1, 10**8)[0])
    number = pl.Series("number", (person * PHONE_EUROPE[2] + start) % 10**8).cast(pl.String)
    domains = CHINESE_DOMAINS + LATIN_DOMAINS
    domain = np.where(
        chinese,
        draws.choose("domain", count, [0.40, 0.25, 0.10, 0.15, 0.10]),
        len(CHINESE_DOMAINS) + draws.choose("domain", count, [0.45, 0.20, 0.15, 0.12, 0.08]),
    )[holder]
    # Members of one household make different typos, so that the typos of a shared address differ too.
    slip = pl.Series((draws.below("slip", count, 5)[frame["household_no"].to_numpy()] + member) % 5)
    held = frame["latin_name"].gather(holder).alias("held")
    name = pl.col("held")
    wrong = (
        pl.when(slip == 0)
        .then(name.str.head(-1))
        .when(slip == 1)
        .then(name.str.head(1) + name)
        .when(slip == 2)
        .then(name.str.replace(".", "", literal=True))
        .when(slip == 3)
        .then(name.str.replace(".", "_", literal=True))
        .otherwise(name)
    )
    right_domain = pl.Series([right for right, _ in domains]).gather(domain)
    wrong_domain = pl.Series([mistyped for _, mistyped in domains]).gather(domain)
    number_held = number.gather(holder)
    on_card = pl.Series(draws.uniform("card e-mail", count))
    frame = frame.with_columns(held).with_columns(
        email=pl.concat_str(name, number_held, pl.lit("@"), right_domain),
        email_shared=pl.Series(shared),
        email_mistyped=pl.concat_str(
            wrong, number_held, pl.lit("@"), pl.when(slip == 4).then(wrong_domain).otherwise(right_domain)
        ),
        mistypes_email=pl.Series(draws.chance("mistypes", count, rates.mistyped_email)),
    )
    other = pl.concat_str(pl.col("latin_name").str.replace(".", "", literal=True), number, pl.lit("@foxmail.com"))
    return frame.drop("held").with_columns(
        card_email=pl.when(on_card < 0.7).then("email").when(on_card < 0.85).then(other)
    )


def _phones(draws: Draws, frame: pl.DataFrame, rates: IdentityRates) -> pl.DataFrame:
    """The current number, the previous one, and those that shop and card still have."""
    count, person, china = frame.height, frame["person_no"].to_numpy(), (frame["market"] == "CN").to_numpy()
    start = int(draws.below("phone", 1, 10**8)[0])
    kind, group, first = _shared_phones(draws, frame["city_no"].to_numpy(), rates.shared_phone)
    shared = group >= 0
    changed = draws.chance("phone change", count, rates.phone_change)
    phone = _number(2 * person, china, start)
    phone[shared] = _number(2 * count + group, china[first], start)[shared]
    taker = _takers(draws, changed & draws.chance("recycled", count, rates.phone_recycled), shared, china)
    before = np.where(taker >= 0, phone[taker], _number(2 * person + 1, china, start))
    kinds = pl.Series([name for name, *_ in SHARED_PHONES]).gather(np.maximum(kind, 0))
    return frame.with_columns(
        phone=_written(phone),
        phone_before=pl.when(pl.Series(changed)).then(_written(before)),
        shop_phone=_written(np.where(changed & draws.chance("shop phone", count, 0.5), before, phone)),
        card_phone=_written(np.where(changed & draws.chance("card phone", count, 0.5), before, phone)),
        sharing_kind=pl.when(pl.Series(shared)).then(kinds),
        phone_taker=pl.when(pl.Series(taker >= 0)).then(pl.Series(taker)),
    )


def _number(number: Ints, china: Bools, start: int) -> Ints:
    """A telephone number as an integer; each ``number`` gives a different one."""
    base, many, step = (
        np.where(china, of_china, of_europe) for of_china, of_europe in zip(PHONE_CHINA, PHONE_EUROPE, strict=True)
    )
    numbers: Ints = base + (number * step + start) % many
    return numbers


def _written(phone: Ints) -> pl.Series:
    return "+" + pl.Series(phone).cast(pl.String)


def _shared_phones(draws: Draws, city_no: Ints, share: float) -> tuple[Ints, Ints, Ints]:
    """Kind (position in ``SHARED_PHONES``), number of the group and its first person, per person; kind and group are -1
    for the others."""
    people = round(share * len(city_no))
    kind, group = np.full(len(city_no), -1, dtype=np.int64), np.full(len(city_no), -1, dtype=np.int64)
    first = np.zeros(len(city_no), dtype=np.int64)
    chosen = np.argsort(draws.uniform("shared phone", len(city_no)), kind="stable")[:people]
    groups = 0
    for place in reversed(range(len(SHARED_PHONES))):
        name, low, high, part = SHARED_PHONES[place]
        wanted = len(chosen) if place == 0 else round(part * people)
        if wanted < (2 if place == 0 else low):
            continue  # too few people for one group of this kind: they go to the smaller kinds
        # Neighbours share a phone, so groups are cut from people ordered by city.
        members, chosen = chosen[:wanted], chosen[wanted:]
        members = members[np.argsort(city_no[members], kind="stable")]
        sizes = _group_sizes(draws, name, wanted, low, high)
        number = np.repeat(np.arange(len(sizes)), sizes)
        kind[members], group[members] = place, groups + number
        first[members] = members[(np.cumsum(sizes) - sizes)[number]]
        groups += len(sizes)
    return kind, group, first


def _group_sizes(draws: Draws, name: str, people: int, low: int, high: int) -> Ints:
    """Sizes from ``low`` to ``high`` that add up to ``people``; fewer people than ``low`` form one group."""
    sizes = low + draws.below(f"{name} size", people // low + 1, high - low + 1)
    sizes = sizes[: int(np.searchsorted(np.cumsum(sizes), people)) + 1]
    sizes[-1] -= sizes.sum() - people
    if len(sizes) > 1 and sizes[-1] < low:  # the last two are merged, or split more evenly
        both = int(sizes[-2] + sizes[-1])
        sizes = np.append(sizes[:-2], [both] if both <= high else [both - low, low])
    return sizes


def _takers(draws: Draws, givers: Bools, shared: Bools, china: Bools) -> Ints:
    """The current owner of each giver's old number: another person of the same market with a private phone; -1 for
    none."""
    taker = np.full(len(givers), -1, dtype=np.int64)
    order = np.argsort(draws.uniform("takers", len(givers)), kind="stable")
    free = order[~(givers | shared)[order]]
    for market in (True, False):
        gives, takes = np.flatnonzero(givers & (china == market)), free[china[free] == market]
        most = min(len(gives), len(takes))
        taker[gives[:most]] = takes[:most]
    return taker


def _mixed(draws: Draws, purpose: str, numbers: Ints) -> Words:
    """64 bits that look random, unique for each number.

    Method: the finaliser of SplitMix64 (Steele, Lea, Flood 2014), a bijection of 64 bits; the seed sets the start.
    """
    high, low = draws.below(purpose, 2, 2**32).astype(np.uint64)
    bits = numbers.astype(np.uint64) * np.uint64(0x9E3779B97F4A7C15) + (high << np.uint64(32) | low)
    bits = (bits ^ (bits >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    bits = (bits ^ (bits >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    mixed: Words = bits ^ (bits >> np.uint64(31))
    return mixed


def _hexadecimal(prefix: str, name: str, *words: Words, digits: int = 16) -> pl.Series:
    return as_text(name, _table(prefix, *words, digits=digits))


def _table(prefix: str, *words: Words, digits: int) -> Bytes:
    """One row per value: the prefix and the first ``digits`` hexadecimal digits of its words, as ASCII."""
    table = np.empty((len(words[0]), len(prefix) + digits), dtype=np.uint8)
    table[:, : len(prefix)] = np.frombuffer(prefix.encode(), dtype=np.uint8)
    letters = np.frombuffer(b"0123456789abcdef", dtype=np.uint8)
    for place in range(digits):
        table[:, len(prefix) + place] = letters[
            (words[place // 16] >> np.uint64(60 - 4 * (place % 16)) & np.uint64(15)).astype(np.int64)
        ]
    return table


def as_text(name: str, table: Bytes) -> pl.Series:
    """The rows of a table of ASCII codes as texts of equal length, without one Python object per row."""
    offsets = np.arange(len(table) + 1, dtype=np.int64) * table.shape[1]
    array = pa.LargeStringArray.from_buffers(len(table), pa.py_buffer(offsets), pa.py_buffer(table.reshape(-1)))
    return pl.Series(name, array, dtype=pl.String)
