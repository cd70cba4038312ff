"""When a night runs by itself: by the clock, and when new files appear. On in production, off in dev."""

import hashlib
from datetime import date, timedelta

import dagster as dg

from onedata.landing.files import discover
from onedata.retailer import Retailer
from onedata.settings import Settings
from onedata.sources import SourceError

POLL_SECONDS = 60


def nightly_schedule(settings: Settings, job: object) -> dg.ScheduleDefinition:
    """Every night at `nightly_at` (retailer's time zone), for the day that has just ended."""
    hour, minute = settings.nightly_at.split(":")

    @dg.schedule(
        job=job,  # type: ignore[arg-type]
        name="nightly_schedule",
        cron_schedule=f"{int(minute)} {int(hour)} * * *",
        execution_timezone=settings.time_zone,
        default_status=dg.DefaultScheduleStatus.RUNNING if settings.deployment == "production" else dg.DefaultScheduleStatus.STOPPED,
        description=f"Runs the night of the day before at {settings.nightly_at} ({settings.time_zone}).",
    )
    def nightly(context: dg.ScheduleEvaluationContext) -> dg.RunRequest:
        night = context.scheduled_execution_time.date() - timedelta(days=1)
        return dg.RunRequest(run_key=f"nightly-{night}", partition_key=night.isoformat())

    return nightly


def new_files_sensor(retailer: Retailer, job: object) -> dg.SensorDefinition:
    """Runs a night when the files of any feed have changed since it last looked."""

    @dg.sensor(
        job=job,  # type: ignore[arg-type]
        name="new_files_sensor",
        minimum_interval_seconds=POLL_SECONDS,
        default_status=dg.DefaultSensorStatus.RUNNING if retailer.settings.deployment == "production" else dg.DefaultSensorStatus.STOPPED,
        description="Looks for new or changed files in the source folder and runs the night they are for.",
    )
    def new_files(context: dg.SensorEvaluationContext) -> dg.SensorResult | dg.SkipReason:
        today = date.today()
        try:
            seen = listing(retailer, today)
        except SourceError as error:
            return dg.SkipReason(str(error))
        digest = hashlib.sha256("\n".join(line for line, _ in seen).encode()).hexdigest()
        if not seen or digest == context.cursor:
            return dg.SkipReason("no new files")
        night = max(night for _, night in seen).isoformat()
        return dg.SensorResult(run_requests=[dg.RunRequest(run_key=f"files-{digest}", partition_key=night)], cursor=digest)

    return new_files


def listing(retailer: Retailer, today: date) -> list[tuple[str, date]]:
    """Everything the feeds' sources offer up to `today` as a line of name, size and modification time, with its night."""
    lines = set()
    for feed in retailer.feeds:
        for offer in discover(retailer.settings, feed, today):
            lines.add((f"{offer.name} {offer.size} {offer.mtime_ns}", offer.ds))
    return sorted(lines)
