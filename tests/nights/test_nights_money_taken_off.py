"""Money that is given back or taken off step by step: each order is a case of its own, worked out by hand."""

from __future__ import annotations

import shutil
from typing import Any

import pytest
from shop_documents import (
    DAYS,
    FIRST,
    Case,
    back,
    expected,
    item,
    money_by_day,
    order,
    refund,
    write_returns,
    write_shop,
)
from support import REPOSITORY, Story, ask, differences, home_at, run_well, story

SHIPPED = ("shop_orders", "shop_refunds", "logistics_returns")


def paid(*amounts: str) -> dict[str, Any]:
    """The payments of a refund of the first day."""
    at = f"{FIRST}T12:00:00+08:00"
    one = {"kind": "refund", "gateway": "visa", "status": "success", "currency": "CNY", "created_at": at}
    return {"created_at": at, "transactions": [one | {"id": n, "amount": amount} for n, amount in enumerate(amounts)]}


def half(number: int, *amounts: str) -> dict[str, Any]:
    """A refund of 50 on an order of 100, of which these amounts are paid."""
    lines = [back(100 + number, number, 1, 1, "50.00", "no_restock")]
    return refund(100 + number, number, lines, "50.00") | paid(*amounts)


CASES: dict[int, Case] = {
    # Of a refund of 50, 30 are paid on the first day, and 20 on the second one.
    61: ([order(61, [item(61, 1, "100.00")])], [half(61, "30.00")], {FIRST: ("50", "50", "0")}),
    # The payment itself was of 30, and is of 50.
    62: ([order(62, [item(62, 1, "100.00")])], [half(62, "30.00")], {FIRST: ("50", "50", "0")}),
    # 60 were paid, a gesture of 10 more than the line says; that was a mistake.
    63: ([order(63, [item(63, 1, "100.00")])], [half(63, "60.00")], {FIRST: ("50", "50", "0")}),
    # Paid in part, and that is all.
    64: ([order(64, [item(64, 1, "100.00")])], [half(64, "30.00")], {FIRST: ("70", "70", "0")}),
    # Nothing is known of a payment: what the line says.
    65: ([order(65, [item(65, 1, "100.00")])], [half(65)], {FIRST: ("50", "50", "0")}),
}
AGAIN = [half(61, "30.00", "20.00"), half(62, "50.00"), half(63, "50.00"), half(64, "30.00")]


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Story:
    """A shop and its parcels, after two nights."""
    folder = tmp_path_factory.mktemp("taken_off")
    contracts, source = folder / "contracts", folder / "source"
    contracts.mkdir()
    for name in SHIPPED:
        shutil.copy(REPOSITORY / "data_contracts" / f"{name}.odcs.yaml", contracts)
    write_shop(source, CASES.values(), AGAIN)
    write_returns(source, [])
    settings = home_at(folder, source, contracts=contracts, reporting_currency="CNY")
    return story(settings, "two nights", run_well(settings, DAYS))


@pytest.mark.parametrize("number", CASES)
def test_an_order_has_its_money_on_each_day(shop: Story, number: int) -> None:
    assert money_by_day(shop.warehouse, number) == expected(CASES[number])


def test_every_balance_closes(shop: Story) -> None:
    assert ask(shop.warehouse, "select subject, measure, unit from ops.reconciliation where difference <> 0") == []


def test_a_rebuild_says_the_same(shop: Story) -> None:
    rebuilt = story(shop.settings, "rebuilt", run_well(shop.settings, DAYS[-1:], full_refresh=True))
    assert differences(shop.warehouse, rebuilt.warehouse) == {}
