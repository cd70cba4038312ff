"""Rows broken on purpose, few enough for the gates to quarantine them and go on.

Each is put into the second night (the first, where there is one only), and only where the file is long enough that
one bad row stays well below the tolerance of its contract.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path

import duckdb

from onedata.simulate.model import Defect, SimulationSettings

MIN_ROWS = 40
"""A feed's night with fewer rows gets no defect: one bad row is at most 2.5% of a night."""

# An order of the night that is delivered once and never returned: no other version can stand in for the broken line.
LONE_ORDER = """
select order_id, channel, net::text from (
    select order_id, channel, d, net from shop_order join line using (visit_no)
    where line_no = 1 and d = {d} and not (is_test or has_update or late)
      and visit_no not in (select visit_no from return_document)
) order by order_id limit 1
"""
ARRIVED = """
select shipment_id, iso(delivered_at) from shipment where delivered_night = {d} order by shipment_id limit 1
"""


def stock_night(settings: SimulationSettings) -> int:
    """The night whose inventory holds a negative count, written by the feed's own query (Parquet cannot be edited)."""
    return _night(settings)


def break_rows(connection: duckdb.DuckDBPyConnection, settings: SimulationSettings, source: Path, rows: dict[str, list[int]]) -> tuple[Defect, ...]:
    """Break one row in each of four feeds' files below ``source``; list them, with the one already in the inventory."""
    d = _night(settings)
    ds = settings.nights[d]
    found: list[Defect | None] = []
    if rows["shop_order_lines"][d] >= MIN_ROWS:
        found.append(_quantity_in_words(connection, source, f"shop/orders/orders_{ds}.jsonl", d))
    if rows["shop_events"][d] >= MIN_ROWS:
        found.append(_cut_event(source, f"shop/events/events_{ds}.jsonl"))
    found.append(_spend_without_campaign(source, f"social/spend/spend_{ds}.csv", str(ds)))
    if rows["logistics_shipments"][d] >= MIN_ROWS:
        found.append(_impossible_delivery(connection, source, f"logistics/shipments/shipments_{ds}.csv", d))
    file = f"logistics/inventory/inventory_{ds}.parquet"
    found.append(Defect("logistics_inventory", file, 3, f"{ds}, SKU-00003, S001", "on_hand is -40", "row quarantined: below minimum"))
    return tuple(defect for defect in found if defect)


def _night(settings: SimulationSettings) -> int:
    return min(1, settings.days - 1)


def _edit(path: Path, marker: bytes, change: Callable[[bytes], bytes], header: int) -> int:
    """Change the first line that begins with ``marker``; the number of its record, from 1. A record must be a line."""
    text = path.read_bytes()
    start = 0 if text.startswith(marker) else text.index(b"\n" + marker) + 1
    end = text.index(b"\n", start)
    path.write_bytes(text[:start] + change(text[start:end]) + text[end:])
    return text.count(b"\n", 0, start) + 1 - header


def _quantity_in_words(connection: duckdb.DuckDBPyConnection, source: Path, file: str, d: int) -> Defect | None:
    order = connection.execute(LONE_ORDER.format(d=d)).fetchone()
    if order is None:
        return None
    order_id, channel, net = order
    row = _edit(
        source / file,
        b'{"id":%d,' % order_id,
        lambda line: re.sub(rb'"quantity":\d+', b'"quantity":"two"', line, count=1),
        0,
    )
    return Defect(
        feed="shop_order_lines",
        file=file,
        row=row,
        key=f"order {order_id}, line {order_id * 10 + 1}",
        what='quantity of the first line item is "two"',
        expected="line quarantined: quantity does not cast; the header and the other lines are accepted",
        channel=channel,
        net_revenue=net,
    )


def _cut_event(source: Path, file: str) -> Defect:
    text = (source / file).read_bytes()
    start = text.index(b"\n", len(text) // 2) + 1
    line = text[start : text.index(b"\n", start)]
    event = json.loads(line)
    key = f"{event['user_pseudo_id']}-{event['event_timestamp']}-{event['event_name']}"
    row = _edit(source / file, line, lambda whole: whole[: len(whole) // 2], 0)
    return Defect("shop_events", file, row, key, "the JSON document ends in its middle", "row quarantined: not valid JSON")


def _spend_without_campaign(source: Path, file: str, ds: str) -> Defect:
    key = f"{ds},douyin,members-week,members-week-2,"
    row = _edit(source / file, key.encode(), lambda line: line.replace(b",members-week,", b",,"), 1)
    return Defect("social_spend", file, row, key.rstrip(","), "campaign_id is empty", "row quarantined: campaign_id is required")


def _impossible_delivery(connection: duckdb.DuckDBPyConnection, source: Path, file: str, d: int) -> Defect | None:
    parcel = connection.execute(ARRIVED.format(d=d)).fetchone()
    if parcel is None:
        return None
    shipment_id, delivered_at = parcel
    row = _edit(
        source / file,
        f"{shipment_id},".encode(),
        lambda line: line.replace(f",{delivered_at},delivered,".encode(), b",2026-02-30T10:00:00+08:00,delivered,"),
        1,
    )
    expected = "row quarantined: delivered_at does not cast; the parcel stays as it was picked up"
    return Defect("logistics_shipments", file, row, shipment_id, "delivered_at is 30 February", expected)
