"""Open the warehouse: as its one writer, or for reading.

DuckDB's file lock protects it: a second night waits for the lock, then fails with a clear message. Any other cause is
found by examining the file (`damage.examine`) and reported at once.
"""

import os
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import date
from pathlib import Path
from typing import Literal

import duckdb

from onedata import disk
from onedata.durable import sync_file, sync_folder
from onedata.masking import values_hidden
from onedata.settings import Settings
from onedata.sql import quote_text
from onedata.warehouse.confine import confine
from onedata.warehouse.damage import (
    ENGINE_ERRORS,
    WarehouseBusy,
    WarehouseError,
    WarehouseLost,
    WarehouseMissing,
    WarehouseUnreadable,
    examine,
    met,
    raise_if_damaged,
    refusal,
    refuse,
)
from onedata.warehouse.look import LOGS, Found

POLL_SECONDS = 2.0
STORAGE = "v1.4.0"
"""Storage version of a new warehouse. From this version on, a log records its file and checkpoint. Before, the log of
an older copy is applied to a newer file, and rows appear twice (measured)."""
LOOKS = 2
"""How often a file that looks sound or is missing is opened again: its holder may have released it in between."""
RESTORING = ".restoring.json"
"""Marker in a data home that is being restored, until it is complete."""

Aim = Literal["begin", "write", "read"]


class HalfRestored(WarehouseBusy):
    """A restore of the data home was interrupted; nothing may use the home before it is complete."""


def refuse_half_restored(home: Path) -> None:
    """Raise if a restore of the home has started and not finished.

    Raises:
        HalfRestored: the text says how to resume.
    """
    if (home / RESTORING).exists():
        raise HalfRestored(
            f"{home} is half restored: {home / RESTORING} names the back-up. Run the same `onedata restore` again, "
            "it resumes from there."
        )


@contextmanager
def open_warehouse(
    settings: Settings, say: Callable[[str], None] = print, begin: bool = True
) -> Iterator[duckdb.DuckDBPyConnection]:
    """The warehouse's connection, UTC, with the settings' memory and thread limits; closed (and unlocked) at the end.

    Args:
        settings: Its location, and how long to wait for another writer.
        say: Called once if it has to wait.
        begin: Whether to create a missing warehouse, as the first night does.

    Raises:
        WarehouseMissing: no night has run yet, and `begin` is false.
        WarehouseBusy: another process still holds it after `lock_wait_seconds`, or the home is half restored.
        WarehouseDamaged: its file or log is damaged, found at once or when a statement met the damage.
        WarehouseUnreadable: no permission, no space, a read-only disk, or the file of a newer DuckDB.
    """
    refuse_half_restored(settings.home)
    _prepare_folder(settings.warehouse.parent, begin)
    con = _connect(settings.warehouse, "begin" if begin else "write", settings.lock_wait_seconds, say)
    with _damage_told(settings.warehouse, con):
        configure(con, settings)
        with values_hidden():
            yield con


def configure(con: duckdb.DuckDBPyConnection, settings: Settings) -> None:
    """Give the connection its time zone and limits, and confine it to the folders that the settings name."""
    con.execute("set timezone = 'UTC'")
    con.execute(f"set threads = {settings.threads}; set memory_limit = '{settings.memory_limit}'")
    con.execute(f"set temp_directory = {quote_text(str(settings.home / 'tmp'))}")
    confine(con, settings)


@contextmanager
def read_warehouse(settings: Settings) -> Iterator[duckdb.DuckDBPyConnection]:
    """The warehouse, read-only; the only way in for code that does not write. It does not wait.

    Raises:
        WarehouseMissing: no night has run yet.
        WarehouseBusy: a night holds it, or the home is half restored.
        WarehouseDamaged: its file or log is damaged, seen at once or when a query met the damage.
        WarehouseUnreadable: no permission, or the file of a newer DuckDB.
    """
    refuse_half_restored(settings.home)
    con = _connect(settings.warehouse, "read", 0.0, lambda _: None)
    with _damage_told(settings.warehouse, con):
        yield con


def last_night(settings: Settings) -> date | None:
    """The last published night, by the warehouse; None if there is none, or the warehouse cannot be read."""
    try:
        with read_warehouse(settings) as con:
            row = con.execute("select max(night) from ops.night").fetchone()
    except (WarehouseError, duckdb.CatalogException):
        return None
    return row[0] if row else None


@contextmanager
def _damage_told(database: Path, con: duckdb.DuckDBPyConnection) -> Iterator[None]:
    """Close the connection at the end; damage met by a statement is reported as such."""
    try:
        yield
    except ENGINE_ERRORS as error:
        con.close()
        raise_if_damaged(database, error)
        raise
    finally:
        con.close()


def _prepare_folder(folder: Path, begin: bool) -> None:
    """Check permission and space to write into the folder, which is created if a warehouse may begin."""
    found = disk.obstacle(folder)
    if found:
        raise WarehouseUnreadable(f"the warehouse cannot be written: {found}")
    if begin:
        folder.mkdir(parents=True, exist_ok=True)


def _connect(database: Path, aim: Aim, patience: float, say: Callable[[str], None]) -> duckdb.DuckDBPyConnection:
    deadline = time.monotonic() + patience
    waiting, looks = False, 0
    while True:
        found = _look_before(database)
        try:
            if found is None:
                return _opened(database, aim)
        except ENGINE_ERRORS as error:
            found = examine(database, write=aim != "read")
            looks += found.kind in ("sound", "missing")
            if looks == LOOKS:
                refuse(met(database, str(error)), database, error)
        refused = refusal(found, database)
        if refused:
            raise refused
        if found.kind != "held":
            continue
        who = f"process {found.holder}" if found.holder else "another process"
        what = f"being {'written' if found.writes else 'read'} by {who}"
        if not waiting:
            say(f"the warehouse is {what}; waiting up to {patience:.0f} s")
            waiting = True
        if time.monotonic() >= deadline:
            waited = f"; waited {patience:.0f} s" if patience else ""
            raise WarehouseBusy(
                f"the warehouse {database} is {what}{waited}. Wait for it to end, or stop it, then run again: nothing "
                "is lost."
            )
        time.sleep(min(POLL_SECONDS, max(0.05, deadline - time.monotonic())))


def _look_before(database: Path) -> Found | None:
    """Checks that DuckDB does not make: it opens a file that is truncated within a table, and silently drops a damaged
    log. None if all is well."""
    if not any(_there(Path(f"{database}{suffix}")) for suffix in ("", *LOGS)):
        return None
    found = examine(database)
    return None if found.kind in ("sound", "held") else found


def _opened(database: Path, aim: Aim) -> duckdb.DuckDBPyConnection:
    if not _there(database):
        if aim != "begin":
            raise _missing(database)
        _create(database)
    return duckdb.connect(str(database), read_only=aim == "read")


def _missing(database: Path) -> WarehouseMissing:
    home = database.parents[1]
    if any((home / "lake" / "ods").glob("*/source=[!_]*/ds=*/*.parquet")):
        return WarehouseLost(
            f"{database} is gone, and the lake has files: `onedata rebuild` rebuilds it from the lake, or bring the "
            "home back from a back-up with `onedata restore`"
        )
    return WarehouseMissing(f"no night has run yet below {home}")


def _there(path: Path) -> bool:
    """Whether the path exists; also true if this user may not see it, which `examine` reports."""
    try:
        path.lstat()
    except FileNotFoundError:
        return False
    except OSError:
        return True
    return True


def _create(database: Path) -> None:
    """Create an empty database aside and link it in when complete: a kill while DuckDB writes the headers leaves no
    partial file in its place."""
    with tempfile.TemporaryDirectory(prefix=".new-", dir=database.parent) as folder:
        fresh = Path(folder) / database.name
        with duckdb.connect() as con:
            con.execute(f"attach {quote_text(str(fresh))} as fresh (storage_version '{STORAGE}'); detach fresh")
        sync_file(fresh)
        try:
            os.link(fresh, database)
        except FileExistsError:  # another process was first
            return
    sync_folder(database.parent)
