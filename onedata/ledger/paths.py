"""Paths of a delivery's files, computed from the ledger: no path is stored, so a data home can be moved."""

from datetime import date
from pathlib import Path

from onedata.settings import Settings

MANIFESTS = "_manifest"
"""Folder of a partition's manifests; engines that read the partition skip names that begin with an underscore."""


def staged_folder(settings: Settings, feed: str, batch: str) -> Path:
    """Folder of the delivery's files before the contract gate has passed."""
    return settings.staged / feed / batch


def staged_files(settings: Settings, feed: str, batch: str) -> list[Path]:
    """The delivery's Parquet files before the contract gate has passed."""
    return sorted(staged_folder(settings, feed, batch).glob("*.parquet"))


def lake_folder(settings: Settings, entity: str, feed: str) -> Path:
    """The feed's folder in the ODS lake."""
    return settings.lake / "ods" / entity / f"source={feed}"


def partition_folder(settings: Settings, entity: str, feed: str, ds: date) -> Path:
    """The feed's folder of one night in the ODS lake."""
    return lake_folder(settings, entity, feed) / f"ds={ds}"


def manifest_file(partition: Path, batch: str) -> Path:
    """The delivery's manifest, beside its files."""
    return partition / MANIFESTS / f"{batch}.json"


def record_file(partition: Path, batch: str) -> Path:
    """The delivery's record: private, it may hold raw records. It is a Parquet file with another extension, so that no
    reader of the lake takes it for rows."""
    return partition / MANIFESTS / f"{batch}.record"


def file_name(batch: str, number: str = "{i}") -> str:
    """A delivery's file, without its extension; every file is named by its delivery."""
    return f"{batch}-{number}"


def batch_of(file: Path) -> str:
    """The delivery a file belongs to: a manifest's name, or everything before the number of a data file."""
    stem = file.name.split(".", 1)[0]
    return stem if file.parent.name == MANIFESTS else stem.rpartition("-")[0]
