"""From the files to the lake: every row and cent is accounted for, and if not, the gate names the file and the
amount."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from small_retailer import NEXT, NIGHT, SmallRetailer, contract

from onedata.landing.control_totals import FATES
from onedata.ledger.promote import promote
from onedata.quality.reconcile import Scope, drawn, reconcile
from onedata.quality.results import CheckResult
from onedata.sql import quote_text

PAYMENTS = contract(
    "payments",
    entity="payment",
    path="payments/{ds}.csv",
    quarantineTolerance=0.9,
    properties=[
        {"name": "order_id", "physicalName": "order"},
        {"name": "payment_id", "physicalName": "payment"},
        {"name": "amount", "physicalName": "amount", "logicalType": "number", "logicalTypeOptions": {"minimum": 0}},
        {"name": "currency", "physicalName": "currency"},
    ],
)
# One accepted, one below its minimum, one that is no number, one twice.
ROWS = ("O1,1,10.10,CNY", "O2,1,-3,CNY", "O3,1,ten,CNY", "O1,1,10.10,CNY")
MONEY = {"received": "17.20", "accepted": "10.10", "quarantined": "-3", "duplicate": "10.10"}


@pytest.fixture
def shop(retail: Callable[..., SmallRetailer]) -> SmallRetailer:
    """A feed with money and the ODS view of its rows."""
    world = retail(PAYMENTS)
    files = quote_text(str(world.settings.lake / "ods" / "payment" / "*" / "*" / "*.parquet"))
    types = "hive_partitioning = true, hive_types = {'source': varchar, 'ds': date}"
    world.con.execute(f"create view ods.ods_payment as select * from read_parquet({files}, {types})")
    return world


def deliver(shop: SmallRetailer, *rows: str, night: Any = NIGHT, name: str = "") -> None:
    """A file of payments, landed, passed and moved into the lake."""
    shop.put(f"payments/{name or night}.csv", "\n".join(["order,payment,amount,currency", *rows]) + "\n")
    shop.land(night)
    shop.con.execute("update ops.delivery set status = 'passed' where status = 'staged'")
    promote(shop.con, shop.settings)


def known(shop: SmallRetailer, night: Any = NIGHT, **money: str) -> None:
    """Control totals of the night's file, as landing writes them."""
    amounts = ", ".join(f"{amount}::decimal(38, 4)" for amount in (MONEY | money).values())
    shop.con.execute("delete from ops.control_total where ds = ?", [night])
    shop.con.execute(
        f"insert into ops.control_total select feed, path, content_hash, batch_id, ds, 'amount', 'CNY', {amounts} "
        "from ops.file where ds = ?",
        [night],
    )


def check(shop: SmallRetailer, night: Any = NIGHT) -> list[CheckResult]:
    scope = Scope(shop.settings, shop.retailer.feeds, shop.retailer.entities, {"nodes": {}})
    return reconcile(shop.con, scope, "ods", night, f"run {night}").get("ods_payment", [])


def broken(shop: SmallRetailer, night: Any = NIGHT) -> dict[str, str]:
    """Rule to message, of what does not close."""
    return {result.rule: result.message for result in check(shop, night) if result.blocks}


def test_rows_and_money_of_a_file_close(shop: SmallRetailer) -> None:
    deliver(shop, *ROWS)
    known(shop, received="17.20", duplicate="10.10")
    assert broken(shop) == {}


def test_every_way_of_counting_is_a_balance(shop: SmallRetailer) -> None:
    deliver(shop, *ROWS)
    known(shop)
    check(shop)
    balances = {(layer, measure): (i, o, excluded) for layer, measure, i, o, excluded in _balances(shop)}
    assert balances == {
        ("landing", "rows"): (4, 1, {"quarantined": 2, "duplicate": 1}),
        ("landing", "rows kept in quarantine"): (2, 2, {}),
        ("landing", "rows in deliveries"): (1, 1, {}),
        ("landing", "control totals"): (1, 1, {}),
        ("landing", "amount"): (Decimal("17.2"), Decimal("10.1"), {"quarantined": -3, "duplicate": Decimal("10.1")}),
        ("ods", "rows"): (1, 1, {}),
        ("ods", "amount"): (Decimal("10.1"), Decimal("10.1"), {}),
    }


def _balances(shop: SmallRetailer) -> list[tuple[Any, ...]]:
    return shop.con.execute("select layer, measure, total_in, total_out, excluded from ops.reconciliation").fetchall()


def test_a_row_lost_from_the_lake_closes_the_gate(shop: SmallRetailer) -> None:
    deliver(shop, "O1,1,10.10,CNY", "O2,1,5,CNY")
    known(shop, received="15.10", accepted="15.10", quarantined="0", duplicate="0")
    (file,) = (shop.settings.lake / "ods" / "payment" / "source=payments").rglob("*.parquet")
    shop.con.execute(f"copy (from read_parquet('{file}') where order_id = 'O1') to '{file}.new' (format parquet)")
    Path(f"{file}.new").replace(file)
    messages = broken(shop)
    assert messages["rows_reconciled"] == (
        "layer ods, night 2026-01-05: rows for 2026-01-05: 2 in, 1 out, nothing excluded: difference 1"
    )
    assert (
        "amount CNY for 2026-01-05: 15.10 in, 10.10 out, nothing excluded: difference 5" in messages["money_reconciled"]
    )


def test_a_file_that_is_gone_from_the_lake_closes_the_gate(shop: SmallRetailer) -> None:
    deliver(shop, *ROWS)
    for file in (shop.settings.lake / "ods" / "payment" / "source=payments").rglob("*.parquet"):
        file.unlink()
    assert "1 in, 0 out" in broken(shop)["rows_reconciled"]


def test_a_file_in_the_lake_with_more_rows_than_its_delivery_closes_the_gate(shop: SmallRetailer) -> None:
    deliver(shop, *ROWS)
    (file,) = (shop.settings.lake / "ods" / "payment" / "source=payments").rglob("*.parquet")
    rows = pq.ParquetFile(file).read()
    pq.write_table(pa.concat_tables([rows, rows]), file)
    assert "difference -1" in broken(shop)["rows_reconciled"]


def test_a_row_that_the_ledger_lost_is_told_with_its_file(shop: SmallRetailer) -> None:
    deliver(shop, *ROWS)
    shop.con.execute("update ops.file set quarantined = quarantined - 1")
    assert (
        "rows in payments/2026-01-05.csv for 2026-01-05: 4 in, 1 out, 1 quarantined, 1 duplicate excluded: difference 1"
        in (broken(shop)["rows_reconciled"])
    )


def test_a_quarantined_row_that_is_gone_is_told_with_its_file(shop: SmallRetailer) -> None:
    deliver(shop, *ROWS)
    shop.con.execute("delete from ops.quarantine where row = 2")
    assert (
        "rows kept in quarantine in payments/2026-01-05.csv for 2026-01-05: 2 in, 1 out"
        in broken(shop)["rows_reconciled"]
    )


def test_a_delivery_with_another_count_than_its_files_closes_the_gate(shop: SmallRetailer) -> None:
    deliver(shop, *ROWS)
    shop.con.execute("update ops.delivery set rows = 2")
    assert "rows in deliveries" in broken(shop)["rows_reconciled"]


@pytest.mark.parametrize("fate", FATES)
def test_a_cent_is_missed_wherever_it_is_lost(shop: SmallRetailer, fate: str) -> None:
    deliver(shop, *ROWS)
    known(shop, **{fate: str(Decimal(MONEY[fate]) + Decimal("0.01"))})
    assert "0.01" in broken(shop)["money_reconciled"]


def test_a_cent_changed_in_the_lake_closes_the_gate(shop: SmallRetailer) -> None:
    deliver(shop, *ROWS)
    known(shop)
    (file,) = (shop.settings.lake / "ods" / "payment" / "source=payments").rglob("*.parquet")
    shop.con.execute(
        "copy (select * replace (amount + 0.01 as amount) "
        f"from read_parquet('{file}')) to '{file}.new' (format parquet)"
    )
    Path(f"{file}.new").replace(file)
    assert broken(shop) == {
        "money_reconciled": "layer ods, night 2026-01-05: amount CNY for 2026-01-05: 10.10 in, 10.11 out, nothing "
        "excluded: difference -0.01"
    }


def test_files_from_before_control_totals_are_told_and_do_not_close_the_gate(shop: SmallRetailer) -> None:
    deliver(shop, *ROWS)
    shop.con.execute("delete from ops.control_total")
    assert broken(shop) == {}
    told = shop.con.execute(
        "select total_in, total_out, excluded from ops.reconciliation where unit = 'files'"
    ).fetchall()
    assert told == [(1, 0, {"landed before control totals were kept": 1})]


def test_a_file_without_control_totals_after_others_had_them_closes_the_gate(shop: SmallRetailer) -> None:
    deliver(shop, *ROWS)
    known(shop)
    check(shop)
    deliver(shop, "O9,1,1,CNY", night=NEXT)
    shop.con.execute("delete from ops.control_total where ds = ?", [NEXT])
    assert (
        "control totals in payments/2026-01-06.csv for 2026-01-06: 1 in, 0 out, nothing excluded: difference 1"
        in broken(shop, NEXT)["rows_reconciled"]
    )


def test_a_repeated_file_is_duplicate_in_every_balance(shop: SmallRetailer) -> None:
    deliver(shop, *ROWS)
    known(shop)
    check(shop)
    deliver(shop, *ROWS, night=NEXT)
    known(shop, NEXT, accepted="0", quarantined="0", duplicate="17.20")
    assert broken(shop, NEXT) == {}
    assert shop.con.execute(
        "select measure, total_in, excluded from ops.reconciliation where ds = ? and path is not null order by 1",
        [NEXT],
    ).fetchall() == [
        ("amount", Decimal("17.2"), {"duplicate": Decimal("17.2")}),
        ("control totals", 1, {}),
        ("rows", 4, {"duplicate": 4}),
    ]


def test_each_file_is_drawn_once_it_arrived_and_not_every_night(shop: SmallRetailer) -> None:
    deliver(shop, *ROWS)
    check(shop)
    shop.con.execute("update ops.delivery set status = 'applied'")
    assert check(shop, NEXT) == []


def test_a_late_file_is_drawn_in_its_own_partition_with_what_was_there(shop: SmallRetailer) -> None:
    deliver(shop, *ROWS, night=NIGHT)
    shop.con.execute("update ops.delivery set status = 'applied'")
    check(shop)
    deliver(shop, "O7,1,1,CNY", night=NEXT, name=str(NIGHT))
    assert broken(shop, NEXT) == {}
    late = shop.con.execute(
        "select ds, total_in, total_out from ops.reconciliation where layer = 'ods' and measure = 'rows' and night = ?",
        [NEXT],
    ).fetchall()
    assert late == [(NIGHT, 2, 2)]


def test_the_table_for_a_person_begins_with_what_does_not_close(shop: SmallRetailer) -> None:
    deliver(shop, *ROWS)
    shop.con.execute("update ops.file set accepted = accepted + 1, received = received + 1")
    check(shop)
    rows = drawn(shop.con, "ods_payment", f"run {NIGHT}")
    assert [row[3] for row in rows if row[-1] != "0"] == [rows[0][3]] == ["rows in deliveries"]
