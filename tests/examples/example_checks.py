"""A retailer's home built from an example's contracts and settings."""

import shutil
from datetime import date, timedelta
from pathlib import Path

from support import Story, example_settings, run_well, story

from onedata.contracts import load_entities, load_feeds
from onedata.settings import Settings


def invoice_days(source: Path) -> list[date]:
    return sorted(date.fromisoformat(path.stem) for path in (source / "by-day").glob("*.csv"))


def home_of(name: str, source: Path, folder: Path) -> Settings:
    return example_settings(name, source, folder)


def copied(source: Path, to: Path, few: int) -> Path:
    """A copy of the source's first days: a folder a test may add files to."""
    (to / "by-day").mkdir(parents=True)
    for path in sorted((source / "by-day").glob("*.csv"))[:few]:
        shutil.copy2(path, to / "by-day" / path.name)
    return to


def by_month(source: Path, to: Path) -> Path:
    """The same days, those of a month in one file, for its last day: a delivery costs more than its rows do."""
    (to / "by-day").mkdir(parents=True)
    months: dict[str, list[Path]] = {}
    for path in sorted((source / "by-day").glob("*.csv")):
        months.setdefault(path.stem[:7], []).append(path)
    for days in months.values():
        head = days[0].read_bytes().splitlines(keepends=True)[0]
        rows = b"".join(day.read_bytes().removeprefix(head) for day in days)
        (to / "by-day" / days[-1].name).write_bytes(head + rows)
    return to


def delivered_again(settings: Settings, first: date, last: date) -> Story:
    """The home after a night whose file is the first day's, under a new name."""
    night = last + timedelta(days=1)
    shutil.copy(settings.source / "by-day" / f"{first}.csv", settings.source / "by-day" / f"{night}.csv")
    return story(settings, "again", run_well(settings, [night]))


def feeds_of(settings: Settings) -> set[str]:
    return {feed.name for feed in load_feeds(settings.contracts, load_entities(settings.canonical))}
