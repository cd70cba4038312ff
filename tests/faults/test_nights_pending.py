"""An earlier night is rerun while a later one, accepted by a killed run, is pending: the later night's people keep
their own night.

With the real command line: the second night is killed once its rows are in the lake, then the first is rerun, then the
third runs.
"""

from dataclasses import dataclass
from typing import Any

import pytest
from support import NIGHTS, CommandLine, Outcome, Story, ask, differences, home_after, run_well, story

from onedata.settings import Settings

# Every table of OneID that says of a night, with the columns that are no clock.
STAMPED = {
    "oneid.oneid_map": "*",
    "oneid.person": "*",
    "oneid.issued": "*",
    "oneid.household_map": "*",
    "oneid.oneid_event": "*",
    "oneid.run": "run_id, night, kind, touched, decided",
}


@dataclass(frozen=True)
class Waited:
    """What waited when the first night was run again, how that run ended, and the home after the third night."""

    waiting: list[tuple[Any, ...]]
    again: Outcome
    left: list[tuple[Any, ...]]
    end: Story


@pytest.fixture(scope="session")
def waited(after_first_night: Settings, tmp_path_factory: pytest.TempPathFactory) -> Waited:
    settings = home_after(after_first_night, tmp_path_factory.mktemp("pending"))
    killed = CommandLine(settings, "--ds", str(NIGHTS[1]))
    killed.wait_for("dbt/target/run/onedata/models/dwd/dwd_payment.sql")
    killed.kill()
    waiting = ask(
        settings.warehouse,
        "select ds, status, count(*) > 5 from ops.delivery where applied_at is null group by all order by all",
    )
    again = CommandLine(settings, "--ds", str(NIGHTS[0])).finish()
    left = ask(settings.warehouse, "select * from ops.delivery where applied_at is null")
    return Waited(waiting, again, left, story(settings, "end", run_well(settings, NIGHTS[2:])))


def test_the_second_night_waited_as_the_first_was_run_again(waited: Waited) -> None:
    assert waited.waiting == [(NIGHTS[1], "accepted", True)]


def test_the_run_of_the_earlier_night_publishes_what_waited_and_says_so(waited: Waited) -> None:
    assert waited.again.succeeded, waited.again.said
    assert f"accepted by an earlier run and not published: {NIGHTS[1]}; published with this run" in waited.again.said
    assert waited.left == []


def test_every_table_is_as_if_nothing_had_happened(one_by_one: Story, waited: Waited) -> None:
    assert differences(one_by_one.warehouse, waited.end.warehouse) == {}


@pytest.mark.parametrize("table", STAMPED)
def test_people_are_stamped_with_the_night_they_came_in(one_by_one: Story, waited: Waited, table: str) -> None:
    question = f"select {STAMPED[table]} from {table} order by all"
    expected = ask(one_by_one.warehouse, question)
    assert expected != []
    assert ask(waited.end.warehouse, question) == expected
