"""Find out why a database cannot be opened or read by examining its file: held, damaged, of a newer DuckDB, or refused
by the operating system.

DuckDB's messages do not help: its lock, junk-file and truncated-file errors are one class, and "lock" is part of
"block".
"""

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import NoReturn

import duckdb

from onedata import disk
from onedata.errors import OnedataError
from onedata.warehouse import look
from onedata.warehouse.look import Found

ENGINE_ERRORS = (
    duckdb.IOException,
    duckdb.InternalException,
    duckdb.FatalException,
    duckdb.SerializationException,
    duckdb.TransactionException,
)
"""Errors that DuckDB raises for a bad file; also for lake files and a full disk, so they only trigger a check."""


class WarehouseError(OnedataError):
    """The warehouse cannot be used; the text names the file, the cause and the fix in one sentence."""


class WarehouseMissing(WarehouseError):
    """There is no warehouse: no night has run yet."""


class WarehouseLost(WarehouseMissing):
    """There is none, though nights have run: the lake has files."""


class WarehouseBusy(WarehouseError):
    """Another process has held the warehouse for longer than `lock_wait_seconds`."""


class WarehouseDamaged(WarehouseError):
    """The warehouse's file or its write-ahead log is damaged."""


class WarehouseUnreadable(WarehouseError):
    """The file may be intact, but this user, this disk or this DuckDB cannot use it."""


def examine(database: Path, write: bool = False, deep: bool = False) -> Found:
    """Examine a database file in a child process, so that no lock of this process is dropped.

    Args:
        database: The file; it may be missing.
        write: Whether it is to be written; otherwise only causes that prevent reading count.
        deep: Also read every block and every table: seconds per gigabyte. Otherwise headers, size, log and lock: a
            twentieth of a second.
    """
    wanted = [word for word, asked in (("write", write), ("deep", deep)) if asked]
    # Isolated and without site (-S), which costs more than the looking; the script finds duckdb and numpy by this
    # process's path.
    command = [sys.executable, "-I", "-S", look.__file__, str(database), json.dumps(sys.path), *wanted]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode == 0:
        told = json.loads(done.stdout)
        return Found(**told | {"blocks": tuple(told["blocks"])})
    if done.returncode < 0:
        return Found(
            "damaged", str(database), f"is damaged: a process that read it was ended by signal {-done.returncode}"
        )
    raise RuntimeError(f"cannot look at {database}: {done.stderr.strip()}")


def refusal(found: Found, database: Path) -> WarehouseError | None:
    """The error for the finding; None for a file that is sound, missing, held or doubtful (see `met`)."""
    if found.kind == "damaged":
        return WarehouseDamaged(
            f"the warehouse {'file' if found.file == str(database) else 'log'} {found.file} {found.what}. "
            f"{way_out(database)}"
        )
    if found.kind == "newer":
        return WarehouseUnreadable(
            f"the warehouse {found.file} {found.what}: run the onedata that wrote it, or `onedata rebuild` with this "
            "one"
        )
    if found.kind == "refused":
        told = (
            disk.told(found.number, Path(found.file))
            or f"{found.file} cannot be opened: error {found.number} of the operating system"
        )
        return WarehouseUnreadable(f"the warehouse cannot be used: {told}")
    return None


def way_out(database: Path) -> str:
    """What to do about a damaged warehouse."""
    return (
        "Nothing was published. `onedata rebuild` rebuilds it from the lake "
        f"and moves what is left of {database.name} aside; or bring the home back from "
        "a back-up with `onedata restore`."
    )


def met(database: Path, words: str) -> WarehouseError | None:
    """Examine the database after an engine error with this message, if the disk is fine; the whole file is read.

    A bad block that no table needs counts if the error names its position; a file that looks sound counts if the error
    names the file.
    """
    found = examine(database, deep=True)
    if found.kind in ("sound", "doubtful"):
        named = [place for place in found.blocks if re.search(rf"\b{place}\b", words)]
        if named:
            found = Found(
                "damaged", str(database), f"is damaged: the block at byte {named[0]:,} does not match its checksum"
            )
        elif str(database) in words:
            found = Found("damaged", str(database), f"is damaged: {words.strip().splitlines()[0][:300]}")
    return refusal(found, database)


def raise_if_damaged(database: Path, error: BaseException) -> None:
    """After an engine error, with the connection closed: read the whole file and report damage.

    Raises:
        WarehouseDamaged: the file is damaged.
    """
    if disk.told_of(error, database.parents[1]) or disk.obstacle(database.parent):
        return
    refused = met(database, str(error))
    if isinstance(refused, WarehouseDamaged):
        raise refused from error


def refuse(refused: WarehouseError | None, database: Path, error: duckdb.Error) -> NoReturn:
    """Raise the finding, or DuckDB's own message for a file that looks sound."""
    told = disk.told_of(error, database.parents[1]) or f"its file looks sound, and DuckDB says: {error}"
    raise refused or WarehouseUnreadable(f"the warehouse {database} cannot be opened: {told}") from None
