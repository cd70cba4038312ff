"""Forget what a killed or refused night left half done, so that running again starts clean."""

from pathlib import Path

import duckdb

from onedata.landing.places import lake_folder
from onedata.settings import Settings
from onedata.sql import transaction

UNFINISHED = ("staged", "passed", "refused")


def recover(con: duckdb.DuckDBPyConnection, settings: Settings, feed: str, entity: str) -> int:
    """Forget the feed's deliveries that were not accepted, its unreadable files, and lake files the ledger does not know.

    The forgotten files are taken anew by the landing that follows: nothing is lost, nothing counted twice.

    Returns:
        How many deliveries were forgotten.
    """
    marks = ", ".join("?" for _ in UNFINISHED)
    unfinished = [row[0] for row in con.execute(f"select batch_id from ops.delivery where feed = ? and status in ({marks})", [feed, *UNFINISHED]).fetchall()]
    with transaction(con):
        con.execute("delete from ops.quarantine where feed = ? and (batch_id in (select unnest(?::varchar[])) or batch_id is null)", [feed, unfinished])
        con.execute(
            "delete from ops.drift where feed = ? and content_hash in (select content_hash from ops.file where feed = ? and batch_id in "
            "(select unnest(?::varchar[])))",
            [feed, feed, unfinished],
        )
        con.execute("delete from ops.file where feed = ? and (batch_id in (select unnest(?::varchar[])) or batch_id is null)", [feed, unfinished])
        con.execute("delete from ops.profile where feed = ? and batch_id in (select unnest(?::varchar[]))", [feed, unfinished])
        con.execute("delete from ops.delivery where feed = ? and batch_id in (select unnest(?::varchar[]))", [feed, unfinished])
    accepted = {f"{row[0]}.parquet" for row in con.execute("select batch_id from ops.delivery where feed = ?", [feed]).fetchall()}
    _sweep(settings.staged / feed, set())
    _sweep(lake_folder(settings, entity, feed), accepted)
    return len(unfinished)


def _sweep(folder: Path, keep: set[str]) -> None:
    """Remove the Parquet files that are not in `keep`, by name: a delivery's id is unique."""
    for file in folder.rglob("*.parquet*"):
        if file.name not in keep:
            file.unlink()
