"""The schedule and the sensor: on in production, off in development, one run per night."""

import os
import shutil
from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import dagster as dg
import pytest
import yaml
from support import REPOSITORY, Simulated, copy_source

from onedata.retailer import Retailer
from onedata_assets.schedules import new_files_sensor, nightly_schedule


@pytest.fixture(scope="session")
def job(graph: dg.Definitions) -> dg.JobDefinition:
    return graph.resolve_job_def("nightly")


@pytest.fixture(scope="session")
def production(retailer: Retailer) -> Retailer:
    return replace(retailer, settings=replace(retailer.settings, deployment="production"))


@pytest.fixture
def arriving(retailer: Retailer, simulated: Simulated, tmp_path: Path) -> Retailer:
    """A retailer whose source folder holds the first night's orders only."""
    source = copy_source(simulated.source, tmp_path / "source", "orders_2026-01-05.jsonl")
    return replace(retailer, settings=replace(retailer.settings, source=source))


@pytest.fixture
def instance() -> Iterator[dg.DagsterInstance]:
    with dg.DagsterInstance.ephemeral() as found:
        yield found


def test_the_graph_has_the_schedule_and_the_sensor(graph: dg.Definitions) -> None:
    assert graph.resolve_schedule_def("nightly_schedule").job_name == "nightly"
    assert graph.resolve_sensor_def("new_files_sensor").job_name == "nightly"
    assert graph.resolve_schedule_def("weekly_identity_check_schedule").job_name == "weekly_identity_check"
    assert graph.resolve_schedule_def("weekly_verify_schedule").job_name == "weekly_verify"


def test_in_development_nothing_runs_by_itself(graph: dg.Definitions) -> None:
    assert graph.resolve_schedule_def("nightly_schedule").default_status is dg.DefaultScheduleStatus.STOPPED
    assert graph.resolve_sensor_def("new_files_sensor").default_status is dg.DefaultSensorStatus.STOPPED


def test_in_production_the_schedule_runs(production: Retailer, job: dg.JobDefinition) -> None:
    assert nightly_schedule(production.settings, job).default_status is dg.DefaultScheduleStatus.RUNNING


def test_in_production_the_sensor_runs(production: Retailer, job: dg.JobDefinition) -> None:
    assert new_files_sensor(production, job).default_status is dg.DefaultSensorStatus.RUNNING


def test_the_schedule_follows_the_settings(retailer: Retailer, job: dg.JobDefinition) -> None:
    schedule = nightly_schedule(replace(retailer.settings, nightly_at="03:15", time_zone="Europe/London"), job)
    assert (schedule.cron_schedule, schedule.execution_timezone) == ("15 3 * * *", "Europe/London")


def test_the_schedule_runs_the_night_of_the_day_before(graph: dg.Definitions, instance: dg.DagsterInstance) -> None:
    # The scheduler names the moment in the schedule's own time zone.
    at = datetime(2026, 1, 12, 2, tzinfo=ZoneInfo("Asia/Shanghai"))
    context = dg.build_schedule_context(
        instance=instance, repository_def=graph.get_repository_def(), scheduled_execution_time=at
    )
    requests = graph.resolve_schedule_def("nightly_schedule").evaluate_tick(context).run_requests
    assert [request.partition_key for request in requests or []] == ["2026-01-11"]


def test_the_sensor_runs_the_night_of_a_new_file(
    arriving: Retailer, graph: dg.Definitions, instance: dg.DagsterInstance
) -> None:
    assert _requested(arriving, graph, instance, None)[0] == ["2026-01-05"]


def test_the_sensor_does_not_run_for_the_same_file_again(
    arriving: Retailer, graph: dg.Definitions, instance: dg.DagsterInstance
) -> None:
    _, cursor = _requested(arriving, graph, instance, None)
    assert _requested(arriving, graph, instance, cursor)[0] == []


def test_the_sensor_runs_for_the_next_file(
    arriving: Retailer, graph: dg.Definitions, instance: dg.DagsterInstance
) -> None:
    _, cursor = _requested(arriving, graph, instance, None)
    folder = arriving.settings.source / "shop" / "orders"
    shutil.copy(folder / "orders_2026-01-05.jsonl", folder / "orders_2026-01-06.jsonl")
    assert _requested(arriving, graph, instance, cursor)[0] == ["2026-01-06"]


def test_the_sensor_runs_for_a_file_that_was_mended(
    arriving: Retailer, graph: dg.Definitions, instance: dg.DagsterInstance
) -> None:
    _, cursor = _requested(arriving, graph, instance, None)
    os.utime(arriving.settings.source / "shop" / "orders" / "orders_2026-01-05.jsonl", (1_800_000_000, 1_800_000_000))
    assert _requested(arriving, graph, instance, cursor)[0] == ["2026-01-05"]


def test_the_sensor_says_so_where_there_is_no_source_folder(
    retailer: Retailer, job: dg.JobDefinition, instance: dg.DagsterInstance, tmp_path: Path
) -> None:
    nowhere = replace(retailer, settings=replace(retailer.settings, source=tmp_path / "nowhere"))
    data = new_files_sensor(nowhere, job).evaluate_tick(dg.build_sensor_context(instance=instance, cursor=None))
    assert str(tmp_path / "nowhere") in str(data.skip_message)


def test_the_shipped_dagster_instance_has_telemetry_off_and_loads(tmp_path: Path) -> None:
    shutil.copy(REPOSITORY / "assets" / "dagster.yaml", tmp_path / "dagster.yaml")
    assert yaml.safe_load((tmp_path / "dagster.yaml").read_text(encoding="utf-8"))["telemetry"] == {"enabled": False}
    with dg.DagsterInstance.from_config(str(tmp_path)) as loaded:
        assert loaded.telemetry_enabled is False


def test_the_shipped_dagster_instance_watches_runs_and_lets_one_at_a_time_on_the_warehouse(tmp_path: Path) -> None:
    shutil.copy(REPOSITORY / "assets" / "dagster.yaml", tmp_path / "dagster.yaml")
    with dg.DagsterInstance.from_config(str(tmp_path)) as loaded:
        assert loaded.run_monitoring_enabled
        assert loaded.run_retries_enabled
        assert loaded.get_concurrency_config().pool_config.default_pool_limit == 1


def _requested(
    retailer: Retailer, graph: dg.Definitions, instance: dg.DagsterInstance, cursor: str | None
) -> tuple[list[str | None], str | None]:
    """Nights that one look of the sensor asks for, and the cursor it keeps."""
    sensor = new_files_sensor(retailer, graph.resolve_job_def("nightly"))
    data = sensor.evaluate_tick(
        dg.build_sensor_context(instance=instance, cursor=cursor, repository_def=graph.get_repository_def())
    )
    return [request.partition_key for request in data.run_requests or []], data.cursor
