"""Money paid back without a line, beside goods that came back, edits and postage: what is owed is paid first. Each
order is a case of its own, worked out by hand."""

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
    postage,
    refund,
    two_nights,
)
from support import Story, ask, differences, run_well, story

ON_TOP = {"taxes_included": False, "total_tax": "13.00", "total_price": "113.00"}
WITHIN = {"taxes_included": True, "total_tax": "11.50"}
UNPAID: dict[str, Any] = {"transactions": []}
EARLY = {"created_at": f"{FIRST}T12:00:00+08:00"}
DISCREPANCY = {"order_adjustments": [{"kind": "refund_discrepancy", "amount": "-50.00", "tax_amount": "0.00"}]}


def goods(number: int, *prices: str, **more: Any) -> dict[str, Any]:
    """An order of one unit each at these prices."""
    return order(number, [item(number, n, price) for n, price in enumerate(prices, 1)], **more)


def paid_with_postage(number: int, kind: str, amount: str, tax: str, charged: str = "15.00") -> dict[str, Any]:
    """A refund of postage of 15 as Shopify tells it: by an adjustment, or by the postage that it pays back."""
    if kind == "adjustment":
        told: dict[str, Any] = {
            "order_adjustments": [{"kind": "shipping_refund", "amount": f"-{amount}", "tax_amount": f"-{tax}"}]
        }
    else:
        money = {"subtotal_amount_set": amount, "tax_amount_set": tax}
        told = {"refund_shipping_lines": [{name: {"shop_money": {"amount": of}} for name, of in money.items()}]}
    return refund(100 + number, number, [], charged, **told)


CASES: dict[int, Case] = {
    # A parcel of 100; 115 are paid back, 15 of them postage.
    1: ([goods(1, "100.00", **postage("15.00"))], [refund(101, 1, [], "115.00")], {}),
    # Two parcels, paid apart.
    2: ([goods(2, "100.00", "50.00")], [refund(102, 2, [], "100.00"), refund(202, 2, [], "50.00")], {}),
    # 90 of 100 are paid: a fee of 10 is kept.
    3: ([goods(3, "100.00")], [refund(103, 3, [], "90.00")], {SECOND: ("10", "10", "0")}),
    # A gesture of 20, then the goods come back, and the 80 that are left are paid.
    4: (
        [goods(4, "100.00")],
        [refund(104, 4, [], "20.00", **EARLY), refund(204, 4, [], "80.00")],
        {FIRST: ("-20", "-20", "0"), SECOND: ("20", "20", "0")},
    ),
    # The same by lines: 30 for a scratch, then the goods come back for 70.
    5: (
        [goods(5, "100.00")],
        [
            refund(105, 5, [back(105, 5, 1, 1, "30.00", "no_restock")], "30.00", **EARLY),
            refund(205, 5, [back(205, 5, 1, 1, "70.00", "return")], "70.00"),
        ],
        {FIRST: ("-30", "-30", "0"), SECOND: ("30", "30", "0")},
    ),
    # A line is given back without a payment, and its money follows without a line.
    6: (
        [goods(6, "100.00", "50.00")],
        [
            refund(106, 6, [back(106, 6, 2, 1, "50.00", "cancel")], "0", **(UNPAID | EARLY)),
            refund(206, 6, [], "50.00", **DISCREPANCY),
        ],
        {FIRST: ("100", "100", "0")},
    ),
    # A gesture of 10 beside a parcel of 100 that is paid as it is.
    7: (
        [goods(7, "100.00", "60.00")],
        [refund(107, 7, [], "10.00"), refund(207, 7, [], "100.00")],
        {FIRST: ("60", "60", "0"), SECOND: ("-10", "-10", "0")},
    ),
    # One of two parcels is paid; the other one is still to be paid: no fee.
    8: ([goods(8, "100.00", "50.00", "30.00")], [refund(108, 8, [], "100.00")], {FIRST: ("30", "30", "0")}),
    # With 13 on top: 113 for the parcel and 16.95 for postage and its tax.
    9: (
        [goods(9, "100.00", **(ON_TOP | postage("15.00") | {"total_tax": "14.95", "total_price": "129.95"}))],
        [refund(109, 9, [], "129.95")],
        {},
    ),
    # With 13 on top: 90 of 113 are paid. Of the 23 kept 2.65 are tax (23 x 13 / 113).
    10: ([goods(10, "100.00", **ON_TOP)], [refund(110, 10, [], "90.00")], {SECOND: ("20.35", "20.35", "2.65")}),
    # Tax within: of the 10 kept 1.15 are tax.
    11: ([goods(11, "100.00", **WITHIN)], [refund(111, 11, [], "90.00")], {SECOND: ("8.85", "10", "1.15")}),
    # A sum of money for two parcels, with the postage.
    12: ([goods(12, "100.00", "50.00", **postage("15.00"))], [refund(112, 12, [], "165.00")], {}),
    # A parcel that nobody has paid for yet, and a gesture of 5.
    13: ([goods(13, "100.00", "60.00")], [refund(113, 13, [], "5.00")], {FIRST: ("60", "60", "0")}
         | {SECOND: ("-5", "-5", "0")}),
    # A price is edited from 100 to 90 to 80; 10 are paid back twice.
    14: (
        [
            goods(14, "100.00", total_price="100.00"),
            goods(14, "90.00", total_price="90.00", updated_at=f"{FIRST}T15:00:00+08:00"),
            goods(14, "80.00", total_price="80.00", updated=SECOND),
        ],
        [refund(114, 14, [], "10.00", **EARLY), refund(214, 14, [], "10.00")],
        {FIRST: ("80", "80", "0")},
    ),
    # A price is edited from 100 to 80, and the 20 are paid back in two sums.
    15: (
        [goods(15, "100.00", total_price="100.00"), goods(15, "80.00", total_price="80.00", updated=SECOND)],
        [refund(115, 15, [], "12.00"), refund(215, 15, [], "8.00"), refund(315, 15, [], "3.00")],
        {FIRST: ("80", "80", "0"), SECOND: ("-3", "-3", "0")},
    ),
    # 100 are exchanged for 80 by an edit: the first line comes back, and 20 are paid.
    16: (
        [
            goods(16, "100.00", total_price="100.00"),
            order(16, [item(16, 2, "80.00")], updated=SECOND, total_price="80.00"),
        ],
        [refund(116, 16, [back(116, 16, 1, 1, "100.00", "return")], "20.00")],
        {FIRST: ("80", "80", "0")},
    ),
    # The same where the shop keeps the line with nothing left on it, and the total as it was placed.
    17: (
        [
            goods(17, "100.00", total_price="100.00"),
            order(
                17,
                [item(17, 1, "100.00", current_quantity=0), item(17, 2, "80.00", current_quantity=1)],
                updated=SECOND,
                total_price="100.00",
            ),
        ],
        [refund(117, 17, [back(117, 17, 1, 1, "100.00", "return")], "20.00")],
        {FIRST: ("180", "180", "0"), SECOND: ("-100", "-100", "0")},
    ),
    # A line of an edited order comes back damaged: 60 of 100 are paid.
    18: (
        [goods(18, "100.00", "50.00"), goods(18, "100.00", updated=SECOND)],
        [refund(118, 18, [back(118, 18, 1, 1, "100.00", "return")], "60.00")],
        {FIRST: ("100", "100", "0"), SECOND: ("-60", "-60", "0")},
    ),
    # A line of 50 is cancelled before anything was captured: the authorization of 150 is void, no money moved.
    19: (
        [goods(19, "100.00", "50.00")],
        [
            refund(119, 19, [back(119, 19, 2, 1, "50.00", "cancel")], "150.00")
            | {"transactions": [{"id": 1, "amount": "150.00", "kind": "void", "status": "success", "currency": "CNY"}]}
        ],
        {FIRST: ("150", "150", "0"), SECOND: ("-50", "-50", "0")},
    ),
    # Goods that are exempt, and postage of 20 with 2.30 of tax in it.
    20: (
        [
            order(
                20,
                [item(20, 1, "100.00", tax_lines=[])],
                taxes_included=True,
                total_tax="2.30",
                shipping_lines=[{"code": "STANDARD", "price": "20.00", "tax_lines": [{"price": "2.30"}]}],
            )
        ],
        [],
        {FIRST: ("100", "100", "0")},
    ),
    # A discount of 10 on the second line of postage, and one of 3 on the first: none on the goods.
    21: (
        [
            goods(
                21,
                "100.00",
                total_discounts="13.00",
                total_price="112.00",
                shipping_lines=[
                    {"code": "STANDARD", "price": "15.00", "discount_allocations": [{"amount": "3.00"}]},
                    {"code": "HEAVY", "price": "10.00", "discount_allocations": [{"amount": "10.00"}]},
                ],
            )
        ],
        [],
        {FIRST: ("100", "100", "0")},
    ),
    # Postage of 15 with 1.73 of tax in it is paid back, told without the tax, with it, or as postage.
    22: ([goods(22, "100.00", **postage("15.00"))], [paid_with_postage(22, "adjustment", "13.27", "1.73")],
         {FIRST: ("100", "100", "0")}),
    23: ([goods(23, "100.00", **(WITHIN | {"total_tax": "13.23"} | postage("15.00")))],
         [paid_with_postage(23, "adjustment", "13.27", "1.73")], {FIRST: ("88.50", "100", "11.50")}),
    24: ([goods(24, "100.00", **(WITHIN | {"total_tax": "13.23"} | postage("15.00")))],
         [paid_with_postage(24, "adjustment", "15.00", "1.73")], {FIRST: ("88.50", "100", "11.50")}),
    25: ([goods(25, "100.00", **(WITHIN | {"total_tax": "13.23"} | postage("15.00")))],
         [paid_with_postage(25, "postage", "15.00", "1.73")], {FIRST: ("88.50", "100", "11.50")}),
    26: ([goods(26, "100.00", **(ON_TOP | {"total_tax": "14.95", "total_price": "129.95"} | postage("15.00")))],
         [paid_with_postage(26, "postage", "15.00", "1.95", "16.95")], {FIRST: ("100", "100", "13")}),
    # Goods of an old order come back, 8 are kept: the shop writes legacy_restock.
    27: (
        [goods(27, "100.00", total_price="100.00")],
        [refund(127, 27, [back(127, 27, 1, 1, "100.00", "legacy_restock")], "92.00")],
        {FIRST: ("100", "100", "0"), SECOND: ("-92", "-92", "0")},
    ),
    # A refund of which a line cannot be read is left out, whatever its other rows say.
    28: (
        [goods(28, "100.00", total_price="115.00", **postage("15.00"))],
        [refund(128, 28, [back(128, 28, 1, 1, "100.00", "who knows")], "108.00")],
        {FIRST: ("100", "100", "0")},
    ),
    # A parcel is worth 100, the shop pays 100 and says which line: one thing.
    29: (
        [goods(29, "100.00")],
        [refund(129, 29, [back(129, 29, 1, 1, "100.00", "return")], "100.00")],
        {},
    ),
    # Half a parcel's goods named by a refund, the money of the others without a line.
    30: (
        [order(30, [item(30, 1, "100.00", 2), item(30, 2, "40.00")])],
        [
            refund(130, 30, [back(130, 30, 1, 1, "100.00", "return")], "100.00"),
            refund(230, 30, [], "140.00"),
        ],
        {},
    ),
}  # fmt: skip
PARCELS = [
    *(parcel(number, 1, 1, "100.00") for number in (1, 2, 3, 4, 5, 7, 8, 9, 10, 11, 12, 13, 29)),
    *(parcel(number, 2, 1, "50.00").replace(f"RMA-{number},", f"RMA-{number}b,") for number in (2, 8, 12)),
    *(parcel(30, 1, 2, "100.00"), parcel(30, 2, 1, "40.00")),
]


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Story:
    """A shop and its parcels, after two nights."""
    return two_nights(tmp_path_factory.mktemp("owed"), CASES.values(), PARCELS)


@pytest.mark.parametrize("number", CASES)
def test_an_order_has_its_money_on_each_day(shop: Story, number: int) -> None:
    assert money_by_day(shop.warehouse, number) == expected(CASES[number])


def test_postage_that_is_paid_back_in_one_sum_is_told(shop: Story) -> None:
    """15 of each of the orders 1, 9, 12 and 22 to 26."""
    found = ask(shop.published, "select sum(shipping_refunded_base) from ads_channel_day")
    assert found == [(Decimal(15 * 8),)]


def test_a_refund_that_is_half_read_is_told(shop: Story) -> None:
    found = ask(
        shop.published,
        "select source_system, order_id, refund_id, feeds, is_held, delivered_amount, counted_amount "
        "from ops_unsettled where refund_id is not null",
    )
    assert found == [("shop", "28", "128", "shop_refunds", False, Decimal(-8), Decimal(0))]
    counts = ask(shop.published, "select business_date::varchar, sum(unsettled_count) from ads_channel_day group by 1")
    assert dict(counts) == {FIRST: 0, SECOND: 1}


def test_every_balance_closes(shop: Story) -> None:
    assert ask(shop.warehouse, "select subject, measure, unit from ops.reconciliation where difference <> 0") == []


def test_no_order_gives_back_more_than_it_came_to(shop: Story) -> None:
    """Order 4 gives back 120 on the first night, and order 5 130, until the money for their goods is told."""
    found = ask(
        shop.warehouse,
        "select night::varchar, passed from ops.gate where rule = 'no_more_given_back_than_sold' order by night",
    )
    assert found == [(FIRST, False), (SECOND, True)]


def test_what_has_nothing_new_is_left_with_its_dbt_tests(shop: Story) -> None:
    """The second night brings orders and refunds alone; every asset and check is told all the same."""
    said = shop.outcome.said
    assert "dwd_models: 9 tables built, 8 dbt tests passed; nothing new for 10 tables and 10 tests" in said
    assert "did not yield" not in said and "emitted no result" not in said


def test_a_rebuild_says_the_same(shop: Story) -> None:
    rebuilt = story(shop.settings, "rebuilt", run_well(shop.settings, DAYS[-1:], full_refresh=True))
    assert differences(shop.warehouse, rebuilt.warehouse) == {}
