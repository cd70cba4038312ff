"""Households: members, limits, and the same result for any order of nights."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pytest
from small_retailer import identifier_policy

from onedata.identity.household import MOST_AT_ADDRESS, MOST_MEMBERS, MOST_SHARING, update_households
from onedata.identity.tables import create_tables
from onedata.landing.vault import open_vault
from onedata.landing.vault_files import create_vault

DAY = date(2026, 1, 1)


class Homes:
    """A warehouse in which every person is one account; what persons have in common is put into the evidence by
    hand."""

    def __init__(self, folder: Path) -> None:
        self.con = duckdb.connect()
        create_tables(self.con)
        self.folder = folder
        create_vault(folder)
        self.dirty: set[str] = set()

    def _identifier(self, key: str, status: str = "ok") -> int:
        found = self.con.execute("select id_int from oneid.identifier where identity_key = ?", [key]).fetchone()
        if found:
            return int(found[0])
        row = self.con.execute(
            "insert into oneid.identifier select count(*), ?, split_part(?, ':', 1), ?, ?, ? "
            "from oneid.identifier returning id_int",
            [key, key, DAY, DAY, status],
        ).fetchone()
        assert row is not None
        return int(row[0])

    def person(
        self,
        name: str,
        family: str | None = None,
        address: str | None = None,
        postcode: str | None = "100",
        uses: Sequence[str] = (),
        nights: int = 2,
    ) -> None:
        """Add to what is known of the person; `uses` are shared identifiers that stood on a row with the account, over
        so many nights."""
        id_int = self._identifier(f"account:shop:{name}")
        if not self.con.execute("select 1 from oneid.oneid_map where id_int = ?", [id_int]).fetchone():
            self.con.execute(
                "insert into oneid.oneid_map values (?, ?, ?, 'core', ?, null, 1)",
                [f"account:shop:{name}", id_int, f"P{name}", DAY],
            )
            self.con.execute("insert into oneid.person values (?, 1, ?, ?)", [f"P{name}", DAY, DAY])
            self.con.execute(
                "insert into oneid.issued values (?, ?, ?, ?)", [f"P{name}", f"account:shop:{name}", DAY, DAY]
            )
        for attribute, value in (
            ("full_name", family and f"{name} {family}"),
            ("address", address),
            ("postcode", address and postcode),
        ):
            if value:
                self.con.execute(
                    "insert into oneid.identifier_profile values (?, ?, ?, 1, ?)", [id_int, attribute, value, DAY]
                )
        for key in uses:
            edge = [id_int, self._identifier(key, "shared"), DAY, DAY + timedelta(days=nights - 1)]
            self.con.execute("insert into oneid.identity_edge values (?, ?, 'orders', 1, ?, ?)", edge)
        self.dirty.add(name)

    def forget(self, name: str) -> None:
        """The person is merged away."""
        self.con.execute("delete from oneid.person where oneid = ?", [f"P{name}"])
        self.con.execute("update oneid.oneid_map set valid_to = ? where oneid = ?", [DAY, f"P{name}"])

    def run(self, day: int = 0, everything: bool = False, with_vault: bool = True) -> None:
        marked = "select id_int from oneid.identifier" + (
            "" if everything else " where split_part(identity_key, ':', 3) in (select unnest(?))"
        )
        self.con.execute(f"create or replace temp table region as {marked}", [] if everything else [list(self.dirty)])
        self.dirty.clear()
        if not with_vault:
            update_households(self.con, identifier_policy(), DAY + timedelta(days=day), 1, False)
            return
        with open_vault(self.con, self.folder):
            # Tokens here are the names themselves.
            self.con.execute(
                "insert into vault.token select distinct value, 'full_name', value from oneid.identifier_profile "
                "where attribute = 'full_name'"
            )
            update_households(self.con, identifier_policy(), DAY + timedelta(days=day), 1, True)

    def groups(self) -> set[str]:
        """Members of each household of today in order, as one text."""
        rows = self.con.execute(
            "select string_agg(oneid[2:], ' ' order by oneid) from oneid.household_map where valid_to is null "
            "group by household_id"
        ).fetchall()
        return {text for (text,) in rows}

    def map(self) -> list[tuple[Any, ...]]:
        return self.con.execute(
            "select oneid, household_id, rule from oneid.household_map where valid_to is null order by oneid"
        ).fetchall()

    def audit(self) -> list[tuple[Any, ...]]:
        return self.con.execute(
            "select identity_key, rule, observed, allowed from oneid.guard_audit order by all"
        ).fetchall()


@pytest.fixture
def homes(tmp_path: Path) -> Iterator[Homes]:
    found = Homes(tmp_path / "vault")
    yield found
    found.con.close()


def test_one_address_and_one_family_name_are_one_household(homes: Homes) -> None:
    homes.person("ann", "Li", "1 Road")
    homes.person("bo", "Li", "1 Road")
    homes.person("cy", "Wu", "1 Road")
    homes.run()
    assert homes.map() == [
        ("Pann", "Hann", "address and name"),
        ("Pbo", "Hann", "address and name"),
        ("Pcy", "Hcy", "alone"),
    ]


def test_the_same_street_and_number_in_another_place_is_another_address(homes: Homes) -> None:
    homes.person("ann", "Li", "1 Road", "100")
    homes.person("bo", "Li", "1 Road", "200")
    homes.run()
    assert homes.groups() == {"ann", "bo"}


def test_a_shared_card_and_one_family_name_are_one_household(homes: Homes) -> None:
    homes.person("ann", "Li", uses=["payment:t1"])
    homes.person("bo", "Li", uses=["payment:t1"])
    homes.person("cy", "Wu", uses=["payment:t1"])
    homes.run()
    assert homes.map() == [
        ("Pann", "Hann", "identifier and name"),
        ("Pbo", "Hann", "identifier and name"),
        ("Pcy", "Hcy", "alone"),
    ]


def test_a_shared_tablet_and_one_address_are_one_household_without_any_name(homes: Homes) -> None:
    homes.person("ann", address="1 Road", uses=["cookie:t"])
    homes.person("bo", address="1 Road", uses=["cookie:t"])
    homes.run(with_vault=False)
    assert homes.map() == [("Pann", "Hann", "address and identifier"), ("Pbo", "Hann", "address and identifier")]


def test_a_name_alone_an_address_alone_and_a_card_alone_make_no_household(homes: Homes) -> None:
    homes.person("ann", "Li", "1 Road", uses=["payment:t1"])
    homes.person("bo", "Li", "2 Road")
    homes.person("cy", "Wu", "1 Road")
    homes.person("di", "Ma", "3 Road", uses=["payment:t1"])
    homes.run()
    assert homes.groups() == {"ann", "bo", "cy", "di"}


def test_an_identifier_of_one_person_on_a_row_of_another_is_shared_by_both(homes: Homes) -> None:
    homes.person("ann", "Li")
    homes.person("bo", "Li")
    homes.con.execute("insert into oneid.identifier values (2, 'cookie:t', 'cookie', ?, ?, 'ok')", [DAY, DAY])
    homes.con.execute("insert into oneid.oneid_map values ('cookie:t', 2, 'Pann', 'attach', ?, null, 1)", [DAY])
    homes.con.execute(
        "insert into oneid.identity_edge values (0, 2, 'web', 5, ?, ?), (1, 2, 'web', 1, ?, ?)",
        [DAY, DAY + timedelta(days=1)] * 2,
    )
    homes.run()
    assert homes.groups() == {"ann bo"}


def test_an_office_is_no_household_and_is_told_once(homes: Homes) -> None:
    for number in range(MOST_AT_ADDRESS + 1):
        homes.person(f"p{number}", "Li" if number < 2 else f"N{number}", "1 Road")
    homes.run()
    homes.person("p0", "Li", "1 Road")
    homes.run(1)
    assert len(homes.groups()) == MOST_AT_ADDRESS + 1
    assert homes.audit() == [("address:1 Road|100", "household_address", MOST_AT_ADDRESS + 1, MOST_AT_ADDRESS)]


def test_a_tablet_of_a_shop_makes_no_household(homes: Homes) -> None:
    for number in range(MOST_SHARING + 1):
        homes.person(f"p{number}", "Li", uses=["cookie:kiosk"])
    homes.run()
    assert len(homes.groups()) == MOST_SHARING + 1
    assert homes.audit() == [("cookie:kiosk", "household_identifier", MOST_SHARING + 1, MOST_SHARING)]


def test_a_household_too_large_loses_its_weakest_links(homes: Homes) -> None:
    for number in range(8):
        homes.person(f"a{number}", "Li", "1 Road", uses=["payment:t1"] if number == 0 else [])
        homes.person(f"b{number}", "Li", "2 Road", uses=["payment:t1"] if number == 0 else [])
    homes.run()
    assert sorted(len(group.split()) for group in homes.groups()) == [8, 8]
    assert homes.audit() == [("person:Pa0", "household_size", 16, MOST_MEMBERS)]


def test_a_machine_used_on_one_night_only_may_be_a_kiosk_but_a_card_may_not(homes: Homes) -> None:
    homes.person("ann", "Li", uses=["cookie:t", "payment:t1"], nights=1)
    homes.person("bo", "Li", uses=["cookie:t"], nights=1)
    homes.person("cy", "Li", uses=["payment:t1"], nights=1)
    homes.run()
    assert homes.groups() == {"ann cy", "bo"}


def test_a_blocked_identifier_makes_no_household(homes: Homes) -> None:
    homes.person("ann", "Li", uses=["payment:t1"])
    homes.person("bo", "Li", uses=["payment:t1"])
    homes.con.execute("update oneid.identifier set status = 'blocked' where identity_key = 'payment:t1'")
    homes.run()
    assert homes.groups() == {"ann", "bo"}


def test_a_household_keeps_its_name_when_somebody_moves_in(homes: Homes) -> None:
    homes.person("ann", "Li", "1 Road")
    homes.run()
    homes.person("bo", "Li", "1 Road")
    homes.run(1)
    assert homes.map() == [("Pann", "Hann", "address and name"), ("Pbo", "Hann", "address and name")]


def test_the_household_before_stands_in_the_map_with_its_days(homes: Homes) -> None:
    homes.person("bo", "Li", "1 Road")
    homes.run()
    homes.person("ann", "Li", "1 Road")
    homes.run(1)
    rows = homes.con.execute(
        "select household_id, valid_from, valid_to from oneid.household_map where oneid = 'Pbo' order by valid_from"
    ).fetchall()
    assert rows == [("Hbo", DAY, DAY + timedelta(days=1)), ("Hann", DAY + timedelta(days=1), None)]


def test_a_person_merged_away_leaves_the_household(homes: Homes) -> None:
    homes.person("ann", "Li", "1 Road")
    homes.person("bo", "Li", "1 Road")
    homes.run()
    homes.forget("ann")
    homes.run(1)
    assert homes.map() == [("Pbo", "Hbo", "alone")]


def test_the_ninth_at_an_address_takes_its_households_apart(homes: Homes) -> None:
    for number in range(MOST_AT_ADDRESS):
        homes.person(f"p{number}", "Li", "1 Road")
    homes.run()
    assert len(homes.groups()) == 1
    homes.person("q", "Wu", "1 Road")
    homes.run(1)
    assert len(homes.groups()) == MOST_AT_ADDRESS + 1


def test_a_night_reads_no_household_that_shares_nothing_with_it(homes: Homes) -> None:
    homes.person("ann", "Li", "1 Road")
    homes.run()
    homes.con.execute("update oneid.household_map set household_id = 'Hkept'")
    homes.person("bo", "Li", "2 Road")
    homes.run(1)
    assert homes.map() == [("Pann", "Hkept", "alone"), ("Pbo", "Hbo", "alone")]


@pytest.mark.parametrize("seed", range(3))
def test_nights_one_by_one_equal_everything_at_once(homes: Homes, seed: int) -> None:
    rng = np.random.default_rng(seed)
    sizes = []
    for day in range(5):
        for _ in range(12):
            name, family, address = (
                f"p{rng.integers(40)}",
                f"F{rng.integers(3)}",
                f"{rng.integers(24)} Road" if rng.random() < 0.6 else None,
            )
            homes.person(
                name,
                family if rng.random() < 0.7 else None,
                address,
                uses=[f"cookie:{rng.integers(24)}"] if rng.random() < 0.5 else [],
            )
        homes.run(day)
        sizes += [len(group.split()) for group in homes.groups()]
    nights = homes.map()
    for table in ("household_map", "household_trait"):
        homes.con.execute(f"delete from oneid.{table}")
    homes.run(5, everything=True)
    assert homes.map() == nights
    assert max(sizes) > 2
