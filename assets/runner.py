"""Run nights in this process through the same Dagster job that the UI and the schedule run."""

import os
import shutil
import time
import warnings
from datetime import date

import dagster as dg
import typer
import yaml

from assets.definitions import NIGHTLY, build_definitions
from assets.nights import FULL_REFRESH_TAG, PROCESS_TAG, REPLACE_TAG, range_tags
from onedata.identity.decisions import night_to_repeat
from onedata.identity.tables import create_tables
from onedata.landing.files import MEMBER, discover
from onedata.ledger import create_ledger
from onedata.report import closed_gates
from onedata.retailer import load_retailer
from onedata.settings import REPOSITORY, Settings
from onedata.warehouse import open_warehouse
from onedata.warehouse.open import refuse_half_restored


def select_nights(settings: Settings, first: date | None, last: date | None) -> list[date]:
    """The nights to run: those with files, from `first` to `last`; a bound that is given is a night also without files.

    Without bounds only nights with something to do: a file the ledger does not know, or a delivery that was not published; where there are none
    but OneID was decided on by hand, the last night again.
    """
    retailer = load_retailer(settings)
    far = last or date.today()
    _within_calendar(settings, [day for day in (first, last) if day])
    known, pending, again = _ledger(settings) if first is None and last is None else (set(), set(), None)
    found = {day for day in (first, last) if day} | pending
    for feed in retailer.feeds:
        for offer in discover(settings, feed, far):
            if (feed.name, offer.name, offer.size, offer.mtime_ns) not in known:
                found.add(offer.ds)
    if not found and again:
        found.add(again)
    return sorted(day for day in found if (first is None or day >= first) and day <= far)


class NoSuchNight(ValueError):
    """A day that is no night of this retailer: before its first, in the future, or a range that ends before it begins."""


def _within_calendar(settings: Settings, bounds: list[date]) -> None:
    for day in bounds:
        if not settings.first_night <= day <= date.today():
            raise NoSuchNight(f"{day} is no night to run: nights go from {settings.first_night} (setting first_night) to today, {date.today()}")
    if bounds != sorted(bounds):
        raise NoSuchNight(f"--from {bounds[0]} is after --to {bounds[1]}")


def _ledger(settings: Settings) -> tuple[set[tuple[str, str, int, int]], set[date], date | None]:
    """Files that have landed, nights with deliveries that were not published, and the night to build again; nothing where there is no warehouse yet."""
    refuse_half_restored(settings.home)
    if not settings.warehouse.exists():
        return set(), set(), None
    with open_warehouse(settings, typer.echo) as con:
        create_ledger(con)
        create_tables(con)
        files = con.execute(
            f"select f.feed, unnest([f.path, split_part(f.path, '{MEMBER}', 1)]), f.size_bytes, f.mtime_ns from ops.file f "
            "join ops.delivery d using (batch_id) where d.status = 'applied'"
        )
        known = set(files.fetchall())
        pending = {row[0] for row in con.execute("select distinct ds from ops.delivery where applied_at is null").fetchall()}
        return known, pending, night_to_repeat(con)


def prepare_instance(settings: Settings) -> None:
    """Give the data home a Dagster instance of its own, configured by the repository's dagster.yaml."""
    settings.dagster_home.mkdir(parents=True, exist_ok=True)
    if not (settings.dagster_home / "dagster.yaml").exists():
        shutil.copy(REPOSITORY / "dagster.yaml", settings.dagster_home / "dagster.yaml")
    location = {"module_name": "assets.definitions", "location_name": "onedata", "working_directory": str(REPOSITORY)}
    workspace = yaml.safe_dump({"load_from": [{"python_module": location}]})
    (settings.dagster_home / "workspace.yaml").write_text(workspace, encoding="utf-8")


def run_nights(settings: Settings, nights: list[date], each_night: bool, full_refresh: bool, replace: bool = False) -> bool:
    """Run the nights in order and stop at the first that fails; True where all were published."""
    prepare_instance(settings)
    warnings.filterwarnings("ignore", category=dg.BetaWarning)
    job = build_definitions(load_retailer(settings)).resolve_job_def(NIGHTLY)
    groups = [[night] for night in nights] if each_night else [nights]
    with dg.DagsterInstance.get() as instance:
        reap_orphans(instance)
        for number, group in enumerate(groups, 1):
            started = time.monotonic()
            tags = {PROCESS_TAG: str(os.getpid())}
            tags |= {tag: "true" for tag, wanted in ((FULL_REFRESH_TAG, full_refresh), (REPLACE_TAG, replace)) if wanted}
            label = str(group[0]) if len(group) == 1 else f"{group[0]} to {group[-1]}"
            typer.echo(f"night {label} ({number} of {len(groups)})", err=True)
            partition_key = label if len(group) == 1 else None
            if partition_key is None:
                tags |= range_tags(group[0], group[-1])
            outcome = job.execute_in_process(
                instance=instance, partition_key=partition_key, tags=tags, raise_on_error=False, run_config={"loggers": {"console": {}}}
            )
            if not outcome.success:
                seconds = time.monotonic() - started
                typer.echo(f"night {label} failed after {seconds:.1f} s; what was published stays as it was.\n{_why(outcome, settings)}", err=True)
                return False
            typer.echo(f"night {label} published in {time.monotonic() - started:.1f} s", err=True)
    return True


def reap_orphans(instance: dg.DagsterInstance) -> None:
    """Mark runs of this command line whose process is gone as failed, so that the UI does not show them running for ever."""
    for run in instance.get_runs(filters=dg.RunsFilter(statuses=[dg.DagsterRunStatus.STARTED, dg.DagsterRunStatus.STARTING])):
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


def _why(outcome: dg.ExecuteInProcessResult, settings: Settings) -> str:
    """The closed gate, or else the first error's own words."""
    gates = closed_gates(settings, outcome.run_id)
    if gates:
        return gates
    for event in outcome.all_events:
        error = getattr(event.event_specific_data, "error", None)
        if event.is_failure and error is not None:
            while error.cause is not None:
                error = error.cause
            if "InterruptedError" in error.message:
                return "interrupted; run again to go on, nothing is lost"
            return f"{event.step_key or 'start of the run'}: {error.message.strip()}"
    return "the run failed without an error of its own; see it in the Dagster UI"
