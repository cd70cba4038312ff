"""Row by row: ``truth/records`` lists every delivered record with its file, position and key, and nothing else."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

import duckdb
import pytest
from read_back import GLOBS, Record, delivered, micros, rows

from onedata.simulate import SimulationSummary
from onedata.simulate.voices import STEPS

# Kinds that change what the key is made of.
UNREADABLE = ("bad_encoding", "broken_key", "truncated", "clock_skew", "bad_type", "correction", "impossible")


def _ticket(record: Record) -> str:
    day = datetime.strptime(record["BusinessDate"], "%d.%m.%Y").date()
    return f"{record['StoreID']}-{record['Till']}-{record['ReceiptNo']}-{day}"


def _joined(*names: str) -> Callable[[Record], str]:
    return lambda record: "/".join(str(record[name]) for name in names)


def _version(name: str) -> Callable[[Record], str]:
    # The clock of the files has whole seconds.
    return lambda record: f"{record[name]}@{micros(record['updated_at']) // 1_000_000}"


def _session(record: Record) -> str:
    session = record["event_params"][0]["value"]["int_value"] - 1_700_000_000
    return f"{session}-{record['event_timestamp']}-{STEPS.index(record['event_name'])}"


def _member(record: Record) -> str:
    # Cards are numbered like people, from M000100001.
    return f"{int(record['member_id'][1:]) - 100_001}@{micros(record['updated_at']) // 1_000_000}"


KEYS: dict[str, Callable[[Record], str]] = {
    "shop_orders": lambda record: (
        f"{record['id']}/{1 if record['test'] or record['updated_at'] == record['created_at'] else 2}"
    ),
    "shop_refunds": _joined("order_id", "id"),
    "shop_payments": _joined("id"),
    "marketplace_orders": _joined("order_id"),
    "shop_customers": _version("id"),
    "shop_products": _version("sku"),
    "shop_prices": _joined("price_date", "sku", "market", "channel"),
    "shop_events": _session,
    "pos_transactions": lambda r: (
        f"{r['RetailStoreID']}-{r['WorkstationID']}-{r['SequenceNumber']}-{r['BusinessDayDate']}"
    ),
    "pos_tickets_eu": _ticket,
    "pos_ticket_lines_eu": lambda record: f"{_ticket(record)}/{record['Line']}",
    "pos_members": _member,
    "pos_stores": _joined("node_id"),
    "social_posts": _joined("platform", "post_id"),
    "social_mentions": _joined("platform", "post_id"),
    "social_engagements": _joined("event_id"),
    "social_spend": _joined("date", "platform", "adset_id"),
    "logistics_shipments": _joined("shipment_id", "status"),
    "logistics_returns": _joined("rma_id", "rma_line"),
    "logistics_inventory": _joined("snapshot_date", "node_id", "sku"),
    "logistics_movements": _joined("movement_id"),
    "service_surveys": _joined("response_id"),
    "finance_exchange_rates": _joined("currency", "reporting_currency", "rate_date"),
    "finance_ledger": _joined("period", "account_code"),
    "customer_consents": _joined("consent_id"),
}


def test_every_feed_is_looked_at(small: SimulationSummary) -> None:
    assert KEYS.keys() | {"logistics_epcis"} == GLOBS.keys()
    within = {"marketplace_order_lines", "shop_order_lines", "shop_refunds_rest", "pos_transaction_lines"}
    assert small.rows.keys() == GLOBS.keys() | within | {"pos_transaction_tenders", "pos_ticket_payments_eu"}
    listed = {path for pattern in GLOBS.values() for path in small.source.glob(pattern)}
    assert listed == {path for path in small.source.rglob("*") if path.is_file()}


@pytest.mark.parametrize("feed", sorted(GLOBS))
def test_records_stand_where_the_truth_says(
    feed: str, small: SimulationSummary, known_small: duckdb.DuckDBPyConnection
) -> None:
    told = {
        (file, row): (key, defect)
        for file, row, key, defect in rows(
            known_small, f"select file, row, key, coalesce(defect, '') from records where feed = '{feed}'"
        )
    }
    found = {(file, row): record for file, row, record in delivered(small.source, feed)}
    assert found.keys() == told.keys()
    if feed not in KEYS:
        return
    keys = {place: KEYS[feed](record) for place, record in found.items() if told[place][1] not in UNREADABLE}
    expected = {place: key for place, (key, defect) in told.items() if defect not in UNREADABLE}
    if feed in ("shop_customers", "pos_members", "shop_products"):
        expected = {place: key[:-6] for place, key in expected.items()}
    if feed == "shop_orders":
        # A version is numbered only in the truth: an order that leaves on the day it is placed comes once, changed
        # already.
        keys, expected = ({place: key.split("/")[0] for place, key in each.items()} for each in (keys, expected))
    assert keys == expected


def test_observed_events_are_numbered_through(small: SimulationSummary, known_small: duckdb.DuckDBPyConnection) -> None:
    told = {
        (file, row): (key, many)
        for file, row, key, many in rows(
            known_small, "select file, row, key, rows from records where feed = 'logistics_epcis'"
        )
    }
    for file, row, record in delivered(small.source, "logistics_epcis"):
        key, many = told[file, row]
        events = record["epcisBody"]["eventList"]
        assert len(events) == many <= 50
        assert record["creationDate"] and key.split("/")[0] in {
            event["eventID"][19:29] for event in events if event["type"] == "ObjectEvent"
        } | {key.split("/")[0]}


@pytest.mark.parametrize(
    ("feed", "inner"), [("shop_orders", "shop_order_lines"), ("pos_transactions", "pos_transaction_lines")]
)
def test_lines_inside_documents_are_counted(
    feed: str, inner: str, small: SimulationSummary, known_small: duckdb.DuckDBPyConnection
) -> None:
    told = {
        (file, row): many
        for file, row, many in rows(known_small, f"select file, row, inner_rows from records where feed = '{feed}'")
    }
    name = "line_items" if feed == "shop_orders" else "lines"
    assert {(file, row): len(record[name]) for file, row, record in delivered(small.source, feed)} == told
    assert small.rows[inner] == sum(told.values())


def test_versions_of_an_order_come_in_their_order(
    small: SimulationSummary, known_small: duckdb.DuckDBPyConnection
) -> None:
    where = {
        (file, row): key
        for file, row, key in rows(
            known_small,
            "select file, row, key from records where feed = 'shop_orders' and expected is distinct from 'duplicate'",
        )
    }
    first: dict[int, Record] = {}
    second: dict[int, Record] = {}
    for file, row, record in delivered(small.source, "shop_orders"):
        if (file, row) in where:
            (first if where[file, row].endswith("/1") else second)[record["id"]] = record
    assert len(second) > 100
    for order, record in second.items():
        assert record["cancelled_at"] or record["fulfillment_status"] == "fulfilled"
        if order in first:
            assert first[order]["updated_at"] < record["updated_at"]
            assert first[order]["fulfillment_status"] is None and first[order]["cancelled_at"] is None
            same = record.keys() - {
                "updated_at",
                "cancelled_at",
                "financial_status",
                "fulfillment_status",
                "fulfillments",
                "line_items",
                "x_export_version",
            }
            if record["line_items"] != first[order]["line_items"]:
                same -= {"total_price", "total_price_set", "subtotal_price", "total_discounts", "total_tax"}
                same -= {"discount_codes"}
            assert {name: record[name] for name in same} == {name: first[order][name] for name in same}
