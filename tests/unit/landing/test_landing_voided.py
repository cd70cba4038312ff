"""`onInvalid: void`: an invalid value becomes empty, is counted like a repair, and its row lands."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from formats import FORMATS, Record, encode, survey_contract
from small_retailer import ANSWERS, NIGHT, SmallRetailer, contract, custom

Retail = Callable[..., SmallRetailer]
VOID = {"customProperties": custom({"onInvalid": "void"})}
TITLE = {"name": "title", "physicalName": "note", "logicalType": "string"}


def voiding(retail: Retail, *columns: str, more: tuple[dict[str, Any], ...] = (), **feed: Any) -> SmallRetailer:
    """The survey with `void` for some columns, and further properties."""
    properties = [item | VOID if item["name"] in columns else item for item in ANSWERS]
    return retail(contract(properties=[*properties, *more], quarantineTolerance=1, **feed))


def voided(survey: SmallRetailer) -> list[tuple[Any, ...]]:
    return survey.con.execute("select column_name, rows from ops.repair where repair = 'void' order by all").fetchall()


@pytest.mark.parametrize("given", ["9", "three", "3.5", "1e3"])
def test_a_value_that_breaks_a_rule_or_its_type_is_emptied_and_counted(retail: Retail, given: str) -> None:
    survey = voiding(retail, "satisfaction")
    survey.csv(f"A1,O1,{given},good,", "A2,O2,3,good,")
    taken = survey.take()
    assert taken.counts == (2, 2, 0, 0)
    assert survey.rows("response_id, satisfaction, comment, _repaired") == [
        ("A1", None, "good", "satisfaction:void"),
        ("A2", 3, "good", None),
    ]
    assert voided(survey) == [("satisfaction", 1)]
    assert "1 invalid values were emptied" in taken.warned["values_voided"]


def test_a_value_that_was_emptied_is_no_statement_of_its_feed(retail: Retail) -> None:
    # Another feed's value of the column stays then (`several_feeds`).
    survey = voiding(retail, "satisfaction", "comment")
    survey.csv("A1,O1,9,good,", "A2,O2,3,good,", "A3,O3,,good,")
    survey.take()
    mapped = {row: said.split(",") for row, said in survey.rows("response_id, _mapped")}
    assert mapped["A1"] == [name for name in mapped["A2"] if name != "satisfaction"]
    assert mapped["A2"] == mapped["A3"] == [item["name"] for item in ANSWERS]


def test_without_it_the_same_value_costs_the_row(retail: Retail) -> None:
    survey = voiding(retail)
    survey.csv("A1,O1,9,good,", "A2,O2,3,good,")
    taken = survey.take()
    assert taken.counts == (2, 1, 1, 0)
    assert "values_voided" not in {result.rule for result in taken.results}


def test_no_value_emptied_is_a_gate_that_holds(retail: Retail) -> None:
    survey = voiding(retail, "satisfaction")
    survey.csv("A2,O2,3,good,")
    results = {result.rule: result for result in survey.take().results}
    assert results["values_voided"].passed


def test_another_broken_rule_still_costs_the_row(retail: Retail) -> None:
    survey = voiding(retail, "satisfaction")
    survey.csv("A1,O1,9,good,yesterday")
    assert survey.take().counts == (1, 0, 1, 0)
    assert [rule for (rule,) in survey.quarantine("rule")] == ["answered_at_type"]
    assert voided(survey) == []


def test_every_way_to_be_invalid_is_covered(retail: Retail) -> None:
    logic = {"name": "recommend_score", "transformLogic": "cast({note} as integer)", **VOID}
    survey = voiding(retail, "answered_at", more=(logic,))
    survey.csv("A1,O1,3,11,2026-01-05T10:00:00Z", "A2,O2,3,x,1066-01-01", "A3,O3,3,5,soon", "A4,O4,3,5,2026-01-05")
    assert survey.take().counts == (4, 4, 0, 0)
    assert survey.rows("response_id, recommend_score, answered_at is not null, _repaired") == [
        ("A1", None, True, "recommend_score:void"),
        ("A2", None, False, "answered_at:void,recommend_score:void"),
        ("A3", 5, False, "answered_at:void"),
        ("A4", 5, True, None),
    ]


def test_the_result_of_an_emptied_value_is_that_of_an_empty_one(retail: Retail) -> None:
    told = {"name": "title", "transformLogic": "coalesce({result of satisfaction}::varchar, 'none')"}
    survey = voiding(retail, "satisfaction", more=(told,))
    survey.csv("A1,O1,9,,", "A2,O2,3,,")
    survey.take()
    assert survey.rows("title") == [("none",), ("3",)]


def test_a_repair_comes_before_it(retail: Retail) -> None:
    both = custom({"repairs": [{"unit": {"stars": 1}}], "onInvalid": "void"})
    properties = [item | {"customProperties": both} if item["name"] == "satisfaction" else item for item in ANSWERS]
    survey = retail(contract(properties=properties))
    survey.csv("A1,O1,4 stars,,", "A2,O2,9 stars,,", "A3,O3,4 moons,,")
    survey.take()
    assert survey.rows("satisfaction, _repaired") == [
        (4, "satisfaction:unit"),
        (None, "satisfaction:unit,satisfaction:void"),
        (None, "satisfaction:void"),
    ]


def test_a_constant_that_breaks_its_rule_is_emptied_too(retail: Retail) -> None:
    title = {**TITLE, "transformLogic": "'fixed'", "logicalTypeOptions": {"pattern": "^[0-9]+$"}, **VOID}
    del title["physicalName"]
    survey = voiding(retail, more=(title,))
    survey.csv("A1,O1,3,,")
    survey.take()
    assert survey.rows("title") == [(None,)]


@pytest.mark.parametrize("kind", FORMATS)
def test_every_format_empties_alike(retail: Retail, kind: str) -> None:
    properties = [item | VOID if item["name"] == "satisfaction" else item for item in ANSWERS]
    survey = retail(survey_contract(kind, properties=properties))
    records: list[Record] = [{"id": "A1", "order": "O1", "score": "9", "note": "x", "answered": "2026-01-05T10:00:00Z"}]
    survey.put(f"survey/{NIGHT}.{kind}", encode(kind, records))
    assert survey.take().counts == (1, 1, 0, 0)
    assert survey.rows("satisfaction, _repaired") == [(None, "satisfaction:void")]
