"""OneID from night to night: stable ids, merges, limits, weak identifiers, exactly once."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from functools import cache

import duckdb
import numpy as np
import pytest
from people import DAY, People, policy_with

from onedata.identity.tables import OldTablesError, create_tables

Nights = list[list[tuple[str | None, ...]]]


@pytest.fixture
def people() -> People:
    return People()


def test_identifiers_on_one_row_are_one_person(people: People) -> None:
    people.deliver(0, ("C1", "M1", None, "e1"), ("C2", None, None, None))
    found = people.resolve(0)
    assert (found.identifiers, found.persons, found.largest, found.minted) == (4, 2, 3, 2)
    assert people.persons() == {
        frozenset({"account:shop:C1", "loyalty:M1", "email:e1"}),
        frozenset({"account:shop:C2"}),
    }


def test_a_chain_of_rows_is_one_person(people: People) -> None:
    people.deliver(0, ("C1", "M1", None, None), (None, "M1", "S1", None), (None, None, "S1", "e1"))
    people.resolve(0)
    assert len(people.persons()) == 1


def test_rows_that_name_nobody_are_no_person(people: People) -> None:
    people.deliver(0, (None, None, None, None), ("guest", "0000", "N/A", None))
    assert people.resolve(0).identifiers == 0


def test_nothing_delivered_changes_nothing(people: People) -> None:
    assert people.resolve(0).decided == 0
    assert people.all("run") == people.all("oneid_event") == []


def test_an_account_is_known_within_its_system_only(people: People) -> None:
    people.deliver(0, ("C1", None, None, None))
    people.deliver(0, ("C1", None, None, None), batch="other", system="other")
    people.resolve(0)
    assert len(people.persons()) == 2


def test_the_same_night_again_changes_nothing(people: People) -> None:
    people.deliver(0, ("C1", "M1", None, "e1"), ("C2", "M2", None, None))
    people.resolve(0)
    before = [
        people.all(name)
        for name in ("identifier", "identity_edge", "issued", "oneid_map", "oneid_event", "guard_audit")
    ]
    people.resolve(0)
    assert [
        people.all(name)
        for name in ("identifier", "identity_edge", "issued", "oneid_map", "oneid_event", "guard_audit")
    ] == before


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


def test_a_merge_keeps_the_heavier_id_and_is_logged(people: People) -> None:
    people.deliver(0, ("C1", None, None, None))
    people.resolve(0)
    people.deliver(1, (None, "M1", None, None), (None, "M1", "S1", None))
    people.resolve(1)
    light, heavy = people.map()["account:shop:C1"], people.map()["loyalty:M1"]
    people.deliver(2, ("C1", "M1", None, None))
    assert people.resolve(2).merged == 1
    assert set(people.map().values()) == {heavy}
    assert people.events("merge") == [(DAY + timedelta(days=2), light, heavy, 1)]


def test_a_merge_of_two_as_heavy_keeps_the_older(people: People) -> None:
    people.deliver(0, (None, "M1", None, None))
    people.resolve(0)
    people.deliver(1, ("C1", None, None, None))
    people.resolve(1)
    older = people.map()["loyalty:M1"]
    people.deliver(2, ("C1", "M1", None, None))
    people.resolve(2)
    assert set(people.map().values()) == {older}


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
    assert set(people.map().values()) == {second}
    assert dict(people.con.execute("from oneid.oneid_current").fetchall()) == {first: second, third: second}


def test_the_map_knows_what_held_on_an_earlier_night(people: People) -> None:
    people.deliver(0, ("C1", None, None, None), (None, "M1", "S1", None))
    people.resolve(0)
    before = people.map()["account:shop:C1"]
    people.deliver(3, ("C1", "M1", None, None))
    people.resolve(3)
    versions = people.con.execute(
        "select oneid, valid_from, valid_to from oneid.oneid_map where identity_key = 'account:shop:C1' "
        "order by valid_from"
    ).fetchall()
    night = DAY + timedelta(days=3)
    assert versions == [(before, DAY, night), (people.map()["loyalty:M1"], night, None)]


def test_a_night_run_twice_leaves_one_version_a_night(people: People) -> None:
    people.deliver(0, ("C1", None, None, None))
    people.resolve(0)
    people.deliver(0, ("C1", "M1", None, None), batch="more")
    people.resolve(0)
    assert people.con.execute("select count(*) from oneid.oneid_map where valid_to is not null").fetchone() == (0,)


def test_a_night_looks_only_at_what_it_touches(people: People) -> None:
    people.deliver(0, *[(f"C{n}", f"M{n}", None, None) for n in range(50)])
    people.resolve(0)
    people.deliver(1, ("C1", None, "S1", None))
    found = people.resolve(1)
    assert (found.touched, found.decided) == (2, 3)


def test_a_kiosk_of_many_customers_drags_none_of_them_into_a_night(people: People) -> None:
    people.deliver(0, *[(f"C{n}", None, None, None, "kiosk") for n in range(200)])
    people.resolve(0)
    people.deliver(1, ("C1000", None, None, None, "kiosk"))
    found = people.resolve(1)
    assert found.decided == 1
    assert len(people.persons()) == 201


def test_a_full_rebuild_changes_nobody(people: People) -> None:
    for day in range(4):
        people.deliver(day, (f"C{day}", "M1", None, None, "p1"), (f"C{day}", None, f"S{day}", "e1", f"p{day}"))
        people.resolve(day)
    before = people.map()
    people.resolve(4, full=True)
    assert people.map() == before


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
    assert people.con.execute("select status from oneid.identifier where identity_key = 'email:kiosk'").fetchall() == [
        ("shared",)
    ]
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


def random_nights(seed: int) -> Nights:
    rng = np.random.default_rng(seed)

    def one(prefix: str, share: float, size: int) -> str | None:
        return f"{prefix}{rng.integers(0, size)}" if rng.random() < share else None

    return [
        [
            (one("C", 0.6, 60), one("M", 0.3, 60), one("S", 0.2, 60), one("e", 0.3, 60), one("p", 0.5, 25))
            for _ in range(12)
        ]
        for _ in range(6)
    ]


def run_in_groups(nights: Nights, groups: Sequence[Sequence[int]], full: bool = False) -> People:
    people = People()
    for group in groups:
        for day in group:
            people.deliver(day, *nights[day])
        people.resolve(max(group))
    if full:
        people.resolve(6, full=True)
    return people


@cache
def persons_of_one_run(seed: int) -> set[frozenset[str]]:
    """The persons of all six nights taken in at once, which every grouping of a seed is compared with."""
    return run_in_groups(random_nights(seed), [[0, 1, 2, 3, 4, 5]]).persons()


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize(
    "groups",
    [[[0], [1], [2], [3], [4], [5]], [[0, 1, 2], [3, 4, 5]], [[0], [1, 2, 3, 4], [5]], [[3, 1], [0, 5, 2], [4]]],
)
def test_nights_in_any_grouping_find_the_same_persons(seed: int, groups: list[list[int]]) -> None:
    assert run_in_groups(random_nights(seed), groups).persons() == persons_of_one_run(seed)


@pytest.mark.parametrize("seed", range(3))
def test_nights_equal_a_full_rebuild(seed: int) -> None:
    nights, one_by_one = random_nights(seed), [[day] for day in range(6)]
    assert run_in_groups(nights, one_by_one).persons() == run_in_groups(nights, one_by_one, full=True).persons()


def test_a_failure_leaves_the_night_untaken(people: People) -> None:
    people.deliver(0, ("C1", "M1", None, None))
    people.con.execute("alter table oneid.oneid_event drop column evidence")
    with pytest.raises(duckdb.Error):
        people.resolve(0)
    assert people.con.execute("select count(*) from ops.applied").fetchone() == (0,)
    assert people.all("identifier") == []
    people.con.execute("alter table oneid.oneid_event add column evidence varchar")
    assert people.resolve(0).persons == 1


def test_a_warehouse_of_an_earlier_onedata_is_refused_with_the_way_out() -> None:
    con = duckdb.connect()
    con.execute(
        "create schema oneid; create table oneid.oneid_map (identity_key varchar, id_int integer, oneid varchar)"
    )
    with pytest.raises(OldTablesError, match="rebuild it from its source"):
        create_tables(con)
