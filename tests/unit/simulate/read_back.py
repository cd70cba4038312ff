"""Read deliveries without the simulator's code: plain parsers, and the ground truth as DuckDB views."""

from __future__ import annotations

import csv
import hashlib
import io
import json
import xml.etree.ElementTree as ET
from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import duckdb
import polars as pl
import pyarrow.parquet as pq

ARTS = "{http://www.nrf-arts.org/IXRetail/namespace/}"
Record = dict[str, Any]
SHANGHAI = timezone(timedelta(hours=8))
GLOBS = {
    "shop_orders": "shop/orders/*.jsonl",
    "shop_refunds": "shop/refunds/*.jsonl",
    "shop_payments": "shop/payments/*.jsonl",
    "marketplace_orders": "marketplace/orders/*.jsonl",
    "shop_customers": "shop/customers/*.csv",
    "shop_products": "shop/products/*.csv",
    "shop_prices": "shop/prices/*.csv",
    "shop_events": "shop/events/*.jsonl",
    "pos_transactions": "pos/transactions/*.xml",
    "pos_tickets_eu": "pos/flat/tickets_*.csv",
    "pos_ticket_lines_eu": "pos/flat/ticket_lines_*.csv",
    "pos_members": "pos/members/*.csv",
    "pos_stores": "pos/stores/*.csv",
    "social_posts": "social/posts/*.jsonl",
    "social_mentions": "social/mentions/*.jsonl",
    "social_engagements": "social/engagements/*.jsonl",
    "social_spend": "social/spend/*.jsonl",
    "logistics_shipments": "logistics/shipments/*.csv",
    "logistics_returns": "logistics/returns/*.csv",
    "logistics_inventory": "logistics/inventory/*.parquet",
    "logistics_movements": "logistics/movements/*.parquet",
    "logistics_epcis": "logistics/epcis/*.jsonl",
    "service_surveys": "service/surveys/*.csv",
    "finance_exchange_rates": "finance/rates/*.csv",
    "finance_ledger": "finance/ledger/*.csv",
    "customer_consents": "customer/consents/*.csv",
}


def fingerprint(folder: Path) -> dict[str, tuple[str, int]]:
    """Hash of the content and time of change of every file."""
    return {
        str(path.relative_to(folder)): (hashlib.sha256(path.read_bytes()).hexdigest(), path.stat().st_mtime_ns)
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def delivered(source: Path, feed: str) -> Iterator[tuple[str, int, Record]]:
    """Every record of a feed: its file below ``source``, its number there from 1, its values; {} where it cannot be
    parsed."""
    for path in sorted(source.glob(GLOBS[feed])):
        for row, record in enumerate(_records(path), start=1):
            yield str(path.relative_to(source)), row, record


def _records(path: Path) -> Iterator[Record]:
    if path.suffix == ".parquet":
        yield from pq.read_table(path).to_pylist()
    elif path.suffix == ".xml":
        yield from (_transaction(item) for item in ET.parse(path).getroot())
    elif path.suffix == ".jsonl":
        for line in path.read_bytes().splitlines():
            yield _parsed(line)
    else:
        text = path.read_bytes().decode("utf-8", errors="replace")
        yield from csv.DictReader(
            io.StringIO(text, newline=""), delimiter=";" if "/pos/" in str(path) and "stores" not in path.name else ","
        )


def _parsed(line: bytes) -> Record:
    try:
        return dict(json.loads(line))
    except (UnicodeDecodeError, json.JSONDecodeError):
        return {}


def _transaction(item: ET.Element) -> Record:
    """A POSLog transaction: its plain fields, flags, ``lines`` and ``paid``."""
    record: Record = {child.tag.removeprefix(ARTS): child.text for child in item if not len(child)}
    lines = [
        {"void": line.get("VoidFlag") == "true", "kind": kind, "no": line.findtext(f"{ARTS}SequenceNumber")}
        | {
            name: goods.findtext(f"{ARTS}{name}")
            for name in ("ItemID", "RegularSalesUnitPrice", "ExtendedAmount", "DiscountAmount", "Quantity")
        }
        | {"original": goods.findtext(f".//{ARTS}TransactionID")}
        for line in item.iter(f"{ARTS}LineItem")
        for kind in ("Sale", "Return")
        if (goods := line.find(f"{ARTS}{kind}")) is not None
    ]
    tender = item.find(f".//{ARTS}Tender")
    return record | {
        "flags": sorted(item.attrib),
        "lines": lines,
        "paid": None if tender is None else tender.findtext(f"{ARTS}Amount"),
        "refund": tender is not None and tender.get("TypeCode") == "Refund",
        "total": item.findtext(f".//{ARTS}Total"),
        "card": item.findtext(f".//{ARTS}LoyaltyAccountID"),
        "token": item.findtext(".//{http://till-vendor.example/poslog/1.0}CardToken"),
        "is_control": item.find(f"{ARTS}ControlTransaction") is not None,
    }


def tables(con: duckdb.DuckDBPyConnection, source: Path, *feeds: str) -> duckdb.DuckDBPyConnection:
    """Load CSV feeds into tables of their names, every column as text, '' as null."""
    con.execute("set timezone = 'UTC'")
    for feed in feeds:
        found = [{name: value or None for name, value in record.items()} for _, _, record in delivered(source, feed)]
        given = pl.from_dicts(found, schema=dict.fromkeys(found[0], pl.String)).to_arrow()
        con.register("given", given)
        con.execute(f"create table {feed} as from given")
        con.unregister("given")
    return con


def micros(text: str) -> int:
    """ISO 8601, or a local time of Shanghai, as microseconds UTC."""
    moment = datetime.fromisoformat(text)
    return round((moment if moment.tzinfo else moment.replace(tzinfo=SHANGHAI)).timestamp() * 1_000_000)


def truth(folder: Path) -> duckdb.DuckDBPyConnection:
    """The truth as views: ``lines, touches, demand, answers, parcels, payments, persons, identifiers,
    identifier_owners, records`` (with ``feed``) and ``files``."""
    con = duckdb.connect(config={"threads": 2})
    con.execute("set timezone = 'UTC'")
    for name in ("persons", "identifiers", "identifier_owners"):
        con.execute(f"create view {name} as from read_parquet('{folder}/{name}.parquet')")
    for name in ("lines", "touches", "demand", "answers", "parcels", "payments"):
        con.execute(f"create view {name} as from read_parquet('{folder}/{name}/*.parquet', union_by_name = true)")
    for name in ("records", "files"):
        if any(folder.glob(f"{name}/*/*.parquet")):
            feed = f"split_part(replace(filename, '{folder}/{name}/', ''), '/', 1)"
            con.execute(
                f"create view {name} as select * exclude filename, {feed} as feed "
                f"from read_parquet('{folder}/{name}/*/*.parquet', filename = true)"
            )
    return con


def rows(con: duckdb.DuckDBPyConnection, sql: str, given: Sequence[object] = ()) -> list[tuple[Any, ...]]:
    return con.execute(sql, list(given)).fetchall()


def number(con: duckdb.DuckDBPyConnection, sql: str) -> float:
    """The one number a question comes to."""
    [(value,)] = rows(con, sql)
    return float(value)
