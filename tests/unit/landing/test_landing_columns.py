"""Columns added, removed, renamed, reordered."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pyarrow.parquet as pq
import pytest
from formats import GOOD, NAMES, encode, survey_contract
from small_retailer import NEXT, NIGHT, SmallRetailer, contract

Retail = Callable[..., SmallRetailer]
NAMED = ("csv", "parquet")
NESTED = ("jsonl", "xml")


def renamed(old: str, new: str) -> list[dict[str, str | None]]:
    return [{new if name == old else name: value for name, value in record.items()} for record in GOOD]


def names_with(old: str, new: str) -> tuple[str, ...]:
    return tuple(new if name == old else name for name in NAMES)


@pytest.mark.parametrize("kind", NAMED)
def test_an_added_column_is_kept_and_reported_and_the_file_accepted(retail: Retail, kind: str) -> None:
    survey = retail(survey_contract(kind))
    survey.put(
        f"survey/{NIGHT}.{kind}", encode(kind, [{**record, "mood": "good"} for record in GOOD], (*NAMES, "mood"))
    )
    taken = survey.take()
    assert (taken.counts, taken.closed) == ((3, 3, 0, 0), {})
    message = "column 'mood' is not in the contract; its values are kept in _extra"
    assert survey.drifts() == [(f"survey/2026-01-05.{kind}", "added", "mood", message)]
    assert taken.warned == {"columns_as_contracted": f"survey/2026-01-05.{kind}: {message}"}
    assert survey.rows("_extra") == [('{"mood":"good"}',)] * 3


def test_a_column_the_contract_leaves_out_on_purpose_is_no_drift(retail: Retail) -> None:
    content = survey_contract("csv") | {"customProperties": [{"property": "unmapped", "value": ["mood"]}]}
    survey = retail(content)
    survey.put(f"survey/{NIGHT}.csv", encode("csv", GOOD, (*NAMES, "mood")))
    assert survey.take().warned == {}


@pytest.mark.parametrize("kind", NESTED)
def test_an_added_field_of_a_nested_format_does_no_harm(retail: Retail, kind: str) -> None:
    survey = retail(survey_contract(kind))
    survey.put(
        f"survey/{NIGHT}.{kind}", encode(kind, [{**record, "mood": "good"} for record in GOOD], (*NAMES, "mood"))
    )
    taken = survey.take()
    assert (taken.counts, taken.closed) == ((3, 3, 0, 0), {})


@pytest.mark.parametrize("kind", NAMED)
def test_an_optional_column_removed_stays_empty_and_is_reported(retail: Retail, kind: str) -> None:
    survey = retail(survey_contract(kind))
    survey.put(f"survey/{NIGHT}.{kind}", encode(kind, GOOD, [name for name in NAMES if name != "note"]))
    taken = survey.take()
    assert (taken.counts, taken.closed) == ((3, 3, 0, 0), {})
    assert survey.rows("comment") == [(None,)] * 3
    assert survey.drifts()[0][1:] == ("missing", "note", "column 'note' is missing; comment stays empty")


@pytest.mark.parametrize("kind", NAMED)
def test_a_required_column_removed_refuses_the_file(retail: Retail, kind: str) -> None:
    survey = retail(survey_contract(kind))
    survey.put(f"survey/{NIGHT}.{kind}", encode(kind, GOOD, [name for name in NAMES if name != "order"]))
    message = survey.take().closed["readable_files"]
    assert "column 'order' is missing, and order_id needs it; the file has 'id', 'score', 'note', 'answered'" in message
    assert "change physicalName in survey.odcs.yaml" in message
    assert survey.rows() == []


@pytest.mark.parametrize("kind", NAMED)
def test_a_required_column_renamed_is_guessed(retail: Retail, kind: str) -> None:
    survey = retail(survey_contract(kind))
    survey.put(f"survey/{NIGHT}.{kind}", encode(kind, renamed("order", "order_no"), names_with("order", "order_no")))
    assert "Was it renamed to 'order_no'?" in survey.take().closed["readable_files"]


@pytest.mark.parametrize("kind", NAMED)
def test_an_optional_column_renamed_is_told_as_missing_and_added(retail: Retail, kind: str) -> None:
    survey = retail(survey_contract(kind))
    survey.put(f"survey/{NIGHT}.{kind}", encode(kind, renamed("score", "scores"), names_with("score", "scores")))
    assert survey.take().counts == (3, 3, 0, 0)
    assert [row[1:3] for row in survey.drifts()] == [("added", "scores"), ("missing", "score")]


@pytest.mark.parametrize("kind", NESTED)
def test_a_required_field_renamed_in_a_nested_format_closes_the_gate(retail: Retail, kind: str) -> None:
    survey = retail(survey_contract(kind))
    survey.put(f"survey/{NIGHT}.{kind}", encode(kind, renamed("order", "order_no"), names_with("order", "order_no")))
    taken = survey.take()
    assert taken.counts == (3, 0, 3, 0)
    assert "order_id (source field order): is required and missing" in taken.closed["quarantine_tolerance"]


@pytest.mark.parametrize("kind", ["csv", "parquet", "jsonl", "xml"])
def test_reordered_columns_are_read_by_name(retail: Retail, kind: str) -> None:
    survey = retail(survey_contract(kind))
    survey.put(f"survey/{NIGHT}.{kind}", encode(kind, GOOD[:1]))
    survey.take()
    survey.put(f"survey/{NEXT}.{kind}", encode(kind, GOOD[1:], NAMES[::-1]))
    taken = survey.take(NEXT)
    assert (taken.counts, taken.closed) == ((2, 2, 0, 0), {})
    assert survey.rows("response_id, order_id, satisfaction") == [("A1", "O1", 5), ("A2", "O2", 1), ("A3", "O3", 3)]


@pytest.mark.parametrize("kind", NAMED)
def test_reordered_columns_are_reported_once(retail: Retail, kind: str) -> None:
    survey = retail(survey_contract(kind))
    survey.put(f"survey/{NIGHT}.{kind}", encode(kind, GOOD[:1]))
    survey.take()
    survey.put(f"survey/{NEXT}.{kind}", encode(kind, GOOD[1:], NAMES[::-1]))
    survey.take(NEXT)
    survey.take(NEXT)
    ((path, change, _, message),) = survey.drifts()
    assert (path, change) == (f"survey/2026-01-06.{kind}", "order")
    assert "another order than before (answered, note, score, order, id)" in message


def test_a_column_that_stands_twice_refuses_the_file(survey: SmallRetailer) -> None:
    survey.csv("A1,O1,5,6,fine,", header="id,order,score,score,note,answered")
    assert "column 'score' stands twice in the header" in survey.take().closed["readable_files"]


def test_files_with_different_headers_land_together(retail: Retail) -> None:
    survey = retail(survey_contract("csv"))
    survey.put("survey/2026-01-05.csv", encode("csv", GOOD[:1]))
    survey.put("survey/2026-01-06.csv", encode("csv", GOOD[1:], NAMES[::-1]))
    assert survey.take(NEXT).counts == (3, 3, 0, 0)
    assert survey.rows("response_id, _file, _row") == [
        ("A1", "survey/2026-01-05.csv", 1),
        ("A2", "survey/2026-01-06.csv", 1),
        ("A3", "survey/2026-01-06.csv", 2),
    ]


def test_column_names_are_trimmed_and_may_hold_anything(retail: Retail) -> None:
    content = survey_contract("csv")
    content["schema"][0]["properties"] = [
        {"name": "response_id", "physicalName": 'Réf. "no"\'s'},
        {"name": "order_id", "physicalName": "a.b [x]", "transformLogic": "upper({a.b [x]})"},
    ]
    survey = retail(content)
    survey.put("survey/2026-01-05.csv", '"Réf. ""no""\'s" , a.b [x]\nA1,o1\n')
    assert survey.take().counts == (1, 1, 0, 0)
    assert survey.rows("response_id, order_id") == [("A1", "O1")]


def test_a_literal_is_trimmed_and_a_column_without_a_source_is_missing(retail: Retail) -> None:
    # Both are written in a way of their own, not as the value of each row.
    properties: list[dict[str, Any]] = [
        {"name": "order_id", "physicalName": "order"},
        {"name": "line_id", "physicalName": "line"},
        {"name": "line_type", "transformLogic": "' sale '"},
        {"name": "channel", "transformLogic": "'on' || 'line'"},
        {"name": "product_id", "physicalName": "gtin"},
        {"name": "quantity", "physicalName": "qty"},
        {"name": "unit_price", "physicalName": "price"},
        {"name": "currency", "transformLogic": "'EUR'"},
        {"name": "customer_id", "transformLogic": "'  '"},
    ]
    shop = retail(contract("lines", entity="order_line", path="lines/{ds}.csv", properties=properties))
    shop.put(f"lines/{NIGHT}.csv", "order,line,gtin,qty,price\no1,1,g1,2,2.50\no1,2,g1,1,2.50\n")
    assert shop.take().counts == (2, 2, 0, 0)
    (file,) = (shop.settings.lake / "ods" / "order_line" / "source=lines").rglob("*.parquet")
    written = pq.ParquetFile(file).schema_arrow.names
    assert [name for name in written if not name.startswith("_") and name != "source_system"] == [
        item["name"] for item in properties
    ]
    found = shop.rows("line_id, line_type, channel, currency, customer_id, country, tax_amount")
    assert found == [(line, "sale", "online", "EUR", None, None, None) for line in ("1", "2")]
