"""What a person at a terminal sees of a long run, and what a file of its output holds."""

import io
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import dagster as dg
import pytest

import onedata_assets.progress
from onedata_assets.console import console_logger
from onedata_assets.progress import TO_END_OF_LINE, TO_START_OF_LINE, Progress, seconds_left

QUIET = {"telemetry": {"enabled": False}}
LAST_RUN = {"landing": 10.0, "models": 30.0, "published": 20.0}


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize(
    ("ended", "running", "seconds", "left"),
    [
        # 7 s of the landing's 10 are left, and 50 s of the others.
        ({}, "landing", 3.0, 57.0),
        # The landing took as long as the last time.
        ({"landing": 10.0}, "models", 10.0, 40.0),
        # It took twice as long: so do 30 - 5 and 20 s.
        ({"landing": 20.0}, "models", 10.0, 90.0),
        # A step that takes longer than expected ends any moment.
        ({"landing": 10.0}, "models", 31.0, 20.0),
        # A new step, which tells nothing of the pace.
        ({"landing": 10.0, "new": 50.0}, "models", 0.0, 50.0),
        ({"landing": 10.0, "models": 30.0, "published": 20.0}, "new", 1.0, None),
    ],
)
def test_what_is_left_is_told_by_the_last_run_at_tonights_pace(
    ended: dict[str, float], running: str, seconds: float, left: float | None
) -> None:
    assert seconds_left(LAST_RUN, ended, running, seconds) == left


def test_without_a_run_before_nothing_is_said_of_what_is_left() -> None:
    assert seconds_left({}, {"landing": 5.0}, "models", 1.0) is None


@pytest.fixture
def clock() -> list[float]:
    return [0.0]


@pytest.fixture
def terminal() -> Terminal:
    return Terminal()


@pytest.fixture
def progress(terminal: Terminal, clock: list[float], monkeypatch: pytest.MonkeyPatch) -> Iterator[Progress]:
    monkeypatch.setattr(onedata_assets.progress, "SECONDS_BETWEEN", 3600.0)
    made = Progress(terminal, 3, LAST_RUN, lambda: clock[0])
    yield made
    made.close()


def test_the_line_names_the_step_its_place_and_its_seconds(progress: Progress, clock: list[float]) -> None:
    progress.begin("landing")
    clock[0] = 2.0
    assert progress.line() == ""
    clock[0] = 3.0
    assert progress.line() == "  landing, step 1 of 3: 3 s, about 57 s left"
    clock[0] = 10.0
    progress.end("landing")
    assert progress.line() == ""
    progress.begin("models")
    clock[0] = 20.0
    assert progress.line() == "  models, step 2 of 3: 10 s, about 40 s left"


def test_a_message_replaces_the_line(terminal: Terminal, clock: list[float], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(onedata_assets.progress, "SECONDS_BETWEEN", 0.01)
    progress = Progress(terminal, 3, {}, lambda: clock[0])
    progress.begin("landing__shop_orders")
    clock[0] = 4.0
    line = "  landing shop_orders, step 1 of 3: 4 s"
    while line not in terminal.getvalue():
        pass
    with progress.cleared():
        terminal.write("told\n")
    progress.close()
    shown = [part for part in terminal.getvalue().split(TO_START_OF_LINE) if part]
    assert shown[0] == line + TO_END_OF_LINE
    assert f"{TO_END_OF_LINE}told\n" in shown
    assert shown[-1] in (TO_END_OF_LINE, f"{TO_END_OF_LINE}told\n")


@dg.op
def speak(context: dg.OpExecutionContext) -> None:
    context.log.info("heard")


@dg.job(logger_defs={"console": console_logger})
def spoken() -> None:
    speak()


@pytest.mark.parametrize("config", [{}, {"seconds": {}}, {"seconds": {"speak": 1.0}}])
def test_a_run_says_the_same_lines_with_and_without_progress(
    config: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    with dg.DagsterInstance.local_temp(str(tmp_path), overrides=QUIET) as instance:
        run = spoken.execute_in_process(instance=instance, run_config={"loggers": {"console": {"config": config}}})
    assert run.success
    assert terminal.getvalue() == "  speak: heard\n"
