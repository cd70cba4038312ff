"""Arguments that the command line refuses before any run."""

import os
from datetime import timedelta
from pathlib import Path

import pytest
from typer.testing import CliRunner

from onedata.settings import Settings
from onedata_assets.cli import main
from onedata_assets.selection import select_nights

runner = CliRunner()


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("ONEDATA_HOME", str(tmp_path / "home"))
    return tmp_path / "home"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--ds", "2025-12-31"], "2025-12-31 is no night to run: nights go from 2026-01-01"),
        (["--ds", (Settings().today() + timedelta(days=1)).isoformat()], "is no night to run"),
        (["--ds", "2026-13-45"], "--ds takes a day as YYYY-MM-DD, not '2026-13-45'"),
        (["--from", "2026-01-09", "--to", "2026-01-05"], "--from 2026-01-09 is after --to 2026-01-05"),
        (["--ds", "2026-01-05", "--from", "2026-01-05"], "give --ds, or --from and --to, not both"),
        (["--settings", "gone.toml"], "no settings file gone.toml"),
        ([], "does not exist. Set `source` in onedata.toml or give --source"),
    ],
)
def test_arguments_that_mean_no_night_end_with_one_line(home: Path, arguments: list[str], message: str) -> None:
    outcome = runner.invoke(main, ["run", *arguments])
    assert outcome.exit_code == 2
    assert message in outcome.output
    assert not home.exists()


@pytest.mark.parametrize(
    ("content", "what"),
    [
        ("", "no mapping of settings"),
        ("telemetry:\n  enabled: false\nnux", "no YAML"),
        ("telemetry:\n", "telemetry has no value"),
        ("concurrency:\n  runs:\n", "concurrency.runs has no value"),
        ("telemetry:\n  enabled: fal\n", "move it away, and the next run writes a new one"),
    ],
)
def test_settings_of_dagster_that_are_cut_short_stop_the_run_with_a_way_out(
    home: Path, content: str, what: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "environ", os.environ.copy())  # the command leaves its settings there for its children
    file = home / "dagster" / "dagster.yaml"
    file.parent.mkdir(parents=True)
    file.write_text(content, encoding="utf-8")
    (home.parent / "source").mkdir()
    outcome = runner.invoke(main, ["run", "--source", str(home.parent / "source"), "--ds", "2026-01-05"])
    assert (outcome.exit_code, type(outcome.exception)) == (1, SystemExit)
    assert f"Dagster's file {file} is damaged" in outcome.output
    assert what in outcome.output
    assert file.read_text(encoding="utf-8") == content


def test_files_of_later_nights_are_told(home: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    later = Settings().today() + timedelta(days=40)
    file = tmp_path / "source" / "customer" / "consents" / f"consents_{later}.csv"
    file.parent.mkdir(parents=True)
    file.write_text("a\n", encoding="utf-8")
    assert select_nights(Settings(home=home, source=tmp_path / "source"), None, None) == []
    said = capsys.readouterr().err
    assert f"files of later nights wait: 1, of {later} to {later}; today is {Settings().today()}." in said


def test_a_run_that_cannot_start_is_told_on_the_status_page(home: Path) -> None:
    home.mkdir()
    assert runner.invoke(main, ["run"]).exit_code == 2
    page = (home / "published" / "status" / "index.html").read_text(encoding="utf-8")
    assert f"<h1>Night {Settings().today()} did not start</h1>" in page
    assert "SourceMissing" in page
