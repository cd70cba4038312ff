"""Orders of hundreds of millions, as shops in Vietnam or Indonesia have them: a night takes them, to the cent."""

from __future__ import annotations

import json
from decimal import Decimal

import pytest
from shop_documents import (
    DAYS,
    FIRST,
    SECOND,
    Case,
    back,
    expected,
    item,
    money_by_day,
    order,
    parcel,
    postage,
    refund,
    shipped_contracts,
    write,
    write_returns,
    write_shop,
)
from support import Story, ask, home_at, run_well, story

SHIPPED = ("shop_orders", "shop_refunds", "shop_payments", "logistics_returns")
WITHIN = {"taxes_included": True, "total_tax": "150000000.00"}
CASES: dict[int, Case] = {
    # Three of 500 million, of which the order takes 1,000 off; one comes back by parcel (a third of what was paid), the
    # money for it without a line, and half a million for a scratch.
    1: (
        [
            order(
                1,
                [item(1, 1, "500000000.00", 3)],
                total_price="1500019000.00",
                total_discounts="1000.00",
                **postage("20000.00"),
            )
        ],
        [
            refund(101, 1, [], "499999666.67"),
            refund(201, 1, [back(201, 1, 1, 1, "500000.00", "no_restock")], "500000.00"),
        ],
        {FIRST: ("999999333.33", "999999333.33", "0"), SECOND: ("-500000", "-500000", "0")},
    ),
    # Tax within 1.5 billion; a tenth is paid back.
    2: (
        [order(2, [item(2, 1, "1500000000.00")], total_price="1500000000.00", **WITHIN)],
        [refund(102, 2, [back(102, 2, 1, 1, "150000000.00", "no_restock")], "150000000.00")],
        {FIRST: ("1350000000", "1500000000", "150000000"), SECOND: ("-135000000", "-150000000", "-15000000")},
    ),
    # 10,000 units of 9,999.99 in a currency with a rate of 7.8.
    3: (
        [order(3, [item(3, 1, "99999.99", 1000)], currency="EUR", total_price="99999990.00")],
        [],
        {FIRST: ("779999922", "779999922", "0")},
    ),
}
PAID = {1: ("1500019000.00", "CNY"), 2: ("1500000000.00", "CNY"), 3: ("99999990.00", "EUR")}


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Story:
    folder = tmp_path_factory.mktemp("large")
    contracts, source = shipped_contracts(folder, SHIPPED), folder / "source"
    write_shop(source, CASES.values())
    write_returns(source, [parcel(1, 1, 1, "500000000.00")])
    at = f"{FIRST}T11:00:00+08:00"
    payments = [
        {"id": number, "order_id": number, "kind": "sale", "status": "success", "gateway": "visa", "amount": amount}
        | {"currency": currency, "created_at": at, "processed_at": at}
        for number, (amount, currency) in PAID.items()
    ]
    write(source / f"shop/payments/payments_{FIRST}.jsonl", "".join(json.dumps(row) + "\n" for row in payments))
    rates = folder / "exchange_rates.csv"
    write(rates, "date,currency,reporting_currency,rate\n2026-01-01,EUR,CNY,7.80\n")
    settings = home_at(folder, source, contracts=contracts, reporting_currency="CNY", exchange_rates=rates)
    return story(settings, "two nights", run_well(settings, DAYS, each_night=False))


@pytest.mark.parametrize("number", CASES)
def test_an_order_has_its_money_on_each_day(shop: Story, number: int) -> None:
    assert money_by_day(shop.warehouse, number) == expected(CASES[number])


def test_payments_tie_with_totals(shop: Story) -> None:
    found = ask(shop.warehouse, "select order_id, payments_tie, paid_amount from dws.dws_order_tie order by 1")
    assert found == [(str(number), "matched", Decimal(amount)) for number, (amount, _) in PAID.items()]


def test_every_balance_closes(shop: Story) -> None:
    assert ask(shop.warehouse, "select subject, measure, unit from ops.reconciliation where difference <> 0") == []
