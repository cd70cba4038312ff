"""Where a delivery's rows lie, by what the ledger knows of it: no path is stored, so a data home can be moved."""

from collections.abc import Collection
from datetime import date
from pathlib import Path

from onedata.settings import Settings


def staged_folder(settings: Settings, feed: str, batch: str) -> Path:
    """Folder of the delivery's files before the contract gate has passed."""
    return settings.staged / feed / batch


def staged_files(settings: Settings, feed: str, batch: str) -> list[Path]:
    """The delivery's Parquet files before the contract gate has passed."""
    return sorted(staged_folder(settings, feed, batch).glob("*.parquet"))


def lake_folder(settings: Settings, entity: str, feed: str) -> Path:
    """The feed's part of the ODS lake."""
    return settings.lake / "ods" / entity / f"source={feed}"


def partition_folder(settings: Settings, entity: str, feed: str, ds: date) -> Path:
    """One night of it."""
    return lake_folder(settings, entity, feed) / f"ds={ds}"


def lake_files(settings: Settings, entity: str, feed: str, without: Collection[str] = ()) -> list[Path]:
    """The feed's Parquet files in the lake, but for those of the deliveries `without`."""
    files = lake_folder(settings, entity, feed).glob("*/*.parquet")
    return sorted(file for file in files if batch_of(file) not in without)


def file_name(batch: str, number: str = "{i}") -> str:
    """A delivery's file, without its ending; every file is named by its delivery."""
    return f"{batch}-{number}"


def batch_of(file: Path) -> str:
    """The delivery a file is of."""
    return file.name.split(".", 1)[0].rpartition("-")[0]
