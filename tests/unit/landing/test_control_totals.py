"""The money of a file's rows, by outcome."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import duckdb
import pytest
from small_retailer import NEXT, NIGHT, SmallRetailer, contract

from onedata.contracts import Feed
from onedata.landing.control_totals import control_totals_sql, repeated_totals_sql
from onedata.ledger import create_ledger
from onedata.ledger.belongings import add

PAYMENTS = contract(
    "payments",
    entity="payment",
    path="payments/{ds}.csv",
    properties=[
        {"name": "order_id", "physicalName": "order"},
        {"name": "payment_id", "physicalName": "payment"},
        {"name": "amount", "physicalName": "amount"},
        {"name": "currency", "physicalName": "currency"},
    ],
)
COUNTS = "path, currency, received, accepted, quarantined, duplicate"


@pytest.fixture
def payments(retail: Any) -> Feed:
    retailer: SmallRetailer = retail(PAYMENTS, contract())
    return retailer.feed("payments")


@pytest.fixture
def landing(con: duckdb.DuckDBPyConnection) -> duckdb.DuckDBPyConnection:
    """Two files' typed rows as they stand when a landing has judged them: file, fate, amount, currency."""
    create_ledger(con)
    con.execute(
        "create temp table landing_files as select * from (values ('a.csv', 'h1', 'b1', date '2026-01-05'), ('b.csv', "
        "'h2', 'b1', date '2026-01-05')) t(path, content_hash, batch_id, ds); "
        "create temp table typed as select * from (values ('a.csv', 'good', 10.10, 'CNY'), ('a.csv', 'good', 5, "
        "'EUR'), ('a.csv', 'bad', -3, 'CNY'), "
        "('a.csv', 'bad', null, null), "
        "('a.csv', 'again', 7, 'CNY'), ('b.csv', 'good', 1, 'CNY')) t(_file, fate, amount, currency)"
    )
    return con


def totals(con: duckdb.DuckDBPyConnection, columns: str = COUNTS) -> list[tuple[Any, ...]]:
    return con.execute(f"select {columns} from ops.control_total order by all").fetchall()


def write(con: duckdb.DuckDBPyConnection, feed: Feed, received: str = "typed") -> None:
    fates = {"accepted": "good", "quarantined": "bad", "duplicate": "again"}
    relations = {received: ["received"]} | {
        f"(from typed where fate = '{fate}')": [name] for name, fate in fates.items()
    }
    sql = control_totals_sql(feed, relations)
    assert sql is not None
    add(con, "control_total", sql)


def test_each_file_has_its_totals_by_currency_and_fate(landing: duckdb.DuckDBPyConnection, payments: Feed) -> None:
    write(landing, payments)
    assert totals(landing) == [
        ("a.csv", "CNY", Decimal("14.1"), Decimal("10.1"), -3, 7),
        ("a.csv", "EUR", 5, 5, 0, 0),
        ("a.csv", "XXX", 0, 0, 0, 0),
        ("b.csv", "CNY", 1, 1, 0, 0),
    ]


def test_a_total_names_its_file_batch_and_night(landing: duckdb.DuckDBPyConnection, payments: Feed) -> None:
    write(landing, payments)
    assert totals(landing, "feed, path, content_hash, batch_id, ds, total_name")[0] == (
        "payments",
        "a.csv",
        "h1",
        "b1",
        NIGHT,
        "amount",
    )


def test_money_that_is_in_no_fate_shows(landing: duckdb.DuckDBPyConnection, payments: Feed) -> None:
    write(landing, payments, "(from typed union all select 'b.csv', 'lost', 4, 'CNY')")
    assert totals(landing, "path, received - accepted - quarantined - duplicate as lost")[-1] == ("b.csv", 4)


def test_an_entity_without_money_has_no_control_totals(retail: Any) -> None:
    assert control_totals_sql(retail(contract()).feed(), {"a": ["received"]}) is None


def test_a_repeated_file_is_duplicate_to_the_cent(landing: duckdb.DuckDBPyConnection, payments: Feed) -> None:
    write(landing, payments)
    add(landing, "control_total", repeated_totals_sql(payments, "copy.csv", NEXT, "h1", "a.csv", "b2"))
    assert [row[1:] for row in totals(landing) if row[0] == "copy.csv"] == [
        ("CNY", Decimal("14.1"), 0, 0, Decimal("14.1")),
        ("EUR", 5, 0, 0, 5),
        ("XXX", 0, 0, 0, 0),
    ]
    assert (NEXT, "b2") in totals(landing, "ds, batch_id")
