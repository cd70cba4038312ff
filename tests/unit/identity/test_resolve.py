"""OneID from night to night: stable ids, merges, limits, exactly once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pytest
from small_retailer import canonical, identifier_policy

from onedata.contracts.identifiers import IdentifierPolicy, IdentifierType
from onedata.identity import Resolution, resolve
from onedata.identity.tables import create_tables
from onedata.landing import create_ledger

DAY = date(2026, 1, 1)
ENTITIES = {"sales_order": canonical()["sales_order"]}
COLUMNS = ("customer_id", "loyalty_id", "social_union_id", "email")
Row = tuple[str | None, str | None, str | None, str | None]


class People:
    """A warehouse whose ODS holds only orders' identifiers: (account, loyalty, social, e-mail token)."""

    def __init__(self, file: Path | str = ":memory:", policy: IdentifierPolicy | None = None) -> None:
        self.con = duckdb.connect(str(file))
        self.policy = policy or identifier_policy()
        create_ledger(self.con)
        create_tables(self.con)
        self.con.execute(
            "create schema ods; create table ods.ods_sales_order (customer_id varchar, loyalty_id varchar, social_union_id varchar, "
            "email varchar, source_system varchar, ds date, _batch varchar)"
        )

    def deliver(self, day: int, *rows: Row, batch: str | None = None) -> None:
        """An accepted delivery that waits to be taken in."""
        night = DAY + timedelta(days=day)
        name = batch or f"orders-{day}"
        self.con.execute("insert into ops.delivery values (?, 'orders', 'sales_order', ?, 'accepted', ?, now()::timestamp, null, [])", [name, night, len(rows)])
        self.con.executemany("insert into ods.ods_sales_order values (?, ?, ?, ?, 'shop', ?, ?)", [[*row, night, name] for row in rows])

    def resolve(self, day: int) -> Resolution:
        return resolve(self.con, ENTITIES, self.policy, DAY + timedelta(days=day))

    def map(self) -> dict[str, str]:
        return dict(self.con.execute("select identity_key, oneid from oneid.oneid_map").fetchall())

    def persons(self) -> set[frozenset[str]]:
        groups: dict[str, set[str]] = {}
        for key, oneid in self.map().items():
            groups.setdefault(oneid, set()).add(key)
        return {frozenset(group) for group in groups.values()}

    def events(self, kind: str) -> list[tuple[Any, ...]]:
        return self.con.execute("select night, from_oneid, to_oneid, identifiers from oneid.oneid_event where type = ? order by all", [kind]).fetchall()

    def all(self, table: str) -> list[tuple[Any, ...]]:
        return self.con.execute(f"from oneid.{table} order by all").fetchall()


def policy_with(name: str, **changed: Any) -> IdentifierPolicy:
    types: dict[str, IdentifierType] = dict(identifier_policy().types)
    types[name] = replace(types[name], **changed)
    return replace(identifier_policy(), types=types)


@pytest.fixture
def people() -> People:
    return People()


def test_identifiers_on_one_row_are_one_person(people: People) -> None:
    people.deliver(0, ("C1", "M1", None, "e1"), ("C2", None, None, None))
    assert people.resolve(0) == Resolution(identifiers=4, persons=2, shared=0, largest=3, minted=2, merged=0)
    assert people.persons() == {frozenset({"account:shop:C1", "loyalty:M1", "email:e1"}), frozenset({"account:shop:C2"})}


def test_a_chain_of_rows_is_one_person(people: People) -> None:
    people.deliver(0, ("C1", "M1", None, None), (None, "M1", "S1", None), (None, None, "S1", "e1"))
    people.resolve(0)
    assert len(people.persons()) == 1


def test_rows_that_name_nobody_are_no_person(people: People) -> None:
    people.deliver(0, (None, None, None, None), ("guest", "0000", "N/A", None))
    assert people.resolve(0) == Resolution(0, 0, 0, 0, 0, 0)


def test_nothing_delivered_changes_nothing(people: People) -> None:
    assert people.resolve(0) == Resolution(0, 0, 0, 0, 0, 0)
    assert people.all("oneid_event") == []


def test_an_account_is_known_within_its_system_only(people: People) -> None:
    people.deliver(0, ("C1", None, None, None))
    people.con.execute("insert into ods.ods_sales_order values ('C1', null, null, null, 'other', ?, 'orders-0')", [DAY])
    people.resolve(0)
    assert len(people.persons()) == 2


def test_the_same_night_again_changes_nothing(people: People) -> None:
    people.deliver(0, ("C1", "M1", None, "e1"), ("C2", "M2", None, None))
    people.resolve(0)
    before = [people.all(name) for name in ("identifier", "identity_edge", "issued", "oneid_map", "oneid_event", "guard_audit")]
    people.resolve(0)
    assert [people.all(name) for name in ("identifier", "identity_edge", "issued", "oneid_map", "oneid_event", "guard_audit")] == before


def test_a_delivery_taken_in_twice_counts_its_observations_once(people: People) -> None:
    people.deliver(0, ("C1", "M1", None, None), ("C1", "M1", None, None))
    people.resolve(0)
    people.resolve(1)
    assert people.con.execute("select n_obs from oneid.identity_edge").fetchall() == [(2,)]
    people.deliver(1, ("C1", "M1", None, None))
    people.resolve(1)
    assert people.con.execute("select n_obs from oneid.identity_edge").fetchall() == [(3,)]


def test_ids_stay_the_same_when_identifiers_join(people: People) -> None:
    people.deliver(0, ("C1", "M1", None, None))
    people.resolve(0)
    before = people.map()
    people.deliver(1, ("C1", None, "S1", None), (None, None, "S1", "e1"))
    people.resolve(1)
    assert before.items() <= people.map().items()
    assert set(people.map().values()) == set(before.values())


def test_a_merge_keeps_the_oldest_id_and_is_logged(people: People) -> None:
    people.deliver(0, ("C1", None, None, None))
    people.resolve(0)
    people.deliver(1, (None, "M1", None, None), (None, "M1", "S1", None))
    people.resolve(1)
    old, young = people.map()["account:shop:C1"], people.map()["loyalty:M1"]
    people.deliver(2, ("C1", "M1", None, None))
    assert people.resolve(2).merged == 1
    assert set(people.map().values()) == {old}
    assert people.events("merge") == [(DAY + timedelta(days=2), young, old, 2)]


def test_a_merged_id_resolves_to_todays_over_several_nights(people: People) -> None:
    people.deliver(0, (None, None, None, "e1"))
    people.deliver(1, (None, None, "S1", None), batch="b")
    people.deliver(2, (None, "M1", None, None), batch="c")
    people.resolve(2)
    first, second, third = (people.map()[key] for key in ("email:e1", "social:S1", "loyalty:M1"))
    people.deliver(3, (None, "M1", "S1", None))
    people.resolve(3)
    people.deliver(4, (None, None, "S1", "e1"))
    people.resolve(4)
    assert set(people.map().values()) == {first}
    assert dict(people.con.execute("from oneid.oneid_current").fetchall()) == {second: first, third: first}


def test_no_id_is_issued_twice(people: People) -> None:
    for day in range(5):
        people.deliver(day, *[(f"C{day}{n}", f"M{n}", None, None) for n in range(3)])
        people.resolve(day)
    issued = [row[0] for row in people.all("issued")]
    assert len(issued) == len(set(issued))
    assert set(people.map().values()) <= set(issued)


def test_a_shared_identifier_links_nobody_and_is_told_once() -> None:
    people = People(policy=policy_with("email", degree=2))
    people.deliver(0, *[(f"C{n}", None, None, "kiosk") for n in range(3)])
    assert people.resolve(0).shared == 1
    people.deliver(1, ("C9", None, None, None))
    people.resolve(1)
    assert "email:kiosk" not in people.map()
    assert len(people.persons()) == 4
    assert people.con.execute("select status from oneid.identifier where identity_key = 'email:kiosk'").fetchall() == [("shared",)]
    assert people.all("guard_audit") == [(DAY, "email:kiosk", "degree", 3, 2)]


def test_an_identifier_that_becomes_shared_takes_its_persons_apart() -> None:
    people = People(policy=policy_with("email", degree=2))
    people.deliver(0, ("C1", None, None, "kiosk"), ("C2", None, None, "kiosk"))
    people.resolve(0)
    assert len(people.persons()) == 1
    old = people.map()["account:shop:C1"]
    people.deliver(1, ("C3", None, None, "kiosk"))
    people.resolve(1)
    assert people.persons() == {frozenset({f"account:shop:C{n}"}) for n in (1, 2, 3)}
    assert people.map()["account:shop:C1"] == old
    ((_, from_oneid, to_oneid, _),) = people.events("split")
    assert (from_oneid, to_oneid) == (old, people.map()["account:shop:C2"])


def test_a_person_over_the_limit_is_taken_apart_and_audited() -> None:
    people = People(policy=policy_with("account", limit=2))
    people.deliver(0, *[(f"C{n}", "M1", None, None) for n in range(3)])
    people.resolve(0)
    assert all(len([key for key in person if key.startswith("account")]) <= 2 for person in people.persons())
    assert {row[2] for row in people.all("guard_audit")} == {"limit"}


def random_nights(seed: int) -> list[list[Row]]:
    rng = np.random.default_rng(seed)

    def one(prefix: str, share: float, size: int) -> str | None:
        return f"{prefix}{rng.integers(0, size)}" if rng.random() < share else None

    return [[(one("C", 0.6, 60), one("M", 0.3, 60), one("S", 0.2, 60), one("e", 0.3, 60)) for _ in range(12)] for _ in range(6)]


def run_in_groups(nights: Sequence[Sequence[Row]], groups: Sequence[Sequence[int]]) -> People:
    wide = {name: replace(kind, limit=10_000, degree=10_000) for name, kind in identifier_policy().types.items()}
    people = People(policy=replace(identifier_policy(), types=wide))
    for group in groups:
        for day in group:
            people.deliver(day, *nights[day])
        people.resolve(max(group))
    return people


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("groups", [[[0], [1], [2], [3], [4], [5]], [[0, 1, 2], [3, 4, 5]], [[0], [1, 2, 3, 4], [5]], [[3, 1], [0, 5, 2], [4]]])
def test_nights_in_any_grouping_find_the_same_persons(seed: int, groups: list[list[int]]) -> None:
    nights = random_nights(seed)
    assert run_in_groups(nights, groups).persons() == run_in_groups(nights, [[0, 1, 2, 3, 4, 5]]).persons()


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("groups", [[[0], [1], [2], [3], [4], [5]], [[0, 1, 2], [3, 4, 5]], [[0], [1, 2, 3, 4], [5]]])
def test_nights_in_order_and_any_grouping_end_in_the_same_map(seed: int, groups: list[list[int]]) -> None:
    nights = random_nights(seed)
    assert run_in_groups(nights, groups).map() == run_in_groups(nights, [[0, 1, 2, 3, 4, 5]]).map()


def test_a_failure_leaves_the_night_untaken(people: People) -> None:
    people.deliver(0, ("C1", "M1", None, None))
    people.con.execute("alter table oneid.oneid_event drop column identifiers")
    with pytest.raises(duckdb.Error):
        people.resolve(0)
    assert people.con.execute("select count(*) from ops.applied").fetchone() == (0,)
    assert people.all("identifier") == []
    people.con.execute("alter table oneid.oneid_event add column identifiers bigint")
    assert people.resolve(0).persons == 1
