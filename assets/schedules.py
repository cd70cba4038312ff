"""Automation: the nightly schedule, the sensor for new files, the weekly check of OneID, and the weekly check of the
home and its back-up. On in production, off in dev."""

import hashlib
from collections.abc import Sequence
from datetime import date, timedelta

import dagster as dg

from onedata.backup.drill import drill
from onedata.backup.store import BackupError
from onedata.contracts.model import OwnFile
from onedata.identity.verify import verify
from onedata.landing.files import discover
from onedata.masking import hides_values
from onedata.quality import CheckResult, record
from onedata.retailer import Retailer
from onedata.settings import Settings
from onedata.sources import SourceError
from onedata.verify import Area, told, verify_home
from onedata_assets.nights import night_of
from onedata_assets.resources import Warehouse

POLL_SECONDS = 60
WEEKLY = "weekly_identity_check"
VERIFY = "weekly_verify"
HOURS_AFTER_THE_NIGHT = 6


def nightly_schedule(settings: Settings, job: object) -> dg.ScheduleDefinition:
    """Every night at `nightly_at` (retailer's time zone), for the day that has just ended."""
    hour, minute = settings.nightly_at.split(":")

    @dg.schedule(
        job=job,  # type: ignore[arg-type]
        name="nightly_schedule",
        cron_schedule=f"{int(minute)} {int(hour)} * * *",
        execution_timezone=settings.time_zone,
        default_status=dg.DefaultScheduleStatus.RUNNING
        if settings.deployment == "production"
        else dg.DefaultScheduleStatus.STOPPED,
        description=f"Runs the previous day's night at {settings.nightly_at} ({settings.time_zone}).",
    )
    def nightly(context: dg.ScheduleEvaluationContext) -> dg.RunRequest:
        night = context.scheduled_execution_time.date() - timedelta(days=1)
        return dg.RunRequest(run_key=f"nightly-{night}", partition_key=night.isoformat())

    return nightly


def new_files_sensor(retailer: Retailer, job: object) -> dg.SensorDefinition:
    """Runs a night if the files of any feed have changed since the last check."""

    @dg.sensor(
        job=job,  # type: ignore[arg-type]
        name="new_files_sensor",
        minimum_interval_seconds=POLL_SECONDS,
        default_status=dg.DefaultSensorStatus.RUNNING
        if retailer.settings.deployment == "production"
        else dg.DefaultSensorStatus.STOPPED,
        description="Checks the sources for new or changed files and runs their night.",
    )
    def new_files(context: dg.SensorEvaluationContext) -> dg.SensorResult | dg.SkipReason:
        today = retailer.settings.today()
        try:
            seen = listing(retailer, today)
        except SourceError as error:
            return dg.SkipReason(str(error))
        digest = hashlib.sha256("\n".join(line for line, _ in seen).encode()).hexdigest()
        if not seen or digest == context.cursor:
            return dg.SkipReason("no new files")
        night = max(night for _, night in seen).isoformat()
        return dg.SensorResult(
            run_requests=[dg.RunRequest(run_key=f"files-{digest}", partition_key=night)], cursor=digest
        )

    return new_files


def weekly_identity_check(retailer: Retailer) -> tuple[dg.JobDefinition, dg.ScheduleDefinition]:
    """The job that compares the nights' OneID with one rebuilt from the whole lake, and its schedule: Sundays, long
    after the night."""

    @dg.op(
        required_resource_keys={"warehouse"},
        pool="warehouse",
        description="Rebuilds OneID beside the warehouse's and fails if the two differ.",
    )
    @hides_values
    def identity_check(context: dg.OpExecutionContext) -> None:
        warehouse: Warehouse = context.resources.warehouse
        found = verify(warehouse.con, retailer.entities, retailer.policy, retailer.settings.vault)
        text = "OneID from the nights equals one rebuilt from the whole lake"
        told = "; ".join(map(str, found)) or text
        # Only a warning: nights continue, and the failed run alerts the operator.
        result = CheckResult(
            "oneid", WEEKLY, "nights_equal_rebuild", "warning", not found, str(len(found)), told, "0", text
        )
        record(warehouse.con, context.run_id, night_of(context, warehouse), [result])
        if found:
            raise dg.Failure(
                f"{told}. `onedata run --full-refresh` takes everything in anew and keeps the ids; what moves is "
                "logged in oneid.oneid_event."
            )
        context.log.info(text)

    @dg.job(
        name=WEEKLY,
        executor_def=dg.in_process_executor,
        description="Weekly: compares the nights' OneID with one rebuilt from the whole lake.",
    )
    def job() -> None:
        identity_check()

    return job, _sundays(retailer, job, HOURS_AFTER_THE_NIGHT)


def weekly_verify(retailer: Retailer) -> tuple[dg.JobDefinition, dg.ScheduleDefinition]:
    """The job that verifies the home, restores the newest back-up for a test, and verifies it, with its schedule:
    Sundays."""

    # The pool instead of the resource: it opens the warehouse read-only itself, while no night of this instance runs.
    @dg.op(
        pool="warehouse",
        description="Compares ledger, lake, warehouse and published; then restores the newest back-up aside and "
        "verifies it.",
    )
    def verification(context: dg.OpExecutionContext) -> None:
        wrong = _told(context, "the home", verify_home(retailer))
        folder = retailer.settings.backup_folder
        if folder:
            try:
                drilled = drill(retailer, folder, context.log.info)
                wrong += _told(context, f"back-up {drilled.backup.number} of {folder}", drilled.areas)
            except BackupError as error:
                wrong.append(f"the newest back-up cannot be restored: {error}")
        else:
            context.log.warning(
                "no restore drill: setting backup_folder is empty; set it to the folder that `onedata backup` writes to"
            )
        if wrong:
            raise dg.Failure("; ".join(wrong))

    @dg.job(
        name=VERIFY,
        executor_def=dg.in_process_executor,
        description="Weekly: verifies the home, and restores the newest back-up as a drill.",
    )
    def job() -> None:
        verification()

    return job, _sundays(retailer, job, HOURS_AFTER_THE_NIGHT + 1)


def _told(context: dg.OpExecutionContext, what: str, areas: Sequence[Area]) -> list[str]:
    context.log.info(f"{what}\n{told(areas)}")
    return [f"{what}: {text}" for area in areas for text in area.differences]


def _sundays(retailer: Retailer, job: dg.JobDefinition, hours: int) -> dg.ScheduleDefinition:
    """The job's schedule: Sundays, a number of hours after the night."""
    hour, minute = retailer.settings.nightly_at.split(":")
    return dg.ScheduleDefinition(
        job=job,
        name=f"{job.name}_schedule",
        cron_schedule=f"{int(minute)} {(int(hour) + hours) % 24} * * 0",
        execution_timezone=retailer.settings.time_zone,
        default_status=dg.DefaultScheduleStatus.RUNNING
        if retailer.settings.deployment == "production"
        else dg.DefaultScheduleStatus.STOPPED,
        description="Sundays, some hours after the night.",
    )


def listing(retailer: Retailer, today: date) -> list[tuple[str, date]]:
    """All offers of the feeds' sources up to `today` as lines of name, size and modification time, each with its
    night. A file of the retailer's own belongs to no night: it comes with the first, so that the others decide."""
    lines = set()
    for feed in retailer.feeds:
        for offer in discover(retailer.settings, feed, today):
            is_own = isinstance(feed.location.store, OwnFile)
            night = retailer.settings.first_night if is_own else offer.ds
            lines.add((f"{offer.name} {offer.size} {offer.mtime_ns}", night))
    return sorted(lines)
