"""Extracts of database tables: files that onedata writes itself, kept in `<home>/extracts/<feed>`, with their
watermarks.

A watermark takes effect once the ledger knows its extract, so it commits with the landing. After a killed or refused
landing, the next extract starts where the last landed one ends. No row is lost, and rows read twice are duplicates.
"""

from collections.abc import Collection, Sequence
from datetime import date, datetime
from pathlib import Path

import duckdb

from onedata.contracts.model import Database, Feed, references
from onedata.durable import make_folders, move_aside, replace_durably, sync_file
from onedata.ledger import tick
from onedata.ledger.seen import Watermark, forget_watermark, note_watermark
from onedata.settings import Settings
from onedata.sources import Offer, SourceError
from onedata.sources.postgres import extract
from onedata.sources.spool import Spool
from onedata.sources.unpack import hash_file

Content = tuple[Offer, Path, str]
Note = tuple[str, str, str]


def take_extracts(
    con: duckdb.DuckDBPyConnection, settings: Settings, feed: Feed, store: Database, night: date, spool: Spool
) -> tuple[list[Content], Sequence[Note]]:
    """New rows of the table, as files with their SHA-256, and drifts (kind, column, message).

    An older extract that the ledger has deleted since (its night is replaced) is delivered again: its rows have no
    other source.

    Raises:
        SourceError: the server cannot be reached or refuses, or the table or watermark does not exist.
    """
    folder = settings.home / "extracts" / feed.name
    landed = con.execute(
        "select w.extracted_at, w.mark from ops.watermark w semi join ops.file f on f.feed = w.feed "
        "and f.content_hash = w.content_hash "
        "and f.status <> 'unreadable' where w.feed = ? order by 1 desc limit 1",
        [feed.name],
    ).fetchone()
    again = _forgotten(con, feed, folder, landed[0] if landed else None)
    made = spool.place("extract.parquet")
    keys = [name for item in feed.fields if item.column.name in feed.entity.key for name in references(item)]
    found = extract(store, landed[1] if landed else None, keys, night, made)
    content_hash = hash_file(made)
    known = con.execute(
        "select 1 from ops.file where feed = ? and content_hash = ?", [feed.name, content_hash]
    ).fetchone()
    if found.rows == 0 or known:
        return again, found.notes
    kept = folder / f"{night}-{content_hash}.parquet"
    make_folders(folder)
    sync_file(made)
    replace_durably(made, kept)
    note_watermark(con, Watermark(feed.name, content_hash, found.mark, night, found.name, tick(con)))
    return [*again, (Offer(night, found.name, 0, 0, kept), kept, content_hash)], found.notes


def kept_extracts(
    con: duckdb.DuckDBPyConnection, settings: Settings, feed: Feed, nights: Collection[date]
) -> list[Content]:
    """The extracts of these nights, to be loaded again.

    Raises:
        SourceError: one is missing: its rows have no other source.
    """
    rows = con.execute(
        "select content_hash, ds, path from ops.watermark where feed = ? and ds in (select unnest(?::date[])) "
        "order by extracted_at",
        [feed.name, list(nights)],
    ).fetchall()
    files = [
        (ds, name, content_hash, settings.home / "extracts" / feed.name / f"{ds}-{content_hash}.parquet")
        for content_hash, ds, name in rows
    ]
    gone = [(ds, file) for ds, _, _, file in files if not file.exists()]
    if gone:
        raise SourceError(
            f"{feed.name}: night {gone[0][0]} cannot be reloaded: its extract {gone[0][1]} is gone, "
            "and its rows would be lost. Bring it back from a "
            "back-up (`onedata restore` into another home, and copy it), then run again."
        )
    return [(Offer(ds, name, 0, 0, file), file, content_hash) for ds, name, content_hash, file in files]


def _forgotten(con: duckdb.DuckDBPyConnection, feed: Feed, folder: Path, last: datetime | None) -> list[Content]:
    """Kept extracts that the ledger does not know and that a new extract would not cover; the others are moved
    aside."""
    unknown = con.execute(
        "select w.content_hash, w.ds, w.path, w.extracted_at from ops.watermark w anti join ops.file f "
        "on f.feed = w.feed and f.content_hash = w.content_hash where w.feed = ? order by w.extracted_at",
        [feed.name],
    ).fetchall()
    again: list[Content] = []
    for content_hash, ds, name, extracted_at in unknown:
        file = folder / f"{ds}-{content_hash}.parquet"
        if last is not None and extracted_at < last and file.exists():
            again.append((Offer(ds, name, 0, 0, file), file, content_hash))
        else:
            forget_watermark(con, feed.name, content_hash)
    remembered = con.execute("select ds, content_hash from ops.watermark where feed = ?", [feed.name]).fetchall()
    kept = {f"{ds}-{content_hash}.parquet" for ds, content_hash in remembered}
    # Covered by the next extract, or of a run that was killed between the file and its mark; or of a ledger that was
    # lost.
    strays = [file for file in folder.glob("*.parquet") if file.name not in kept]
    move_aside(strays, folder, folder / ".orphans")
    return again
