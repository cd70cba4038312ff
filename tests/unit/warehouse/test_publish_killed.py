"""A night killed at any step of its publication is complete, recorded as published if served, and repaired by a
rerun."""

from __future__ import annotations

import sys
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import duckdb
import pytest
from publishing import COST, accepted, built, frozen, publish, shown, silent, warehouse, whole
from small_retailer import NEXT, NIGHT, settings_in

import onedata.warehouse.publish
from onedata.settings import Settings
from onedata.warehouse.publications import current_publication, damage, publications
from onedata.warehouse.publish import finish_publishing, publish_candidate
from onedata_assets.selection import select_nights

OLD, NEW = whole(NIGHT, 1), whole(NEXT, 2)


@dataclass(frozen=True)
class State:
    """A home as a kill left it: what readers see, and what the ledger tells before and after the next run opens it."""

    step: str
    settings: Settings
    shown: tuple[Any, ...]
    noted_before: list[tuple[Any, ...]]
    noted: list[tuple[Any, ...]]
    delivery: str
    end: tuple[Any, ...]
    end_nights: list[tuple[Any, ...]]
    end_deliveries: list[tuple[Any, ...]]


NIGHTS = "select night, run_id, publication from ops.night order by publication"


@pytest.fixture(scope="module")
def states(tmp_path_factory: pytest.TempPathFactory) -> list[State]:
    """Every state of a home whose second night is published; a third night would remove the first."""
    folder = tmp_path_factory.mktemp("killed")
    settings = replace(settings_in(folder), published_nights_kept=1)
    settings.warehouse.parent.mkdir(parents=True)
    con = warehouse(settings.warehouse)
    publish(con, settings, NIGHT, 1, "r1")
    accepted(con, "b", NEXT)
    built(con, settings, NEXT, 2, "r2")
    with pytest.MonkeyPatch.context() as monkeypatch, frozen(settings.home, folder / "states", monkeypatch) as copies:
        publish_candidate(con, settings, "r2", COST, silent)
    con.close()
    return [_gone_on(step, replace(settings, home=home)) for step, home in copies]


def _gone_on(step: str, settings: Settings) -> State:
    before = shown(settings.published)
    served = current_publication(settings)
    assert served is not None
    assert damage(served) == []
    with duckdb.connect(str(settings.warehouse)) as con:
        noted_before = con.execute(NIGHTS).fetchall()
        finish_publishing(con, settings)
        noted, delivery = (
            con.execute(NIGHTS).fetchall(),
            con.execute("select status from ops.delivery").fetchall()[0][0],
        )
        assert shown(settings.published) == before, "only a night that has run serves another"
        publish(con, settings, NEXT, 2, "r3")
        nights, deliveries = con.execute(NIGHTS).fetchall(), con.execute("select status from ops.delivery").fetchall()
    return State(step, settings, before, noted_before, noted, delivery, shown(settings.published), nights, deliveries)


def test_there_are_states_before_the_swap_between_swap_and_ledger_and_after(states: list[State]) -> None:
    assert len(states) > 10
    assert {state.shown for state in states} == {OLD, NEW}
    assert [state.step for state in states if state.shown == NEW and len(state.noted_before) == 1] != []
    assert [state.step for state in states if len(state.noted_before) == 2] != []


def test_the_swap_is_one_step(states: list[State]) -> None:
    seen = [state.shown for state in states]
    swapped = seen.index(NEW)
    assert seen == [OLD] * swapped + [NEW] * (len(seen) - swapped)
    assert states[swapped].step == "replace .current.new current"


def test_a_night_that_is_served_is_in_the_ledger_and_its_deliveries_are_applied(states: list[State]) -> None:
    served = [(state.noted, state.delivery) for state in states if state.shown == NEW]
    assert served == [([(NIGHT, "r1", 1), (NEXT, "r2", 2)], "applied")] * len(served)


def test_a_night_that_is_not_served_is_not_in_the_ledger_and_its_deliveries_wait(states: list[State]) -> None:
    waiting = [(state.noted, state.delivery) for state in states if state.shown == OLD]
    assert waiting == [([(NIGHT, "r1", 1)], "accepted")] * len(waiting)


def test_running_again_publishes_the_night(states: list[State]) -> None:
    assert {state.end for state in states} == {NEW}
    assert {str(state.end_deliveries) for state in states} == {"[('applied',)]"}


def test_running_again_uses_no_number_twice(states: list[State]) -> None:
    for state in states:
        numbers = [number for _, _, number in state.end_nights]
        assert numbers == sorted(set(numbers)), state.step
        assert state.end_nights[-1][:2] == (NEXT, "r3")
        assert state.end_nights[: len(state.noted)] == state.noted


def test_running_again_leaves_nothing_half_done(states: list[State]) -> None:
    for state in states:
        folder = state.settings.published / "publications"
        assert sorted(path.name for path in folder.iterdir()) == [
            publications(state.settings)[-1].folder.name,
        ], state.step
        assert sorted(path.name for path in state.settings.published.iterdir()) == [
            "current",
            "onedata.duckdb",
            "parquet",
            "publications",
            "quality",
        ]


def retailer_in(folder: Path) -> Settings:
    """A home of the shipped retailer that no file has come to."""
    settings = replace(settings_in(folder), contracts=Settings().contracts)
    settings.source.mkdir(parents=True)
    settings.warehouse.parent.mkdir(parents=True)
    return settings


def test_a_night_that_was_killed_after_its_swap_is_not_run_again(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    settings = retailer_in(tmp_path)
    with warehouse(settings.warehouse) as con:
        accepted(con, "b", NIGHT)
        built(con, settings, NIGHT, 1, "r1")
        monkeypatch.setattr(onedata.warehouse.publish, "apply", lambda _: sys.exit("killed"))
        with pytest.raises(SystemExit):
            publish_candidate(con, settings, "r1", COST, silent)
        monkeypatch.undo()
        assert con.execute("select status from ops.delivery").fetchall() == [("accepted",)]
    assert select_nights(settings, None, None) == []
    with duckdb.connect(str(settings.warehouse)) as con:
        assert con.execute("select status from ops.delivery").fetchall() == [("applied",)]


def test_what_was_published_and_is_lost_is_published_again(tmp_path: Path) -> None:
    settings = retailer_in(tmp_path)
    with warehouse(settings.warehouse) as con:
        for night in (NIGHT, NEXT):
            publish(con, settings, night, 1, f"r {night}")
    assert select_nights(settings, None, None) == []
    settings.published.rename(tmp_path / "lost")
    assert select_nights(settings, None, None) == [NEXT]


def test_a_run_that_was_killed_while_it_built_leaves_no_number_and_no_candidate(tmp_path: Path) -> None:
    settings = settings_in(tmp_path)
    con = warehouse()
    accepted(con, "b", NIGHT)
    built(con, settings, NIGHT, 1, "killed")
    assert finish_publishing(con, settings) is None
    assert con.execute("select count(*) from ops.publishing").fetchall() == [(0,)]
    assert con.execute("select status from ops.delivery").fetchall() == [("accepted",)]
    assert publish(con, settings, NIGHT, 2, "r2").number == 1
    assert not (settings.published / "candidate").exists()


def test_finishing_twice_changes_nothing(tmp_path: Path) -> None:
    settings = settings_in(tmp_path)
    con = warehouse()
    publish(con, settings, NIGHT, 1, "r1")
    before = con.execute("from ops.night").fetchall()
    assert finish_publishing(con, settings) is finish_publishing(con, settings) is None
    assert con.execute("from ops.night").fetchall() == before
