"""The weekly job: the home is verified, and its newest back-up is restored aside and verified; a failed run alerts the
operator."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import dagster as dg
import pytest
from kept_home import change, tree

from onedata.backup.drill import MARKER, drill, scratch_folder
from onedata.backup.store import BackupError, object_file, read_backup
from onedata.backup.take import back_up
from onedata.retailer import Retailer
from onedata.settings import load_settings
from onedata_assets.schedules import VERIFY, weekly_verify


def nothing(text: str) -> None:
    del text


@pytest.fixture
def drilled(kept: Retailer, tmp_path: Path) -> Retailer:
    """The home with a back-up that its settings name."""
    back_up(kept.settings, tmp_path / "to", None, nothing)
    return replace(kept, settings=replace(kept.settings, backup_folder=tmp_path / "to"))


def run(retailer: Retailer) -> tuple[bool, str]:
    """Whether the job succeeded, and what it failed with or logged."""
    job, _ = weekly_verify(retailer)
    with dg.DagsterInstance.ephemeral() as instance:
        result = job.execute_in_process(instance=instance, raise_on_error=False)
        logged = "\n".join(entry.user_message for entry in instance.all_logs(result.run_id))
    failures = [event.step_failure_data.user_failure_data for event in result.all_events if event.is_step_failure]
    return result.success, "\n".join(str(failure.description) for failure in failures if failure) or logged


def test_a_sound_home_and_back_up_pass_and_nothing_is_left(drilled: Retailer) -> None:
    before = tree(drilled.settings.home)
    succeeded, logged = run(drilled)
    assert succeeded, logged
    assert "restoring back-up 1 of" in logged
    assert logged.count("ledger and lake") == 2
    assert tree(drilled.settings.home) == before
    assert not scratch_folder(drilled.settings).exists()


def test_a_difference_in_the_home_fails_the_run(drilled: Retailer) -> None:
    change(drilled.settings, "update dwd.dwd_payment set amount = amount + 0.01 where payment_id = 'P2'")
    succeeded, told = run(drilled)
    assert not succeeded
    assert "the home: ods_payment -> dwd_payment: amount (EUR)" in told
    assert "back-up 1" not in told


def test_a_damaged_back_up_fails_the_run_and_leaves_nothing(drilled: Retailer) -> None:
    folder = drilled.settings.backup_folder
    assert folder
    file = next(file for file in read_backup(folder).files if file.path.endswith(".record"))
    content = bytearray(object_file(folder, file.sha256).read_bytes())
    content[9] ^= 1
    object_file(folder, file.sha256).write_bytes(content)
    succeeded, told = run(drilled)
    assert not succeeded
    assert "the newest back-up cannot be restored" in told
    assert file.path in told
    assert not scratch_folder(drilled.settings).exists()


def test_without_a_back_up_folder_the_drill_is_left_out_and_that_is_said(kept: Retailer) -> None:
    succeeded, logged = run(kept)
    assert succeeded
    assert "no restore drill: setting backup_folder is empty" in logged


def test_what_a_killed_drill_left_is_removed_and_what_is_not_a_drills_is_left(drilled: Retailer) -> None:
    assert drilled.settings.backup_folder
    scratch = scratch_folder(drilled.settings)
    (scratch / "home" / "lake").mkdir(parents=True)
    (scratch / "home" / "lake" / "mine").write_text("mine", encoding="utf-8")
    with pytest.raises(BackupError, match="is not of a drill"):
        drill(drilled, drilled.settings.backup_folder, nothing)
    assert (scratch / "home" / "lake" / "mine").exists()
    (scratch / MARKER).touch()
    assert [area.differences for area in drill(drilled, drilled.settings.backup_folder, nothing).areas] == [[]] * 9
    assert not scratch.exists()


def test_it_runs_on_sundays_in_production_only(kept: Retailer) -> None:
    settings = replace(kept.settings, nightly_at="02:30", time_zone="Europe/London")
    for deployment, status in (
        ("production", dg.DefaultScheduleStatus.RUNNING),
        ("dev", dg.DefaultScheduleStatus.STOPPED),
    ):
        job, schedule = weekly_verify(replace(kept, settings=replace(settings, deployment=deployment)))
        assert (job.name, schedule.name) == (VERIFY, "weekly_verify_schedule")
        assert (schedule.cron_schedule, schedule.execution_timezone, schedule.default_status) == (
            "30 9 * * 0",
            "Europe/London",
            status,
        )


def test_the_setting_is_a_path_relative_to_its_file_and_reaches_child_processes(tmp_path: Path) -> None:
    (tmp_path / "onedata.toml").write_text('backup_folder = "../backups"\n', encoding="utf-8")
    settings = load_settings(tmp_path / "onedata.toml", {})
    assert settings.backup_folder == tmp_path.parent / "backups"
    assert (
        load_settings(None, {"ONEDATA_BACKUP_FOLDER": settings.environment()["ONEDATA_BACKUP_FOLDER"]}).backup_folder
        == settings.backup_folder
    )


def test_no_backup_folder_stays_none_through_the_environment() -> None:
    settings = load_settings(None, {})
    assert settings.backup_folder is None
    assert (
        load_settings(None, {"ONEDATA_BACKUP_FOLDER": settings.environment()["ONEDATA_BACKUP_FOLDER"]}).backup_folder
        is None
    )
