"""Documents of a shop as its export writes them, for tests that work money out by hand: an order a case, two days."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterable
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import yaml
from support import REPOSITORY, Story, ask, home_at, run_well, story

DAYS = [date(2026, 1, 31), date(2026, 2, 1)]
FIRST, SECOND = (str(day) for day in DAYS)
Case = tuple[list[dict[str, Any]], list[dict[str, Any]], dict[str, tuple[str, str, str]]]
"""The orders, the refunds, and by day: net revenue, net as priced, tax."""


def item(order: int, number: int, price: str, quantity: int = 1, **more: Any) -> dict[str, Any]:
    """A line item of the shop; its product is named after its number."""
    line = {"id": order * 10 + number, "sku": f"P{number}", "title": f"Product {number}", "quantity": quantity}
    return line | {"price": price, "total_discount": "0.00"} | more


def order(number: int, lines: list[dict[str, Any]], updated: str = FIRST, **more: Any) -> dict[str, Any]:
    """A shop order of the first day; `more` overrides what it says."""
    document = {
        "id": number,
        "name": f"#{1000 + number}",
        "created_at": f"{FIRST}T10:00:00+08:00",
        "updated_at": f"{updated}T11:00:00+08:00",
        "cancelled_at": None,
        "currency": "CNY",
        "total_price": "1.00",
        "total_discounts": "0.00",
        "total_tax": None,
        "taxes_included": None,
        "source_name": "web",
        "test": False,
        "email": f"c{number}@acme-mail.com",
        "location_id": "W01",
        "shipping_lines": [{"code": "STANDARD", "price": "0.00"}],
        "line_items": lines,
    }
    return document | more


def refund(number: int, of: int, lines: list[dict[str, Any]], paid: str, **more: Any) -> dict[str, Any]:
    """A refund of the second day."""
    at = f"{SECOND}T12:00:00+08:00"
    payment = {"id": number + 1, "amount": paid, "kind": "refund", "gateway": "visa", "status": "success"}
    document = {"id": number, "order_id": of, "created_at": at, "restock": False, "refund_line_items": lines}
    return document | {"transactions": [payment | {"currency": "CNY", "created_at": at}]} | more


def back(number: int, of: int, line: int, quantity: int, amount: str, kind: str) -> dict[str, Any]:
    """A line of a refund, of line `line` of order `of`."""
    goods = {"id": number * 10 + line, "line_item_id": of * 10 + line, "quantity": quantity, "subtotal": amount}
    return goods | {"restock_type": kind, "location_id": "W01", "line_item": {"sku": f"P{line}", "title": "x"}}


def postage(amount: str) -> dict[str, Any]:
    return {"shipping_lines": [{"code": "STANDARD", "price": amount}]}


def parcel(of: int, line: int, quantity: int, price: str, sku: str | None = None) -> str:
    """A line of a parcel that came back on the first day: goods of line `line` of order `of`, at the price asked."""
    return (
        f"RMA-{of},{line},{of},online,W01,{sku or f'P{line}'},x,{quantity},{price},0.00,CNY,size,"
        f"{FIRST}T18:00:00+08:00,{FIRST}T20:00:00+08:00"
    )


def write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")


def write_shop(source: Path, cases: Iterable[Case], again: Iterable[dict[str, Any]] = ()) -> None:
    """The shop's files of both days; refunds of the first one that come again with the second one's."""
    told, repeated = list(cases), list(again)
    for day in (FIRST, SECOND):
        orders = [document for case in told for document in case[0] if day in document["updated_at"]]
        refunds = [document for case in told for document in case[1] if day in document["created_at"]]
        refunds += repeated if day == SECOND else []
        for name, rows in (("orders", orders), ("refunds", refunds)):
            write(source / f"shop/{name}/{name}_{day}.jsonl", "".join(json.dumps(row) + "\n" for row in rows))


def write_returns(source: Path, parcels: Iterable[str], day: str = FIRST) -> None:
    head = "rma_id,rma_line,order_id,sales_channel,node_id,sku,title,quantity,unit_price,discount,currency,reason,"
    lines = "".join(f"{row}\n" for row in parcels)
    write(source / f"logistics/returns/returns_{day}.csv", f"{head}requested_at,received_at\n{lines}")


def two_nights(folder: Path, cases: Iterable[Case], parcels: Iterable[str], each_night: bool = True) -> Story:
    """A shop and its parcels, after two nights, each in a run of its own or both in one, with the shipped contracts of
    orders, refunds and returns."""
    contracts = shipped_contracts(folder, ("shop_orders", "shop_refunds", "logistics_returns"))
    source = folder / "source"
    write_shop(source, cases)
    write_returns(source, parcels)
    settings = home_at(folder, source, contracts=contracts, reporting_currency="CNY")
    return story(settings, "two nights", run_well(settings, DAYS, each_night=each_night))


def money_by_day(warehouse: Path, number: int) -> dict[str, list[Decimal]]:
    """What counts of an order of the shop on each day: net revenue, net as priced, tax."""
    found = ask(
        warehouse,
        "select business_date::varchar, sum(net_revenue_base), sum(net_amount_base), sum(tax_amount_base) "
        f"from dws.dws_order_movement where source_system = 'shop' and order_id = '{number}' and is_counted group by 1",
    )
    return {day: amounts for day, *amounts in found if any(amounts)}


def expected(case: Case) -> dict[str, list[Decimal]]:
    return {day: [Decimal(amount) for amount in amounts] for day, amounts in case[2].items()}


def shipped_contracts(folder: Path, names: Iterable[str]) -> Path:
    """A folder with these of the shipped contracts."""
    contracts = folder / "contracts"
    contracts.mkdir()
    for name in names:
        shutil.copy(REPOSITORY / "data_contracts" / f"{name}.odcs.yaml", contracts)
    return contracts


def write_marketplace(contracts: Path, properties: Iterable[dict[str, str]], *more: dict[str, str]) -> None:
    """The contract of a marketplace's order lines, which come in `mkt/orders_{ds}.csv`: the properties that all have,
    and these; `more` are the feed's."""
    given = [
        {"name": "order_id", "physicalName": "id"},
        {"name": "line_type", "transformLogic": "'sale'"},
        {"name": "channel", "transformLogic": "'marketplace'"},
        {"name": "product_id", "physicalName": "sku"},
        {"name": "quantity", "physicalName": "qty"},
        {"name": "unit_price", "physicalName": "price"},
    ]
    feed = [
        {"property": "entity", "value": "order_line"},
        {"property": "timezone", "value": "Asia/Shanghai"},
        *more,
    ]
    content = {
        "apiVersion": "v3.1.0",
        "kind": "DataContract",
        "id": "mkt_orders",
        "version": "1.0.0",
        "status": "active",
        "dataProduct": "mkt",
        "description": {"purpose": "Orders of a marketplace."},
        "servers": [{"server": "landing", "type": "local", "path": "mkt/orders_{ds}.csv", "format": "csv"}],
        "schema": [{"name": "mkt_orders", "customProperties": feed, "properties": [*given, *properties]}],
    }
    write(contracts / "mkt_orders.odcs.yaml", yaml.dump(content, sort_keys=False))
