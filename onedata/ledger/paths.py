"""Where a delivery's rows lie, by what the ledger knows of it: no path is stored, so a data home can be moved."""

from datetime import date
from pathlib import Path

from onedata.settings import Settings

MANIFESTS = "_manifest"
"""Folder of a partition's manifests; engines that read the partition skip a name that begins with an underscore."""


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


def manifest_file(partition: Path, batch: str) -> Path:
    """The delivery's manifest, beside its files."""
    return partition / MANIFESTS / f"{batch}.json"


def record_file(partition: Path, batch: str) -> Path:
    """What the ledger keeps of the delivery: private, it may hold raw records. A Parquet file by another ending, so
    that no reader of the lake takes it for rows."""
    return partition / MANIFESTS / f"{batch}.record"


def file_name(batch: str, number: str = "{i}") -> str:
    """A delivery's file, without its ending; every file is named by its delivery."""
    return f"{batch}-{number}"


def batch_of(file: Path) -> str:
    """The delivery a file is of: of a manifest, its name, else all before the number."""
    stem = file.name.split(".", 1)[0]
    return stem if file.parent.name == MANIFESTS else stem.rpartition("-")[0]
