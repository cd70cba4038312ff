"""Rows with wrong types, missing or invalid values, and the share of them that a feed tolerates."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from formats import FORMATS, GOOD, encode, survey_contract
from small_retailer import ANSWERS, HEADER, NEXT, NIGHT, SmallRetailer, contract

from onedata.landing.rows import typed_rows
from onedata.readers import SourceFile
from onedata.readers.base import Part

Retail = Callable[..., SmallRetailer]


@pytest.mark.parametrize("kind", FORMATS)
def test_a_value_of_the_wrong_type_quarantines_its_row_with_reason_and_raw_row(retail: Retail, kind: str) -> None:
    survey = retail(survey_contract(kind, quarantineTolerance=0.5))
    survey.put(f"survey/{NIGHT}.{kind}", encode(kind, [GOOD[0], GOOD[1] | {"score": "five"}, GOOD[2]]))
    assert survey.take().counts == (3, 2, 1, 0)
    ((path, row, rule, reason, raw),) = survey.quarantine()
    assert (path, row, rule) == (f"survey/2026-01-05.{kind}", 2, "satisfaction_type")
    assert reason == 'satisfaction (source field score): "five" is not a whole number'
    assert all(value in raw for value in ("A2", "O2", "five", "poor", "2026-01-05T11:00:00Z"))


@pytest.mark.parametrize("kind", FORMATS)
def test_a_required_value_missing_quarantines_its_row(retail: Retail, kind: str) -> None:
    survey = retail(survey_contract(kind, quarantineTolerance=0.5))
    survey.put(f"survey/{NIGHT}.{kind}", encode(kind, [*GOOD[:2], GOOD[2] | {"order": None}]))
    assert survey.take().counts == (3, 2, 1, 0)
    assert survey.quarantine("row, rule, reason") == [
        (3, "order_id_required", "order_id (source field order): is required and missing")
    ]


@pytest.mark.parametrize(
    ("rule", "bad", "name"),
    [
        ({"logicalType": "number", "logicalTypeOptions": {"minimum": 2}}, "1", "satisfaction_in_range"),
        ({"logicalType": "number", "logicalTypeOptions": {"maximum": 4}}, "5", "satisfaction_in_range"),
        ({"logicalType": "string", "logicalTypeOptions": {"pattern": "^[234]$"}}, "5", "satisfaction_in_range"),
        (
            {"quality": [{"metric": "invalidValues", "arguments": {"validValues": [2, 3]}, "mustBe": 0}]},
            "5",
            "satisfaction_invalidValues",
        ),
        ({"quality": [{"metric": "nullValues", "mustBe": 0, "name": "scored"}]}, "", "scored"),
        ({"required": True}, "", "satisfaction_required"),
    ],
)
def test_a_row_rule_quarantines_what_breaks_it_and_only_that(
    retail: Retail, rule: dict[str, Any], bad: str, name: str
) -> None:
    properties = [
        item if item["name"] != "satisfaction" else {"name": "satisfaction", "physicalName": "score", **rule}
        for item in ANSWERS
    ]
    survey = retail(contract(properties=properties, quarantineTolerance=0.5))
    survey.csv("A1,O1,3,fine,", f"A2,O2,{bad},poor,")
    taken = survey.take()
    assert (taken.counts, taken.closed) == ((2, 1, 1, 0), {})
    assert survey.quarantine("row, rule") == [(2, name)]


def test_an_empty_value_does_not_break_a_value_rule(survey: SmallRetailer) -> None:
    survey.csv("A1,O1,,fine,")
    assert survey.take().counts == (1, 1, 0, 0)


def test_a_row_rule_of_severity_warning_lets_the_row_pass_and_counts_it(retail: Retail) -> None:
    rule = {
        "metric": "invalidValues",
        "arguments": {"validValues": [5]},
        "mustBe": 0,
        "severity": "warning",
        "name": "happy",
    }
    properties = [
        item if item["name"] != "satisfaction" else {"name": "satisfaction", "physicalName": "score", "quality": [rule]}
        for item in ANSWERS
    ]
    survey = retail(contract(properties=properties))
    survey.csv("A1,O1,5,,", "A2,O2,1,,")
    taken = survey.take()
    assert (taken.counts, taken.closed) == ((2, 2, 0, 0), {})
    assert "1 rows break it, first: satisfaction=1" in taken.warned["happy"]


def test_a_row_with_two_faults_names_both(survey: SmallRetailer) -> None:
    survey.csv("A1,,9,fine,soon", "A2,O2,4,,", "A3,O3,4,,")
    assert survey.take().counts == (3, 2, 1, 0)
    ((rule, reason),) = survey.quarantine("rule, reason")
    assert rule == "order_id_required"
    for part in (
        "order_id (source field order): is required",
        "breaks satisfaction_in_range",
        '"aaaa" is not a time (YYYY-MM-DD HH:MM:SS, with or without offset)',
    ):
        assert part in reason


def test_blank_is_missing_and_texts_are_trimmed(survey: SmallRetailer) -> None:
    survey.csv("  A1 ,O1,  ,   ,")
    survey.take()
    assert survey.rows("response_id, satisfaction, comment") == [("A1", None, None)]


def test_a_transformation_that_fails_on_a_row_quarantines_it(retail: Retail) -> None:
    properties = [
        ANSWERS[0],
        {"name": "order_id", "physicalName": "order", "transformLogic": "(1 / {value}::integer)::integer::varchar"},
    ]
    survey = retail(contract(properties=properties, quarantineTolerance=0.5))
    survey.csv("A1,1,,,", "A2,none,,,")
    assert survey.take().counts == (2, 1, 1, 0)
    assert survey.quarantine("row, rule") == [(2, "order_id_logic")]


def test_a_cast_that_two_transformations_share_fails_on_its_row_only(retail: Retail) -> None:
    properties = [
        ANSWERS[0],
        {"name": "order_id", "physicalName": "order", "transformLogic": "({value}::integer)::varchar"},
        {"name": "satisfaction", "transformLogic": "{order}::integer + 1"},
    ]
    survey = retail(contract(properties=properties, quarantineTolerance=0.5))
    survey.csv("A1,1,,,", "A2,none,,,")
    assert survey.take().counts == (2, 1, 1, 0)


@pytest.mark.parametrize(
    ("tolerance", "closed"), [(0.25, []), (0.24, ["quarantine_tolerance"]), (0, ["quarantine_tolerance"]), (1, [])]
)
def test_the_tolerance_holds_at_its_share_and_closes_above_it(
    retail: Retail, tolerance: float, closed: list[str]
) -> None:
    survey = retail(contract(quarantineTolerance=tolerance))
    survey.csv("A1,O1,5,,", "A2,O2,4,,", "A3,O3,x,,", "A4,O4,4,,")
    taken = survey.take()
    assert (taken.counts, list(taken.closed)) == ((4, 3, 1, 0), closed)
    assert len(survey.rows()) == (0 if closed else 3)


def test_a_closed_gate_names_feed_file_rule_and_rows(survey: SmallRetailer) -> None:
    survey.csv("A1,O1,x,,", "A2,O2,y,,", "A3,O3,4,,")
    taken = survey.take()
    (result,) = [result for result in taken.results if result.blocks]
    assert (result.stage, result.subject, result.observed) == ("contract", "survey", "66.7%")
    assert result.message == (
        "2 of 3 rows for 2026-01-05 quarantined, tolerance 50.0%: survey/2026-01-05.csv, rule satisfaction_type: 2 "
        "rows "
        '(row 1: satisfaction (source field score): "x" is not a whole number | row 2: satisfaction (source field '
        'score): "y" is not a whole number)'
    )
    assert survey.con.execute("select status from ops.delivery").fetchall() == [("refused",)]


def test_each_nights_share_is_judged_on_its_own(survey: SmallRetailer) -> None:
    survey.csv("A1,O1,x,,")
    survey.csv(*[f"B{number},O{number},4,," for number in range(9)], night=NEXT)
    assert "1 of 1 rows for 2026-01-05" in survey.take(NEXT).closed["quarantine_tolerance"]


def test_a_mended_file_after_a_closed_gate_lands_and_leaves_no_trace_of_the_bad_one(survey: SmallRetailer) -> None:
    survey.csv("A1,O1,x,,")
    assert survey.take().closed
    survey.csv("A1,O1,5,,")
    taken = survey.take()
    assert (taken.counts, taken.closed) == ((1, 1, 0, 0), {})
    assert (survey.quarantine(), len(survey.files())) == ([], 1)


def test_an_unmended_file_after_a_closed_gate_closes_it_again(survey: SmallRetailer) -> None:
    survey.csv("A1,O1,x,,")
    first = survey.take()
    second = survey.take()
    assert second.closed == first.closed
    assert len(survey.quarantine()) == 1


def test_a_rule_on_the_delivery_closes_the_gate(retail: Retail) -> None:
    rule = {
        "metric": "duplicateValues",
        "arguments": {"properties": ["order_id"]},
        "mustBe": 0,
        "name": "one_answer_an_order",
    }
    survey = retail(contract(quality=[rule]))
    survey.csv("A1,O1,5,,", "A2,O1,4,,")
    message = survey.take().closed["one_answer_an_order"]
    assert "1 rows break it, first: order_id=O1" in message
    assert message.endswith("copies=2")


def test_a_key_seen_again_on_another_night_is_no_duplicate_of_its_delivery(retail: Retail) -> None:
    rule = {
        "metric": "duplicateValues",
        "arguments": {"properties": ["order_id"]},
        "mustBe": 0,
        "name": "one_answer_an_order",
    }
    survey = retail(contract(quality=[rule]))
    survey.csv("A1,O1,5,,")
    survey.csv("A2,O1,4,,", night=NEXT)
    taken = survey.take(NEXT)
    assert (taken.counts, taken.closed) == ((2, 2, 0, 0), {})


def test_parquet_types_of_the_source_are_kept_exact(retail: Retail) -> None:
    properties = [
        {"name": "order_id", "physicalName": "order"},
        {"name": "payment_id", "physicalName": "no"},
        {"name": "amount", "physicalName": "amount"},
        {"name": "currency", "transformLogic": "'EUR'"},
        {"name": "paid_at", "physicalName": "paid"},
    ]
    survey = retail(
        contract("payments", entity="payment", path="pay/{ds}.parquet", kind="parquet", properties=properties)
    )
    path = survey.put("pay/2026-01-05.parquet", b"")
    table = pa.table(
        {
            "order": pa.array([2**53 + 1], pa.int64()),
            "no": pa.array([1], pa.int8()),
            "amount": pa.array([Decimal("12345678901.2345")], pa.decimal128(18, 4)),
            "paid": pa.array([1_767_607_200_000_000], pa.timestamp("us", "Asia/Shanghai")),
        }
    )
    pq.write_table(table, path)
    assert survey.take().counts == (1, 1, 0, 0)
    assert survey.rows("order_id, payment_id, amount, paid_at::varchar") == [
        ("9007199254740993", "1", Decimal("12345678901.2345"), "2026-01-05 10:00:00")
    ]


def test_the_header_line_is_not_a_row(survey: SmallRetailer) -> None:
    survey.csv(HEADER, "A1,O1,5,,")
    assert survey.take().counts == (2, 1, 1, 0)


def test_the_sql_of_landing_contains_a_rule_once(survey: SmallRetailer) -> None:
    """Landing a small file takes as long as DuckDB needs to plan its SQL, and each predicate is long."""
    part = Part(SourceFile(0, Path("a.csv"), "a.csv", NIGHT, 1, 0, ""), "select 1")
    sql = typed_rows(survey.feed(), part)
    assert [sql.count(text) for text in ("_typed_satisfaction < 1", "_given_order_id is null")] == [1, 1]
