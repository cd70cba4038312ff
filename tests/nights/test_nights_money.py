"""Money that shops really have: refunds without goods, edits, discounts of whole orders, gift cards, taxes, postage, an
order in two systems. Each order is a case of its own; the right values are worked out by hand."""

from __future__ import annotations

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
    write_marketplace,
    write_returns,
    write_shop,
)
from support import Story, ask, home_at, run_well, story

SHIPPED = ("shop_orders", "shop_refunds", "logistics_returns", "pos_tickets_eu", "pos_ticket_lines_eu")
MARKETPLACE = (
    {"name": "line_id", "transformLogic": "'1'"},
    {"name": "currency", "physicalName": "currency"},
    {"name": "business_date", "physicalName": "date"},
)


ON_TOP = {"taxes_included": False, "total_tax": "13.00"}
WITHIN = {"taxes_included": True, "total_tax": "11.50"}

CASES: dict[int, Case] = {
    # order: (documents, refunds, day -> net revenue, net as priced, tax)
    # 30 of 100 paid back, nothing came back: 11.50 x 30 / 100 = 3.45 of the tax.
    1: (
        [order(1, [item(1, 1, "100.00")], **WITHIN)],
        [refund(71, 1, [back(71, 1, 1, 1, "30.00", "no_restock")], "30.00")],
        {FIRST: ("88.50", "100", "11.50"), SECOND: ("-26.55", "-30", "-3.45")},
    ),
    # A line is removed the next day: the order never had it.
    2: (
        [order(2, [item(2, 1, "100.00"), item(2, 2, "50.00")]), order(2, [item(2, 1, "100.00")], updated=SECOND)],
        [],
        {FIRST: ("100", "100", "0")},
    ),
    # A discount of 50 on the order, allocated to its line by the shop.
    3: (
        [order(3, [item(3, 1, "200.00", discount_allocations=[{"amount": "50.00"}])], total_discounts="50.00")],
        [],
        {FIRST: ("150", "150", "0")},
    ),
    # The same, not allocated: over 100 and 200.
    4: (
        [order(4, [item(4, 1, "100.00"), item(4, 2, "200.00")], total_discounts="50.00")],
        [],
        {FIRST: ("250", "250", "0")},
    ),
    # Tax on top; 30 and their 3.90 paid back.
    5: (
        [order(5, [item(5, 1, "100.00")], **ON_TOP)],
        [refund(75, 5, [back(75, 5, 1, 1, "30.00", "no_restock")], "33.90")],
        {FIRST: ("100", "100", "13"), SECOND: ("-30", "-30", "-3.90")},
    ),
    # A gift card is owed; what is bought with one is sold.
    6: ([order(6, [item(6, 1, "500.00", gift_card=True), item(6, 2, "20.00")])], [], {FIRST: ("20", "20", "0")}),
    7: ([order(7, [item(7, 1, "500.00")], gateway="gift_card")], [], {FIRST: ("500", "500", "0")}),
    # The marketplace has it too: it counts there, and so does the return and the refund on it.
    8: (
        [order(8, [item(8, 1, "100.00")], name="#MP-77", tags="new, Marketplace", **postage("12.00"))],
        [refund(78, 8, [back(78, 8, 1, 1, "10.00", "no_restock")], "10.00")],
        {},
    ),
    # One of two is cancelled by a refund.
    9: (
        [order(9, [item(9, 1, "100.00", 2)])],
        [refund(79, 9, [back(79, 9, 1, 1, "100.00", "cancel")], "100.00")],
        {FIRST: ("200", "200", "0"), SECOND: ("-100", "-100", "0")},
    ),
    # A coupon stands as a line.
    10: ([order(10, [item(10, 1, "100.00"), item(10, 2, "-20.00")])], [], {FIRST: ("80", "80", "0")}),
    # Postage is paid back: no goods.
    11: (
        [order(11, [item(11, 1, "100.00")], **postage("15.00"))],
        [refund(81, 11, [], "15.00")],
        {FIRST: ("100",) * 2 + ("0",)},
    ),
    # The shop says that 5 of 12 are postage: 7 are a gesture.
    12: (
        [order(12, [item(12, 1, "100.00")], **postage("15.00"))],
        [refund(82, 12, [], "12.00", order_adjustments=[{"kind": "shipping_refund", "amount": "-5.00"}])],
        {FIRST: ("100", "100", "0"), SECOND: ("-7", "-7", "0")},
    ),
    # Two come back by parcel on the first day, three are refunded: the third has no return document.
    13: (
        [order(13, [item(13, 1, "60.00", 3)])],
        [refund(83, 13, [back(83, 13, 1, 3, "180.00", "return")], "180.00")],
        {FIRST: ("60", "60", "0"), SECOND: ("-60", "-60", "0")},
    ),
    # All lines are removed; the refund of one that is gone is none.
    14: (
        [order(14, [item(14, 1, "100.00")]), order(14, [], updated=SECOND)],
        [refund(84, 14, [back(84, 14, 1, 1, "100.00", "cancel")], "100.00")],
        {},
    ),
    # Cancelled on the second day: nothing of it counts.
    15: (
        [
            order(15, [item(15, 1, "100.00")], **postage("15.00")),
            order(
                15, [item(15, 1, "100.00")], updated=SECOND, cancelled_at=f"{SECOND}T11:00:00+08:00", **postage("15.00")
            ),
        ],
        [refund(85, 15, [back(85, 15, 1, 1, "100.00", "cancel")], "115.00")],
        {},
    ),
    # A quantity is edited from 3 to 1.
    16: (
        [order(16, [item(16, 1, "100.00", 3)]), order(16, [item(16, 1, "100.00")], updated=SECOND)],
        [],
        {FIRST: ("100", "100", "0")},
    ),
    # Tax within 100 of goods and 15 of postage, 13.23 in all: 11.50 on the goods.
    17: (
        [order(17, [item(17, 1, "100.00")], taxes_included=True, total_tax="13.23", **postage("15.00"))],
        [],
        {FIRST: ("88.50", "100", "11.50")},
    ),
    # A repayment that failed.
    18: (
        [order(18, [item(18, 1, "100.00")])],
        [
            refund(88, 18, [back(88, 18, 1, 1, "30.00", "no_restock")], "30.00")
            | {"transactions": [{"amount": "30.00", "status": "failure", "currency": "CNY"}]}
        ],
        {FIRST: ("100", "100", "0")},
    ),
}
MARKET = "channel = 'marketplace'"
OTHERS = {
    # 100 of MP-77 less the shop's refund of 10 the next day; MP-78 is nobody's copy.
    ("marketplace", FIRST): Decimal(140),
    ("marketplace", SECOND): Decimal(-10),
}


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Story:
    """A shop, a marketplace and tills, after two nights."""
    folder = tmp_path_factory.mktemp("money")
    contracts, source = shipped_contracts(folder, SHIPPED), folder / "source"
    write_marketplace(contracts, MARKETPLACE)
    write_shop(source, CASES.values())
    write_returns(source, [parcel(13, 1, 2, "60.00")])
    write(
        source / f"mkt/orders_{FIRST}.csv",
        f"id,date,sku,qty,price,currency\nMP-77,{FIRST},A,1,100.00,CNY\nMP-78,{FIRST},A,1,40.00,CNY\n",
    )
    tickets = (
        "StoreID;Till;ReceiptNo;BusinessDate;Start;End;Operator;Status;Currency;Total;LoyaltyNo;PaymentType;CardToken\n"
    )
    lines = (
        "StoreID;Till;ReceiptNo;BusinessDate;Line;Kind;ArticleNo;Text;Quantity;UnitPrice;Discount;Amount;Currency;"
        "Voided;Status;OrigReceipt;LoyaltyNo;Start;End\n"
    )
    at = f"{DAYS[0]:%d.%m.%Y} 11:00:00"
    write(
        source / f"pos/flat/tickets_{FIRST}.csv",
        f"{tickets}S007;1;1;{DAYS[0]:%d.%m.%Y};{at};{at};1;RETURN;EUR;-10,00;;Cash;\n",
    )
    # A return written with negative numbers already, and one with positive ones.
    write(
        source / f"pos/flat/ticket_lines_{FIRST}.csv",
        f"{lines}S007;1;1;{DAYS[0]:%d.%m.%Y};1;R;A;A;-1;5,00;0,00;-5,00;EUR;0;RETURN;;;{at};{at}\n"
        f"S007;1;1;{DAYS[0]:%d.%m.%Y};2;R;A;A;1;5,00;0,00;5,00;EUR;0;RETURN;;;{at};{at}\n",
    )
    rates = folder / "exchange_rates.csv"
    write(rates, "date,currency,reporting_currency,rate\n2026-01-01,EUR,CNY,7.80\n")
    settings = home_at(folder, source, contracts=contracts, reporting_currency="CNY", exchange_rates=rates)
    return story(settings, "two nights", run_well(settings, DAYS))


@pytest.mark.parametrize("number", CASES)
def test_an_order_has_its_money_on_each_day(shop: Story, number: int) -> None:
    assert money_by_day(shop.warehouse, number) == expected(CASES[number])


def test_an_order_in_two_systems_counts_once(shop: Story) -> None:
    found = ask(
        shop.published,
        "select channel, business_date::varchar, net_revenue_base from ads_channel_day where channel = 'marketplace'",
    )
    assert {(channel, day): amount for channel, day, amount in found} == OTHERS
    orders = ask(
        shop.published, "select source_system, order_id from dws_order where channel = 'marketplace' order by 2"
    )
    assert orders == [("mkt", "MP-77"), ("mkt", "MP-78")]


def test_postage_is_told_apart(shop: Story) -> None:
    # 15 each of orders 11, 12 and 17; the cancelled one of 15 counts for nothing. 15 and 5 are paid back.
    found = ask(
        shop.published,
        "select business_date::varchar, shipping_base, shipping_refunded_base from ads_channel_day "
        "where channel = 'online' order by 1",
    )
    assert found == [(FIRST, Decimal(45), Decimal(0)), (SECOND, Decimal(0), Decimal(20))]
    # Of MP-77 only the shop's export tells the postage.
    found = ask(
        shop.published, f"select sum(shipping_base), sum(shipping_refunded_base) from ads_channel_day where {MARKET}"
    )
    assert found == [(Decimal(12), Decimal(0))]


def test_a_gift_card_is_owed(shop: Story) -> None:
    found = ask(shop.published, "select sum(gift_cards_base) from ads_channel_day")
    assert found == [(Decimal(500),)]


def test_returns_and_refunds_are_two_figures(shop: Story) -> None:
    # Returned: two of order 13 by parcel, one by its refund. Refunded: 30, 30, 100 and 7.
    found = ask(
        shop.published,
        "select business_date::varchar, returns_base, refunds_base from ads_channel_day where channel = 'online' "
        "order by 1",
    )
    assert found == [(FIRST, Decimal(120), Decimal(0)), (SECOND, Decimal(60), Decimal(167))]


def test_goods_that_come_back_are_negative_whatever_sign_the_till_writes(shop: Story) -> None:
    found = ask(
        shop.warehouse, "select line_id, quantity, net_amount from dwd.dwd_order_line where source_system = 'pos'"
    )
    assert sorted(found) == [("1", Decimal(-1), Decimal(-5)), ("2", Decimal(-1), Decimal(-5))]


def test_each_line_that_does_not_count_has_its_reason(shop: Story) -> None:
    found = ask(
        shop.warehouse,
        "select document_id, line_id, exclusion from dws.dws_order_line where exclusion is not null order by all",
    )
    assert found == [
        ("14", "141", "removed from its document"),
        ("15", "151", "cancelled order"),
        ("2", "22", "removed from its document"),
        ("8", "81", "order that another system has too"),
    ]


def test_every_balance_closes_and_names_what_it_leaves_out(shop: Story) -> None:
    assert ask(shop.warehouse, "select subject, measure from ops.reconciliation where difference <> 0") == []
    lines, refunds = (
        ask(
            shop.warehouse,
            f"select map_keys(excluded) from ops.reconciliation where night = '{SECOND}' and model = "
            f"'{model}' and measure = '{measure}' and unit = 'CNY'",
        )
        for model, measure in (("dws_order_line", "net_amount"), ("dws_refund", "refunded"))
    )
    assert [sorted(names) for (names,) in lines] == [
        [
            "discount of the whole order, spread over its lines",
            "gift cards, deposits, rounding and postage: no revenue of goods",
            "lines of cancelled orders",
            "lines of orders that another system has too",
            "lines removed from their document",
        ]
    ]
    assert [sorted(names) for (names,) in refunds] == [
        [
            "goods that a return or an edit gives back",
            "postage paid back",
            "refunds of what was removed from their order",
            "refunds on cancelled or test orders",
            "refunds that failed",
            "tax added on top",
        ]
    ]


def test_a_figure_with_unknown_tax_says_so(shop: Story) -> None:
    assert ask(shop.published, "select distinct is_tax_known from ads_channel_day") == [(False,)]
    known = ask(
        shop.published, "select order_id from dws_order where is_tax_known and source_system = 'shop' order by 1"
    )
    assert [order_id for (order_id,) in known] == ["1", "17", "5"]
