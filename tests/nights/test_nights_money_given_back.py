"""Money given back, edits and discounts that meet: each order is a case of its own, worked out by hand."""

from __future__ import annotations

from decimal import Decimal

import pytest
from shop_documents import (
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
from support import Story, ask

ON_TOP = {"taxes_included": False, "total_tax": "13.00"}
TAX_AND_POSTAGE = {"total_tax": "14.95", "total_price": "129.95"}
WITHIN = {"taxes_included": True, "total_tax": "11.50"}
PENDING = {"transactions": [{"id": 1, "amount": "30.00", "kind": "refund", "status": "pending", "currency": "CNY"}]}


def without_sku(line: dict[str, object]) -> dict[str, object]:
    return line | {"line_item": {"title": "x"}}


CASES: dict[int, Case] = {
    # Goods of 100 came back damaged: 80 are paid.
    21: (
        [order(21, [item(21, 1, "100.00")])],
        [refund(121, 21, [back(121, 21, 1, 1, "100.00", "return")], "80.00")],
        {FIRST: ("100", "100", "0"), SECOND: ("-80", "-80", "0")},
    ),
    # P1 came back by parcel on the first day. The refund of the second line names no product: it is not of P1.
    22: (
        [order(22, [item(22, 1, "60.00"), item(22, 2, "40.00")])],
        [refund(122, 22, [without_sku(back(122, 22, 2, 1, "40.00", "return"))], "40.00")],
        {FIRST: ("40", "40", "0"), SECOND: ("-40", "-40", "0")},
    ),
    # Decided, not yet at the customer's.
    23: (
        [order(23, [item(23, 1, "100.00")])],
        [refund(123, 23, [], "30.00") | PENDING],
        {FIRST: ("100", "100", "0"), SECOND: ("-30", "-30", "0")},
    ),
    # 15 of postage with 1.95 of tax on top, paid back without a word: no goods.
    24: (
        [order(24, [item(24, 1, "100.00")], **(ON_TOP | postage("15.00") | {"total_tax": "14.95"}))],
        [refund(124, 24, [], "16.95")],
        {FIRST: ("100", "100", "13")},
    ),
    # The order's postage once, then as much again: a gesture.
    25: (
        [order(25, [item(25, 1, "100.00")], **postage("15.00"))],
        [refund(125, 25, [], "15.00"), refund(225, 25, [], "15.00")],
        {FIRST: ("100", "100", "0"), SECOND: ("-15", "-15", "0")},
    ),
    # More is paid back than the order came to: no more tax than it had.
    26: (
        [order(26, [item(26, 1, "100.00")], **WITHIN)],
        [refund(126, 26, [], "150.00")],
        {FIRST: ("88.50", "100", "11.50"), SECOND: ("-138.50", "-150", "-11.50")},
    ),
    # P2 came back by parcel, and was taken off the order on the second day: it is off once.
    27: (
        [
            order(27, [item(27, 1, "100.00"), item(27, 2, "50.00")]),
            order(27, [item(27, 1, "100.00")], updated=SECOND),
        ],
        [],
        {FIRST: ("100", "100", "0")},
    ),
    # A quantity is edited from 3 to 1, and the two are paid back at once as lost.
    28: (
        [order(28, [item(28, 1, "100.00", 3)]), order(28, [item(28, 1, "100.00")], updated=SECOND)],
        [refund(128, 28, [back(128, 28, 1, 2, "200.00", "no_restock")], "200.00")],
        {FIRST: ("100", "100", "0")},
    ),
    # Of 15 off, 5 are of the gift card: 10 off the goods.
    29: (
        [
            order(
                29,
                [item(29, 1, "100.00"), item(29, 2, "50.00", gift_card=True, total_discount="5.00")],
                total_discounts="15.00",
            )
        ],
        [],
        {FIRST: ("90", "90", "0")},
    ),
    # More off than the goods cost: they are free, not owed.
    30: ([order(30, [item(30, 1, "30.00")], total_discounts="50.00", **postage("20.00"))], [], {}),
    # A coupon as a line, and a code beside it: 100 - 20 - 10, as the order's total has it.
    31: (
        [order(31, [item(31, 1, "100.00"), item(31, 2, "-20.00")], total_discounts="10.00", total_price="70.00")],
        [],
        {FIRST: ("70", "70", "0")},
    ),
    # 50 off two of 100. One comes back, priced as before the discount: it was sold for 75.
    32: (
        [order(32, [item(32, 1, "100.00", 2)], total_discounts="50.00", total_price="150.00")],
        [],
        {FIRST: ("75", "75", "0")},
    ),
    # The money for a gift card is paid back: it was no revenue.
    33: ([order(33, [item(33, 1, "500.00", gift_card=True)])], [refund(133, 33, [], "500.00")], {}),
    # 100 and 13 of tax on top came back damaged, 93 are paid: of the 20 kept, 2.30 are tax (20 x 13 / 113).
    34: (
        [order(34, [item(34, 1, "100.00")], **ON_TOP)],
        [refund(134, 34, [back(134, 34, 1, 1, "100.00", "return") | {"total_tax": "13.00"}], "93.00")],
        {FIRST: ("100", "100", "13"), SECOND: ("-82.30", "-82.30", "-10.70")},
    ),
    # The same, and nobody says what of it is tax: 80 paid of 113 are 70.80 and 9.20.
    35: (
        [order(35, [item(35, 1, "100.00")], **ON_TOP)],
        [refund(135, 35, [back(135, 35, 1, 1, "100.00", "return")], "80.00")],
        {FIRST: ("100", "100", "13"), SECOND: ("-70.80", "-70.80", "-9.20")},
    ),
    # Two of three are taken off, and their money is paid back without a line.
    36: (
        [order(36, [item(36, 1, "100.00", 3)]), order(36, [item(36, 1, "100.00")], updated=SECOND)],
        [refund(136, 36, [], "200.00")],
        {FIRST: ("100", "100", "0")},
    ),
    # A line of 50 with 6.50 of tax on top is taken off and paid back without a line.
    37: (
        [
            order(37, [item(37, 1, "100.00"), item(37, 2, "50.00")], **(ON_TOP | {"total_tax": "19.50"})),
            order(37, [item(37, 1, "100.00")], updated=SECOND, **ON_TOP),
        ],
        [refund(137, 37, [], "56.50")],
        {FIRST: ("100", "100", "13")},
    ),
    # All is taken off; 100 and the 13 of tax on top of it are paid back.
    38: (
        [order(38, [item(38, 1, "100.00")], **ON_TOP), order(38, [], updated=SECOND, **ON_TOP)],
        [refund(138, 38, [back(138, 38, 1, 1, "100.00", "cancel")], "113.00")],
        {},
    ),
    # A line of 50 is taken off; the 30 that are paid back are something else.
    39: (
        [order(39, [item(39, 1, "100.00"), item(39, 2, "50.00")]), order(39, [item(39, 1, "100.00")], updated=SECOND)],
        [refund(139, 39, [], "30.00")],
        {FIRST: ("100", "100", "0"), SECOND: ("-30", "-30", "0")},
    ),
    # Cancelled, in a currency without a rate: nobody asks what it was worth.
    40: ([order(40, [item(40, 1, "100.00")], currency="EUR", cancelled_at=f"{FIRST}T10:30:00+08:00")], [], {}),
    # The shop leaves the stock to the warehouse and writes no_restock: the parcel and the refund are of one thing.
    41: (
        [order(41, [item(41, 1, "100.00")])],
        [refund(141, 41, [back(141, 41, 1, 1, "100.00", "no_restock")], "100.00")],
        {},
    ),
    # The same, and the refund has no line.
    42: ([order(42, [item(42, 1, "100.00")])], [refund(142, 42, [], "100.00")], {}),
    # All is paid back without a line: 100 of goods and 15 of postage.
    43: (
        [order(43, [item(43, 1, "100.00")], **postage("15.00"))],
        [refund(143, 43, [], "115.00")],
        {FIRST: ("100", "100", "0"), SECOND: ("-100", "-100", "0")},
    ),
    # The same with 13% on top of both.
    44: (
        [order(44, [item(44, 1, "100.00")], **(ON_TOP | postage("15.00") | {"total_tax": "14.95"}))],
        [refund(144, 44, [], "129.95")],
        {FIRST: ("100", "100", "13"), SECOND: ("-100", "-100", "-13")},
    ),
    # A price is lowered from 100 to 80, and the 20 are paid back.
    45: (
        [
            order(45, [item(45, 1, "100.00")], total_price="100.00"),
            order(45, [item(45, 1, "80.00")], updated=SECOND, total_price="80.00"),
        ],
        [refund(145, 45, [], "20.00")],
        {FIRST: ("80", "80", "0")},
    ),
    # One thing is exchanged for a cheaper one, and the difference is paid back on a line.
    46: (
        [
            order(46, [item(46, 1, "100.00")], total_price="100.00"),
            order(46, [item(46, 2, "80.00")], updated=SECOND, total_price="80.00"),
        ],
        [refund(146, 46, [back(146, 46, 2, 1, "20.00", "no_restock")], "20.00")],
        {FIRST: ("80", "80", "0")},
    ),
    # The postage is taken off the order, and paid back: there is none left to pay back.
    47: (
        [
            order(47, [item(47, 1, "100.00")], total_price="115.00", **postage("15.00")),
            order(47, [item(47, 1, "100.00")], updated=SECOND, total_price="100.00"),
        ],
        [refund(147, 47, [], "15.00")],
        {FIRST: ("100", "100", "0")},
    ),
    # Two of three are taken off, and paid back the day after.
    48: (
        [
            order(48, [item(48, 1, "100.00", 3)], total_price="300.00"),
            order(48, [item(48, 1, "100.00")], total_price="100.00", updated_at=f"{FIRST}T15:00:00+08:00"),
        ],
        [refund(148, 48, [back(148, 48, 1, 2, "200.00", "cancel")], "200.00")],
        {FIRST: ("100", "100", "0")},
    ),
    # A coupon as a line takes 20 off; the parcel prices the goods as before it.
    49: (
        [order(49, [item(49, 1, "100.00"), item(49, 2, "-20.00")], total_price="80.00")],
        [refund(149, 49, [back(149, 49, 1, 1, "80.00", "return")], "80.00")],
        {},
    ),
    # Sold for 80, and the parcel says the list price.
    50: (
        [order(50, [item(50, 1, "80.00")], total_price="80.00")],
        [refund(150, 50, [back(150, 50, 1, 1, "80.00", "return")], "80.00")],
        {},
    ),
    # The first payment failed, the second is on its way.
    51: (
        [order(51, [item(51, 1, "100.00")])],
        [
            refund(151, 51, [], "30.00")
            | {"transactions": [PENDING["transactions"][0] | {"status": "failure"}, PENDING["transactions"][0]]}
        ],
        {FIRST: ("100", "100", "0"), SECOND: ("-30", "-30", "0")},
    ),
    # A gift card of 500 and 15 of postage, paid back as one sum.
    52: (
        [order(52, [item(52, 1, "500.00", gift_card=True)], **postage("15.00"))],
        [refund(152, 52, [], "515.00")],
        {},
    ),
    # Of five, two are taken off; three are paid back, of which one was lost: 300 less 100.
    53: (
        [order(53, [item(53, 1, "100.00", 5)]), order(53, [item(53, 1, "100.00", 3)], updated=SECOND)],
        [
            refund(153, 53, [back(153, 53, 1, 2, "200.00", "cancel")], "200.00"),
            refund(253, 53, [back(253, 53, 1, 1, "100.00", "no_restock")], "100.00"),
        ],
        {FIRST: ("300", "300", "0"), SECOND: ("-100", "-100", "0")},
    ),
    # Two of three came back by parcel, and are taken off the order the day after.
    54: (
        [order(54, [item(54, 1, "100.00", 3)]), order(54, [item(54, 1, "100.00")], updated=SECOND)],
        [refund(154, 54, [back(154, 54, 1, 2, "200.00", "return")], "200.00")],
        {FIRST: ("100", "100", "0")},
    ),
    # Postage of 15 with 1.95 of tax on top is taken off the order, and paid back by name.
    55: (
        [
            order(55, [item(55, 1, "100.00")], **(ON_TOP | postage("15.00") | TAX_AND_POSTAGE)),
            order(55, [item(55, 1, "100.00")], updated=SECOND, **(ON_TOP | {"total_price": "113.00"})),
        ],
        [
            refund(155, 55, [], "16.95")
            | {"order_adjustments": [{"kind": "shipping_refund", "amount": "-15.00", "tax_amount": "-1.95"}]}
        ],
        {FIRST: ("100", "100", "13")},
    ),
}
PARCELS = [
    *(parcel(22, 1, 1, "60.00"), parcel(27, 2, 1, "50.00"), parcel(32, 1, 1, "100.00"), parcel(54, 1, 2, "100.00")),
    *(parcel(number, 1, 1, "100.00") for number in (41, 42, 49, 50)),
]


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Story:
    """A shop and its parcels, after two nights in one run."""
    return two_nights(tmp_path_factory.mktemp("given_back"), CASES.values(), PARCELS, each_night=False)


@pytest.mark.parametrize("number", CASES)
def test_an_order_has_its_money_on_each_day(shop: Story, number: int) -> None:
    assert money_by_day(shop.warehouse, number) == expected(CASES[number])


def test_postage_and_gift_cards_are_told_apart(shop: Story) -> None:
    # Postage: five times 15, and 20 charged; five times 15 paid back. Gift cards: 45 and twice 500, then -500 twice.
    found = ask(
        shop.published,
        "select business_date::varchar, shipping_base, shipping_refunded_base, gift_cards_base from ads_channel_day "
        "where channel = 'online' order by 1",
    )
    assert found == [
        (FIRST, Decimal(95), Decimal(0), Decimal(1045)),
        (SECOND, Decimal(0), Decimal(75), Decimal(-1000)),
    ]


def test_every_balance_closes(shop: Story) -> None:
    assert ask(shop.warehouse, "select subject, measure, unit from ops.reconciliation where difference <> 0") == []
