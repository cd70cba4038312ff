"""Late files land in their own partition and rebuild what depends on them; a correction wins by its version, not by its
arrival."""

from decimal import ROUND_HALF_UP, Decimal
from typing import Any

import duckdb
import pytest
from corrections import CORRECTED, LATE_ORDER, LATE_PRICE, NEW_PRICE, NEW_RATE, OLD_PRICE, two_orders
from support import NIGHTS, Story, ask, rows


@pytest.fixture(scope="module")
def orders(corrected: Story) -> tuple[int, int]:
    """The order of which an older version came, and the one of which a newer one did."""
    return two_orders(corrected.settings.source)


def test_a_late_file_lands_in_the_partition_of_its_own_night(corrected: Story) -> None:
    folder = corrected.settings.lake / "ods" / "sales_order" / "source=shop_orders"
    with duckdb.connect() as con:
        found = rows(
            con,
            f"select distinct ds::varchar from read_parquet('{folder}/*/*.parquet', hive_partitioning = true) "
            f"where order_id = '{LATE_ORDER}'",
        )
    assert found == [(str(NIGHTS[0]),)]


def test_a_late_file_does_not_touch_the_files_that_lay_there(empty: Story, corrected: Story) -> None:
    """The lake is the home's own, so the deliveries of the ledger tell what lay there."""
    before = ask(empty.warehouse, "select batch_id, rows from ops.delivery where feed = 'shop_orders'")
    assert set(before) < set(
        ask(corrected.warehouse, "select batch_id, rows from ops.delivery where feed = 'shop_orders'")
    )


def test_a_late_order_counts_on_its_own_day(empty: Story, corrected: Story) -> None:
    assert _order(corrected, LATE_ORDER) == [(NIGHTS[0], Decimal(LATE_PRICE))]
    assert _order(empty, LATE_ORDER) == []


def test_an_older_version_that_comes_later_changes_nothing(
    empty: Story, corrected: Story, orders: tuple[int, int]
) -> None:
    assert _order(corrected, orders[0]) == _order(empty, orders[0]) != []
    versions = ask(
        corrected.warehouse,
        f"select count(*), count(*) filter (where unit_price = {OLD_PRICE}) from ods.ods_order_line "
        f"where order_id = '{orders[0]}'",
    )
    assert versions[0][0] > versions[0][1] == 1


def test_a_newer_version_wins_also_from_an_earlier_nights_file(corrected: Story, orders: tuple[int, int]) -> None:
    assert [amount for _, amount in _order(corrected, orders[1])] == [Decimal(NEW_PRICE)]


def test_without_a_version_the_later_night_wins(empty: Story, corrected: Story) -> None:
    changed = _changed(empty, corrected, "dwd.dwd_marketing_spend", "spend_date, ds, spend")
    assert changed == [(NIGHTS[0], CORRECTED, Decimal(NEW_PRICE))]


def test_only_days_that_were_touched_are_other_than_before(empty: Story, corrected: Story) -> None:
    """The first night by its orders, the second by its exchange rate, in the channel that takes euros."""
    changed = _changed(empty, corrected, "dws.dws_channel_day", "business_date, channel")
    assert {row[0] for row in changed} == {*NIGHTS[:2]}
    assert {row for row in changed if row[0] == NIGHTS[1]} == {(NIGHTS[1], "store")}


def test_a_corrected_rate_restates_the_money_of_its_day_and_of_no_other(empty: Story, corrected: Story) -> None:
    money = (
        "select business_date, gross_amount, discount_amount, net_amount_base from dws.dws_order_movement "
        "where currency = 'EUR' order by all"
    )
    before, after = ask(empty.warehouse, money), ask(corrected.warehouse, money)
    assert {day for day, *_ in after} == set(NIGHTS)
    cent = Decimal("0.0001")
    for (day, gross, discount, old), (_, _, _, new) in zip(before, after, strict=True):
        wanted = [(part * Decimal(NEW_RATE)).quantize(cent, ROUND_HALF_UP) for part in (gross, discount)]
        assert new == (wanted[0] - wanted[1] if day == NIGHTS[1] else old)


def test_every_balance_closes_over_late_and_corrected_rows(corrected: Story) -> None:
    balances = ask(
        corrected.warehouse,
        "select count(*), count(*) filter (where difference <> 0) from ops.reconciliation "
        f"where night = date '{CORRECTED}'",
    )
    assert balances[0][0] > 50
    assert balances[0][1] == 0


def test_a_corrected_night_names_the_superseded_versions(empty: Story, corrected: Story) -> None:
    question = (
        "select total_in, total_out, excluded['superseded versions'] from ops.reconciliation "
        "where subject = 'ods_sales_order -> dwd_order' and "
        "measure = 'rows' order by checked_at desc limit 1"
    )
    before, after = ask(empty.warehouse, question)[0], ask(corrected.warehouse, question)[0]
    # Three more versions, one of which is a new order.
    assert [b - a for a, b in zip(before, after, strict=True)] == [3, 1, 2]


def _order(end: Story, order: int) -> list[tuple[Any, ...]]:
    return ask(
        end.warehouse,
        "select business_date, net_amount_base from dws.dws_order where source_system = 'shop' "
        f"and order_id = '{order}'",
    )


def _changed(first: Story, second: Story, table: str, columns: str) -> list[tuple[Any, ...]]:
    """Rows of the second that are not in the first."""
    with duckdb.connect() as con:
        con.execute(f"attach '{first.warehouse}' as a (read_only); attach '{second.warehouse}' as b (read_only)")
        return rows(con, f"select {columns} from (from b.{table} except all from a.{table}) order by all")
