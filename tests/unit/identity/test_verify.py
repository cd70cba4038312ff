"""The weekly verification: sound nights equal a rebuild, any drift is detected, and the warehouse is unchanged."""

from __future__ import annotations

from collections.abc import Sequence

import duckdb
import pytest
from people import ENTITIES, People

from onedata.identity.decisions import decide_by_hand
from onedata.identity.verify import Difference, verify


@pytest.fixture
def people() -> People:
    """Three nights; one person was merged, one taken apart by hand."""
    found = People()
    found.deliver(0, ("C1", "M1", None, "e1"), ("C2", "M2", None, None), ("C3", None, None, None))
    found.profiles(0, {"customer_id": "C1", "city": "Wuhan"})
    found.resolve(0)
    found.deliver(1, ("C1", None, "S1", "e1", "p1"), ("C4", "M1", None, None))
    decide_by_hand(found.con, "merge", "account:shop:C2", "account:shop:C3", "the same", "me")
    found.resolve(1)
    found.deliver(2, ("C1", "M1", None, "e1"), ("C5", "M5", None, None, "p1"))
    found.resolve(2)
    return found


def check(people: People) -> list[Difference]:
    return verify(people.con, ENTITIES, people.policy, people.vault)


def seen(found: Sequence[Difference]) -> set[str]:
    return {difference.table for difference in found}


def test_sound_nights_equal_a_rebuild_and_stay_as_they_are(people: People) -> None:
    tables = (
        "run",
        "identifier",
        "identity_edge",
        "oneid_map",
        "oneid_event",
        "issued",
        "household_map",
        "decision_applied",
    )
    before = [people.all(table) for table in tables] + [people.con.execute("from ops.applied order by all").fetchall()]
    assert check(people) == []
    assert [people.all(table) for table in tables] + [
        people.con.execute("from ops.applied order by all").fetchall()
    ] == before
    assert (
        people.con.execute("select database_name from duckdb_databases() where database_name = 'rebuilt'").fetchall()
        == []
    )


def test_before_the_first_night_there_is_nothing_to_check() -> None:
    assert check(People()) == []


@pytest.mark.parametrize(
    ("damage", "tables"),
    [
        ("update oneid.identity_edge set n_obs = n_obs + 1 where a = 0", {"identity_edge"}),
        ("update oneid.identifier set status = 'shared' where identity_key = 'account:shop:C5'", {"identifier"}),
        ("update oneid.household_map set household_id = 'H' where oneid = (select min(oneid) from oneid.person) "
         "and valid_to is null", {"household_map"}),
        ("update oneid.oneid_map set oneid = (select min(oneid) from oneid.person) "
         "where identity_key in ('loyalty:M2', 'loyalty:M5')", {"oneid_map"}),
        ("update oneid.profile set fingerprint = 'old'", {"profile"}),
        ("delete from ops.delivery "
         "where batch_id = 'orders-2'", {"identity_edge", "oneid_map", "household_map", "identifier"}),
    ],
)  # fmt: skip
def test_what_drifted_is_seen(people: People, damage: str, tables: set[str]) -> None:
    people.con.execute(damage)
    assert seen(check(people)) & tables


def test_the_difference_names_table_numbers_and_rows(people: People) -> None:
    people.con.execute("update oneid.identity_edge set n_obs = 77 where rowid = 0")
    (found,) = check(people)
    assert (found.only_nights, found.only_rebuilt) == (1, 1)
    assert str(found).startswith(
        "oneid.identity_edge: 1 rows only from the nights, 1 only from a rebuild, such as {'a': "
    )
    assert "77" in str(found)


def test_a_failed_check_leaves_no_scratch_database(people: People) -> None:
    people.con.execute("drop table ods.ods_sales_order")
    with pytest.raises(duckdb.Error):
        check(people)
    assert people.con.execute("select count(*) from duckdb_databases() where database_name = 'rebuilt'").fetchone() == (
        0,
    )
