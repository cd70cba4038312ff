"""Everything that belongs to a delivery is removed with it: when it is deleted, and when another replaces it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import date, datetime
from typing import Any

import duckdb
import pytest
from small_retailer import NEXT, NIGHT, SmallRetailer, canonical, contract, write_contracts

from onedata.contracts import load_feeds
from onedata.landing import land
from onedata.landing.release import Selection, stage_release
from onedata.ledger import belongings, manifest, recover
from onedata.ledger.belongings import BELONGINGS
from onedata.ledger.moves import Booking, book, forget
from onedata.ledger.promote import promote
from onedata.quality.gates import contract_gate

Retail = Callable[..., SmallRetailer]
NOT_BELONGINGS = {
    "delivery": "the delivery itself: forgotten by `forget`, kept as replaced by `accept`",
    "applied": "what OneID has taken in: accepted deliveries only; where one is replaced, OneID starts anew",
}
PAYMENT_ID, AMOUNT = {"name": "payment_id", "physicalName": "payment"}, {"name": "amount", "physicalName": "amount"}


def payments(least: int = 0) -> dict[str, Any]:
    """A feed with money, a repair, a bound that a row can break, and a column that may be missing."""
    bound = {"logicalType": "number", "logicalTypeOptions": {"minimum": least}}
    repair = {"customProperties": [{"property": "repairs", "value": ["upper"]}]}
    return contract(
        "payments",
        entity="payment",
        path="payments/{ds}.csv",
        quarantineTolerance=1,
        properties=[
            {"name": "order_id", "physicalName": "order"},
            PAYMENT_ID,
            AMOUNT | bound,
            {"name": "currency", "physicalName": "currency"} | repair,
            {"name": "method", "physicalName": "method"},
        ],
    )


@pytest.fixture
def desk(retail: Retail) -> SmallRetailer:
    return retail(payments())


def deliver(desk: SmallRetailer, *rows: str, night: date = NIGHT) -> None:
    """A night's file: `method` is missing in it and `till` unknown, which are two drifts."""
    desk.put(f"payments/{night}.csv", "\n".join(["order,payment,amount,currency,till", *rows]) + "\n")


def all_kinds(desk: SmallRetailer) -> None:
    """A good row that was mended, a bad one, and one that came twice."""
    deliver(desk, "O1,P1,10.10,cny,7", "O2,P2,-3,CNY,7", "O1,P1,10.10,cny,7", "O3,P3,5,EUR,7")


def batches(con: duckdb.DuckDBPyConnection) -> list[str]:
    return [batch for (batch,) in con.execute("select batch_id from ops.delivery order by landed_at").fetchall()]


def tables_by_batch(con: duckdb.DuckDBPyConnection) -> set[str]:
    """The oracle: every table of the ledger that says of which delivery its rows are."""
    query = (
        "select table_name from duckdb_columns() join duckdb_tables() using (database_name, schema_name, table_name) "
        "where schema_name = 'ops' and column_name = 'batch_id'"
    )
    return {name for (name,) in con.execute(query).fetchall()}


def held(con: duckdb.DuckDBPyConnection, batch: str) -> set[str]:
    """The tables with rows of the delivery."""
    names = tables_by_batch(con) - NOT_BELONGINGS.keys()
    return {name for name in names if con.execute(f"select 1 from ops.{name} where batch_id = ?", [batch]).fetchall()}


def test_every_table_that_names_a_delivery_is_in_the_list(desk: SmallRetailer) -> None:
    assert tables_by_batch(desk.con) - NOT_BELONGINGS.keys() == set(BELONGINGS)


def test_every_table_of_the_list_is_written_into_the_record(desk: SmallRetailer) -> None:
    assert {*manifest.RECORDED, "lake_file"} == tables_by_batch(desk.con) - NOT_BELONGINGS.keys()


@pytest.mark.parametrize("table", BELONGINGS)
def test_forgetting_a_delivery_empties_every_table_of_it_alone(desk: SmallRetailer, table: str) -> None:
    """A row of two deliveries in each table, made by the column types: the one's goes, the other's stays."""
    for batch in ("mine", "other"):
        book(desk.con, Booking(batch, "f", "e", NIGHT, 0, datetime(2026, 1, 6)))
        _plant(desk.con, table, batch)
    forget(desk.con, ["mine"])
    assert desk.con.execute(f"select batch_id from ops.{table}").fetchall() == [("other",)]
    assert batches(desk.con) == ["other"]


def _plant(con: duckdb.DuckDBPyConnection, table: str, batch: str) -> None:
    given = {
        "varchar": "'x'",
        "date": "date '2026-01-05'",
        "timestamp": "timestamp '2026-01-06'",
        "bigint": "0",
        "double": "0",
    }
    columns = con.execute(
        "select column_name, lower(data_type) from duckdb_columns() where schema_name = 'ops' and table_name = ?",
        [table],
    ).fetchall()
    values = {name: given.get(kind, "0" if kind.startswith("decimal") else "null") for name, kind in columns}
    listed = ", ".join(f"{value} as {name}" for name, value in (values | {"batch_id": f"'{batch}'"}).items())
    con.execute(f"insert into ops.{table} by name select {listed}")


def test_a_night_killed_before_its_gate_leaves_nothing(desk: SmallRetailer) -> None:
    all_kinds(desk)
    desk.land()
    (batch,) = batches(desk.con)
    assert held(desk.con, batch) == {"file", "quarantine", "repair", "drift", "control_total", "key_range"}
    _recovered(desk, batch)


def test_a_night_killed_after_its_gate_leaves_nothing(desk: SmallRetailer) -> None:
    all_kinds(desk)
    desk.land()
    contract_gate(desk.con, desk.gatekeeper, desk.settings, desk.feed(), NIGHT)
    (batch,) = batches(desk.con)
    assert held(desk.con, batch) == {"file", "quarantine", "repair", "drift", "control_total", "key_range", "profile"}
    _recovered(desk, batch)


def test_a_release_killed_before_its_gate_leaves_nothing(desk: SmallRetailer) -> None:
    all_kinds(desk)
    desk.take()
    desk = with_contract(desk, payments(least=-10))
    before = state(desk)
    assert stage_release(desk.con, desk.settings, desk.feed(), desk.retailer.policy, Selection()).accepted == 1
    batch = batches(desk.con)[-1]
    assert held(desk.con, batch) == {"released", "control_total", "key_range"}
    _recovered(desk, batch)
    assert state(desk) == before


def _recovered(desk: SmallRetailer, batch: str) -> None:
    recover(desk.con, desk.settings, "payments", "payment")
    assert held(desk.con, batch) == set()
    assert batch not in batches(desk.con)


def with_contract(desk: SmallRetailer, content: dict[str, Any]) -> SmallRetailer:
    feeds = load_feeds(write_contracts(desk.settings.contracts, content | {"version": "1.1.0"}), canonical())
    return replace(desk, retailer=replace(desk.retailer, feeds=feeds))


def state(desk: SmallRetailer) -> dict[str, list[tuple[Any, ...]]]:
    """Every table that belongs to a delivery, without the clock."""
    clock = {
        "file": "exclude (arrived_at, mtime_ns)",
        "quarantine": "exclude (quarantined_at)",
        "released": "exclude (released_at)",
    }
    queries = {name: f"select * {clock.get(name, '')} from ops.{name} order by all" for name in sorted(BELONGINGS)}
    return {name: desk.con.execute(query).fetchall() for name, query in queries.items()}


def replaced(desk: SmallRetailer) -> str:
    """A night of every kind and a release of it, then taken anew with one row; the older deliveries."""
    all_kinds(desk)
    desk.take()
    wider = with_contract(desk, payments(least=-10))
    stage_release(wider.con, wider.settings, wider.feed(), wider.retailer.policy, Selection())
    contract_gate(wider.con, wider.gatekeeper, wider.settings, wider.feed(), NIGHT)
    promote(wider.con, wider.settings)
    older = batches(desk.con)
    assert set().union(*(held(desk.con, batch) for batch in older)) == set(BELONGINGS) - {"quarantine"}
    deliver(desk, "O9,P9,1,CNY,7")
    land(wider.con, wider.settings, wider.feed(), wider.retailer.policy, NEXT, [NIGHT])
    results = contract_gate(wider.con, wider.gatekeeper, wider.settings, wider.feed(), NEXT)
    assert [result.rule for result in results if result.blocks] == []
    promote(wider.con, wider.settings)
    return older[0]


def test_a_night_taken_anew_leaves_nothing_of_what_was_there(desk: SmallRetailer) -> None:
    replaced(desk)
    *older, newest = batches(desk.con)
    assert len(older) == 2
    assert {batch: held(desk.con, batch) for batch in older} == {batch: set() for batch in older}
    assert held(desk.con, newest) == {"file", "drift", "control_total", "key_range", "profile", "lake_file"}
    assert desk.con.execute("select distinct batch_id from ops.control_total").fetchall() == [(newest,)]


def test_a_night_taken_anew_keeps_its_neighbours(desk: SmallRetailer) -> None:
    deliver(desk, "O5,P5,2,cny,7", "O6,P6,-2,CNY,7", night=NEXT)
    all_kinds(desk)
    desk.take(NEXT)
    (neighbour,) = [batch for batch in batches(desk.con) if "20260106" in batch]
    before = held(desk.con, neighbour)
    deliver(desk, "O9,P9,1,CNY,7")
    land(desk.con, desk.settings, desk.feed(), desk.retailer.policy, NEXT, [NIGHT])
    contract_gate(desk.con, desk.gatekeeper, desk.settings, desk.feed(), NEXT)
    promote(desk.con, desk.settings)
    assert held(desk.con, neighbour) == before == set(BELONGINGS) - {"released"}


@pytest.mark.parametrize("forgotten", ["control_total", "drift"])
def test_a_recovery_that_forgets_a_table_is_found(
    desk: SmallRetailer,
    monkeypatch: pytest.MonkeyPatch,
    forgotten: str,
) -> None:
    """The tests above are held against a ledger whose list lacks one table: they fail."""
    _without(monkeypatch, forgotten)
    with pytest.raises(AssertionError):
        test_a_night_killed_before_its_gate_leaves_nothing(desk)


@pytest.mark.parametrize("forgotten", ["control_total", "drift"])
def test_a_replacement_that_forgets_a_table_is_found(
    desk: SmallRetailer,
    monkeypatch: pytest.MonkeyPatch,
    forgotten: str,
) -> None:
    _without(monkeypatch, forgotten)
    with pytest.raises(AssertionError):
        test_a_night_taken_anew_leaves_nothing_of_what_was_there(desk)


def _without(monkeypatch: pytest.MonkeyPatch, table: str) -> None:
    """`remove` loops over a list without the table; what is to be removed of one table alone still is."""
    rest = tuple(name for name in BELONGINGS if name != table)
    whole = belongings.remove

    def forgetful(con: duckdb.DuckDBPyConnection, batches: Any, tables: Any = rest) -> None:
        whole(con, batches, tables)

    monkeypatch.setattr("onedata.ledger.moves.remove", forgetful)
