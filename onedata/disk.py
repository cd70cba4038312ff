"""Why a file cannot be written: no space, no permission, a read-only or failing disk; each explained in one sentence
with the fix.

The cause is found from the file system (statvfs, access) and the operating system's error numbers, or from error
messages where a library passes on nothing else. This module opens no file.
"""

import errno
import getpass
import os
import re
import sqlite3
from collections.abc import Iterator
from pathlib import Path

LEAST_FREE = 16 * 1024 * 1024
"""Bytes that must be free before anything is begun: a few blocks of the warehouse, its log, and Dagster's event log."""

PAGES_AHEAD = 64
"""Pages of 4 KB after which a SQLite file that stays open takes its write-ahead log in."""

NO_SPACE = frozenset({errno.ENOSPC, errno.EDQUOT})
NO_RIGHT = frozenset({errno.EACCES, errno.EPERM})
TOLD = (*sorted(NO_SPACE), errno.EROFS, *sorted(NO_RIGHT), errno.EIO)
QUOTED = re.compile(r"""["'](/[^"'\n]+)["']""")
# SQLite's own messages: SQLAlchemy and Dagster pass on no error number.
SQLITE_FULL, SQLITE_READONLY = "database or disk is full", "attempt to write a readonly database"


def told(number: int, path: Path) -> str | None:
    """The sentence for an operating system's error number at `path`; None for a number unrelated to the disk."""
    if number in NO_SPACE:
        return (
            f"no space is left on the disk of {path} ({free_bytes(path) / 1e6:,.0f} MB free): free some, then run "
            "again; what was published stays, and nothing is lost"
        )
    if number == errno.EROFS:
        return f"{path} is on a disk that is mounted read-only: mount it for writing, then run again; nothing is lost"
    if number in NO_RIGHT:
        place = _nearest(path)
        return (
            f"user {_user()} has no right to {path} ({_owned(place)}): give it, or run as the owner, then run "
            "again; nothing is lost"
        )
    if number == errno.EIO:
        return (
            f"the disk fails to read or write {path} (input/output error): bring the home to a sound disk "
            "from a back-up, then run again"
        )
    return None


def obstacle(folder: Path) -> str | None:
    """Why this process cannot write files into `folder`, or into its nearest existing parent; None if it can."""
    place = _nearest(folder)
    if os.statvfs(place).f_flag & os.ST_RDONLY:
        return told(errno.EROFS, folder)
    if not os.access(place, os.W_OK | os.X_OK):
        return told(errno.EACCES, place)
    if os.statvfs(place).f_blocks == 0:
        return f"{folder} would be in {place}, which holds no files: name another folder as the home"
    return told(errno.ENOSPC, folder) if free_bytes(folder) < LEAST_FREE else None


def told_in(words: str, home: Path) -> str | None:
    """The sentence for an error of which only the message is left: the operating system's (strerror) or SQLite's.

    Args:
        words: A library's message, with the file in quotes if it names one.
        home: The data home, named if the message names no file.
    """
    for number in TOLD:
        at = words.find(os.strerror(number))
        if at >= 0:
            named = QUOTED.findall(words)
            return told(number, Path(named[-1]) if named else home)
    if SQLITE_FULL in words:
        return told(errno.ENOSPC, home)
    if SQLITE_READONLY in words:
        return obstacle(home / "dagster") or told(errno.EACCES, home / "dagster")
    return None


def told_of(error: BaseException, home: Path) -> str | None:
    """The sentence for an error, or for its cause."""
    for cause in chain(error):
        if isinstance(cause, OSError) and cause.errno in TOLD:
            return told(
                cause.errno, Path(os.fsdecode(cause.filename)) if isinstance(cause.filename, str | bytes) else home
            )
    return next((text for cause in chain(error) if (text := told_in(str(cause), home))), None)


def chain(error: BaseException | None) -> Iterator[BaseException]:
    """An error and its causes."""
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__


def free_bytes(path: Path) -> int:
    """Bytes that this user may still write on the disk of `path`, or of its nearest existing parent."""
    found = os.statvfs(_nearest(path))
    return found.f_bavail * found.f_frsize


def keep_write_ahead_small(connection: sqlite3.Connection, _record: object = None) -> None:
    """Empty the write-ahead log of a file that stays open every 256 KB, not every 4 MB: of a small disk it would take
    more than a night's data."""
    connection.execute(f"pragma wal_autocheckpoint = {PAGES_AHEAD}")


def _nearest(path: Path) -> Path:
    return next((place for place in (path, *path.parents) if os.path.lexists(place) and place.exists()), Path("/"))


def _owned(place: Path) -> str:
    found = place.stat()
    return f"{place} belongs to user {found.st_uid}, mode {found.st_mode & 0o7777:o}"


def _user() -> str:
    try:
        return f"{getpass.getuser()} ({os.geteuid()})"
    except (KeyError, OSError):  # a user without a name
        return str(os.geteuid())
