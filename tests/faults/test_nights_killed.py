"""A night killed by SIGKILL at any moment is mended by running again; two nights at once do not mix.

One home goes through it all, by the real command line: killed while DWD is built, then stopped for a while (it holds
the warehouse) as a second run comes, killed while the lake is filled, killed while the night is swapped in, and at last
left alone. Kills while a feed lands are in tests/unit/landing.
"""

import os
import signal
from dataclasses import dataclass

import dagster as dg
import pytest
from support import (
    NIGHTS,
    CommandLine,
    Outcome,
    Simulated,
    Story,
    ask,
    differences,
    environment_kept,
    home_at,
    run_well,
    story,
    unbalanced_files,
)

from onedata.settings import Settings
from onedata.warehouse.publications import current_publication, publications


@dataclass(frozen=True)
class Disturbed:
    """The home at the end, and what was seen on the way."""

    end: Story
    killed: int
    while_held: list[tuple[object, ...]]
    second: Outcome
    held: Outcome
    published_before_first_swap: bool


@pytest.fixture(scope="session")
def disturbed(simulated: Simulated, tmp_path_factory: pytest.TempPathFactory) -> Disturbed:
    settings = home_at(tmp_path_factory.mktemp("disturbed"), simulated.source)
    _killed_when(settings, "dbt/target/run/onedata/models/dwd/dwd_payment.sql", "--ds", str(NIGHTS[0]))
    published = settings.published_database.exists()
    run_well(settings, NIGHTS[:1])

    held = CommandLine(settings, "--ds", str(NIGHTS[1]))
    held.wait_for("staged/shop_orders/*/*.parquet")
    held.process.send_signal(signal.SIGSTOP)
    try:
        second = CommandLine(settings, "--ds", str(NIGHTS[1]), ONEDATA_LOCK_WAIT_SECONDS="0.5").finish()
        while_held = ask(settings.published_database, "select night from published_night")
    finally:
        held.process.send_signal(signal.SIGCONT)
    held_outcome = held.finish()

    last = ("--ds", str(NIGHTS[2]))
    _killed_when(settings, "lake/ods/*/source=*/ds=2026-01-07/*.parquet", *last)
    _killed_when(settings, "published/publications/0*/manifest.json", *last)
    return Disturbed(
        story(settings, "end", run_well(settings, NIGHTS[2:])), 3, while_held, second, held_outcome, published
    )


def _killed_when(settings: Settings, pattern: str, *arguments: str) -> None:
    command = CommandLine(settings, *arguments)
    command.wait_for(pattern)
    command.kill()


def test_a_killed_night_that_is_run_again_ends_in_the_same_tables(one_by_one: Story, disturbed: Disturbed) -> None:
    assert differences(one_by_one.warehouse, disturbed.end.warehouse) == {}


def test_a_killed_night_that_is_run_again_gives_the_same_one_ids(one_by_one: Story, disturbed: Disturbed) -> None:
    question = "select identity_key, oneid from oneid.oneid_map where valid_to is null order by all"
    assert ask(disturbed.end.warehouse, question) == ask(one_by_one.warehouse, question)


def test_a_killed_night_counts_no_observed_link_twice(one_by_one: Story, disturbed: Disturbed) -> None:
    question = "select count(*), sum(n_obs) from oneid.identity_edge"
    assert ask(disturbed.end.warehouse, question) == ask(one_by_one.warehouse, question)


def test_a_killed_night_that_is_run_again_publishes_the_same_rows(one_by_one: Story, disturbed: Disturbed) -> None:
    found = differences(one_by_one.published, disturbed.end.published, ["main"])
    # ops_file says when a file landed, ops_gate when it was checked, ops_cost what each run took.
    assert found.keys() <= {"main.ops_file", "main.ops_gate", "main.ops_cost"}


def test_the_ledger_balances_after_kills(disturbed: Disturbed) -> None:
    assert unbalanced_files(disturbed.end.warehouse) == []


def test_the_ledger_counts_no_file_twice_after_kills(one_by_one: Story, disturbed: Disturbed) -> None:
    question = "select feed, path, status, received, accepted, quarantined, duplicate from ops.file order by all"
    assert ask(disturbed.end.warehouse, question) == ask(one_by_one.warehouse, question)


def test_quarantined_rows_are_kept_once_after_kills(one_by_one: Story, disturbed: Disturbed) -> None:
    question = "select feed, path, row, rule from ops.quarantine order by all"
    assert ask(disturbed.end.warehouse, question) == ask(one_by_one.warehouse, question)


def test_every_delivery_is_applied_after_kills(disturbed: Disturbed) -> None:
    assert ask(disturbed.end.warehouse, "select distinct status from ops.delivery") == [("applied",)]


def test_the_lake_holds_exactly_the_files_of_the_ledger_after_kills(disturbed: Disturbed) -> None:
    place = "entity || '/source=' || feed || '/ds=' || ds || '/'"
    manifests = f"select {place} || '_manifest/' || batch_id || unnest(['.json', '.record']) from ops.delivery"
    question = f"select {place} || name from ops.lake_file union all {manifests}"
    known = {row[0] for row in ask(disturbed.end.warehouse, question)}
    lake = disturbed.end.settings.lake / "ods"
    found = {path.relative_to(lake).as_posix() for path in lake.rglob("[!.]*") if path.is_file()}
    assert {path for path in found if "source=_schema" not in path} == known != set()


def test_nothing_is_published_before_a_night_is_whole(disturbed: Disturbed) -> None:
    assert not disturbed.published_before_first_swap


def test_every_night_that_is_served_stands_in_the_ledger_once_after_kills(disturbed: Disturbed) -> None:
    kept = {(found.number, found.night, found.run_id) for found in publications(disturbed.end.settings)}
    known = ask(disturbed.end.warehouse, "select publication, night, run_id from ops.night order by 1")
    assert {night for _, night, _ in known} == set(NIGHTS)
    assert len({number for number, _, _ in known}) == len(known)
    served = current_publication(disturbed.end.settings)
    assert served is not None
    assert (served.number, served.night, served.run_id) == known[-1]
    assert kept & set(known)


def test_dagster_shows_the_killed_runs_as_failed(disturbed: Disturbed) -> None:
    with environment_kept():
        os.environ |= disturbed.end.settings.environment()
        with dg.DagsterInstance.get() as instance:
            statuses = sorted(run.status.value for run in instance.get_runs())
    # Failed: the killed ones and the one that found the warehouse busy.
    assert statuses == ["FAILURE"] * (disturbed.killed + 1) + ["SUCCESS"] * 3


def test_a_second_run_refuses_while_another_writes(disturbed: Disturbed) -> None:
    assert not disturbed.second.succeeded


def test_a_second_run_says_who_writes_and_what_to_do(disturbed: Disturbed) -> None:
    assert "is being written by process" in disturbed.second.said
    assert "run again: nothing is lost" in disturbed.second.said


def test_a_second_run_ends_without_a_traceback(disturbed: Disturbed) -> None:
    assert "Traceback" not in disturbed.second.said


def test_the_run_that_held_the_warehouse_ends_well(disturbed: Disturbed) -> None:
    assert disturbed.held.succeeded, disturbed.held.said


def test_analysts_read_the_last_whole_night_while_another_is_built(disturbed: Disturbed) -> None:
    assert disturbed.while_held == [(NIGHTS[0],)]
