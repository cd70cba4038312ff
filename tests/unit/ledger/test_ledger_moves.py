"""A delivery changes state only as the ledger allows."""

from __future__ import annotations

from datetime import datetime
from itertools import product
from unittest.mock import Mock

import duckdb
import pytest
from small_retailer import NIGHT, SmallRetailer

from onedata.ledger import LedgerError, Status, accept, apply, judge
from onedata.ledger.belongings import add, remove
from onedata.ledger.manifest import LakeFile
from onedata.ledger.moves import Booking, FileEntry, book, book_file, forget, settle_release
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


def test_the_first_delivery_that_may_not_move_is_told(ledger: duckdb.DuckDBPyConnection) -> None:
    for batch in ("c", "a", "b"):
        booked(ledger, batch, "staged")
    with pytest.raises(LedgerError, match="delivery a is staged"):
        move(ledger, ["c", "a", "b"], Status.ACCEPTED)


def test_a_gate_judges_the_staged_deliveries_of_its_feed_alone(survey: SmallRetailer) -> None:
    con, feed = survey.con, survey.feed()
    for batch, name, status in (
        ("b", "survey", "staged"),
        ("a", "survey", "staged"),
        ("c", "survey", "accepted"),
        ("d", "other", "staged"),
    ):
        booked(con, batch, status)
        con.execute("update ops.delivery set feed = ? where batch_id = ?", [name, batch])
        con.execute("insert into ops.profile values (?, ?, ?, '', 'rows', '', 1)", [name, NIGHT, batch])
    assert judge(con, feed, passed=True) == ["a", "b"]
    assert status_of(con) == {"a": "passed", "b": "passed", "c": "accepted", "d": "staged"}
    con.execute("update ops.delivery set status = 'staged' where batch_id in ('a', 'b')")
    assert con.execute("select feed, version from ops.contract").fetchall() == [("survey", "1.0.0")]
    con.execute("delete from ops.contract")
    assert judge(con, feed, passed=False) == ["a", "b"]
    assert status_of(con) == {"a": "refused", "b": "refused", "c": "accepted", "d": "staged"}
    assert con.execute("select batch_id from ops.profile order by 1").fetchall() == [("c",), ("d",)]
    assert con.execute("select feed from ops.contract").fetchall() == []


def test_a_judgement_is_all_or_nothing(survey: SmallRetailer, monkeypatch: pytest.MonkeyPatch) -> None:
    booked(survey.con, "b", "staged")
    survey.con.execute("update ops.delivery set feed = 'survey'")
    monkeypatch.setattr("onedata.ledger.moves.remember", Mock(side_effect=KeyboardInterrupt))
    with pytest.raises(KeyboardInterrupt):
        judge(survey.con, survey.feed(), passed=True)
    assert status_of(survey.con) == {"b": "staged"}


def test_an_acceptance_changes_its_own_delivery_and_those_it_replaces(ledger: duckdb.DuckDBPyConnection) -> None:
    old, at = datetime(2026, 1, 5), datetime(2026, 1, 7)
    for batch, status in (("old", "applied"), ("other", "applied")):
        booked(ledger, batch, status)
        ledger.execute("update ops.delivery set accepted_at = ?, applied_at = ? where batch_id = ?", [old, old, batch])
        ledger.execute("insert into ops.lake_file values (?, 'f', 'e', ?, 'x', 1, 2, 'sha')", [batch, NIGHT])
    booked(ledger, "new", "passed", ["old"])
    accept(ledger, "new", at, [LakeFile("n.parquet", 3, 4, "abc")])
    assert ledger.execute(
        "select batch_id, status, accepted_at, applied_at from ops.delivery order by 1"
    ).fetchall() == [("new", "accepted", at, None), ("old", "replaced", old, None), ("other", "applied", old, old)]
    assert ledger.execute("from ops.lake_file order by 1").fetchall() == [
        ("new", "f", "e", NIGHT, "n.parquet", 3, 4, "abc"),
        ("other", "f", "e", NIGHT, "x", 1, 2, "sha"),
    ]


TARGET = ("f", "p", "h", 1, "type")
"""Feed, path, content, row and rule of a quarantined row."""
NEAR = [
    ("g", "p", "h", 1, "type"),
    ("f", "q", "h", 1, "type"),
    ("f", "p", "i", 1, "type"),
    ("f", "p", "h", 2, "type"),
    ("f", "p", "h", 1, "bound"),
]
"""The same but for one of them."""


@pytest.fixture
def released(ledger: duckdb.DuckDBPyConnection) -> duckdb.DuckDBPyConnection:
    """The target and its neighbours in quarantine, and four files that have three of their rows there."""
    for feed, path, content, row, rule in [TARGET, *NEAR]:
        ledger.execute(
            "insert into ops.quarantine (feed, ds, path, row, rule, reason, batch_id, content_hash, quarantined_at) "
            "values (?, ?, ?, ?, ?, 'then', 'landed', ?, ?)",
            [feed, NIGHT, path, row, rule, content, datetime(2026, 1, 6)],
        )
    for feed, path, content in dict.fromkeys(key[:3] for key in [TARGET, *NEAR]):
        file = FileEntry(path, content, NIGHT, "landed", (100, 80, 15, 5), 1, 1)
        book_file(ledger, feed, "landed", file, datetime(2026, 1, 6))
    return ledger


def read_again(con: duckdb.DuckDBPyConnection, fate: str, key: tuple[object, ...] = TARGET, batch: str = "b") -> None:
    feed, path, content, row, rule = key
    con.execute(
        "insert into ops.released (batch_id, feed, ds, path, content_hash, row, fate, rule, reason, rule_now, "
        "reason_now, released_at) values (?, ?, ?, ?, ?, ?, ?, ?, 'then', 'newer', 'now', ?)",
        [batch, feed, NIGHT, path, content, row, fate, rule, datetime(2026, 1, 7)],
    )


def quarantined(con: duckdb.DuckDBPyConnection) -> set[tuple[object, ...]]:
    return set(con.execute("select feed, path, content_hash, row, rule, reason from ops.quarantine").fetchall())


def counts(con: duckdb.DuckDBPyConnection) -> dict[tuple[str, ...], tuple[int, ...]]:
    query = "select feed, path, content_hash, received, accepted, quarantined, duplicate from ops.file"
    return {row[:3]: row[3:] for row in con.execute(query).fetchall()}


@pytest.mark.parametrize(("fate", "of_file"), [("accepted", (100, 81, 14, 5)), ("duplicate", (100, 80, 14, 6))])
def test_a_released_row_leaves_quarantine_alone_and_counts_once(
    released: duckdb.DuckDBPyConnection, fate: str, of_file: tuple[int, ...]
) -> None:
    read_again(released, fate)
    read_again(released, "accepted", NEAR[3], "another")
    for _ in range(2):
        settle_release(released, "b")
        assert quarantined(released) == {(*key, "then") for key in NEAR}
        before = (100, 80, 15, 5)
        others = {("g", "p", "h"): before, ("f", "q", "h"): before, ("f", "p", "i"): before}
        assert counts(released) == {("f", "p", "h"): of_file, **others}


def test_a_row_that_is_bad_again_stays_and_says_why_now(released: duckdb.DuckDBPyConnection) -> None:
    read_again(released, "again")
    read_again(released, "again", NEAR[3], "another")
    settle_release(released, "b")
    assert quarantined(released) == {(*TARGET[:4], "newer", "now"), *((*key, "then") for key in NEAR)}
    assert set(counts(released).values()) == {(100, 80, 15, 5)}


def test_rows_of_several_fates_are_counted_apart(released: duckdb.DuckDBPyConnection) -> None:
    for key, fate in ((TARGET, "accepted"), (NEAR[3], "duplicate"), (NEAR[4], "again")):
        read_again(released, fate, key)
    settle_release(released, "b")
    assert counts(released)["f", "p", "h"] == (100, 81, 13, 6)
    assert quarantined(released) == {*((*key, "then") for key in NEAR[:3]), ("f", "p", "h", 1, "newer", "now")}


def test_publishing_does_not_move_the_time_of_what_was_taken_out_before(ledger: duckdb.DuckDBPyConnection) -> None:
    before = datetime(2026, 1, 5)
    for status in EVERY:
        booked(ledger, status, status)
        if status in ("applied", "replaced"):
            ledger.execute("update ops.delivery set applied_at = ? where batch_id = ?", [before, status])
    apply(ledger)
    kept = ledger.execute("select batch_id from ops.delivery where applied_at = ? order by 1", [before]).fetchall()
    assert kept == [("applied",), ("replaced",)]


def test_forgetting_is_all_or_nothing(ledger: duckdb.DuckDBPyConnection, monkeypatch: pytest.MonkeyPatch) -> None:
    booked(ledger, "b", "staged")

    def killed(con: duckdb.DuckDBPyConnection, _: object) -> None:
        con.execute("delete from ops.delivery")
        raise KeyboardInterrupt

    monkeypatch.setattr("onedata.ledger.moves.remove", killed)
    with pytest.raises(KeyboardInterrupt):
        forget(ledger, ["b"])
    assert status_of(ledger) == {"b": "staged"}


def test_a_release_is_settled_as_its_delivery_is_accepted(released: duckdb.DuckDBPyConnection) -> None:
    booked(released, "b", "passed")
    read_again(released, "accepted")
    accept(released, "b", datetime(2026, 1, 7), [])
    assert quarantined(released) == {(*key, "then") for key in NEAR}
