"""A delivery changes state only as the ledger allows."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from itertools import product

import duckdb
import pytest
from small_retailer import NIGHT, SmallRetailer

from onedata.ledger import LedgerError, Status, accept, apply, create_ledger, judge
from onedata.ledger.belongings import add, remove
from onedata.ledger.moves import Booking, book, forget
from onedata.ledger.states import move

# Written by hand: what may follow what. A delivery is judged once, promoted only when passed, published only from the
# lake, and what was replaced or refused goes nowhere.
ALLOWED = {
    ("staged", "passed"),
    ("staged", "refused"),
    ("passed", "accepted"),
    ("accepted", "applied"),
    ("accepted", "replaced"),
    ("applied", "replaced"),
}
MAY_BE_FORGOTTEN = {"staged", "passed", "refused"}
EVERY = ("staged", "passed", "refused", "accepted", "applied", "replaced")


@pytest.fixture
def ledger() -> Iterator[duckdb.DuckDBPyConnection]:
    with duckdb.connect() as con:
        create_ledger(con)
        yield con


def booked(con: duckdb.DuckDBPyConnection, batch: str, status: str, replaces: list[str] | None = None) -> str:
    """A delivery in a state, however it came there."""
    book(con, Booking(batch, "f", "e", NIGHT, 1, datetime(2026, 1, 6), replaces or []))
    con.execute("update ops.delivery set status = ? where batch_id = ?", [status, batch])
    return batch


def status_of(con: duckdb.DuckDBPyConnection) -> dict[str, str]:
    return dict(con.execute("select batch_id, status from ops.delivery").fetchall())


def test_the_states_are_those_of_the_table() -> None:
    assert tuple(Status) == EVERY


@pytest.mark.parametrize(("before", "after"), product(EVERY, EVERY))
def test_every_move_is_allowed_or_refused_by_the_table(
    ledger: duckdb.DuckDBPyConnection,
    before: str,
    after: str,
) -> None:
    booked(ledger, "b", before)
    booked(ledger, "other", before)
    if (before, after) in ALLOWED:
        move(ledger, ["b"], Status(after))
        assert status_of(ledger) == {"b": after, "other": before}
        return
    with pytest.raises(LedgerError, match=f"delivery b is {before} and cannot become {after}"):
        move(ledger, ["b"], Status(after))
    assert status_of(ledger) == {"b": before, "other": before}


def test_where_one_may_not_move_none_does(ledger: duckdb.DuckDBPyConnection) -> None:
    booked(ledger, "a", "passed")
    booked(ledger, "b", "staged")
    with pytest.raises(LedgerError, match="delivery b is staged and cannot become accepted"):
        move(ledger, ["a", "b"], Status.ACCEPTED)
    assert status_of(ledger) == {"a": "passed", "b": "staged"}


def test_a_delivery_that_is_not_known_does_not_move(ledger: duckdb.DuckDBPyConnection) -> None:
    with pytest.raises(LedgerError, match="delivery b is not in the ledger; it cannot become passed"):
        move(ledger, ["b"], Status.PASSED)


@pytest.mark.parametrize("status", EVERY)
def test_only_unfinished_deliveries_are_forgotten(ledger: duckdb.DuckDBPyConnection, status: str) -> None:
    booked(ledger, "b", status)
    booked(ledger, "other", "staged")
    if status in MAY_BE_FORGOTTEN:
        forget(ledger, ["b"])
        assert status_of(ledger) == {"other": "staged"}
        return
    with pytest.raises(LedgerError, match=f"delivery b is {status} and cannot be forgotten"):
        forget(ledger, ["other", "b"])
    assert status_of(ledger) == {"b": status, "other": "staged"}


@pytest.mark.parametrize("status", [status for status in EVERY if status != "passed"])
def test_only_a_passed_delivery_is_accepted(ledger: duckdb.DuckDBPyConnection, status: str) -> None:
    booked(ledger, "b", status)
    with pytest.raises(LedgerError, match="cannot become accepted"):
        accept(ledger, "b", datetime(2026, 1, 6), [])
    assert ledger.execute("select status, accepted_at from ops.delivery").fetchall() == [(status, None)]


@pytest.mark.parametrize("status", EVERY)
def test_an_acceptance_replaces_only_what_is_in_the_lake_and_is_all_or_nothing(
    ledger: duckdb.DuckDBPyConnection,
    status: str,
) -> None:
    booked(ledger, "old", status)
    booked(ledger, "new", "passed", ["old"])
    if status in ("accepted", "applied"):
        assert accept(ledger, "new", datetime(2026, 1, 6), []) == ["old"]
        assert status_of(ledger) == {"old": "replaced", "new": "accepted"}
        return
    with pytest.raises(LedgerError, match=f"delivery old is {status} and cannot become replaced"):
        accept(ledger, "new", datetime(2026, 1, 6), [])
    assert ledger.execute("select batch_id, status, accepted_at from ops.delivery order by 1").fetchall() == [
        ("new", "passed", None),
        ("old", status, None),
    ]


def test_publishing_applies_what_is_accepted_and_nothing_else(ledger: duckdb.DuckDBPyConnection) -> None:
    for status in EVERY:
        booked(ledger, status, status)
    apply(ledger)
    assert status_of(ledger) == {**{status: status for status in EVERY}, "accepted": "applied"}
    stamped = ledger.execute("select batch_id from ops.delivery where applied_at is not null order by 1").fetchall()
    assert stamped == [("accepted",), ("replaced",)]  # what it left is taken out of DIM and DWD by now


def test_a_feed_without_staged_deliveries_is_judged_without_a_trace(survey: SmallRetailer) -> None:
    assert judge(survey.con, survey.feed(), passed=True) == []
    assert survey.con.execute("select * from ops.contract").fetchall() == []


def test_a_table_that_belongs_to_no_delivery_cannot_be_added_to(ledger: duckdb.DuckDBPyConnection) -> None:
    with pytest.raises(LedgerError, match=r"ops\.delivery does not belong to a delivery"):
        add(ledger, "delivery", "select 1 as x")


def test_removing_nothing_removes_nothing(ledger: duckdb.DuckDBPyConnection) -> None:
    remove(ledger, [])
    booked(ledger, "b", "staged")
    forget(ledger, [])
    assert status_of(ledger) == {"b": "staged"}
