"""Repairs declared by a contract, their effect and their counts; and a feed's handling of fields unknown to its
contract."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from formats import GOOD, NAMES, encode, survey_contract
from small_retailer import ANSWERS, NEXT, NIGHT, SmallRetailer, contract

from onedata.contracts import ContractError

Retail = Callable[..., SmallRetailer]


def with_repairs(retail: Retail, column: str, *repairs: Any, **more: Any) -> SmallRetailer:
    """The survey with repairs of one column."""
    declared = {"customProperties": [{"property": "repairs", "value": list(repairs)}]}
    properties = [item | declared if item["name"] == column else item for item in ANSWERS]
    return retail(contract(properties=properties, quarantineTolerance=1, **more))


def repaired(survey: SmallRetailer) -> list[tuple[Any, ...]]:
    return survey.con.execute("select column_name, repair, rows from ops.repair order by all").fetchall()


@pytest.mark.parametrize(
    ("column", "repair", "given", "becomes"),
    [
        ("comment", "upper", "fine", "FINE"),
        ("comment", "lower", "FINE", "fine"),
        ("comment", {"values": {"gut": "good"}}, "gut", "good"),
        ("comment", "mojibake", "KÃ¶ln, crÃ¨me brÃ»lÃ©e", "Köln, crème brûlée"),
        ("satisfaction", {"unit": {"stars": 1, "points": 0.05}}, "4 stars", 4),
        ("satisfaction", {"unit": {"stars": 1, "points": 0.05}}, "100points", 5),
    ],
)
def test_a_declared_repair_mends_its_column_and_is_counted(
    retail: Retail, column: str, repair: Any, given: str, becomes: Any
) -> None:
    survey = with_repairs(retail, column, repair)
    score, note = (given, "") if column == "satisfaction" else ("3", f'"{given}"')
    survey.csv(f"A1,O1,{score},{note},")
    assert survey.take().counts == (1, 1, 0, 0)
    kind = repair if isinstance(repair, str) else next(iter(repair))
    assert survey.rows(f"{column}, _repaired") == [(becomes, f"{column}:{kind}")]
    assert repaired(survey) == [(column, kind, 1)]


@pytest.mark.parametrize(
    ("repair", "given"), [("upper", "FINE"), ({"values": {"gut": "good"}}, "fine"), ("mojibake", "Köln Ã la carte")]
)
def test_a_value_that_needs_no_repair_is_left_and_not_counted(retail: Retail, repair: Any, given: str) -> None:
    survey = with_repairs(retail, "comment", repair)
    survey.csv(f"A1,O1,3,{given},")
    survey.take()
    assert survey.rows("comment, _repaired") == [(given, None)]
    assert repaired(survey) == []


def test_repairs_are_made_in_their_order(retail: Retail) -> None:
    survey = with_repairs(retail, "comment", "upper", {"values": {"GUT": "good"}})
    survey.csv("A1,O1,3, gut,")
    survey.take()
    assert survey.rows("comment, _repaired") == [("good", "comment:trim,comment:upper,comment:values")]


def test_a_unit_that_is_not_declared_is_no_number(retail: Retail) -> None:
    survey = with_repairs(retail, "satisfaction", {"unit": {"stars": 1}})
    survey.csv("A1,O1,4 moons,,")
    assert survey.take().counts == (1, 0, 1, 0)
    assert survey.quarantine("rule") == [("satisfaction_type",)]


def test_blanks_around_a_text_are_taken_off_and_counted(retail: Retail) -> None:
    survey = retail(contract())
    survey.csv(" A1,O1 ,3,,", "A2,O2,3,,")
    survey.take()
    assert repaired(survey) == [("order_id", "trim", 1), ("response_id", "trim", 1)]


def test_a_killed_landings_repairs_are_not_counted_twice(retail: Retail) -> None:
    survey = retail(contract())
    survey.csv(" A1,O1,3,,")
    survey.land()
    survey.take()
    assert repaired(survey) == [("response_id", "trim", 1)]


@pytest.mark.parametrize("repair", ["polish", {"values": {}}, {"unit": {"g": "much"}}, {"upper": {"a": "b"}}, "values"])
def test_a_repair_that_cannot_be_followed_is_refused(retail: Retail, repair: Any) -> None:
    with pytest.raises(ContractError, match="property satisfaction: repairs"):
        with_repairs(retail, "satisfaction", repair)


@pytest.mark.parametrize("kind", ["csv", "parquet", "jsonl"])
def test_an_added_field_is_refused_where_the_contract_says_so(retail: Retail, kind: str) -> None:
    survey = retail(survey_contract(kind, onDrift={"added": "refuse"}))
    survey.put(
        f"survey/{NIGHT}.{kind}", encode(kind, [{**record, "mood": "good"} for record in GOOD], (*NAMES, "mood"))
    )
    assert "'mood' is not in the contract, and onDrift says added: refuse" in survey.take().closed["readable_files"]


@pytest.mark.parametrize("kind", ["csv", "parquet"])
def test_an_optional_column_that_is_gone_is_refused_where_the_contract_says_so(retail: Retail, kind: str) -> None:
    survey = retail(survey_contract(kind, onDrift={"missing": "refuse"}))
    survey.put(f"survey/{NIGHT}.{kind}", encode(kind, GOOD, [name for name in NAMES if name != "note"]))
    assert "column 'note' is missing, and onDrift says missing: refuse" in survey.take().closed["readable_files"]


def test_an_added_field_may_be_dropped(retail: Retail) -> None:
    survey = retail(survey_contract("csv", onDrift={"added": "drop"}))
    survey.put(f"survey/{NIGHT}.csv", encode("csv", [{**record, "mood": "good"} for record in GOOD], (*NAMES, "mood")))
    survey.take()
    assert survey.rows("distinct _extra", order="1") == [(None,)]
    assert survey.drifts()[0][1:3] == ("added", "mood")


def test_an_added_member_of_documents_is_kept_and_reported(retail: Retail) -> None:
    survey = retail(survey_contract("jsonl"))
    survey.put(f"survey/{NIGHT}.jsonl", encode("jsonl", [*GOOD[:2], {**GOOD[2], "mood": "good"}], (*NAMES, "mood")))
    survey.take()
    assert survey.rows("_extra")[2] == ('{"mood":"good"}',)
    assert survey.drifts() == [
        (
            "survey/2026-01-05.jsonl",
            "added",
            "mood",
            "column 'mood' is not in the contract; its values are kept in _extra",
        )
    ]


def test_a_member_that_no_document_has_any_more_is_reported_once(retail: Retail) -> None:
    survey = retail(survey_contract("jsonl"))
    survey.put(f"survey/{NIGHT}.jsonl", encode("jsonl", GOOD[:1]))
    survey.take()
    survey.put(f"survey/{NEXT}.jsonl", encode("jsonl", GOOD[1:], [name for name in NAMES if name != "note"]))
    survey.take(NEXT)
    assert [row[1:3] for row in survey.drifts()] == [("missing", "note")]


def typed(kind: str) -> bytes:
    import io

    import pyarrow as pa
    import pyarrow.parquet as pq

    stream = io.BytesIO()
    scores = pa.array([5], pa.int64()) if kind == "int" else pa.array(["5"], pa.string())
    pq.write_table(
        pa.table({"id": [f"A-{kind}"], "order": ["O1"], "score": scores, "note": ["fine"], "answered": ["2026-01-05"]}),
        stream,
    )
    return stream.getvalue()


@pytest.mark.parametrize(("policy", "closed"), [("report", False), ("refuse", True)])
def test_a_column_of_another_type_than_before_follows_the_contracts_policy(
    retail: Retail, policy: str, closed: bool
) -> None:
    survey = retail(survey_contract("parquet", onDrift={"retyped": policy}))
    survey.put(f"survey/{NIGHT}.parquet", typed("int"))
    survey.take()
    survey.put(f"survey/{NEXT}.parquet", typed("double"))
    assert bool(survey.take(NEXT).closed) == closed
    told = survey.files("message")[1][0] if closed else survey.drifts()[0][3]
    assert "column 'score' is VARCHAR and was BIGINT before" in told
