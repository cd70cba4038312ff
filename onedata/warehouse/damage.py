"""Why a database cannot be opened or read, found by looking at its file: held, damaged, of a newer DuckDB, or refused
by the operating system.

DuckDB's own words are no guide: its lock, junk-file and cut-file errors are one class, and "lock" stands in "block".
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
"""What DuckDB raises where a file fails it; also for lake files and for a full disk, so it says only that looking is
worth while."""


class WarehouseError(OnedataError):
    """The warehouse cannot be used; the text names the file, the cause and the way out in one sentence."""


class WarehouseMissing(WarehouseError):
    """No night has run yet."""


class WarehouseBusy(WarehouseError):
    """Another process holds the warehouse, and did so for longer than `lock_wait_seconds`."""


class WarehouseDamaged(WarehouseError):
    """The warehouse's file, or its write-ahead log, is not as DuckDB left it."""


class WarehouseUnreadable(WarehouseError):
    """The file may be whole, but this user, this disk or this DuckDB cannot use it."""


def examine(database: Path, write: bool = False, deep: bool = False) -> Found:
    """What is the matter with a database file, in a process of its own, so that no lock of this one is dropped.

    Args:
        database: The file; it need not be there.
        write: Whether it is to be written; else only what keeps it from being read counts.
        deep: Read every block and every table too: seconds a gigabyte. Else headers, size, log and lock: a twentieth of
            a second.
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
    """The error for what was found; None for a file that is sound, missing or held, or doubtful (see `met`)."""
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
        "Nothing was published. `onedata rebuild` makes it anew from the lake "
        f"and moves what is left of {database.name} aside; or bring the home back from "
        "a back-up with `onedata restore`."
    )


def met(database: Path, words: str) -> WarehouseError | None:
    """What is the matter with the database where an engine error of these words was raised, and the disk is well; it is
    read whole.

    A bad block that no table needs, or a file that looks sound, counts where the error names that block's place, or the
    file.
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
    """After an engine error, with the connection closed: read the whole file, and say so where it is damaged.

    Raises:
        WarehouseDamaged: it is.
    """
    if disk.told_of(error, database.parents[1]) or disk.obstacle(database.parent):
        return
    refused = met(database, str(error))
    if isinstance(refused, WarehouseDamaged):
        raise refused from error


def refuse(refused: WarehouseError | None, database: Path, error: duckdb.Error) -> NoReturn:
    """Raise what was found, or what is left: DuckDB's own words for a file that looks sound."""
    told = disk.told_of(error, database.parents[1]) or f"its file looks sound, and DuckDB says: {error}"
    raise refused or WarehouseUnreadable(f"the warehouse {database} cannot be opened: {told}") from None
