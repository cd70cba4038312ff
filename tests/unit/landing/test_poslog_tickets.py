"""Tickets of real tills, written by hand: the lines that the shipped POSLog contracts count come to the ticket's own
total, whatever way the till writes voids, returns, discounts, taxes and tenders."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest
import yaml
from small_retailer import SmallRetailer
from support import REPOSITORY, shared_data

Retail = Callable[..., SmallRetailer]
CONTRACTS = {
    "pos_transactions": (
        "data_contracts", "pos/transactions/poslog_2026-01-05_1.xml", "CNY", "pos_transaction_lines",
    ),
    "poslog_tickets": ("examples/real_formats/contracts", "poslog/1.xml", "USD", "poslog_ticket_lines"),
}  # fmt: skip


def sale(item: str, quantity: str, price: str, amount: str, more: str = "", flag: str = "") -> str:
    return line("Sale", item, quantity, price, amount, more, flag)


def back(item: str, quantity: str, price: str, amount: str, more: str = "", flag: str = "") -> str:
    return line("Return", item, quantity, price, amount, more, flag)


def line(kind: str, item: str, quantity: str, price: str, amount: str, more: str, flag: str) -> str:
    return (
        f"<LineItem{flag}><SequenceNumber>@</SequenceNumber><{kind}><ItemID>{item}</ItemID>"
        f"<RegularSalesUnitPrice>{price}</RegularSalesUnitPrice><ExtendedAmount>{amount}</ExtendedAmount>{more}"
        f"<Quantity>{quantity}</Quantity></{kind}></LineItem>"
    )


def other(content: str) -> str:
    return f"<LineItem><SequenceNumber>@</SequenceNumber>{content}</LineItem>"


VOID = ' VoidFlag="true"'
CASH = "<Tender TenderType='Cash'><Amount>20.00</Amount><TenderChange><Amount>3.50</Amount></TenderChange></Tender>"
TAX = "<Tax TaxType='VAT'><TaxableAmount>10.00</TaxableAmount><Amount>0.80</Amount></Tax>"
# Name: flags of the transaction, lines, totals besides the grand one, the grand total; then, worked by hand, what the
# counted lines come to, their units, and what is left of the total.
TICKETS: dict[str, tuple[str, list[str], str, str, str, str, str | None]] = {
    # 2 x 10.00.
    "plain": ("", [sale("A", "2", "10.00", "20.00")], "", "20.00", "20.00", "2", None),
    # 0.42 kg x 2.99 = 1.2558, which the till rounds to 1.26.
    "weighed": ("", [sale("A", "0.42", "2.99", "1.26")], "", "1.26", "1.26", "0.42", None),
    # 3 x 10.00 = 30.00, less 3.00 that no element tells.
    "reduced": ("", [sale("A", "3", "10.00", "27.00")], "", "27.00", "27.00", "3", None),
    # A for 5.00 is voided in each way that tills know, B for 7.00 stays.
    "void is flagged": (
        "", [sale("A", "1", "5.00", "5.00", flag=VOID), sale("B", "1", "7.00", "7.00")], "", "7.00", "7.00", "1", None,
    ),
    "void is reversed": (
        "",
        [sale("A", "1", "5.00", "5.00"), sale("B", "1", "7.00", "7.00"), sale("A", "-1", "5.00", "-5.00", flag=VOID)],
        "", "7.00", "7.00", "1", None,
    ),
    "void is reversed without a flag": (
        "",
        [sale("A", "1", "5.00", "5.00"), sale("A", "-1", "5.00", "-5.00"), sale("B", "1", "7.00", "7.00")],
        "", "7.00", "7.00", "1", None,
    ),
    "void is reversed, both flagged": (
        "",
        [sale("A", "1", "5.00", "5.00", flag=VOID), sale("A", "-1", "5.00", "-5.00", flag=VOID),
         sale("B", "1", "7.00", "7.00")],
        "", "7.00", "7.00", "1", None,
    ),
    "void is reversed with a positive quantity": (
        "",
        [sale("A", "2", "2.50", "5.00"), sale("A", "2", "2.50", "-5.00", flag=VOID), sale("B", "1", "7.00", "7.00")],
        "", "7.00", "7.00", "1", None,
    ),
    # 2 x 5.00 less 1.00 = 9.00 and back, its discount written without a sign: gross 10.00 - 10.00.
    "a reduced line is reversed": (
        "",
        [sale("A", "2", "5.00", "9.00"), sale("A", "-2", "5.00", "-9.00", flag=VOID), sale("B", "1", "7.00", "7.00")],
        "", "7.00", "7.00", "1", None,
    ),
    "return": ("", [back("A", "1", "4.50", "4.50")], "", "-4.50", "-4.50", "-1", None),
    "return with a sign": ("", [back("A", "-1", "4.50", "-4.50")], "", "-4.50", "-4.50", "-1", None),
    # 10.00 - 2 x 4.50 = 1.00.
    "exchange": (
        "", [back("A", "2", "4.50", "9.00"), sale("B", "1", "10.00", "10.00")], "", "1.00", "1.00", "-1", None,
    ),
    "return is flagged void": (
        "", [back("A", "1", "4.50", "4.50", flag=VOID), sale("B", "1", "7.00", "7.00")], "", "7.00", "7.00", "1", None,
    ),
    "return is reversed": (
        "",
        [back("A", "1", "4.50", "4.50"), back("A", "-1", "4.50", "-4.50", flag=VOID), sale("B", "1", "7.00", "7.00")],
        "", "7.00", "7.00", "1", None,
    ),
    # 10.00 and 0.80 on top; the net total stands first.
    "tax on top": (
        "",
        [sale("A", "1", "10.00", "10.00"), other(TAX)],
        "<Total TotalType='TransactionNetAmount'>10.00</Total><Total TotalType='TransactionTaxAmount'>0.80</Total>",
        "10.80", "10.00", "1", None,
    ),
    "tax within": (
        "",
        [sale("A", "1", "10.80", "10.80"), other(TAX)],
        "<Total TotalType='TransactionTaxAmount'>0.80</Total>",
        "10.80", "10.80", "1", None,
    ),
    # 20.00 are given, 3.50 come back.
    "change": ("", [sale("A", "1", "16.50", "16.50"), other(CASH)], "", "16.50", "16.50", "1", None),
    "cancelled": (' CancelFlag="true"', [sale("A", "1", "16.50", "16.50")], "", "0.00", "0", "0", None),
    "cancelled by a number": (' CancelFlag="1"', [sale("A", "1", "16.50", "16.50")], "", "0.00", "0", "0", None),
    "suspended": (' SuspendFlag="true"', [sale("A", "1", "16.50", "16.50")], "", "0.00", "0", "0", None),
    "training": (' TrainingModeFlag="true"', [sale("A", "1", "16.50", "16.50")], "", "16.50", "0", "0", None),
    # 12.00 - 10.00: two are missing in the lines.
    "a line is lost": ("", [sale("A", "1", "10.00", "10.00")], "", "12.00", "10.00", "1", "2.00"),
    # A flagged line of 5.00 that is not reversed, but in the total: 12.00 - 7.00.
    "a void that counts": (
        "", [sale("A", "1", "5.00", "5.00", flag=VOID), sale("B", "1", "7.00", "7.00")],
        "", "12.00", "7.00", "1", "5.00",
    ),
    # Flags that say no: 5.00 + 7.00.
    "flags that are not set": (
        ' CancelFlag="false" SuspendFlag="0" TrainingModeFlag="false"',
        [sale("A", "1", "5.00", "5.00", flag=' VoidFlag="0"'),
         sale("B", "1", "7.00", "7.00", flag=' VoidFlag="false"')],
        "", "12.00", "12.00", "2", None,
    ),
}  # fmt: skip


def document(currency: str, tickets: dict[str, tuple[str, list[str], str, str]]) -> str:
    written = []
    for number, (flags, lines, totals, grand) in enumerate(tickets.values(), 1):
        numbered = "".join(text.replace("@", str(place)) for place, text in enumerate(lines, 1))
        written.append(
            f"<Transaction{flags}><RetailStoreID>9</RetailStoreID><WorkstationID>3</WorkstationID><SequenceNumber>"
            f"{number}</SequenceNumber><BusinessDayDate>2026-01-05</BusinessDayDate><BeginDateTime>2026-01-05T10:00:00"
            f"</BeginDateTime><EndDateTime>2026-01-05T10:01:00</EndDateTime><CurrencyCode>{currency}</CurrencyCode>"
            f"<RetailTransaction>{numbered}{totals}<Total TotalType='TransactionGrandAmount'>{grand}</Total>"
            "</RetailTransaction></Transaction>"
        )
    return f"<POSLog xmlns='http://www.nrf-arts.org/IXRetail/namespace/'>{''.join(written)}</POSLog>"


def till(retail: Retail, name: str, change: Callable[[dict[str, Any]], None] = lambda _: None) -> SmallRetailer:
    folder = CONTRACTS[name][0]
    content = yaml.safe_load((REPOSITORY / folder / f"{name}.odcs.yaml").read_text(encoding="utf-8"))
    change(content)
    return retail(content)


WAYS = pytest.mark.parametrize("way", [{}, {"true": "1", "false": "0"}], ids=["words", "digits"])
"""XML writes a boolean as a word or as a digit (XML Schema, xs:boolean); both say the same."""


def flagged(text: str, way: dict[str, str]) -> str:
    """The document with its flags written in one way."""
    for word, digit in way.items():
        text = text.replace(f'Flag="{word}"', f'Flag="{digit}"')
    return text


@WAYS
@pytest.mark.parametrize("name", CONTRACTS)
def test_the_lines_of_a_ticket_come_to_its_total(retail: Retail, name: str, way: dict[str, str]) -> None:
    _, path, currency, lines = CONTRACTS[name]
    shop = till(retail, name)
    tickets = {ticket: content[:4] for ticket, content in TICKETS.items()}
    shop.put(path, flagged(document(currency, tickets), way))
    headers, counted = shop.take(name=name), shop.take(name=lines)
    assert (headers.closed, counted.closed) == ({}, {})
    assert (headers.landed.quarantined, counted.landed.quarantined) == (0, 0)
    sums = by_ticket(shop, lines)
    totals = {row[0]: row[1:] for row in shop.rows("order_id, total_amount, lines_difference", name=name)}
    found = {
        ticket: (*sums[f"9-3-{number}-2026-01-05"], *totals[f"9-3-{number}-2026-01-05"])
        for number, ticket in enumerate(TICKETS, 1)
    }
    wanted = {
        ticket: (Decimal(amount), Decimal(units), Decimal(grand), left and Decimal(left))
        for ticket, (_, _, _, grand, amount, units, left) in TICKETS.items()
    }
    assert found == wanted
    assert "2 rows break it" in headers.warned["lines_tie_to_total"]


@WAYS
@pytest.mark.parametrize("name", CONTRACTS)
def test_the_flags_of_a_ticket_say_what_it_is(retail: Retail, name: str, way: dict[str, str]) -> None:
    whole = [sale("A", "1", "5.00", "5.00")]
    flags = {
        "plain": "",
        "cancelled": ' CancelFlag="true"',
        "training": ' TrainingModeFlag="true"',
        "nothing": ' CancelFlag="false" TrainingModeFlag="false"',
    }
    shop = till(retail, name)
    tickets = {ticket: (flag, whole, "", "5.00") for ticket, flag in flags.items()}
    shop.put(CONTRACTS[name][1], flagged(document(CONTRACTS[name][2], tickets), way))
    shop.take(name=name)
    assert shop.rows("status, is_cancelled, is_test", name=name) == [
        ("completed", False, False),
        ("cancelled", True, False),
        ("completed", False, True),
        ("completed", False, False),
    ]


@WAYS
def test_a_reward_in_detail_is_a_line_and_one_in_sum_is_none(retail: Retail, way: dict[str, str]) -> None:
    """10.00 less 0.50 of a reward in detail; the same 0.50 once more as the sum of the details."""
    reward = (
        "<LineItem><SequenceNumber>@</SequenceNumber><LoyaltyReward detailedDataFlag><RewardBasis><ItemID>A</ItemID>"
        "</RewardBasis><RewardCategory>Monetary</RewardCategory><RewardType>Offer</RewardType>"
        "<ExtendedRewardAmount>-0.50</ExtendedRewardAmount></LoyaltyReward></LineItem>"
    )
    told = [reward.replace("detailedDataFlag", f'detailedData="{way.get(word, word)}"') for word in ("true", "false")]
    shop = till(retail, "poslog_tickets")
    lines = [sale("A", "1", "10.00", "10.00"), *told]
    shop.put("poslog/1.xml", document("USD", {"rewarded": ("", lines, "", "9.50")}))
    assert "lines_tie_to_total" not in shop.take(name="poslog_tickets").warned
    shop.take(name="poslog_ticket_rewards")
    assert shop.rows("line_id, line_amount", name="poslog_ticket_rewards") == [("2", Decimal("-0.50"))]


def by_ticket(shop: SmallRetailer, lines: str) -> dict[str, tuple[Decimal, Decimal]]:
    """What the counted lines of each ticket come to, and their units."""
    found: dict[str, tuple[Decimal, Decimal]] = {}
    for order, amount, quantity, is_test in shop.rows("order_id, line_amount, quantity, is_test", name=lines):
        before = found.get(order, (Decimal(0), Decimal(0)))
        found[order] = before if is_test else (before[0] + amount, before[1] + quantity)
    return found


def test_a_ticket_that_does_not_tie_is_quarantined_where_the_contract_says_so(retail: Retail) -> None:
    def strict(content: dict[str, Any]) -> None:
        header = content["schema"][0]
        header["customProperties"].append({"property": "quarantineTolerance", "value": 1})
        (item,) = [item for item in header["properties"] if item["name"] == "lines_difference"]
        item["quality"][0]["severity"] = "error"

    shop = till(retail, "pos_transactions", strict)
    names = ("plain", "a line is lost", "void is reversed")
    shop.put(CONTRACTS["pos_transactions"][1], document("CNY", {name: TICKETS[name][:4] for name in names}))
    assert shop.take(name="pos_transactions").counts == (3, 2, 1, 0)
    ((row, rule, reason),) = shop.quarantine("row, rule, reason")
    assert (row, rule) == (2, "lines_tie_to_total")
    assert reason.startswith('lines_difference: "2.0000" breaks lines_tie_to_total')


def test_a_discount_of_the_whole_ticket_is_a_line(retail: Retail) -> None:
    """20.00 less 2.00; 20.00 less 2.00 that was voided; 20.00 less 2.00 written with its sign."""
    discount = "<Discount><Amount>2.00</Amount></Discount>"
    whole = sale("A", "2", "10.00", "20.00")
    shop = till(retail, "pos_transactions")
    tickets = {
        "taken": ("", [whole, other(discount)], "", "18.00"),
        "voided": ("", [whole, other(discount).replace("<LineItem>", f"<LineItem{VOID}>")], "", "20.00"),
        "signed": ("", [whole, other(discount.replace("2.00", "-2.00"))], "", "18.00"),
    }
    shop.put(CONTRACTS["pos_transactions"][1], document("CNY", tickets))
    assert shop.take(name="pos_transactions").warned == {}
    assert shop.take(name="pos_transaction_lines").counts == (6, 6, 0, 0)
    assert [amount for amount, _ in by_ticket(shop, "pos_transaction_lines").values()] == [18, 20, 18]
    kinds = shop.rows("line_type, product_id, quantity, unit_price, discount_amount", name="pos_transaction_lines")
    assert kinds[1] == ("adjustment", "DISCOUNT", 0, 0, None)


def test_a_discount_follows_the_sign_of_its_line(retail: Retail) -> None:
    discount = "<DiscountAmount>1.00</DiscountAmount>"
    lines = [
        sale("A", "2", "5.00", "9.00", discount),
        sale("A", "-2", "5.00", "-9.00", discount, VOID),
        back("B", "2", "5.00", "9.00", discount),
        back("B", "-2", "5.00", "-9.00", discount.replace("1.00", "-1.00"), VOID),
    ]
    shop = till(retail, "pos_transactions")
    shop.put(CONTRACTS["pos_transactions"][1], document("CNY", {"all": ("", lines, "", "0.00")}))
    assert shop.take(name="pos_transactions").warned == {}
    shop.take(name="pos_transaction_lines")
    found = shop.rows("line_type, quantity, discount_amount, line_amount, is_test", name="pos_transaction_lines")
    assert found == [
        ("sale", 2, 1, 9, False),
        ("sale", -2, -1, -9, False),
        ("return", -2, -1, -9, False),
        ("sale", 2, 1, 9, False),
    ]


def test_an_amount_that_cannot_be_read_is_told_once(retail: Retail) -> None:
    """The line goes to quarantine; its ticket cannot be compared."""

    def patient(content: dict[str, Any]) -> None:
        content["schema"][1]["customProperties"].append({"property": "quarantineTolerance", "value": 1})

    shop = till(retail, "pos_transactions", patient)
    lines = [sale("A", "1", "1.50", "1,50"), sale("B", "1", "7.00", "7.00")]
    shop.put(CONTRACTS["pos_transactions"][1], document("CNY", {"unreadable": ("", lines, "", "8.50")}))
    assert shop.take(name="pos_transactions").warned == {}
    assert shop.rows("total_amount, lines_difference", name="pos_transactions") == [(Decimal("8.50"), None)]
    assert shop.take(name="pos_transaction_lines").counts == (2, 1, 1, 0)
    assert shop.quarantine("rule, reason") == [
        (
            "line_amount_type",
            'line_amount: "1,50" is not a number of at most 14 digits before the point and 4 behind it',
        )
    ]


def tender(amount: str, attributes: str = "TenderType='Cash'", flag: str = "", change: str = "") -> str:
    back = f"<TenderChange><Amount>{change}</Amount></TenderChange>" if change else ""
    return (
        f"<LineItem{flag}><SequenceNumber>@</SequenceNumber><Tender {attributes}><Amount>{amount}</Amount>{back}"
        "</Tender></LineItem>"
    )


PAID_OUT = "TenderType='Cash' TypeCode='Refund'"
CHANGE = "TenderType='Cash' TypeCode='Change'"
# Name: flags of the transaction, tenders, the grand total; then, worked by hand, the money that the till took.
TENDERED: dict[str, tuple[str, list[str], str, str]] = {
    "exact": ("", [tender("16.50")], "16.50", "16.50"),
    # 20.00 are given, 3.50 come back, in each way that tills write it.
    "change": ("", [tender("20.00", change="3.50")], "16.50", "16.50"),
    "change is a tender": ("", [tender("20.00"), tender("3.50", CHANGE)], "16.50", "16.50"),
    "change is a negative tender": ("", [tender("20.00"), tender("-3.50")], "16.50", "16.50"),
    "change is a negative tender of its type": ("", [tender("20.00"), tender("-3.50", CHANGE)], "16.50", "16.50"),
    # A voucher of 10.00, and 10.00 in cash of which 3.50 come back.
    "two tenders": ("", [tender("10.00", "TenderType='Voucher'"), tender("10.00", change="3.50")], "16.50", "16.50"),
    "paid out": ("", [tender("4.50", PAID_OUT)], "-4.50", "-4.50"),
    "paid out with a sign": ("", [tender("-4.50", PAID_OUT)], "-4.50", "-4.50"),
    # A card is refused, cash is taken instead.
    "void is flagged": ("", [tender("16.50", flag=VOID), tender("16.50")], "16.50", "16.50"),
    "void is reversed": ("", [tender("16.50"), tender("-16.50", flag=VOID), tender("16.50")], "16.50", "16.50"),
    "void is reversed, both flagged": (
        "", [tender("16.50", flag=VOID), tender("-16.50", flag=VOID), tender("16.50")], "16.50", "16.50",
    ),
    "paid out and reversed": (
        "", [tender("4.50", PAID_OUT), tender("-4.50", PAID_OUT, VOID), tender("4.50", PAID_OUT)], "-4.50", "-4.50",
    ),
    "cancelled": (' CancelFlag="true"', [tender("16.50")], "0.00", "0"),
    "suspended": (' SuspendFlag="1"', [tender("16.50")], "0.00", "0"),
    "training": (' TrainingModeFlag="true"', [tender("16.50")], "16.50", "0"),
}  # fmt: skip


@WAYS
@pytest.mark.parametrize(
    ("name", "tenders"), [("pos_transactions", "pos_transaction_tenders"), ("poslog_tickets", "poslog_ticket_tenders")]
)
def test_the_tenders_of_a_ticket_are_what_the_till_took(
    retail: Retail, name: str, tenders: str, way: dict[str, str]
) -> None:
    shop = till(retail, name)
    tickets = {ticket: (flags, lines, "", total) for ticket, (flags, lines, total, _) in TENDERED.items()}
    shop.put(CONTRACTS[name][1], flagged(document(CONTRACTS[name][2], tickets), way))
    assert shop.take(name=tenders).landed.quarantined == 0
    taken = dict.fromkeys((f"9-3-{number}-2026-01-05" for number in range(1, len(TENDERED) + 1)), Decimal(0))
    for order, amount, is_void in shop.rows("order_id, amount, is_void", name=tenders):
        taken[order] += 0 if is_void else amount
    wanted = {ticket: Decimal(money) for ticket, (*_, money) in TENDERED.items()}
    assert dict(zip(TENDERED, taken.values(), strict=True)) == wanted


def test_a_tender_that_cannot_be_read_is_known_by_its_ticket(retail: Retail) -> None:
    def patient(content: dict[str, Any]) -> None:
        content["schema"][2]["customProperties"].append({"property": "quarantineTolerance", "value": 1})

    shop = till(retail, "pos_transactions", patient)
    shop.put(CONTRACTS["pos_transactions"][1], document("CNY", {"bad": ("", [tender("1,50")], "", "1.50")}))
    assert shop.take(name="pos_transaction_tenders").counts == (1, 0, 1, 0)
    unread = "select source_system, order_id, line_id, entity from ops.unread_document"
    assert shop.con.execute(unread).fetchall() == [("pos", "9-3-1-2026-01-05", "1", "payment")]


def test_the_real_ticket_comes_to_its_total_with_its_reward(retail: Retail) -> None:
    """0.42 at 2.99 is 1.26, 0.19 of a reward for the whole ticket come off: 1.07 was paid."""
    shop = till(retail, "poslog_tickets")
    shop.put("poslog/till_small.xml", (shared_data("poslog") / "till_small.xml").read_bytes())
    feeds = ("poslog_tickets", "poslog_ticket_lines", "poslog_ticket_rewards")
    assert [shop.take(name=name).warned for name in feeds] == [{}, {}, {}]
    assert shop.rows("total_amount, lines_difference", name="poslog_tickets") == [(Decimal("1.07"), None)]
    lines = [row for name in feeds[1:] for row in shop.rows("line_type, product_id, line_amount", name=name)]
    item = "00000000067591"
    assert lines == [("sale", item, Decimal("1.26")), ("adjustment", item, Decimal("-0.19"))]
