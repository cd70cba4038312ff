"""Forget what a killed or refused night left half done, so that running again starts clean."""

import shutil

import duckdb

from onedata.landing.places import batch_of, lake_folder
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
        for table in ("repair", "control_total", "profile", "released"):
            con.execute(f"delete from ops.{table} where feed = ? and batch_id in (select unnest(?::varchar[]))", [feed, unfinished])
        con.execute("delete from ops.delivery where feed = ? and batch_id in (select unnest(?::varchar[]))", [feed, unfinished])
    accepted = {row[0] for row in con.execute("select batch_id from ops.delivery where feed = ? and status <> 'replaced'", [feed]).fetchall()}
    shutil.rmtree(settings.staged / feed, ignore_errors=True)
    for file in lake_folder(settings, entity, feed).rglob("*.parquet*"):
        if batch_of(file) not in accepted:
            file.unlink()
    return len(unfinished)
