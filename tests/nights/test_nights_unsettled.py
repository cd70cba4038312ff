"""Tickets whose newest header or line is in quarantine: what counts each night, and how they settle."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path

import pytest
import yaml
from support import NIGHTS, ask, home_at, run_well

from onedata.landing.release import Selection
from onedata.quality.release import release
from onedata.rebuild import rebuild
from onedata.retailer import load_retailer
from onedata.settings import Settings
from onedata.shipped import shipped
from onedata.warehouse import open_warehouse

HEADERS = "StoreID;Till;ReceiptNo;BusinessDate;Start;End;Operator;Status;Currency;Total;LoyaltyNo;PaymentType;CardToken"
LINES = (
    "StoreID;Till;ReceiptNo;BusinessDate;Line;Kind;ArticleNo;Text;Quantity;UnitPrice;Discount;Amount;Currency;Voided;"
    "Status;OrigReceipt;LoyaltyNo;Start;End"
)
NOON = "05.01.2026 12:00:00"


@dataclass(frozen=True)
class Seen:
    """What is published: the store's net revenue, orders and unsettled tickets in all, and the list of the latter."""

    net: Decimal
    orders: int
    unsettled: int
    listed: list[tuple[object, ...]]


def header(ticket: int, total: str, status: str = "SALE", loyalty: str = "M1", end: str = NOON) -> str:
    return f"S1;1;{ticket};05.01.2026;{NOON};{end};1;{status};EUR;{total};{loyalty};Cash;"


def line(ticket: int, number: int, price: str, quantity: str = "1", status: str = "SALE", amount: str = "") -> str:
    who = f"S1;1;{ticket};05.01.2026;{number};S;A;A"
    return f"{who};{quantity};{price};0,00;{amount or price};EUR;0;{status};;M1;{NOON};{NOON}"


def deliver(settings: Settings, night: int, headers: list[str], lines: list[str]) -> None:
    folder = settings.source / "pos" / "flat"
    folder.mkdir(parents=True, exist_ok=True)
    for name, head, rows in (("tickets", HEADERS, headers), ("ticket_lines", LINES, lines)):
        (folder / f"{name}_{NIGHTS[night]}.csv").write_text("\n".join([head, *rows]) + "\n", encoding="utf-8")


def write_contracts(settings: Settings, repairs: bool = False) -> None:
    """The shipped contracts of Europe's tills, which take most of a tiny night; the mended one reads 'zwei'."""
    settings.contracts.mkdir(exist_ok=True)
    for name in ("pos_tickets_eu", "pos_ticket_lines_eu"):
        content = yaml.safe_load((shipped("data_contracts") / f"{name}.odcs.yaml").read_text(encoding="utf-8"))
        for item in (item for feed in content["schema"] for item in feed["customProperties"]):
            item["value"] = 0.9 if item["property"] == "quarantineTolerance" else item["value"]
        for item in content["schema"][0]["properties"]:
            if repairs and item["name"] == "quantity":
                item["customProperties"] = [{"property": "repairs", "value": [{"values": {"zwei": "2"}}]}]
                content["version"] = "9.0.0"
        (settings.contracts / f"{name}.odcs.yaml").write_text(yaml.safe_dump(content), encoding="utf-8")


def seen(settings: Settings) -> Seen:
    net, orders, unsettled = ask(
        settings.published_database,
        "select sum(net_revenue_base), sum(order_count)::int, sum(unsettled_count)::int from ads_channel_day",
    )[0]
    listed = ask(
        settings.published_database,
        "select split_part(order_id, '-', 3), rules, is_held, delivered_amount, counted_amount, feeds, "
        "unsettled_since from ops_unsettled order by 1",
    )
    return Seen(net, orders, unsettled, listed)


@pytest.fixture(scope="module")
def nights(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Seen]]:
    folder: Path = tmp_path_factory.mktemp("unsettled")
    settings = home_at(folder, folder / "source", contracts=folder / "contracts", reporting_currency="EUR")
    write_contracts(settings)
    found = {}
    deliver(
        settings,
        0,
        [
            header(1, "30,00"),
            header(2, "70,00", status="CANCELLED", loyalty="X1"),
            header(3, "abc"),
            header(4, "25,00"),
            header(5, "40,00"),
        ],
        [
            line(1, 1, "30,00"),
            line(2, 1, "70,00", status="CANCELLED"),
            line(3, 1, "70,00"),
            line(4, 1, "5,00"),
            line(4, 2, "10,00", quantity="zwei", amount="20,00"),
            line(5, 1, "40,00"),
        ],
    )
    run_well(settings, NIGHTS[:1])
    found["first"] = seen(settings)
    # Ticket 3 is corrected; ticket 5 is cancelled, by a header that cannot be read.
    cancelled = "06.01.2026 09:00:00"
    deliver(settings, 1, [header(3, "70,00"), header(5, "abc", status="CANCELLED", end=cancelled)], [])
    run_well(settings, NIGHTS[1:2])
    found["second"] = seen(settings)
    # The quantity in words is released; the cancellation comes again.
    write_contracts(settings, repairs=True)
    retailer = load_retailer(settings)
    (lines,) = (feed for feed in retailer.feeds if feed.name == "pos_ticket_lines_eu")
    with open_warehouse(settings) as con:
        assert release(con, settings, lines, retailer.policy, Selection()).found.accepted == 1
    deliver(settings, 2, [header(5, "40,00", status="CANCELLED", end=cancelled)], [])
    run_well(settings, NIGHTS[2:3])
    found["third"] = seen(settings)
    rebuild(retailer, leave_out=False, say=lambda _: None)
    run_well(settings, NIGHTS[2:3])
    found["rebuilt"] = seen(settings)
    yield found


def test_what_is_half_read_counts_nothing_and_is_listed(nights: dict[str, Seen]) -> None:
    # Tickets 1 and 5: 30 and 40. Ticket 2 is cancelled, though its loyalty number is none; 3 and 4 are half read.
    assert nights["first"] == Seen(
        Decimal(70),
        2,
        2,
        [
            ("3", "total_amount_type", False, 70, 0, "pos_tickets_eu", NIGHTS[0]),
            ("4", "quantity_type", False, 5, 0, "pos_ticket_lines_eu", NIGHTS[0]),
        ],
    )


def test_a_corrected_file_settles_and_an_unread_update_is_held(nights: dict[str, Seen]) -> None:
    # Ticket 3 counts its 70. Ticket 5 stands as it was before its unread cancellation.
    assert nights["second"] == Seen(
        Decimal(140),
        3,
        2,
        [
            ("4", "quantity_type", False, 5, 0, "pos_ticket_lines_eu", NIGHTS[0]),
            ("5", "total_amount_type", True, 40, 40, "pos_tickets_eu", NIGHTS[1]),
        ],
    )


def test_a_release_and_a_later_version_settle(nights: dict[str, Seen]) -> None:
    # Ticket 4 counts 5 and twice 10; ticket 5 is cancelled.
    assert nights["third"] == Seen(Decimal(125), 3, 0, [])


def test_a_rebuild_comes_to_the_same(nights: dict[str, Seen]) -> None:
    assert nights["rebuilt"] == nights["third"]
