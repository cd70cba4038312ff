"""Release from quarantine: rows are revalidated from their stored text by the current contract."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from formats import FORMATS, GOOD, encode, survey_contract
from small_retailer import ANSWERS, NIGHT, SmallRetailer, assert_balanced, canonical, contract, write_contracts

from onedata.contracts import load_feeds
from onedata.landing.release import Release, Selection, stage_release
from onedata.ledger.promote import promote
from onedata.quality.gates import contract_gate

Retail = Callable[..., SmallRetailer]
WIDER = {"logicalType": "number", "logicalTypeOptions": {"minimum": 1, "maximum": 10}}


def with_contract(survey: SmallRetailer, content: dict[str, Any]) -> SmallRetailer:
    """The same retailer after somebody has changed its contract."""
    feeds = load_feeds(write_contracts(survey.settings.contracts, content | {"version": "1.1.0"}), canonical())
    return replace(survey, retailer=replace(survey.retailer, feeds=feeds))


def mended(kind: str = "csv", **more: Any) -> dict[str, Any]:
    """The survey's contract with scores up to ten."""
    content = survey_contract(kind, quarantineTolerance=1, **more)
    properties = content["schema"][0]["properties"]
    content["schema"][0]["properties"] = [
        item | WIDER if item["name"] == "satisfaction" else item for item in properties
    ]
    return content


def released(survey: SmallRetailer, selection: Selection | None = None) -> Release:
    found = stage_release(survey.con, survey.settings, survey.feed(), survey.retailer.policy, selection or Selection())
    results = contract_gate(survey.con, survey.gatekeeper, survey.settings, survey.feed(), NIGHT)
    assert [result.rule for result in results if result.blocks] == []
    promote(survey.con, survey.settings)
    assert_balanced(survey)
    return found


@pytest.mark.parametrize("kind", FORMATS)
def test_rows_that_the_mended_contract_takes_leave_quarantine_for_the_lake(retail: Retail, kind: str) -> None:
    survey = retail(survey_contract(kind, quarantineTolerance=1))
    survey.put(f"survey/{NIGHT}.{kind}", encode(kind, [GOOD[0], GOOD[1] | {"score": "9"}, GOOD[2] | {"score": "x"}]))
    assert survey.take().counts == (3, 1, 2, 0)
    survey = with_contract(survey, mended(kind))
    assert released(survey) == Release(accepted=1, still_bad=1)
    path = f"survey/2026-01-05.{kind}"
    assert survey.rows("response_id, satisfaction, comment, _file, _row")[1] == ("A2", 9, "poor", path, 2)
    assert survey.files() == [(path, "landed", 3, 2, 1, 0)]
    assert survey.quarantine("row, rule") == [(3, "satisfaction_type")]


def test_ids_of_a_double_column_are_released_as_their_digits_or_stay(retail: Retail) -> None:
    survey = retail(survey_contract("parquet", quarantineTolerance=1))
    rows = {name: pa.array([GOOD[0][name]] * 2) for name in GOOD[0]} | {
        "id": pa.array(["A1", "A2"]),
        "order": pa.array([5678901234567.0, 123456789012345680.0]),
        "score": pa.array(["9", "5"]),
    }
    pq.write_table(pa.table(rows), survey.put(f"survey/{NIGHT}.parquet", b""))
    assert survey.take().counts == (2, 0, 2, 0)
    survey = with_contract(survey, mended("parquet"))
    assert released(survey) == Release(accepted=1, still_bad=1)
    assert survey.rows("response_id, order_id") == [("A1", "5678901234567")]
    assert survey.quarantine("row, rule") == [(2, "order_id_type")]


def test_a_release_again_changes_nothing(retail: Retail) -> None:
    survey = retail(contract(quarantineTolerance=1))
    survey.csv("A1,O1,9,,", "A2,O2,5,,")
    survey.take()
    survey = with_contract(survey, mended())
    released(survey)
    assert released(survey).tried == 0
    assert len(survey.rows()) == 2


def test_a_row_that_came_again_mended_is_known_already(retail: Retail) -> None:
    survey = retail(contract(quarantineTolerance=1))
    survey.csv("A1,O1,rubbish,,")
    survey.take()
    survey.put("survey/2026-01-06.csv", "id,order,score,note,answered\nA1,O1,,,\n")
    survey.take()
    properties = [
        item
        if item["name"] != "satisfaction"
        else {"name": "satisfaction", "transformLogic": "try_cast({score} as integer)"}
        for item in ANSWERS
    ]
    survey = with_contract(survey, contract(properties=properties, quarantineTolerance=1))
    assert released(survey).duplicate + released(survey).accepted <= 1
    assert survey.quarantine() == []


def test_what_is_still_bad_stays_and_says_why_today(retail: Retail) -> None:
    survey = retail(contract(quarantineTolerance=1))
    survey.csv("A1,O1,12,,", "A2,O2,9,,")
    survey.take()
    survey = with_contract(survey, mended())
    released(survey)
    assert survey.quarantine("rule, reason") == [
        (
            "satisfaction_in_range",
            'satisfaction (source field score): "12" breaks satisfaction_in_range (at least 1, at most 10)',
        )
    ]


def test_only_the_chosen_rule_is_released(retail: Retail) -> None:
    survey = retail(contract(quarantineTolerance=1))
    survey.csv("A1,O1,9,,", "A2,,4,,")
    survey.take()
    survey = with_contract(survey, mended())
    assert released(survey, Selection(rule="order_id_required")) == Release(still_bad=1)
    assert len(survey.quarantine()) == 2
    assert released(survey, Selection(rule="satisfaction_in_range")) == Release(accepted=1)


def test_a_release_that_was_killed_before_the_gate_is_as_if_it_had_never_been(retail: Retail) -> None:
    survey = retail(contract(quarantineTolerance=1))
    survey.csv("A1,O1,9,,", "A2,O2,5,,")
    survey.take()
    survey = with_contract(survey, mended())
    stage_release(survey.con, survey.settings, survey.feed(), survey.retailer.policy, Selection())
    assert released(survey) == Release(accepted=1)
    assert survey.files("received, accepted, quarantined") == [(2, 2, 0)]


def test_records_that_could_not_be_taken_apart_are_told_and_stay(retail: Retail) -> None:
    survey = retail(contract(quarantineTolerance=1))
    survey.csv("A1,O1,5,fine,", "A2,O2,4,well, not quoted,2026-01-05")
    survey.take()
    assert released(survey) == Release(unreadable=1)
    assert len(survey.quarantine()) == 1


def test_money_moves_with_the_rows_it_belongs_to(retail: Retail) -> None:
    properties = [
        {"name": "order_id", "physicalName": "order"},
        {"name": "payment_id", "physicalName": "no"},
        {"name": "amount", "physicalName": "amount", "logicalType": "number", "logicalTypeOptions": {"maximum": 100}},
        {"name": "currency", "physicalName": "currency"},
    ]
    written = contract("payments", entity="payment", path="pay/{ds}.csv", properties=properties, quarantineTolerance=1)
    survey = retail(written)
    survey.put("pay/2026-01-05.csv", "order,no,amount,currency\nO1,1,10.50,CNY\nO2,2,250.25,CNY\n")
    survey.take()
    sums = "select sum(received), sum(accepted), sum(quarantined), sum(duplicate) from ops.control_total"
    assert [float(amount) for amount in survey.con.execute(sums).fetchall()[0]] == [260.75, 10.5, 250.25, 0]
    properties[2] = {"name": "amount", "physicalName": "amount"}
    survey = with_contract(
        survey,
        contract("payments", entity="payment", path="pay/{ds}.csv", properties=properties, quarantineTolerance=1),
    )
    assert released(survey) == Release(accepted=1)
    assert [float(amount) for amount in survey.con.execute(sums).fetchall()[0]] == [260.75, 260.75, 0, 0]


def test_a_row_that_is_released_stays_of_the_edition_that_it_stood_in(retail: Retail) -> None:
    """The file came again with the row corrected: the release of the first one must not outdo the correction."""
    survey = retail(contract(quarantineTolerance=1))
    survey.csv("A1,O1,9,first,", "A2,O2,5,,")
    survey.take()
    survey.csv("A1,O1,4,corrected,", "A2,O2,5,,", "A3,O3,8,,")
    survey.take()
    survey = with_contract(survey, mended())
    assert released(survey) == Release(accepted=2)
    assert survey.rows("response_id, comment, _edition, _row", order="response_id, _edition") == [
        ("A1", "first", 1, 1),
        ("A1", "corrected", 2, 1),
        ("A2", None, 1, 2),
        ("A3", None, 2, 3),
    ]
