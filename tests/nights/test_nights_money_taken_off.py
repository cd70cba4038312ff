"""Money that is given back or taken off step by step: each order is a case of its own, worked out by hand."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

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
    refund,
    shipped_contracts,
    write_returns,
    write_shop,
)
from support import Story, ask, differences, home_at, run_well, story

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


def left(order: int, number: int, price: str, quantity: int, current: int) -> dict[str, Any]:
    """A line item of which the shop says how many units are left."""
    return item(order, number, price, quantity, current_quantity=current)


TOYS = [{"price": "12.00"}, {"price": "7.00"}]
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
    # The second line is taken off before it was paid: nothing is paid back.
    66: ([order(66, [left(66, 1, "100.00", 1, 1), left(66, 2, "50.00", 1, 0)])], [], {FIRST: ("100", "100", "0")}),
    # Of three, one is left: a refund tells of one, the other one was taken off.
    67: (
        [order(67, [left(67, 1, "100.00", 3, 1)])],
        [refund(167, 67, [back(167, 67, 1, 1, "100.00", "cancel")], "100.00")],
        {FIRST: ("200", "200", "0"), SECOND: ("-100", "-100", "0")},
    ),
    # Of two, one is left: the other one came back by parcel.
    68: ([order(68, [left(68, 1, "100.00", 2, 1)])], [], {FIRST: ("100", "100", "0")}),
    # The header says the tax of what the order was placed with: 17.25 in 150, so 11.50 in 100.
    69: (
        [order(69, [left(69, 1, "100.00", 1, 1), left(69, 2, "50.00", 1, 0)], taxes_included=True, total_tax="17.25")],
        [],
        {FIRST: ("88.50", "100", "11.50")},
    ),
    # The quantity itself is edited to 0, and nothing is left: the line is taken off.
    70: (
        [
            order(70, [item(70, 1, "100.00"), item(70, 2, "50.00")]),
            order(70, [item(70, 1, "100.00"), left(70, 2, "50.00", 0, 0)], updated=SECOND),
        ],
        [],
        {FIRST: ("100", "100", "0")},
    ),
    # A quantity of 0 alone is a mistake: the order waits until it is read.
    71: (
        [
            order(71, [item(71, 1, "100.00"), item(71, 2, "50.00")]),
            order(71, [item(71, 1, "100.00"), item(71, 2, "50.00", 0)], updated=SECOND),
        ],
        [],
        {},
    ),
    # Two of three are taken off, and their money is paid back without a line.
    72: (
        [order(72, [left(72, 1, "100.00", 3, 1)], total_price="300.00")],
        [refund(172, 72, [], "200.00")],
        {FIRST: ("100", "100", "0")},
    ),
    # One of two is taken off, with 13% of tax on top of both: 226.00 as it was placed.
    73: (
        [order(73, [left(73, 1, "100.00", 2, 1)], total_price="226.00", taxes_included=False, total_tax="26.00")],
        [],
        {FIRST: ("100", "100", "13")},
    ),
    # A gift card that was taken off is owed to nobody.
    74: (
        [order(74, [item(74, 1, "20.00"), left(74, 2, "500.00", 1, 0) | {"gift_card": True}])],
        [],
        {FIRST: ("20", "20", "0")},
    ),
    # Books and toys: 7.00 and 19.00 on top of 100.00 each. The toys are paid back, and nobody says their tax.
    75: (
        [
            order(
                75,
                [item(75, 1, "100.00", tax_lines=[{"price": "7.00"}]), item(75, 2, "100.00", tax_lines=TOYS)],
                taxes_included=False,
                total_tax="26.00",
                total_price="226.00",
            )
        ],
        [refund(175, 75, [back(175, 75, 2, 1, "100.00", "no_restock")], "119.00")],
        {FIRST: ("200", "200", "26"), SECOND: ("-100", "-100", "-19")},
    ),
    # Half of 100.00 with 11.50 in it is paid back, with 8.00 of tax by name; the other half has the 3.50 that are left.
    76: (
        [order(76, [item(76, 1, "50.00", 2)], taxes_included=True, total_tax="11.50", total_price="100.00")],
        [
            refund(176, 76, [back(176, 76, 1, 1, "50.00", "no_restock") | {"total_tax": "8.00"}], "50.00"),
            refund(276, 76, [back(276, 76, 1, 1, "50.00", "no_restock")], "50.00"),
        ],
        {FIRST: ("88.50", "100", "11.50"), SECOND: ("-88.50", "-100", "-11.50")},
    ),
}
# Orders from before the first night: a parcel brings their goods back, and the shop pays for them, by line or not.
NEVER_CAME = [
    refund(198, 98, [back(198, 98, 1, 1, "60.00", "return")], "60.00"),
    refund(199, 99, [], "50.00"),
    refund(299, 99, [], "5.00"),
]
BROUGHT_BACK = [parcel(98, 1, 1, "60.00"), parcel(99, 1, 1, "50.00")]
AGAIN = [half(61, "30.00", "20.00"), half(62, "50.00"), half(63, "50.00"), half(64, "30.00")]


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Story:
    """A shop and its parcels, after two nights."""
    folder = tmp_path_factory.mktemp("taken_off")
    contracts, source = shipped_contracts(folder, SHIPPED), folder / "source"
    orders = contracts / "shop_orders.odcs.yaml"
    records = "      - {property: records, value: line_items}\n"
    tolerant = records + "      - {property: quarantineTolerance, value: 0.5}\n"
    orders.write_text(orders.read_text(encoding="utf-8").replace(records, tolerant), encoding="utf-8")
    write_shop(source, [*CASES.values(), ([], NEVER_CAME, {})], AGAIN)
    write_returns(source, [parcel(68, 1, 1, "100.00"), *BROUGHT_BACK])
    settings = home_at(folder, source, contracts=contracts, reporting_currency="CNY")
    return story(settings, "two nights", run_well(settings, DAYS))


@pytest.mark.parametrize("number", CASES)
def test_an_order_has_its_money_on_each_day(shop: Story, number: int) -> None:
    assert money_by_day(shop.warehouse, number) == expected(CASES[number])


def test_what_is_paid_back_for_goods_of_an_order_that_never_came_is_taken_off_once(shop: Story) -> None:
    """60 and 50 by the parcels; of the refunds only the gesture of 5."""
    found = ask(
        shop.warehouse,
        "select sum(net_amount_base) filter (where not is_refund), sum(net_amount_base) filter (where is_refund) "
        "from dws.dws_order_movement where is_counted and (order_id in ('98', '99') or document_id like 'R%98' "
        "or document_id like 'R%99')",
    )
    assert found == [(Decimal(-110), Decimal(-5))]


def test_an_order_ties_with_its_total_as_it_was_placed(shop: Story) -> None:
    found = ask(
        shop.warehouse,
        "select order_id, lines_tie, total_amount from dws.dws_order_tie where order_id in ('72', '73') order by 1",
    )
    assert found == [("72", "matched", Decimal(300)), ("73", "matched", Decimal(226))]


def test_a_gift_card_that_was_taken_off_is_no_liability(shop: Story) -> None:
    assert ask(shop.published, "select sum(gift_cards_base) from ads_channel_day") == [(Decimal(0),)]


def test_every_balance_closes(shop: Story) -> None:
    assert ask(shop.warehouse, "select subject, measure, unit from ops.reconciliation where difference <> 0") == []


def test_a_rebuild_says_the_same(shop: Story) -> None:
    rebuilt = story(shop.settings, "rebuilt", run_well(shop.settings, DAYS[-1:], full_refresh=True))
    assert differences(shop.warehouse, rebuilt.warehouse) == {}
