"""The weekly job: it passes if nights and rebuild agree, fails if they differ, and does not stop the nights."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from unittest.mock import Mock

import dagster as dg
import pytest
from people import DAY, ENTITIES, People

from onedata.landing.vault_files import create_vault
from onedata.quality.gates import require_open
from onedata.retailer import Retailer
from onedata.settings import Settings
from onedata_assets.resources import Warehouse
from onedata_assets.schedules import WEEKLY, weekly_identity_check


@pytest.fixture
def people() -> People:
    found = People()
    found.deliver(0, ("C1", "M1", None, None), ("C2", None, None, None))
    found.resolve(0)
    return found


def checked(people: People, folder: Path) -> dg.ExecuteInProcessResult:
    retailer = Retailer(replace(Settings(), home=folder), ENTITIES, people.policy, ())
    create_vault(retailer.settings.vault)
    # Neither rules nor dbt are asked.
    warehouse = Warehouse(people.con, retailer, Mock(), Mock(), 0.0)
    job, _ = weekly_identity_check(retailer)
    resources = {"warehouse": dg.ResourceDefinition.hardcoded_resource(warehouse)}
    with dg.DagsterInstance.ephemeral() as instance:
        return job.execute_in_process(instance=instance, resources=resources, raise_on_error=False)


def recorded(people: People) -> list[tuple[object, ...]]:
    return people.con.execute("select night, stage, subject, rule, severity, passed, observed from ops.gate").fetchall()


def test_sound_nights_pass_and_are_recorded(people: People, tmp_path: Path) -> None:
    assert checked(people, tmp_path).success
    assert recorded(people) == [(DAY, "oneid", WEEKLY, "nights_equal_rebuild", "warning", True, "0")]


def test_a_difference_fails_the_run_and_says_where_and_what_to_do(people: People, tmp_path: Path) -> None:
    people.con.execute("update oneid.identity_edge set n_obs = 77")
    result = checked(people, tmp_path)
    assert not result.success
    (failure,) = (event.step_failure_data for event in result.all_events if event.is_step_failure)
    assert failure.user_failure_data is not None
    assert "oneid.identity_edge: 1 rows only from the nights" in str(failure.user_failure_data.description)
    assert "onedata run --full-refresh" in str(failure.user_failure_data.description)
    assert [row[5:] for row in recorded(people)] == [(False, "1")]


def test_a_difference_does_not_stop_the_nights(people: People, tmp_path: Path) -> None:
    people.con.execute("update oneid.identity_edge set n_obs = 77")
    checked(people, tmp_path)
    require_open(people.con, "dws")


def test_it_runs_on_sundays_in_production_only() -> None:
    settings = replace(Settings(), nightly_at="02:30", time_zone="Europe/London")
    for deployment, status in (
        ("production", dg.DefaultScheduleStatus.RUNNING),
        ("dev", dg.DefaultScheduleStatus.STOPPED),
    ):
        _, schedule = weekly_identity_check(Retailer(replace(settings, deployment=deployment), {}, People().policy, ()))
        assert (schedule.cron_schedule, schedule.execution_timezone, schedule.default_status) == (
            "30 8 * * 0",
            "Europe/London",
            status,
        )
