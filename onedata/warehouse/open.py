"""Open the warehouse as its one writer.

DuckDB's file lock is the guard: a second night waits for it, then refuses with a clear word.
"""

import re
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import duckdb

from onedata.settings import Settings
from onedata.sql import quote_text

POLL_SECONDS = 2.0
RESTORING = ".restoring.json"
"""In a data home that is being restored, until it is whole."""


class WarehouseBusy(RuntimeError):
    """Another process holds the warehouse, and did so for longer than `lock_wait_seconds`."""


class HalfRestored(WarehouseBusy):
    """A restore of the data home was stopped, and nothing may use the home before it is whole."""


def refuse_half_restored(home: Path) -> None:
    """Raise where a restore of the home has begun and not ended.

    Raises:
        HalfRestored: the text says how to go on.
    """
    if (home / RESTORING).exists():
        raise HalfRestored(f"{home} is half restored: {home / RESTORING} names the back-up. Give the same `onedata restore` again, it goes on from there.")


@contextmanager
def open_warehouse(settings: Settings, say: Callable[[str], None] = print) -> Iterator[duckdb.DuckDBPyConnection]:
    """The warehouse's connection, UTC, with the settings' memory and thread limits; closed (and unlocked) at the end.

    Args:
        settings: Where it lies and how long to wait for another writer.
        say: Told once when it has to wait.

    Raises:
        WarehouseBusy: another process still writes after `lock_wait_seconds`, or the home is half restored.
        duckdb.Error: the file is not a DuckDB database of this version.
    """
    refuse_half_restored(settings.home)
    settings.warehouse.parent.mkdir(parents=True, exist_ok=True)
    con = _connect(settings, say)
    try:
        con.execute("set timezone = 'UTC'")
        con.execute(f"set threads = {settings.threads}; set memory_limit = '{settings.memory_limit}'")
        con.execute(f"set temp_directory = {quote_text(str(settings.home / 'tmp'))}")
        yield con
    finally:
        con.close()


def _connect(settings: Settings, say: Callable[[str], None]) -> duckdb.DuckDBPyConnection:
    deadline = time.monotonic() + settings.lock_wait_seconds
    waiting = False
    while True:
        try:
            return duckdb.connect(str(settings.warehouse))
        except duckdb.IOException as error:
            if "lock" not in str(error).lower():
                raise
            holder = re.search(r"PID (\d+)", str(error))
            who = f"process {holder[1]}" if holder else "another process"
            if time.monotonic() >= deadline:
                raise WarehouseBusy(
                    f"the warehouse {settings.warehouse} is being written by {who}; waited {settings.lock_wait_seconds:.0f} s. "
                    "Wait for that night to end, or stop it, then run again: nothing is lost."
                ) from None
            if not waiting:
                say(f"the warehouse is being written by {who}; waiting up to {settings.lock_wait_seconds:.0f} s")
                waiting = True
            time.sleep(min(POLL_SECONDS, max(0.05, deadline - time.monotonic())))
