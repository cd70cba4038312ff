"""Run nights in this process through the same Dagster job that the UI and the schedule run."""

import os
import shutil
import time
import warnings
from contextlib import suppress
from dataclasses import replace
from datetime import date

import dagster as dg
import duckdb
import typer
import yaml

from assets.definitions import NIGHTLY, build_definitions
from assets.nights import FULL_REFRESH_TAG, PROCESS_TAG, REPLACE_TAG, range_tags
from assets.status import draw_end
from onedata.home import private_umask, secure_home
from onedata.identity.decisions import night_to_repeat
from onedata.landing.files import MEMBER, discover
from onedata.ledger.recover import lake_contents
from onedata.masking import mask_error
from onedata.report import closed_gates
from onedata.retailer import Retailer, load_retailer, prepare_warehouse
from onedata.settings import REPOSITORY, Settings
from onedata.warehouse import WarehouseBusy, open_warehouse


def select_nights(settings: Settings, first: date | None, last: date | None) -> list[date]:
    """The nights to run: those with files, from `first` to `last`; a bound that is given is a night also without files.

    Without bounds only nights with something to do: a file the ledger does not know, or a delivery that was not published; where there are none
    but OneID was decided on by hand, or what was published is gone, the last night again. With a bound, accepted nights
    that no run has published are told: they are published with this one.
    """
    retailer = load_retailer(settings)
    far = last or date.today()
    _within_calendar(settings, [day for day in (first, last) if day])
    if first or last:
        _tell_pending(settings)
        known, pending, again = set[tuple[str, str, int, int]](), set[date](), None
    else:
        known, pending, again = _ledger(retailer)
    found = {day for day in (first, last) if day} | pending
    for feed in retailer.feeds:
        for offer in discover(settings, feed, far):
            if (feed.name, offer.name, offer.size, offer.mtime_ns) not in known:
                found.add(offer.ds)
    if not found and again:
        found.add(again)
    return sorted(day for day in found if (first is None or day >= first) and day <= far)


def _tell_pending(settings: Settings) -> None:
    """Say which nights a killed run left accepted and not published; for a busy warehouse the run itself waits."""
    if not settings.warehouse.exists():
        return
    at_once = replace(settings, lock_wait_seconds=0.0)
    with suppress(WarehouseBusy, duckdb.CatalogException), open_warehouse(at_once, typer.echo) as con:
        rows = con.execute("select distinct ds from ops.pending_batch order by ds").fetchall()
        nights = ", ".join(str(ds) for (ds,) in rows)
        if nights:
            typer.echo(f"accepted by an earlier run and not published: {nights}; published with this run", err=True)


class NoSuchNight(ValueError):
    """A day that is no night of this retailer: before its first, in the future, or a range that ends before it begins."""


def _within_calendar(settings: Settings, bounds: list[date]) -> None:
    for day in bounds:
        if not settings.first_night <= day <= date.today():
            raise NoSuchNight(f"{day} is no night to run: nights go from {settings.first_night} (setting first_night) to today, {date.today()}")
    if bounds != sorted(bounds):
        raise NoSuchNight(f"--from {bounds[0]} is after --to {bounds[1]}")


def _ledger(retailer: Retailer) -> tuple[set[tuple[str, str, int, int]], set[date], date | None]:
    """Files that have landed, nights with deliveries that were not published, and the night to build again; nothing where there is no warehouse yet."""
    settings = retailer.settings
    if not settings.warehouse.exists() and not any(lake_contents(settings.lake)):
        return set(), set(), None
    with open_warehouse(settings, typer.echo) as con:
        for text in prepare_warehouse(con, retailer):
            typer.echo(text, err=True)
        files = con.execute(
            f"select f.feed, unnest([f.path, split_part(f.path, '{MEMBER}', 1)]), f.size_bytes, f.mtime_ns from ops.file f "
            "join ops.delivery d using (batch_id) where d.status = 'applied'"
        )
        known = set(files.fetchall())
        pending = {row[0] for row in con.execute("select distinct ds from ops.delivery where applied_at is null").fetchall()}
        last = con.execute("select max(night) from ops.night").fetchall()[0][0]
        return known, pending, night_to_repeat(con) or (None if settings.published_database.exists() else last)


def prepare_instance(settings: Settings) -> None:
    """Close the data home to others, and give it a Dagster instance of its own, by the repository's dagster.yaml."""
    private_umask()
    for line in secure_home(settings):
        typer.echo(line, err=True)
    settings.dagster_home.mkdir(parents=True, exist_ok=True)
    if not (settings.dagster_home / "dagster.yaml").exists():
        shutil.copyfile(REPOSITORY / "dagster.yaml", settings.dagster_home / "dagster.yaml")
    location = {"module_name": "assets.definitions", "location_name": "onedata", "working_directory": str(REPOSITORY)}
    workspace = yaml.safe_dump({"load_from": [{"python_module": location}]})
    (settings.dagster_home / "workspace.yaml").write_text(workspace, encoding="utf-8")


def run_nights(settings: Settings, nights: list[date], each_night: bool, full_refresh: bool, replace: bool = False, job_name: str = NIGHTLY) -> bool:
    """Run the nights in order and stop at the first that fails; True where all were published."""
    prepare_instance(settings)
    warnings.filterwarnings("ignore", category=dg.BetaWarning)
    job = build_definitions(load_retailer(settings)).resolve_job_def(job_name)
    groups = [[night] for night in nights] if each_night else [nights]
    with dg.DagsterInstance.get() as instance:
        reap_orphans(instance)
        for number, group in enumerate(groups, 1):
            started = time.monotonic()
            tags = {PROCESS_TAG: str(os.getpid())}
            tags |= {tag: "true" for tag, wanted in ((FULL_REFRESH_TAG, full_refresh), (REPLACE_TAG, replace)) if wanted}
            label = str(group[0]) if len(group) == 1 else f"{group[0]} to {group[-1]}"
            typer.echo(f"night {label} ({number} of {len(groups)})", err=True)
            partition_key = label if len(group) == 1 and job_name == NIGHTLY else None
            if partition_key is None:
                tags |= range_tags(group[0], group[-1])
            outcome = job.execute_in_process(
                instance=instance, partition_key=partition_key, tags=tags, raise_on_error=False, run_config={"loggers": {"console": {}}}
            )
            if not outcome.success:
                _draw_failure(settings, group[-1], outcome)
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


def _draw_failure(settings: Settings, night: date, outcome: dg.ExecuteInProcessResult) -> None:
    """The status page of a run that ended without publishing; another run that holds the warehouse draws its own."""
    found = [(event.step_key, _cause(event)) for event in outcome.all_events if event.is_failure]
    kinds = [(step, error[0]) for step, error in found if error is not None]
    if any(kind == "WarehouseBusy" for _, kind in kinds):
        return
    steps = list(dict.fromkeys(f"{step} ({kind})" for step, kind in kinds if step))
    state = "failed" if steps else "not started"
    draw_end(settings, night, outcome.run_id, state, steps or [kind for _, kind in kinds])


def _cause(event: dg.DagsterEvent) -> tuple[str, str] | None:
    """Kind and words of the first error behind a failure."""
    error = getattr(event.event_specific_data, "error", None)
    while error is not None and error.cause is not None:
        error = error.cause
    return (error.cls_name or "", error.message) if error is not None else None


def _why(outcome: dg.ExecuteInProcessResult, settings: Settings) -> str:
    """The closed gate, or else the first error's own words."""
    gates = closed_gates(settings, outcome.run_id)
    if gates:
        return gates
    for event in outcome.all_events:
        error = _cause(event) if event.is_failure else None
        if error is not None:
            if "InterruptedError" in error[1]:
                return "interrupted; run again to go on, nothing is lost"
            return mask_error(f"{event.step_key or 'start of the run'}: {error[1].strip()}")
    return "the run failed without an error of its own; see it in the Dagster UI"
