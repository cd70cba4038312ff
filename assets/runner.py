"""Run nights in this process through the same Dagster job that the UI and the schedule run."""

import gc
import os
import re
import sqlite3
import sys
import time
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date
from pathlib import Path
from typing import Any

import dagster as dg
import duckdb
import typer
import yaml
from dagster._core.instance.ref import InstanceRef
from sqlalchemy.exc import SQLAlchemyError

from onedata.durable import write_durably
from onedata.faults import HomeFault, explain, faults_told, worth_looking
from onedata.faults.storage import damaged_settings
from onedata.home import private_umask, secure_home
from onedata.masking import mask_error
from onedata.report import closed_gates
from onedata.retailer import load_retailer
from onedata.settings import Settings
from onedata.warehouse import WarehouseError
from onedata.warehouse.costs import seconds_of_last_run
from onedata_assets.dbt import DbtFailed
from onedata_assets.definitions import NIGHTLY, build_definitions
from onedata_assets.event_log import BATCH, with_kept_event_log
from onedata_assets.nights import FULL_REFRESH_TAG, PROCESS_TAG, range_tags
from onedata_assets.status import draw_end
from onedata_assets.tags import CPU_TAG, REPLACE_TAG

# Copied into a home without one.
INSTANCE = Path(__file__).with_name("dagster.yaml")
# Prefix of the message of a onedata error, which is already a sentence.
OWN_CLASS = re.compile(r"^(onedata|onedata_assets)(\.\w+)+: ")
# Python looks for unused cycles after every 700 new objects. Most of a night's stay, and to look at them takes 4%.
OBJECTS_BETWEEN_COLLECTIONS = 50_000
# Errors that a file causes in a library, outside of a step of the run.
LIBRARY_ERRORS = (
    OSError,
    duckdb.Error,
    sqlite3.Error,
    SQLAlchemyError,
    yaml.YAMLError,
    UnicodeDecodeError,
    dg.DagsterError,
    DbtFailed,
    WarehouseError,
)


def prepare_instance(settings: Settings) -> None:
    """Close the data home to others, and create its Dagster instance from the repository's dagster.yaml.

    Raises:
        HomeFault: the instance's settings are damaged.
    """
    private_umask()
    for line in secure_home(settings):
        typer.echo(line, err=True)
    settings.dagster_home.mkdir(parents=True, exist_ok=True)
    if not (settings.dagster_home / "dagster.yaml").exists():
        write_durably(settings.dagster_home / "dagster.yaml", INSTANCE.read_bytes())
    damaged = next(damaged_settings(settings.dagster_home), None)
    if damaged:
        raise HomeFault(str(damaged))
    location = {"module_name": "onedata_assets.definitions", "location_name": "onedata"}
    workspace = yaml.safe_dump({"load_from": [{"python_module": location}]})
    write_durably(settings.dagster_home / "workspace.yaml", workspace)


def run_nights(
    settings: Settings,
    nights: list[date],
    each_night: bool,
    full_refresh: bool,
    replace: bool = False,
    job_name: str = NIGHTLY,
) -> bool:
    """Run the nights in order and stop at the first failure; True if all were published."""
    try:
        with faults_told(settings, LIBRARY_ERRORS):
            return _run_nights(settings, nights, each_night, full_refresh, replace, job_name)
    except HomeFault as stopped:
        typer.echo(f"stopped; what was published stays as it was.\n{mask_error(str(stopped))}", err=True)
        return False


def _run_nights(
    settings: Settings, nights: list[date], each_night: bool, full_refresh: bool, replace: bool, job_name: str
) -> bool:
    prepare_instance(settings)
    gc.set_threshold(OBJECTS_BETWEEN_COLLECTIONS, *gc.get_threshold()[1:])
    warnings.filterwarnings("ignore", category=dg.BetaWarning)
    job = build_definitions(load_retailer(settings)).resolve_job_def(job_name)
    groups = [[night] for night in nights] if each_night else [nights]
    with _instance(settings) as instance:
        reap_orphans(instance)
        for number, group in enumerate(groups, 1):
            started = time.monotonic()
            spent = 0.0 if number == 1 else time.process_time()
            tags = {PROCESS_TAG: str(os.getpid()), CPU_TAG: f"{spent:.3f}"}
            tags |= {
                tag: "true" for tag, wanted in ((FULL_REFRESH_TAG, full_refresh), (REPLACE_TAG, replace)) if wanted
            }
            label = str(group[0]) if len(group) == 1 else f"{group[0]} to {group[-1]}"
            typer.echo(f"night {label} ({number} of {len(groups)})", err=True)
            partition_key = label if len(group) == 1 and job_name == NIGHTLY else None
            if partition_key is None:
                tags |= range_tags(group[0], group[-1])
            before = _published(settings)
            why = _run_night(settings, job, instance, partition_key, tags, group[-1])
            if why:
                fate = (
                    "what was published stays as it was"
                    if _published(settings) == before
                    else "it had been published before; run it again to end it"
                )
                typer.echo(
                    f"night {label} failed after {time.monotonic() - started:.1f} s; {fate}.\n{mask_error(why)}",
                    err=True,
                )
                return False
            typer.echo(f"night {label} published in {time.monotonic() - started:.1f} s", err=True)
    return True


@contextmanager
def _instance(settings: Settings) -> Iterator[dg.DagsterInstance]:
    """The home's Dagster instance.

    Raises:
        HomeFault: Dagster rejects its settings.
    """
    try:
        overrides = with_kept_event_log(settings.dagster_home)
        instance = dg.DagsterInstance.from_ref(InstanceRef.from_dir(str(settings.dagster_home), overrides=overrides))
    except dg.DagsterInvalidConfigError as error:
        words = " ".join(str(error).split())
        file = settings.dagster_home / "dagster.yaml"
        raise HomeFault(
            f"Dagster's file {file} is damaged ({words}): mend it, or move it away, and the next run writes a new one"
        ) from error
    os.environ |= BATCH
    with instance:
        yield instance


def _run_night(
    settings: Settings,
    job: dg.JobDefinition,
    instance: dg.DagsterInstance,
    partition_key: str | None,
    tags: dict[str, str],
    night: date,
) -> str:
    """Run one night; returns '' if it was published, else the reason."""
    try:
        with faults_told(settings, LIBRARY_ERRORS):
            outcome = job.execute_in_process(
                instance=instance,
                partition_key=partition_key,
                tags=tags,
                raise_on_error=False,
                run_config={"loggers": {"console": {"config": _progress(settings)}}},
            )
    except HomeFault as stopped:
        return str(stopped)
    if outcome.success:
        return ""
    _draw_failure(settings, night, outcome)
    return _why(outcome, settings)


def _progress(settings: Settings) -> dict[str, Any]:
    """On a terminal, what the steps of the last run took; elsewhere no progress is shown."""
    if not sys.stderr.isatty():
        return {}
    if not settings.warehouse.exists():
        return {"seconds": {}}
    try:
        with duckdb.connect(str(settings.warehouse), read_only=True) as con:
            return {"seconds": seconds_of_last_run(con)}
    except duckdb.Error:
        return {"seconds": {}}  # another run has it open, or it is damaged: the run itself waits, or tells


def _published(settings: Settings) -> tuple[int, int] | None:
    """The published file, by inode and time; None if none is published or visible."""
    try:
        found = settings.published_database.stat()
    except OSError:
        return None
    return found.st_ino, found.st_mtime_ns


def reap_orphans(instance: dg.DagsterInstance) -> None:
    """Mark runs of this command line whose process no longer exists as failed, so that the UI does not show them as
    running."""
    for run in instance.get_runs(
        filters=dg.RunsFilter(statuses=[dg.DagsterRunStatus.STARTED, dg.DagsterRunStatus.STARTING])
    ):
        process = run.tags.get(PROCESS_TAG)
        if process and not _alive(int(process)):
            instance.report_run_failed(run, message=f"process {process} is gone; the night was killed")
            instance.event_log_storage.free_concurrency_slots_for_run(run.run_id)


def _alive(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def _draw_failure(settings: Settings, night: date, outcome: dg.ExecuteInProcessResult) -> None:
    """Draw the status page of a run that ended without publishing; if another run holds the warehouse, that run draws
    it."""
    found = [(event.step_key, _cause(event)) for event in outcome.all_events if event.is_failure]
    kinds = [(step, error[0]) for step, error in found if error is not None]
    if any(kind == "WarehouseBusy" for _, kind in kinds):
        return
    steps = list(dict.fromkeys(f"{step} ({kind})" for step, kind in kinds if step))
    state = "failed" if steps else "not started"
    draw_end(settings, night, outcome.run_id, state, steps or [kind for _, kind in kinds])


def _cause(event: dg.DagsterEvent) -> tuple[str, str] | None:
    """Kind and message of the first error behind a failure."""
    error = getattr(event.event_specific_data, "error", None)
    while error is not None and error.cause is not None:
        error = error.cause
    return (error.cls_name or "", error.message) if error is not None else None


def _why(outcome: dg.ExecuteInProcessResult, settings: Settings) -> str:
    """The closed gate, else the fault of a file of the home, else the first error's message."""
    try:
        gates = closed_gates(settings, outcome.run_id)
    except WarehouseError as damage:
        return str(damage)
    if gates:
        return gates
    for event in outcome.all_events:
        error = getattr(event.event_specific_data, "error", None)
        if event.is_failure and error is not None:
            *_, cause = _causes(error)
            if "InterruptedError" in cause.message:
                return "interrupted; run again to go on, nothing is lost"
            told = explain(settings, cause.message) if worth_looking(cause.cls_name or "") else None
            return told or f"{event.step_key or 'start of the run'}: {OWN_CLASS.sub('', cause.message).strip()}"
    return "the run failed without an error of its own; see it in the Dagster UI"


def _causes(error: Any) -> Iterator[Any]:
    """The error as stored by Dagster, and its causes."""
    while error is not None:
        yield error
        error = error.cause
