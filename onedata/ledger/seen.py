"""What the ledger stores about sources besides deliveries: touched files, archives, and watermarks of extracts."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import date, datetime

import duckdb

from onedata.ledger.clock import tick
from onedata.ledger.log import append
from onedata.settings import Settings


@dataclass(frozen=True)
class Touched:
    """A file that was copied or touched since it landed: its size and time now."""

    path: str
    content_hash: str
    size_bytes: int
    mtime_ns: int


@dataclass(frozen=True)
class Archive:
    """An unpacked archive and its number of files."""

    feed: str
    path: str
    size_bytes: int
    mtime_ns: int
    members: int


@dataclass(frozen=True)
class Watermark:
    """An extract of a database table, and the watermark it reached."""

    feed: str
    content_hash: str
    mark: str | None
    ds: date
    path: str
    extracted_at: datetime


def note_touched(con: duckdb.DuckDBPyConnection, settings: Settings, feed: str, files: Sequence[Touched]) -> None:
    """Store the files' new sizes and times, so that they are not read again every night."""
    set_touched(con, feed, files)
    append(settings.lake, "touched", tick(con), {"feed": feed, "files": [asdict(file) for file in files]})


def set_touched(con: duckdb.DuckDBPyConnection, feed: str, files: Sequence[Touched]) -> None:
    """The same where the log knows it already."""
    con.executemany(
        "update ops.file set mtime_ns = ?, size_bytes = ? where feed = ? and path = ? and content_hash = ?",
        [[file.mtime_ns, file.size_bytes, feed, file.path, file.content_hash] for file in files],
    )


def note_archive(con: duckdb.DuckDBPyConnection, settings: Settings, archive: Archive) -> None:
    """Store an unpacked archive."""
    set_archive(con, archive)
    append(settings.lake, "archive", tick(con), asdict(archive))


def set_archive(con: duckdb.DuckDBPyConnection, archive: Archive) -> None:
    """The same where the log knows it already."""
    values = [archive.feed, archive.path, archive.size_bytes, archive.mtime_ns, archive.members]
    con.execute("insert or replace into ops.archive values (?, ?, ?, ?, ?)", values)


def note_watermark(con: duckdb.DuckDBPyConnection, mark: Watermark) -> None:
    """Store the watermark an extract reached; it takes effect once the ledger knows the extract's file, whose manifest
    then has it."""
    values = [mark.feed, mark.content_hash, mark.mark, mark.ds, mark.path, mark.extracted_at]
    con.execute("insert or replace into ops.watermark values (?, ?, ?, ?, ?, ?)", values)


def forget_watermark(con: duckdb.DuckDBPyConnection, feed: str, content_hash: str) -> None:
    """Delete an extract that never landed."""
    con.execute("delete from ops.watermark where feed = ? and content_hash = ?", [feed, content_hash])
