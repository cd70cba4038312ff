"""A feed with a condition: a record that cannot be read is kept, since nobody can tell whose it is."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from small_retailer import ANSWERS, NIGHT, SmallRetailer, contract

Retail = Callable[..., SmallRetailer]
GOOD: dict[str, Any] = {"id": "A1", "order": "O1", "score": "5", "note": "web", "answered": "2026-01-05T10:00:00"}


def only_web(retail: Retail, kind: str, **more: Any) -> SmallRetailer:
    condition = {"where": "{note} = 'web'", "quarantineTolerance": 1}
    return retail(contract(kind=kind, path=f"survey/{{ds}}.{kind}", properties=ANSWERS, **condition, **more))


@pytest.mark.parametrize(
    "line",
    [b"{x", b"oops", b'["web"]', '{"id": "绿茶", "note": "绿茶"}'.encode("gb18030"), b'{"note":"shop","note":"web"}'],
)
def test_a_line_that_cannot_be_read_is_quarantined(retail: Retail, line: bytes) -> None:
    survey = only_web(retail, "jsonl")
    others = json.dumps(GOOD | {"id": "A2", "note": "shop"}).encode()
    survey.put(f"survey/{NIGHT}.jsonl", b"\n".join([json.dumps(GOOD).encode(), others, line]) + b"\n")
    assert survey.take().counts == (2, 1, 1, 0)
    assert survey.quarantine("row, rule") == [(3, "unreadable_record")]


def test_a_value_that_is_lost_in_another_feeds_document_is_not_this_feeds(retail: Retail) -> None:
    survey = only_web(retail, "jsonl")
    other = json.dumps(GOOD | {"note": "shop"}).replace('"O1"', "12345678901234567890123456789.5")
    survey.put(f"survey/{NIGHT}.jsonl", f"{json.dumps(GOOD)}\n{other}\n")
    assert survey.take().counts == (1, 1, 0, 0)


def test_a_shifted_row_of_csv_is_quarantined(retail: Retail) -> None:
    survey = only_web(retail, "csv")
    survey.put(
        f"survey/{NIGHT}.csv", "id,order,score,note,answered,\nA1,O1,5,web,,\nA2,O2,5,a,web,2026-01-05T10:00:00\n"
    )
    assert survey.take().counts == (2, 1, 1, 0)


def test_bytes_that_are_no_text_are_quarantined_in_parquet(retail: Retail) -> None:
    survey = only_web(retail, "parquet")
    rows = {name: pa.array([value] * 2) for name, value in GOOD.items()} | {
        "id": pa.array(["A1", "A2"]),
        "note": pa.array([b"web", b"\xff\xfe"], pa.binary()),
    }
    pq.write_table(pa.table(rows), survey.put(f"survey/{NIGHT}.parquet", b""))
    assert survey.take().counts == (2, 1, 1, 0)


def test_a_document_of_another_kind_that_the_condition_leaves_out_is_another_feeds(retail: Retail) -> None:
    properties = [
        {"name": "order_id", "physicalName": "order"},
        {"name": "line_id", "physicalName": "items[].id"},
        {"name": "line_type", "transformLogic": "'sale'"},
        {"name": "channel", "transformLogic": "'online'"},
        {"name": "product_id", "physicalName": "items[].sku"},
        {"name": "quantity", "physicalName": "items[].n"},
        {"name": "unit_price", "physicalName": "items[].price"},
        {"name": "currency", "transformLogic": "'EUR'"},
    ]
    shop = retail(
        contract(
            "lines",
            entity="order_line",
            kind="jsonl",
            path="lines/{ds}.jsonl",
            properties=properties,
            records="items",
            where="{event} = 'purchase'",
            quarantineTolerance=1,
        )
    )
    bought = {"event": "purchase", "order": "o1", "items": [{"id": "1", "sku": "s", "n": "1", "price": "2.50"}]}
    told = [bought, {"event": "view"}, {"query": 1}, {"event": "purchase", "order": "o2"}]
    shop.put(f"lines/{NIGHT}.jsonl", "".join(json.dumps(document) + "\n" for document in told))
    assert shop.take().counts == (3, 1, 2, 0)
    told = "there is nothing at items: is it a document of another kind?"
    assert [reason.startswith(told) for (reason,) in shop.quarantine("reason")] == [True, True]
