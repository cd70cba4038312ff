"""A reloaded night: its new rows replace the old ones, completely or not at all."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date

import pytest
from small_retailer import HEADER, NEXT, NIGHT, SmallRetailer, assert_balanced, contract

from onedata.landing import Landed, land
from onedata.ledger import apply, has_replaced
from onedata.ledger.promote import promote
from onedata.quality.gates import contract_gate
from onedata.sources import SourceError
from onedata.sql import transaction

Retail = Callable[..., SmallRetailer]


def again(survey: SmallRetailer) -> Landed:
    """Land the night anew."""
    return land(survey.con, survey.settings, survey.feed(), survey.retailer.policy, NEXT, [NIGHT])


def passed(survey: SmallRetailer) -> bool:
    results = contract_gate(survey.con, survey.gatekeeper, survey.settings, survey.feed(), NEXT)
    promote(survey.con, survey.settings)
    return not any(result.blocks for result in results)


def test_a_corrected_file_takes_the_place_of_the_night(survey: SmallRetailer) -> None:
    survey.csv("A1,O1,5,,", "A2,O2,4,,")
    survey.csv("B1,O3,3,,", night=NEXT)
    survey.take(NEXT)
    survey.csv("A1,O1,5,,", "A3,O9,1,,")
    assert again(survey).received == 2
    assert passed(survey)
    assert_balanced(survey)
    assert survey.rows("response_id", order="1") == [("A1",), ("A3",), ("B1",)]
    assert survey.files("path, received, accepted, duplicate") == [
        ("survey/2026-01-05.csv", 2, 2, 0),
        ("survey/2026-01-06.csv", 1, 1, 0),
    ]


def test_the_same_files_taken_anew_are_the_same_night(survey: SmallRetailer) -> None:
    survey.csv("A1,O1,5,,", "A2,O2,x,,", "A3,O2,4,,")
    survey.take()
    before = survey.rows("* exclude (_arrived_at, _batch)"), survey.quarantine(), survey.files()
    again(survey)
    assert passed(survey)
    assert (survey.rows("* exclude (_arrived_at, _batch)"), survey.quarantine(), survey.files()) == before


def test_a_night_taken_anew_has_to_be_built_anew_downstream(survey: SmallRetailer) -> None:
    survey.csv("A1,O1,5,,")
    survey.take()
    assert not has_replaced(survey.con)
    again(survey)
    passed(survey)
    assert has_replaced(survey.con)
    assert survey.con.execute("select status, count(*) from ops.delivery group by 1 order by 1").fetchall() == [
        ("accepted", 1),
        ("replaced", 1),
    ]


def test_a_closed_gate_leaves_the_night_as_it_was(survey: SmallRetailer) -> None:
    survey.csv("A1,O1,5,,", "A2,O2,4,,")
    survey.take()
    survey.csv("A1,O1,x,,", "A2,O2,y,,")
    again(survey)
    assert not passed(survey)
    assert survey.rows("response_id, satisfaction") == [("A1", 5), ("A2", 4)]
    assert survey.take().closed  # the corrected file is still bad, and is not forgotten


def test_a_killed_run_leaves_the_night_as_it_was_and_can_be_run_again(survey: SmallRetailer) -> None:
    survey.csv("A1,O1,5,,", "A2,O2,4,,")
    survey.take()
    survey.csv("A1,O1,1,,")
    again(survey)  # killed before the gate
    assert survey.rows("response_id", order="1") == [("A1",), ("A2",)]
    again(survey)
    assert passed(survey)
    assert survey.rows("response_id, satisfaction") == [("A1", 1)]


def test_a_night_whose_file_is_gone_is_not_taken_anew(retail: Retail) -> None:
    survey = retail(contract(path="survey/{ds}_*.csv"))
    paths = [survey.put(f"survey/2026-01-05_{number}.csv", f"{HEADER}\nA{number},O,5,,\n") for number in (1, 2)]
    survey.take()
    paths[0].unlink()
    with pytest.raises(
        SourceError,
        match=r"night 2026-01-05 cannot be reloaded: 1 of its files are no longer there \(survey/2026-01-05_1.csv\)",
    ):
        again(survey)
    assert len(survey.rows()) == 2


def test_an_empty_file_in_the_place_of_one_takes_its_rows_away(survey: SmallRetailer) -> None:
    survey.csv("A1,O1,5,,")
    survey.take()
    survey.csv()
    again(survey)
    assert passed(survey)
    assert survey.rows() == []


def night_again(survey: SmallRetailer, *nights: date, until: date = NEXT) -> None:
    """Take nights anew, whole, and publish them."""
    land(survey.con, survey.settings, survey.feed(), survey.retailer.policy, until, nights)
    assert passed(survey)
    with transaction(survey.con):
        apply(survey.con)
    assert_balanced(survey)


def statuses(survey: SmallRetailer, by: str) -> list[tuple[object, ...]]:
    """How many deliveries there are of each."""
    return survey.con.execute(f"select {by}, count(*) from ops.delivery group by all order by all").fetchall()


def test_a_header_alone_is_booked_once_however_often_it_is_taken_anew(survey: SmallRetailer) -> None:
    """Two nights without rows have equal files: the second is a repeat of the first."""
    survey.csv()
    survey.csv(night=NEXT)
    survey.take(NEXT)
    once = [("survey/2026-01-05.csv", "landed", 0, 0, 0, 0), ("survey/2026-01-06.csv", "repeated", 0, 0, 0, 0)]
    assert survey.files() == once
    for times in (1, 2, 3):
        night_again(survey, NEXT)
        assert survey.files() == once
        assert statuses(survey, "ds::varchar, status") == [
            ("2026-01-05", "applied", 1),
            ("2026-01-06", "applied", 1),
            ("2026-01-06", "replaced", times),
        ]
    assert survey.take(NEXT).landed.files == 0


def test_the_first_of_two_equal_files_taken_anew_keeps_its_rows(survey: SmallRetailer) -> None:
    """The repeat holds no row of its own: it is no place where the rows are known from."""
    survey.csv("A1,O1,5,,")
    survey.csv("A1,O1,5,,", night=NEXT)
    survey.take(NEXT)
    before = survey.files()
    assert before == [
        ("survey/2026-01-05.csv", "landed", 1, 1, 0, 0),
        ("survey/2026-01-06.csv", "repeated", 1, 0, 0, 1),
    ]
    night_again(survey, NIGHT)
    assert survey.rows("response_id") == [("A1",)]
    assert survey.files() == before


def test_a_night_put_back_to_what_it_was_lands_again(survey: SmallRetailer) -> None:
    """Its delivery would have the id of the one that was replaced."""
    survey.csv("A1,O1,5,,")
    survey.take()
    survey.csv("A2,O2,4,,")
    night_again(survey, NIGHT)
    survey.csv("A1,O1,5,,")
    assert survey.take(NEXT).counts == (1, 1, 0, 0)
    assert survey.rows("response_id", order="1") == [("A1",), ("A2",)]
    assert statuses(survey, "status") == [("accepted", 1), ("applied", 1), ("replaced", 1)]


def test_equal_files_of_two_nights_taken_anew_together_count_their_money_once(retail: Retail) -> None:
    named = {"order_id": "order", "payment_id": "payment", "amount": "amount", "currency": "currency"}
    properties = [{"name": name, "physicalName": field} for name, field in named.items()]
    desk = retail(contract("payments", entity="payment", path="payments/{ds}.csv", properties=properties))
    for night in (NIGHT, NEXT):
        desk.put(f"payments/{night}.csv", "order,payment,amount,currency\nO1,P1,10,CNY\n")
    desk.take(NEXT)
    money = "select path, received, accepted, duplicate from ops.control_total order by all"
    before = desk.con.execute(money).fetchall()
    assert before == [("payments/2026-01-05.csv", 10, 10, 0), ("payments/2026-01-06.csv", 10, 0, 10)]
    night_again(desk, NIGHT, NEXT)
    assert desk.con.execute(money).fetchall() == before
