"""Variations of what shops pay back: one order each, its money in all and its postage worked out by hand.

A reviewer wrote them without the models; each was wrong once.
"""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from typing import Any, NamedTuple

import pytest
from shop_documents import (
    DAYS,
    FIRST,
    SECOND,
    back,
    item,
    order,
    postage,
    refund,
    shipped_contracts,
    write_returns,
    write_shop,
)
from support import Story, ask, home_at, run_well, story

SHIPPED = ("shop_orders", "shop_refunds", "logistics_returns")
RET = "return"
EARLY = {"created_at": f"{FIRST}T12:00:00+08:00"}
LATER = {"created_at": f"{SECOND}T15:00:00+08:00"}
UNPAID: dict[str, Any] = {"transactions": []}
Document = dict[str, Any]


class Shop(NamedTuple):
    """The order's versions, its refunds, those that come again on the second day, and its parcels."""

    orders: list[Document]
    refunds: list[Document]
    again: list[Document]
    parcels: list[str]


def ordered(
    n: int,
    lines: list[Document],
    total: str,
    ship: str = "0",
    tax: str | None = None,
    top: bool | None = None,
    **more: Any,
) -> Document:
    """An order; `top` says whether its tax was added on top."""
    said = {"total_price": total, "total_tax": tax, "taxes_included": None if top is None else not top}
    return order(n, lines, **(said | postage(ship) | more))


def goods(n: int, *prices: str) -> list[Document]:
    return [item(n, line, price) for line, price in enumerate(prices, 1)]


def paid(n: int, k: int, lines: Sequence[tuple[Any, ...]], amount: str, **more: Any) -> Document:
    """The k-th refund; lines as line, quantity, amount, kind, and what else it says."""
    number = n * 100 + k
    made = [back(number, n, *line[:4]) | (line[4] if len(line) > 4 else {}) for line in lines]
    return refund(number, n, made, amount, **more)


def came(n: int, line: int, quantity: int, price: str, rma: str = "", day: str = FIRST) -> str:
    """A line of a parcel that came back."""
    return (
        f"RMA-{n}{rma},{line},{n},online,W01,P{line},x,{quantity},{price},0.00,CNY,size,"
        f"{day}T18:00:00+08:00,{day}T20:00:00+08:00"
    )


def three_parcels(n: int) -> list[str]:
    return [came(n, 1, 1, "100.00"), came(n, 2, 1, "50.00", "b"), came(n, 3, 1, "30.00", "c")]


def adjusted(*told: tuple[str, str, str]) -> Document:
    return {"order_adjustments": [{"kind": kind, "amount": amount, "tax_amount": tax} for kind, amount, tax in told]}


def transactions(*told: tuple[str, str, str]) -> Document:
    rows = [
        {"id": number, "amount": amount, "kind": kind, "status": status, "gateway": "visa", "currency": "CNY"}
        for number, (amount, kind, status) in enumerate(told, 1)
    ]
    return {"transactions": rows}


def tax(amount: str) -> Document:
    return {"total_tax": amount}


def taxed(*amounts: str) -> Document:
    return {"tax_lines": [{"price": amount} for amount in amounts]}


def toys_and_books(n: int, **more: Any) -> list[Document]:
    """19% on top of 100, and 7% of 50."""
    return [item(n, 1, "100.00", **taxed("19.00")), item(n, 2, "50.00", **taxed("3.50"), **more)]


def postage_back(amount: str, tax_of_it: str) -> Document:
    told = {"subtotal_amount_set": amount, "tax_amount_set": tax_of_it}
    return {"refund_shipping_lines": [{name: {"shop_money": {"amount": of}} for name, of in told.items()}]}


def on_top(n: int) -> list[Document]:
    return [ordered(n, goods(n, "100.00", "50.00"), "169.50", tax="19.50", top=True)]


FAILED = transactions(("100.00", "refund", "failure"))
VOID = transactions(("169.50", "void", "success"))
Right = tuple[str | None, str | None, str | None]
"""Net revenue, net as priced, tax; None where nobody can know."""
CASES: list[tuple[Any, ...]] = [
    (
        "within, line names tax, fee 10",
        lambda n: Shop(
            [ordered(n, goods(n, "100.00"), "100.00", tax="11.50", top=False)],
            [paid(n, 1, [(1, 1, "100.00", RET, tax("11.50"))], "90.00")],
            [],
            [],
        ),
        ("8.85", "10", "1.15"),
    ),
    (
        "within, 100+50, line 1 named tax, fee 10",
        lambda n: Shop(
            [ordered(n, goods(n, "100.00", "50.00"), "150.00", tax="17.25", top=False)],
            [paid(n, 1, [(1, 1, "100.00", RET, tax("11.50"))], "90.00")],
            [],
            [],
        ),
        ("53.10", "60", "6.90"),
    ),
    (
        "same order, tax_lines on lines",
        lambda n: Shop(
            [
                ordered(
                    n,
                    [item(n, 1, "100.00", **taxed("11.50")), item(n, 2, "50.00", **taxed("5.75"))],
                    "150.00",
                    tax="17.25",
                    top=False,
                )
            ],
            [paid(n, 1, [(1, 1, "100.00", RET, tax("11.50"))], "90.00")],
            [],
            [],
        ),
        ("53.10", "60", "6.90"),
    ),
    (
        "one line with tax_lines, fee 10",
        lambda n: Shop(
            [ordered(n, [item(n, 1, "100.00", **taxed("11.50"))], "100.00", tax="11.50", top=False)],
            [paid(n, 1, [(1, 1, "100.00", RET)], "90.00")],
            [],
            [],
        ),
        ("8.85", "10", "1.15"),
    ),
    (
        "within two rates, fee on books",
        lambda n: Shop(
            [
                ordered(
                    n,
                    [item(n, 1, "119.00", **taxed("19.00")), item(n, 2, "107.00", **taxed("7.00"))],
                    "226.00",
                    tax="26.00",
                    top=False,
                )
            ],
            [paid(n, 1, [(2, 1, "107.00", RET, tax("7.00"))], "97.00")],
            [],
            [],
        ),
        ("109.35", "129", "19.65"),
    ),
    (
        "top, two rates, named, fee",
        lambda n: Shop(
            [
                ordered(
                    n,
                    [item(n, 1, "100.00", **taxed("19.00")), item(n, 2, "100.00", **taxed("7.00"))],
                    "226.00",
                    tax="26.00",
                    top=True,
                )
            ],
            [paid(n, 1, [(2, 1, "100.00", RET, tax("7.00"))], "97.00")],
            [],
            [],
        ),
        ("109.35", "109.35", "19.65"),
    ),
    (
        "parcel books, 53.50 no line",
        lambda n: Shop(
            [ordered(n, toys_and_books(n), "172.50", tax="22.50", top=True)],
            [paid(n, 1, [], "53.50")],
            [],
            [came(n, 2, 1, "50.00")],
        ),
        (None, "100", None),
    ),
    (
        "parcel toys, 119 no line",
        lambda n: Shop(
            [ordered(n, toys_and_books(n), "172.50", tax="22.50", top=True)],
            [paid(n, 1, [], "119.00")],
            [],
            [came(n, 1, 1, "100.00")],
        ),
        (None, "50", None),
    ),
    (
        "books taken off (current 0), 53.50",
        lambda n: Shop(
            [
                ordered(
                    n,
                    [
                        item(n, 1, "100.00", **taxed("19.00"), current_quantity=1),
                        item(n, 2, "50.00", **taxed("3.50"), current_quantity=0),
                    ],
                    "172.50",
                    tax="22.50",
                    top=True,
                )
            ],
            [paid(n, 1, [], "53.50")],
            [],
            [],
        ),
        ("100", "100", "19"),
    ),
    (
        "toys taken off (current 0), 119",
        lambda n: Shop(
            [
                ordered(
                    n,
                    [
                        item(n, 1, "100.00", **taxed("19.00"), current_quantity=0),
                        item(n, 2, "50.00", **taxed("3.50"), current_quantity=1),
                    ],
                    "172.50",
                    tax="22.50",
                    top=True,
                )
            ],
            [paid(n, 1, [], "119.00")],
            [],
            [],
        ),
        ("50", "50", "3.5"),
    ),
    (
        "money 100, later restock-only line, no parcel",
        lambda n: Shop(
            [ordered(n, goods(n, "100.00"), "100.00")],
            [paid(n, 1, [], "100.00"), paid(n, 2, [(1, 1, "100.00", RET)], "0", **(UNPAID | LATER))],
            [],
            [],
        ),
        ("0", "0", "0"),
    ),
    (
        "same order with parcel",
        lambda n: Shop(
            [ordered(n, goods(n, "100.00"), "100.00")],
            [paid(n, 1, [], "100.00"), paid(n, 2, [(1, 1, "100.00", RET)], "0", **(UNPAID | LATER))],
            [],
            [came(n, 1, 1, "100.00")],
        ),
        ("0", "0", "0"),
    ),
    (
        "same order, tx 0.00",
        lambda n: Shop(
            [ordered(n, goods(n, "100.00"), "100.00")],
            [
                paid(n, 1, [], "100.00"),
                paid(
                    n,
                    2,
                    [(1, 1, "100.00", RET)],
                    "0.00",
                    **(adjusted(("refund_discrepancy", "100.00", "0.00")) | LATER),
                ),
            ],
            [],
            [came(n, 1, 1, "100.00")],
        ),
        ("0", "0", "0"),
    ),
    (
        "restock-only + parcel, then 90",
        lambda n: Shop(
            [ordered(n, goods(n, "100.00"), "100.00")],
            [paid(n, 1, [(1, 1, "100.00", RET)], "0", **(UNPAID | EARLY)), paid(n, 2, [], "90.00")],
            [],
            [came(n, 1, 1, "100.00")],
        ),
        ("10", "10", "0"),
    ),
    (
        "restock-only, no parcel, then 90",
        lambda n: Shop(
            [ordered(n, goods(n, "100.00"), "100.00")],
            [paid(n, 1, [(1, 1, "100.00", RET)], "0", **(UNPAID | EARLY)), paid(n, 2, [], "90.00")],
            [],
            [],
        ),
        ("10", "10", "0"),
    ),
    (
        "two restock-only 50,30; 80 paid",
        lambda n: Shop(
            [ordered(n, goods(n, "100.00", "50.00", "30.00"), "180.00")],
            [
                paid(n, 1, [(2, 1, "50.00", "cancel")], "0", **(UNPAID | EARLY)),
                paid(n, 2, [(3, 1, "30.00", "cancel")], "0", **(UNPAID | EARLY)),
                paid(n, 3, [], "80.00"),
            ],
            [],
            [],
        ),
        ("100", "100", "0"),
    ),
    (
        "restock-only 100; 60+40 paid",
        lambda n: Shop(
            [ordered(n, goods(n, "100.00", "60.00"), "160.00")],
            [
                paid(n, 1, [(1, 1, "100.00", RET)], "0", **(UNPAID | EARLY)),
                paid(n, 2, [], "60.00"),
                paid(n, 3, [], "40.00", **LATER),
            ],
            [],
            [],
        ),
        ("60", "60", "0"),
    ),
    (
        "tx 0.00 line 100, then 100",
        lambda n: Shop(
            [ordered(n, goods(n, "100.00"), "100.00")],
            [paid(n, 1, [(1, 1, "100.00", RET)], "0.00", **EARLY), paid(n, 2, [], "100.00")],
            [],
            [],
        ),
        ("0", "0", "0"),
    ),
    (
        "restock-only on top, 113",
        lambda n: Shop(
            [ordered(n, goods(n, "100.00"), "113.00", tax="13.00", top=True)],
            [paid(n, 1, [(1, 1, "100.00", RET, tax("13.00"))], "0", **(UNPAID | EARLY)), paid(n, 2, [], "113.00")],
            [],
            [],
        ),
        ("0", "0", "0"),
    ),
    (
        "parcel P1 + line P2, one refund of 150",
        lambda n: Shop(
            [ordered(n, goods(n, "100.00", "50.00", "40.00"), "190.00")],
            [paid(n, 1, [(2, 1, "50.00", RET)], "150.00")],
            [],
            [came(n, 1, 1, "100.00")],
        ),
        ("40", "40", "0"),
    ),
    (
        "parcel P1 + P2 edited off, one sum 150",
        lambda n: Shop(
            [
                ordered(n, goods(n, "100.00", "50.00"), "150.00"),
                ordered(n, goods(n, "100.00"), "100.00", updated=SECOND),
            ],
            [paid(n, 1, [], "150.00")],
            [],
            [came(n, 1, 1, "100.00")],
        ),
        ("0", "0", "0"),
    ),
    (
        "P2 edited off (165->115), 65 with postage",
        lambda n: Shop(
            [
                ordered(n, goods(n, "100.00", "50.00"), "165.00", ship="15.00"),
                ordered(n, goods(n, "100.00"), "115.00", ship="15.00", updated=SECOND),
            ],
            [paid(n, 1, [], "65.00")],
            [],
            [],
        ),
        ("100", "100", "0"),
        ("15", "15"),
    ),
    (
        "P2 current 0, 65 with postage",
        lambda n: Shop(
            [
                ordered(
                    n,
                    [item(n, 1, "100.00", current_quantity=1), item(n, 2, "50.00", current_quantity=0)],
                    "165.00",
                    ship="15.00",
                )
            ],
            [paid(n, 1, [], "65.00")],
            [],
            [],
        ),
        ("100", "100", "0"),
        ("15", "15"),
    ),
    (
        "parcel listed 80, 115 with postage",
        lambda n: Shop(
            [ordered(n, goods(n, "100.00"), "115.00", ship="15.00")],
            [paid(n, 1, [], "115.00")],
            [],
            [came(n, 1, 1, "80.00")],
        ),
        ("0", "0", "0"),
        ("15", "15"),
    ),
    (
        "three parcels, 150 for two, third not yet paid",
        lambda n: Shop(
            [ordered(n, goods(n, "100.00", "50.00", "30.00", "20.00"), "200.00")],
            [paid(n, 1, [], "150.00")],
            [],
            three_parcels(n),
        ),
        ("20", "20", "0"),
    ),
    (
        "two parcels, first paid 90, second not yet",
        lambda n: Shop(
            [ordered(n, goods(n, "100.00", "50.00", "20.00"), "170.00")],
            [paid(n, 1, [], "90.00")],
            [],
            three_parcels(n)[:2],
        ),
        ("30", "30", "0"),
    ),
    (
        "gesture 20, line 100 paid 95 incl postage unnamed",
        lambda n: Shop(
            [ordered(n, goods(n, "100.00"), "115.00", ship="15.00")],
            [paid(n, 1, [], "20.00", **EARLY), paid(n, 2, [(1, 1, "100.00", RET)], "95.00")],
            [],
            [],
        ),
        ("0", "0", "0"),
        ("15", "15"),
    ),
    (
        "gesture 20, parcel, no line 95 incl postage",
        lambda n: Shop(
            [ordered(n, goods(n, "100.00"), "115.00", ship="15.00")],
            [paid(n, 1, [], "20.00", **EARLY), paid(n, 2, [], "95.00")],
            [],
            [came(n, 1, 1, "100.00")],
        ),
        ("0", "0", "0"),
        ("15", "15"),
    ),
    (
        "coupon line, parcel 100, no_restock 80",
        lambda n: Shop(
            [ordered(n, [item(n, 1, "100.00"), item(n, 2, "-20.00")], "80.00")],
            [paid(n, 1, [(1, 1, "80.00", "no_restock")], "80.00")],
            [],
            [came(n, 1, 1, "100.00")],
        ),
        ("0", "0", "0"),
    ),
    (
        "exchange, current 0, parcel, 20 no line",
        lambda n: Shop(
            [
                ordered(n, goods(n, "100.00"), "100.00"),
                ordered(
                    n,
                    [item(n, 1, "100.00", current_quantity=0), item(n, 2, "80.00", current_quantity=1)],
                    "100.00",
                    updated=SECOND,
                ),
            ],
            [paid(n, 1, [], "20.00")],
            [],
            [came(n, 1, 1, "100.00")],
        ),
        ("80", "80", "0"),
    ),
    (
        "same order for 40, 60 no line",
        lambda n: Shop(
            [
                ordered(n, goods(n, "100.00"), "100.00"),
                ordered(
                    n,
                    [item(n, 1, "100.00", current_quantity=0), item(n, 2, "40.00", current_quantity=1)],
                    "100.00",
                    updated=SECOND,
                ),
            ],
            [paid(n, 1, [], "60.00")],
            [],
            [came(n, 1, 1, "100.00")],
        ),
        ("40", "40", "0"),
    ),
    (
        "exchange, current 0, no parcel, 20 no line",
        lambda n: Shop(
            [
                ordered(n, goods(n, "100.00"), "100.00"),
                ordered(
                    n,
                    [item(n, 1, "100.00", current_quantity=0), item(n, 2, "80.00", current_quantity=1)],
                    "100.00",
                    updated=SECOND,
                ),
            ],
            [paid(n, 1, [], "20.00")],
            [],
            [],
        ),
        ("80", "80", "0"),
    ),
    (
        "restock_type missing, parcel",
        lambda n: Shop(
            [ordered(n, goods(n, "100.00"), "100.00")],
            [paid(n, 1, [(1, 1, "100.00", None)], "100.00")],
            [],
            [came(n, 1, 1, "100.00")],
        ),
        ("0", "0", "0"),
    ),
    (
        "transaction without status",
        lambda n: Shop(
            [ordered(n, goods(n, "100.00"), "100.00")],
            [paid(n, 1, [], "30.00", transactions=[{"id": 1, "amount": "30.00", "kind": "refund", "currency": "CNY"}])],
            [],
            [],
        ),
        ("70", "70", "0"),
    ),
    (
        "refund_shipping_lines 5 incl .58 within",
        lambda n: Shop(
            [ordered(n, goods(n, "100.00"), "115.00", ship="15.00", tax="13.23", top=False)],
            [paid(n, 1, [], "5.00", **postage_back("5.00", "0.58"))],
            [],
            [],
        ),
        ("88.50", "100", "11.50"),
        ("15", "5"),
    ),
    (
        "line named + shipping named + fee, within",
        lambda n: Shop(
            [ordered(n, goods(n, "100.00"), "115.00", ship="15.00", tax="13.23", top=False)],
            [
                paid(
                    n,
                    1,
                    [(1, 1, "100.00", RET, tax("11.50"))],
                    "105.00",
                    **adjusted(("shipping_refund", "-13.27", "-1.73"), ("refund_discrepancy", "10.00", "0.00")),
                )
            ],
            [],
            [],
        ),
        ("8.85", "10", "1.15"),
        ("15", "15"),
    ),
    (
        "one RMA of two, only 100 paid yet",
        lambda n: Shop(
            [ordered(n, goods(n, "100.00", "50.00", "30.00"), "180.00")],
            [paid(n, 1, [], "100.00")],
            [],
            [came(n, 1, 1, "100.00"), came(n, 2, 1, "50.00")],
        ),
        ("30", "30", "0"),
    ),
    (
        "on top, P2 cancelled before capture: void, tax named",
        lambda n: Shop(on_top(n), [paid(n, 1, [(2, 1, "50.00", "cancel", tax("6.50"))], "0", **VOID)], [], []),
        ("100", "100", "13"),
    ),
    (
        "same order, no transactions, tax named",
        lambda n: Shop(on_top(n), [paid(n, 1, [(2, 1, "50.00", "cancel", tax("6.50"))], "0", **UNPAID)], [], []),
        ("100", "100", "13"),
    ),
    (
        "no transactions, tax named, parcel",
        lambda n: Shop(
            on_top(n), [paid(n, 1, [(2, 1, "50.00", RET, tax("6.50"))], "0", **UNPAID)], [], [came(n, 2, 1, "50.00")]
        ),
        ("100", "100", "13"),
    ),
    (
        "within, two lines back named, fee 10",
        lambda n: Shop(
            [ordered(n, goods(n, "60.00", "40.00"), "100.00", tax="11.50", top=False)],
            [paid(n, 1, [(1, 1, "60.00", RET, tax("6.90")), (2, 1, "40.00", RET, tax("4.60"))], "90.00")],
            [],
            [],
        ),
        ("8.85", "10", "1.15"),
    ),
    (
        "books 2x50 at 7% current 1, toys; 53.50",
        lambda n: Shop(
            [
                ordered(
                    n,
                    [
                        item(n, 1, "100.00", **taxed("19.00"), current_quantity=1),
                        item(n, 2, "50.00", 2, **taxed("7.00"), current_quantity=1),
                    ],
                    "226.00",
                    tax="26.00",
                    top=True,
                )
            ],
            [paid(n, 1, [], "53.50")],
            [],
            [],
        ),
        ("150", "150", "22.50"),
    ),
    (
        "same order, parcel of taxed, 113",
        lambda n: Shop(
            [
                ordered(
                    n,
                    [item(n, 1, "100.00", **taxed("13.00")), item(n, 2, "60.00", tax_lines=[{"price": "0.00"}])],
                    "173.00",
                    tax="13.00",
                    top=True,
                )
            ],
            [paid(n, 1, [], "113.00")],
            [],
            [came(n, 1, 1, "100.00")],
        ),
        (None, "60", None),
    ),
    (
        "money 100, later restock-only; order 100+100",
        lambda n: Shop(
            [ordered(n, goods(n, "100.00", "100.00"), "200.00")],
            [paid(n, 1, [], "100.00"), paid(n, 2, [(1, 1, "100.00", RET)], "0", **(UNPAID | LATER))],
            [],
            [],
        ),
        ("100", "100", "0"),
    ),
    (
        "same order with parcel",
        lambda n: Shop(
            [ordered(n, goods(n, "100.00", "100.00"), "200.00")],
            [paid(n, 1, [], "100.00"), paid(n, 2, [(1, 1, "100.00", RET)], "0", **(UNPAID | LATER))],
            [],
            [came(n, 1, 1, "100.00")],
        ),
        ("100", "100", "0"),
    ),
    (
        "parcel, line refund failed, then money 100",
        lambda n: Shop(
            [ordered(n, goods(n, "100.00", "100.00"), "200.00")],
            [paid(n, 1, [(1, 1, "100.00", RET)], "0", **FAILED), paid(n, 2, [], "100.00", **LATER)],
            [],
            [came(n, 1, 1, "100.00")],
        ),
        ("100", "100", "0"),
    ),
    (
        "parcel, line refund failed, line refund again",
        lambda n: Shop(
            [ordered(n, goods(n, "100.00", "100.00"), "200.00")],
            [
                paid(n, 1, [(1, 1, "100.00", RET)], "0", **FAILED),
                paid(n, 2, [(1, 1, "100.00", RET)], "100.00", **LATER),
            ],
            [],
            [came(n, 1, 1, "100.00")],
        ),
        ("100", "100", "0"),
    ),
    (
        "no_restock failed, again, parcel",
        lambda n: Shop(
            [ordered(n, goods(n, "100.00", "100.00"), "200.00")],
            [
                paid(n, 1, [(1, 1, "100.00", "no_restock")], "0", **FAILED),
                paid(n, 2, [(1, 1, "100.00", "no_restock")], "100.00", **LATER),
            ],
            [],
            [came(n, 1, 1, "100.00")],
        ),
        ("100", "100", "0"),
    ),
    (
        "qty 3 current 1: one edited off, cancel failed and again",
        lambda n: Shop(
            [ordered(n, [item(n, 1, "100.00", 3, current_quantity=1)], "300.00")],
            [
                paid(n, 1, [(1, 1, "100.00", "cancel")], "0", **FAILED),
                paid(n, 2, [(1, 1, "100.00", "cancel")], "100.00", **LATER),
            ],
            [],
            [],
        ),
        ("100", "100", "0"),
    ),
    (
        "parcel listed 80 on top, 129.95 no line with postage",
        lambda n: Shop(
            [ordered(n, goods(n, "100.00"), "129.95", ship="15.00", tax="14.95", top=True)],
            [paid(n, 1, [], "129.95")],
            [],
            [came(n, 1, 1, "80.00")],
        ),
        ("0", "0", "0"),
        ("15", "15"),
    ),
    (
        "restock-only on top named + parcel, then 113",
        lambda n: Shop(
            [ordered(n, goods(n, "100.00", "50.00"), "169.50", tax="19.50", top=True)],
            [paid(n, 1, [(1, 1, "100.00", RET, tax("13.00"))], "0", **(UNPAID | EARLY)), paid(n, 2, [], "113.00")],
            [],
            [came(n, 1, 1, "100.00")],
        ),
        ("50", "50", "6.50"),
    ),
    (
        "exchange by version, on top, line named, no transaction",
        lambda n: Shop(
            [
                ordered(n, goods(n, "100.00"), "113.00", tax="13.00", top=True),
                ordered(n, [item(n, 2, "100.00")], "113.00", tax="13.00", top=True, updated=SECOND),
            ],
            [paid(n, 1, [(1, 1, "100.00", RET, tax("13.00"))], "0", **UNPAID)],
            [],
            [],
        ),
        ("100", "100", "13"),
    ),
    (
        "within, line 80 of 150 named, fee 5",
        lambda n: Shop(
            [ordered(n, goods(n, "80.00", "70.00"), "150.00", tax="17.25", top=False)],
            [paid(n, 1, [(1, 1, "80.00", RET, tax("9.20"))], "75.00")],
            [],
            [],
        ),
        ("66.37", "75", "8.63"),
    ),
    (
        "within, line 100 of 1000 named, fee 20",
        lambda n: Shop(
            [ordered(n, goods(n, "100.00", "900.00"), "1000.00", tax="115.00", top=False)],
            [paid(n, 1, [(1, 1, "100.00", RET, tax("11.50"))], "80.00")],
            [],
            [],
        ),
        ("814.20", "920", "105.80"),
    ),
    (
        "restock-only P1 100 and gesture 5 later",
        lambda n: Shop(
            [ordered(n, goods(n, "100.00", "50.00"), "150.00")],
            [paid(n, 1, [(1, 1, "100.00", RET)], "0", **(UNPAID | EARLY)), paid(n, 2, [], "105.00")],
            [],
            [],
        ),
        ("45", "45", "0"),
    ),
    (
        "money 100 night 1; restock-only and parcel night 2",
        lambda n: Shop(
            [ordered(n, goods(n, "100.00", "50.00"), "150.00")],
            [paid(n, 1, [], "100.00", **EARLY), paid(n, 2, [(1, 1, "100.00", RET)], "0", **UNPAID)],
            [],
            [came(n, 1, 1, "100.00", day=SECOND)],
        ),
        ("50", "50", "0"),
    ),
]


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Story:
    """A shop and its parcels, after two nights."""
    folder = tmp_path_factory.mktemp("variations")
    contracts, source = shipped_contracts(folder, SHIPPED), folder / "source"
    told = [build(number) for number, (_, build, *_) in enumerate(CASES, 10)]
    write_shop(source, [(one.orders, one.refunds, {}) for one in told], [row for one in told for row in one.again])
    rows = [row for one in told for row in one.parcels]
    for day in (FIRST, SECOND):
        write_returns(source, [row for row in rows if row.endswith(f"{day}T20:00:00+08:00")], day)
    settings = home_at(folder, source, contracts=contracts, reporting_currency="CNY")
    return story(settings, "two nights", run_well(settings, DAYS))


@pytest.mark.parametrize("number", range(10, 10 + len(CASES)), ids=[case[0] for case in CASES])
def test_an_order_has_its_money_in_all(shop: Story, number: int) -> None:
    _, _, right, *ship = CASES[number - 10]
    found = ask(
        shop.warehouse,
        "select coalesce(sum(net_revenue_base), 0), coalesce(sum(net_amount_base), 0), "
        "coalesce(sum(tax_amount_base), 0), coalesce(sum(shipping_amount_base) filter (where not is_refund), 0), "
        "-coalesce(sum(shipping_amount_base) filter (where is_refund), 0) from dws.dws_order_movement "
        f"where source_system = 'shop' and order_id = '{number}' and is_counted",
    )
    told = [*right, *(ship[0] if ship else ("0", "0"))]
    assert [value if text is None else Decimal(text) for text, value in zip(told, found[0], strict=True)] == [*found[0]]


def test_every_balance_closes(shop: Story) -> None:
    assert ask(shop.warehouse, "select subject, measure, unit from ops.reconciliation where difference <> 0") == []
