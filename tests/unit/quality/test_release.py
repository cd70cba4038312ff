"""A release from quarantine goes through the contract gate, as a night does, and enters the lake only if it passes."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, datetime
from typing import Any
from unittest.mock import Mock

import pytest
from small_retailer import ANSWERS, NEXT, SmallRetailer, contract

from onedata.landing.release import Release, Selection
from onedata.ledger.moves import Booking, book
from onedata.quality.release import Outcome, release
from onedata.quality.results import CheckResult

Retail = Callable[..., SmallRetailer]
LATER = date(2026, 1, 7)


def survey_of(most: int) -> dict[str, Any]:
    """The survey with scores up to `most`."""
    scores = ANSWERS[2] | {"logicalTypeOptions": {"minimum": 1, "maximum": most}}
    whole = contract(properties=[*ANSWERS[:2], scores, *ANSWERS[3:]], quarantineTolerance=1)
    return whole | {"version": f"1.{most}.0"}


@pytest.fixture
def waiting(retail: Retail) -> SmallRetailer:
    """Scores of 9 of two nights in quarantine, and a later night without; the contract takes 10 by now."""
    survey = retail(survey_of(5))
    survey.csv("A1,O1,5,fine,", "A2,O2,9,,")
    survey.csv("A3,O3,9,,", "A4,O4,12,,", night=NEXT)
    survey.csv("A5,O5,4,,", night=LATER)
    survey.take(LATER)
    book(survey.con, Booking("other", "other", "e", date(2026, 1, 9), 1, datetime(2026, 1, 8)))
    return retail(survey_of(10))


def released(survey: SmallRetailer, selection: Selection | None = None) -> Outcome:
    return release(survey.con, survey.settings, survey.feed(), survey.retailer.policy, selection or Selection())


def checked(survey: SmallRetailer) -> list[tuple[str, date]]:
    return survey.con.execute("select distinct run_id, night from ops.gate").fetchall()


def test_rows_that_pass_the_gate_enter_the_lake_and_the_check_is_of_their_last_night(waiting: SmallRetailer) -> None:
    outcome = released(waiting)
    assert outcome.found == Release(accepted=2, still_bad=1)
    assert not outcome.is_refused
    assert "satisfaction_in_range" in {result.rule for result in outcome.results}
    assert waiting.rows("response_id", order="1") == [("A1",), ("A2",), ("A3",), ("A5",)]
    ((run, night),) = checked(waiting)
    assert (run[:10], night) == ("release 20", NEXT)


def test_nothing_is_released_where_the_gate_refuses(waiting: SmallRetailer, monkeypatch: pytest.MonkeyPatch) -> None:
    results = [CheckResult("contract", "survey", "rule", "error", passed, "", "") for passed in (True, False, True)]
    promoted = Mock()
    monkeypatch.setattr("onedata.quality.release.contract_gate", lambda *_: results)
    monkeypatch.setattr("onedata.quality.release.promote", promoted)
    outcome = released(waiting)
    assert (outcome.is_refused, outcome.results) == (True, tuple(results))
    promoted.assert_not_called()
    assert len(checked(waiting)) == 1


@pytest.mark.parametrize(
    ("selection", "found"),
    [
        (Selection(path="survey/nowhere.csv"), Release()),
        (Selection(path="survey/2026-01-06.csv"), Release(still_bad=2)),
    ],
)
def test_the_gate_is_not_asked_about_nothing(retail: Retail, selection: Selection, found: Release) -> None:
    """No row is chosen, or none is better than it was: the contract is as it was when they landed."""
    survey = retail(survey_of(5))
    survey.csv("A3,O3,9,,", "A4,O4,12,,", night=NEXT)
    survey.take(NEXT)
    assert released(survey, selection) == Outcome(found)
    assert checked(survey) == []
