"""Which models have balances of versions, which rows are superseded, and when the last balances stand."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Any

import duckdb
import pytest
from small_retailer import NEXT, NIGHT, canonical, settings_in
from test_reconcile_versions import ORDER, draw, lake, order, stands

from onedata.contracts.derive import lake_columns
from onedata.ledger.moves import Booking, book
from onedata.quality.reconcile import Scope, reconcile
from onedata.quality.reconcile_versions import Latest, fresh_balances, latest_models, superseded, version_balances

__all__ = ["lake"]
SURVEY = canonical()["survey_response"]
MODEL = Latest(ORDER, "dwd", "dwd_order")
ANSWERS = Latest(SURVEY, "dwd", "dwd_survey_response")
"""A model of an entity without money."""


def is_drawn_anew(con: duckdb.DuckDBPyConnection, model: Latest = MODEL) -> bool:
    return version_balances(con, model) == fresh_balances(model)


def node(name: str, schema: str = "dwd", kind: str = "model", entity: str = "sales_order", *key: str) -> dict[str, Any]:
    return {
        "resource_type": kind,
        "schema": schema,
        "name": name,
        "depends_on": {"nodes": ["source.onedata.ops.batch", f"model.onedata.ods_{entity}"]},
        "config": {"unique_key": ["source_system", *(key or ORDER.key)]},
    }


def test_models_of_the_layer_that_have_the_key_of_their_entity_are_found() -> None:
    nodes = [
        node("dwd_b"),
        node("dwd_a"),
        node("dim_a", "dim"),
        node("dwd_test", "dwd", "test"),
        node("dwd_unknown", "dwd", "model", "nothing"),
        node("dwd_by_line", "dwd", "model", "sales_order", "order_id", "line_id"),
    ]
    manifest = {"nodes": {one["name"]: one for one in nodes}}
    entities = {"sales_order": ORDER}
    assert latest_models(entities, manifest, "dwd") == [Latest(ORDER, "dwd", "dwd_a"), Latest(ORDER, "dwd", "dwd_b")]


def test_delivered_rows_are_those_of_all_deliveries_of_the_entity(lake: duckdb.DuckDBPyConnection) -> None:
    for batch, entity, rows, status in (
        ("a", "sales_order", 3, "accepted"),
        ("b", "sales_order", 2, "applied"),
        ("c", "payment", 100, "accepted"),
        ("d", "sales_order", 100, "staged"),
    ):
        book(lake, Booking(batch, "f", entity, NIGHT, rows, datetime(2026, 1, 6)))
        lake.execute("update ops.delivery set status = ? where batch_id = ?", [status, batch])
    stands(lake, "1")
    query = f"select total_in, total_out, excluded from ({fresh_balances(MODEL)}) where measure = 'rows'"
    assert lake.execute(query).fetchall() == [(5, 1, {})]
    lake.execute("delete from ops.delivery")
    assert lake.execute(query).fetchall() == [(0, 1, {})]


def test_money_that_is_owed_is_balanced_too(lake: duckdb.DuckDBPyConnection) -> None:
    order(lake, "-5", "2026-01-05")
    stands(lake, "-5")
    assert draw(lake) == {}
    query = "select distinct total_in, total_out from ops.reconciliation where measure = 'total_amount'"
    assert lake.execute(query).fetchall() == [(-5, -5)]


def test_of_several_feeds_the_version_decides_before_the_night(lake: duckdb.DuckDBPyConnection) -> None:
    order(lake, "10", "2026-01-06", feed="a")
    order(lake, "20", "2026-01-05", NEXT, feed="b")
    stands(lake, "10")
    assert draw(lake) == {}


def test_of_feeds_that_tie_in_everything_the_first_by_name_stands(lake: duckdb.DuckDBPyConnection) -> None:
    order(lake, "1", None, feed="a")
    order(lake, "2", None, feed="b", priority=0)
    order(lake, "4", None, feed="c")
    stands(lake, "1")
    assert draw(lake) == {}


def test_where_nothing_arrived_the_last_balances_that_closed_stand(lake: duckdb.DuckDBPyConnection) -> None:
    assert is_drawn_anew(lake)
    order(lake, "1", "2026-01-05")
    stands(lake, "1")
    assert draw(lake) == {}
    assert is_drawn_anew(lake)  # its delivery is not published
    assert draw(lake, "applied") == {}
    assert not is_drawn_anew(lake)
    order(lake, "2", "2026-01-05", number="2")
    stands(lake, "2", number="2")
    assert draw(lake) == {}
    lake.execute("update ops.delivery set status = 'applied' where entity = 'sales_order'")
    assert not is_drawn_anew(lake)  # what another entity waits with is none of its business
    before = "select * exclude (checked_at, run_id) from ops.reconciliation where model = 'dwd_order' and checked_at = "
    last = lake.execute(f"{before} (select max(checked_at) from ops.reconciliation) order by all").fetchall()
    assert draw(lake, "applied") == {}
    assert lake.execute(f"{before} (select max(checked_at) from ops.reconciliation) order by all").fetchall() == last


def test_rows_that_arrived_and_are_not_in_the_model_are_found(lake: duckdb.DuckDBPyConnection) -> None:
    order(lake, "1", "2026-01-05")
    stands(lake, "1")
    assert draw(lake) == {}
    order(lake, "2", "2026-01-05", number="2")
    assert set(draw(lake)) == {"dwd_order, rows_reconciled", "dwd_order, money_reconciled"}


def test_a_balance_that_did_not_close_is_drawn_anew_though_its_model_is_as_it_was(
    lake: duckdb.DuckDBPyConnection,
) -> None:
    order(lake, "1", "2026-01-05")
    stands(lake, "2")
    assert draw(lake, "applied") != {}
    lake.execute("update ods.ods_sales_order set total_amount = 2")
    assert draw(lake, "applied") == {}


@pytest.mark.parametrize(("before", "after"), [("EUR", "CNY"), ("CNY", "EUR")])
def test_a_currency_that_comes_or_goes_is_a_change(lake: duckdb.DuckDBPyConnection, before: str, after: str) -> None:
    """Of an amount of nothing, so that no sum tells it."""
    for number, amount in (("1", "5"), ("2", "0")):
        order(lake, amount, "2026-01-05", number=number, shipping="0")
        stands(lake, amount, number=number, shipping="0")
    for table in ("ods.ods_sales_order", "dwd.dwd_order"):
        lake.execute(f"update {table} set currency = ? where order_id = '2'", [before])
    assert draw(lake, "applied") == {}
    assert not is_drawn_anew(lake)
    lake.execute("update dwd.dwd_order set currency = ? where order_id = '2'", [after])
    assert is_drawn_anew(lake)


def test_a_model_without_money_is_balanced_by_its_rows(lake: duckdb.DuckDBPyConnection) -> None:
    columns = ", ".join(f"{column} {kind}" for column, kind in {**lake_columns(SURVEY), "ds": "date"}.items())
    lake.execute(f"create table ods.ods_survey_response ({columns}); create table dwd.dwd_survey_response ({columns})")
    lake.execute("insert into dwd.dwd_survey_response (source_system, response_id) values ('shop', 'A1')")
    book(lake, Booking("a", "f", "survey_response", NIGHT, 1, datetime(2026, 1, 6)))
    lake.execute("update ops.delivery set status = 'applied'")
    manifest = {"nodes": {"a": node(ANSWERS.name, "dwd", "model", SURVEY.name, *SURVEY.key)}}
    scope = Scope(settings_in(Path("nowhere")), (), {SURVEY.name: SURVEY}, manifest)
    (results,) = reconcile(lake, scope, "dwd", NIGHT, "run").values()
    assert [(one.rule, one.passed, one.message) for one in results] == [("rows_reconciled", True, "1 balances close")]
    assert not is_drawn_anew(lake, ANSWERS)


@pytest.mark.parametrize(
    ("priorities", "latest"),
    [
        ({"a": None, "b": 1, "c": None}, "b"),
        ({"a": None, "b": 2, "c": 1}, "b"),
        ({"a": None, "b": 0, "c": None}, "a"),
        ({"b": -1, "c": None}, "c"),
    ],
)
def test_between_feeds_the_priority_decides_what_is_superseded_and_then_the_name(
    lake: duckdb.DuckDBPyConnection, priorities: dict[str, int | None], latest: str
) -> None:
    for row, (feed, priority) in enumerate(priorities.items()):
        order(lake, "1", None, feed=feed, priority=priority, row=row)
    found = lake.execute(f"select _feed from ({superseded(MODEL)}) order by 1").fetchall()
    assert found == [(feed,) for feed in sorted(priorities) if feed != latest]
