"""What tills sell besides goods, and goods by weight: each ticket is worked out by hand."""

from __future__ import annotations

from decimal import Decimal

import pytest
from shop_documents import DAYS, FIRST, write
from support import REPOSITORY, Story, ask, home_at, run_well, story

SHIPPED = ("pos_transactions", "pos_tickets_eu", "pos_ticket_lines_eu")
HEADERS = "StoreID;Till;ReceiptNo;BusinessDate;Start;End;Operator;Status;Currency;Total;LoyaltyNo;PaymentType;CardToken"
LINES = (
    "StoreID;Till;ReceiptNo;BusinessDate;Line;Kind;ArticleNo;Text;Quantity;UnitPrice;Discount;Amount;Currency;Voided;"
    "Status;OrigReceipt;LoyaltyNo;Start;End"
)
STOCK, FEE, DEPOSIT, CERTIFICATE, CARD = (
    f" ItemType='{name}'" for name in ("Stock", "Fee", "Deposit", "GiftCertificate", "GiftCard")
)
# Kind, type and amount of the items of a ticket of China's tills; its total.
ITEMS = {
    # 20.00 of goods and 2.00 for gift wrap; a gift card of 50.00 and a deposit of 0.25 are owed.
    1: ([("Sale", STOCK, "20.00"), ("Sale", FEE, "2.00"), ("Sale", CERTIFICATE, "50.00"),
         ("Sale", DEPOSIT, "0.25")], "72.25"),
    # Bottles come back: 0.75 of deposits. A gift card of 30.00 is given back.
    2: ([("Sale", STOCK, "5.00"), ("Return", DEPOSIT, "0.75")], "4.25"),
    3: ([("Return", CARD, "30.00")], "-30.00"),
    # Nobody says of what type the item is: goods.
    4: ([("Sale", "", "7.00")], "7.00"),
}  # fmt: skip
# Of a ticket of Europe's tills: kind, weight, price a kilo, discount and amount, as the till rounds it.
WEIGHED = {
    # 0.333 x 9.99 = 3.32667; 0.205 x 9.99 - 0.10 = 1.94795. A thing without an amount of its own: 2 x 1.50.
    1: ([("S", "0,333", "9,99", "0,00", "3,33"), ("S", "0,205", "9,99", "0,10", "1,95"),
         ("S", "2", "1,50", "0,00", "")], "8,28"),
    # 0.333 comes back.
    2: ([("R", "0,333", "9,99", "0,00", "3,33")], "-3,33"),
}  # fmt: skip


def poslog() -> str:
    tickets = []
    for number, (items, total) in ITEMS.items():
        lines = "".join(
            f"<LineItem><SequenceNumber>{line}</SequenceNumber><{kind}{of}>"
            f"<ItemID>A{line}</ItemID><RegularSalesUnitPrice>{amount}</RegularSalesUnitPrice>"
            f"<ExtendedAmount>{amount}</ExtendedAmount><Quantity>1</Quantity></{kind}></LineItem>"
            for line, (kind, of, amount) in enumerate(items, 1)
        )
        tickets.append(
            f"<Transaction><RetailStoreID>S1</RetailStoreID><WorkstationID>1</WorkstationID><SequenceNumber>{number}"
            f"</SequenceNumber><BusinessDayDate>{FIRST}</BusinessDayDate><BeginDateTime>{FIRST}T10:00:00"
            f"</BeginDateTime><EndDateTime>{FIRST}T10:01:00</EndDateTime><CurrencyCode>CNY</CurrencyCode>"
            f"<RetailTransaction>{lines}<Total TotalType='TransactionGrandAmount'>{total}</Total></RetailTransaction>"
            "</Transaction>"
        )
    return f"<POSLog xmlns='http://www.nrf-arts.org/IXRetail/namespace/'>{''.join(tickets)}</POSLog>"


def flat() -> tuple[str, str]:
    day = f"{DAYS[0]:%d.%m.%Y}"
    at = f"{day} 11:00:00"
    headers, lines = HEADERS + "\n", LINES + "\n"
    for number, (items, total) in WEIGHED.items():
        status = "RETURN" if total.startswith("-") else "SALE"
        headers += f"S7;1;{number};{day};{at};{at};1;{status};EUR;{total};;Cash;\n"
        for line, (kind, weight, price, discount, amount) in enumerate(items, 1):
            goods = f"{kind};A;A;{weight};{price};{discount};{amount}"
            lines += f"S7;1;{number};{day};{line};{goods};EUR;0;{status};;;{at};{at}\n"
    return headers, lines


@pytest.fixture(scope="module")
def tills(tmp_path_factory: pytest.TempPathFactory) -> Story:
    folder = tmp_path_factory.mktemp("tills")
    contracts, source = folder / "contracts", folder / "source"
    for name in SHIPPED:
        shipped = REPOSITORY / "data_contracts" / f"{name}.odcs.yaml"
        write(contracts / shipped.name, shipped.read_text(encoding="utf-8"))
    write(source / f"pos/transactions/poslog_{FIRST}_1.xml", poslog())
    headers, lines = flat()
    write(source / f"pos/flat/tickets_{FIRST}.csv", headers)
    write(source / f"pos/flat/ticket_lines_{FIRST}.csv", lines)
    rates = folder / "exchange_rates.csv"
    write(rates, "date,currency,reporting_currency,rate\n2026-01-01,EUR,CNY,1\n")
    settings = home_at(folder, source, contracts=contracts, reporting_currency="CNY", exchange_rates=rates)
    return story(settings, "a night", run_well(settings, DAYS[:1]))


def test_gift_cards_and_deposits_are_owed_and_fees_are_goods(tills: Story) -> None:
    found = ask(
        tills.warehouse,
        "select order_id, sum(net_amount), sum(gift_card_amount) from dws.dws_order_movement "
        "where order_id like 'S1-%' and is_counted group by all order by all",
    )
    assert found == [
        (f"S1-1-1-{FIRST}", Decimal(22), Decimal(50)),
        (f"S1-1-2-{FIRST}", Decimal(5), Decimal(0)),
        (f"S1-1-3-{FIRST}", Decimal(0), Decimal(-30)),
        (f"S1-1-4-{FIRST}", Decimal(7), Decimal(0)),
    ]


def test_goods_by_weight_are_what_the_till_says(tills: Story) -> None:
    found = ask(
        tills.warehouse,
        "select document_id, line_id, net_amount from dws.dws_order_line where document_id like 'S7-%' order by all",
    )
    assert found == [
        (f"S7-1-1-{FIRST}", "1", Decimal("3.33")),
        (f"S7-1-1-{FIRST}", "2", Decimal("1.95")),
        (f"S7-1-1-{FIRST}", "3", Decimal(3)),
        (f"S7-1-2-{FIRST}", "1", Decimal("-3.33")),
    ]


def test_every_ticket_ties_and_every_balance_closes(tills: Story) -> None:
    ties = ask(tills.warehouse, "select distinct lines_tie, lines_difference from dws.dws_order_tie")
    assert ties == [("matched", Decimal(0))]
    assert ask(tills.warehouse, "select subject, measure, unit from ops.reconciliation where difference <> 0") == []
