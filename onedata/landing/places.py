"""Where a delivery's rows lie, by what the ledger knows of it: no path is stored, so a data home can be moved."""

from datetime import date
from pathlib import Path

from onedata.settings import Settings


def staged_file(settings: Settings, feed: str, batch: str) -> Path:
    """Before the contract gate has passed."""
    return settings.staged / feed / f"{batch}.parquet"


def lake_folder(settings: Settings, entity: str, feed: str) -> Path:
    """The feed's part of the ODS lake."""
    return settings.lake / "ods" / entity / f"source={feed}"


def lake_file(settings: Settings, entity: str, feed: str, ds: date, batch: str) -> Path:
    """After it."""
    return lake_folder(settings, entity, feed) / f"ds={ds}" / f"{batch}.parquet"
