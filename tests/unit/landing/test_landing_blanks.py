"""Blanks that are no space: they stand around values in exports for spreadsheets, copied pages and Chinese texts."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from formats import encode
from small_retailer import NIGHT, SmallRetailer, contract

Retail = Callable[..., SmallRetailer]
BLANKS = ["\t", "\u00a0", "\u3000", "\u2009", "\u200b", "\ufeff", " \t \u00a0"]
NAMES = ("id", "order", "score", "note", "answered")
ROW: dict[str, Any] = {"id": "A1", "order": "O1", "score": "5", "note": "绿 茶", "answered": "2026-01-05T10:00:00"}


def told(retail: Retail, kind: str, **changed: str) -> SmallRetailer:
    survey = retail(contract(kind=kind, path=f"survey/{{ds}}.{kind}", quarantineTolerance=1))
    survey.put(f"survey/{NIGHT}.{kind}", encode(kind, [ROW | changed], NAMES))
    survey.take()
    return survey


@pytest.mark.parametrize("kind", ["csv", "jsonl", "parquet"])
@pytest.mark.parametrize("blank", BLANKS)
def test_blanks_around_an_id_are_removed_and_counted(retail: Retail, kind: str, blank: str) -> None:
    survey = told(retail, kind, id=f"A1{blank}", order=f"{blank}O1", note=f"{blank}绿 茶{blank}")
    assert survey.rows("response_id, order_id, comment") == [("A1", "O1", "绿 茶")]
    (repaired,) = survey.rows("_repaired")
    assert set(repaired[0].split(",")) == {"response_id:trim", "order_id:trim", "comment:trim"}


@pytest.mark.parametrize("kind", ["csv", "jsonl", "parquet"])
@pytest.mark.parametrize("blank", BLANKS)
def test_a_required_value_of_blanks_alone_is_missing(retail: Retail, kind: str, blank: str) -> None:
    survey = told(retail, kind, order=blank)
    assert survey.quarantine("rule") == [("order_id_required",)]


def test_blanks_within_a_value_stay(retail: Retail) -> None:
    survey = told(retail, "csv", note="a\u00a0b\tc")
    assert survey.rows("comment, _repaired") == [("a\u00a0b\tc", None)]


def test_a_value_on_a_line_of_its_own_in_xml_is_read(retail: Retail) -> None:
    properties = [
        {"name": "response_id", "physicalName": "Id"},
        {"name": "order_id", "physicalName": "Order"},
        {"name": "satisfaction", "physicalName": "Score"},
        {"name": "answered_at", "physicalName": "At"},
    ]
    survey = retail(
        contract(
            kind="xml", path="survey/{ds}.xml", options={"recordTag": "A"}, properties=properties, quarantineTolerance=1
        )
    )
    fields = {"Id": "A1", "Order": "00123", "Score": "5", "At": "2026-01-05T10:00:00"}
    inner = "".join(f"<{name}>\n      {value}\n    </{name}>\n" for name, value in fields.items())
    survey.put(f"survey/{NIGHT}.xml", f"<As>\n<A>\n{inner}</A>\n</As>")
    survey.take()
    assert survey.quarantine("rule, reason") == []
    assert survey.rows("response_id, order_id, satisfaction") == [("A1", "00123", 5)]
