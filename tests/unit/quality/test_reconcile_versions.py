"""From ODS to the latest version: superseded rows are determined from the lake, in version order, and must explain the
whole difference."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import pytest
from small_retailer import NEXT, NIGHT, canonical, settings_in

from onedata.contracts.derive import lake_columns
from onedata.ledger import create_ledger
from onedata.quality.reconcile import Scope, create_reconciliation, reconcile, reconciled_models

ORDER, SPEND = canonical()["sales_order"], canonical()["marketing_spend"]
MANIFEST = {
    "nodes": {
        name: {
            "resource_type": "model",
            "schema": "dwd",
            "name": name,
            "depends_on": {"nodes": [f"model.onedata.ods_{entity.name}", "source.onedata.ops.batch"]},
            "config": {"unique_key": ["source_system", *entity.key]},
        }
        for name, entity in (("dwd_order", ORDER), ("dwd_marketing_spend", SPEND))
    }
}


@pytest.fixture
def lake() -> duckdb.DuckDBPyConnection:
    """Empty ODS and DWD tables of orders, which have a version, and spend, which has none."""
    con = duckdb.connect()
    create_ledger(con)
    create_reconciliation(con)
    con.execute("create schema ods; create schema dwd")
    for entity, name in ((ORDER, "dwd_order"), (SPEND, "dwd_marketing_spend")):
        columns = ", ".join(f"{column} {kind}" for column, kind in {**lake_columns(entity), "ds": "date"}.items())
        con.execute(f"create table ods.ods_{entity.name} ({columns}); create table dwd.{name} ({columns})")
    return con


def order(
    con: duckdb.DuckDBPyConnection,
    amount: str | None,
    updated: str | None,
    ds: Any = NIGHT,
    row: int = 1,
    number: str = "1",
    feed: str = "shop_orders",
    mapped: str = "order_id,total_amount,currency,updated_at",
    shipping: str | None = None,
    priority: int | None = None,
) -> None:
    """One delivered version of an order."""
    con.execute(
        "insert into ods.ods_sales_order (source_system, order_id, total_amount, shipping_amount, currency, "
        "updated_at, ds, _feed, _file, _row, _mapped, _priority) "
        "values ('shop', ?, ?, ?, 'cny', ?, ?, ?, 'f', ?, ?, ?)",
        [number, amount, shipping, updated, ds, feed, row, mapped, priority],
    )


def stands(con: duckdb.DuckDBPyConnection, amount: str, number: str = "1", shipping: str | None = None) -> None:
    """The version that DWD holds."""
    con.execute(
        "insert into dwd.dwd_order (source_system, order_id, total_amount, shipping_amount, currency) "
        "values ('shop', ?, ?, ?, 'CNY')",
        [number, amount, shipping],
    )


def draw(con: duckdb.DuckDBPyConnection, status: str = "accepted") -> dict[str, str]:
    """Rule to message of what does not close, all rows being one delivery."""
    con.execute("delete from ops.delivery")
    for entity in (ORDER, SPEND):
        con.execute(
            "insert into ops.delivery (batch_id, feed, entity, ds, status, rows, landed_at, applied_at, replaces) "
            f"select '{entity.name}', 'f', '{entity.name}', date '{NIGHT}', '{status}', count(*), now()::timestamp, "
            f"null, [] from ods.ods_{entity.name}"
        )
    scope = Scope(settings_in(Path("nowhere")), (), {"sales_order": ORDER, "marketing_spend": SPEND}, MANIFEST)
    results = reconcile(con, scope, "dwd", NIGHT, "run")
    return {
        f"{model}, {result.rule}": result.message
        for model, of_model in results.items()
        for result in of_model
        if result.blocks
    }


def superseded(con: duckdb.DuckDBPyConnection, measure: str = "total_amount") -> Any:
    row = con.execute(
        "select excluded['superseded versions'] from ops.reconciliation where subject = 'ods_sales_order -> dwd_order' "
        "and measure = ? order by checked_at desc limit 1",
        [measure],
    ).fetchone()
    return row[0] if row else None


def test_the_models_that_keep_the_latest_version_are_found_by_their_key() -> None:
    scope = Scope(settings_in(Path("nowhere")), (), {"sales_order": ORDER, "marketing_spend": SPEND}, MANIFEST)
    assert reconciled_models(scope, "dwd") == ["dwd_marketing_spend", "dwd_order"]


def test_rows_and_money_of_one_version_a_key_close(lake: duckdb.DuckDBPyConnection) -> None:
    order(lake, "10.10", "2026-01-05")
    stands(lake, "10.10")
    assert draw(lake) == {}


@pytest.mark.parametrize(
    ("versions", "latest"),
    [
        ([("1", "2026-01-04", NIGHT, 1), ("2", "2026-01-05", NIGHT, 2)], "2"),
        ([("1", "2026-01-05", NIGHT, 1), ("2", "2026-01-04", NEXT, 1)], "1"),  # an older version that comes later
        ([("1", "2026-01-01", NIGHT, 1), ("2", None, NEXT, 1)], "1"),  # an unknown version is the oldest
        ([("1", None, NIGHT, 9), ("2", None, NEXT, 1)], "2"),  # without versions the night decides
        ([("1", None, NIGHT, 9), ("2", None, NIGHT, 10)], "2"),  # and then the place in the file
    ],
)
def test_the_latest_version_stands_and_the_other_is_named(
    lake: duckdb.DuckDBPyConnection, versions: list[Any], latest: str
) -> None:
    for version in versions:
        order(lake, *version)
    stands(lake, latest)
    assert draw(lake) == {}
    assert superseded(lake) == Decimal("3") - Decimal(latest)
    assert superseded(lake, "rows") == 1


def test_another_version_than_the_latest_is_a_difference(lake: duckdb.DuckDBPyConnection) -> None:
    order(lake, "1", "2026-01-05")
    order(lake, "2", "2026-01-04", NEXT)
    stands(lake, "2")
    assert draw(lake) == {
        "dwd_order, money_reconciled": "layer dwd, night 2026-01-05: total_amount CNY: 3 in, 2 out, 2 superseded "
        "versions excluded: difference -1"
    }


def test_a_key_that_is_lost_is_a_difference(lake: duckdb.DuckDBPyConnection) -> None:
    order(lake, "1", "2026-01-05")
    order(lake, "2", "2026-01-05", number="2")
    stands(lake, "1")
    assert set(draw(lake)) == {"dwd_order, rows_reconciled", "dwd_order, money_reconciled"}


def test_a_key_that_no_file_delivered_is_a_difference(lake: duckdb.DuckDBPyConnection) -> None:
    stands(lake, "1")
    assert draw(lake)["dwd_order, rows_reconciled"].endswith("0 in, 1 out, nothing excluded: difference -1")


def test_of_several_feeds_each_amount_is_that_of_the_newest_feed_that_maps_it(lake: duckdb.DuckDBPyConnection) -> None:
    costs = "order_id,shipping_amount,currency,updated_at"
    order(lake, "7", "2026-01-04")
    order(lake, "10", "2026-01-05", row=2)
    order(lake, None, "2026-01-06", feed="costs", mapped=costs, shipping="3")
    stands(lake, "10", shipping="3")
    assert draw(lake) == {}
    assert superseded(lake) == Decimal("7")
    assert superseded(lake, "rows") == 2
    # The newer file tells no order total: an empty one would be wrong, and so would the older of the feed's own.
    lake.execute("update dwd.dwd_order set total_amount = null")
    assert set(draw(lake)) == {"dwd_order, money_reconciled"}
    lake.execute("update dwd.dwd_order set total_amount = 7")
    assert set(draw(lake)) == {"dwd_order, money_reconciled"}


def test_of_two_feeds_that_tie_the_one_with_priority_gives_the_amount(lake: duckdb.DuckDBPyConnection) -> None:
    order(lake, "1", None, feed="b", priority=1)
    order(lake, "2", None, feed="c")
    order(lake, "4", None, feed="a")
    stands(lake, "1")
    assert draw(lake) == {}
    assert superseded(lake) == Decimal("6")


def test_what_changed_while_nothing_arrived_is_drawn_anew(lake: duckdb.DuckDBPyConnection) -> None:
    order(lake, "1", "2026-01-05")
    stands(lake, "1")
    assert draw(lake) == {}
    lake.execute("update dwd.dwd_order set total_amount = 1.01")
    assert "difference -0.01" in draw(lake, "applied")["dwd_order, money_reconciled"]


def test_a_balance_that_did_not_close_is_drawn_anew_though_nothing_arrived(lake: duckdb.DuckDBPyConnection) -> None:
    order(lake, "1", "2026-01-05")
    stands(lake, "2")
    assert draw(lake) != {}
    lake.execute("update dwd.dwd_order set total_amount = 1")
    assert draw(lake, "applied") == {}
