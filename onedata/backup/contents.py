"""Contents of a back-up: everything in a data home that cannot be rebuilt, and never the vault's key."""

import os
import re
import stat
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from onedata.backup.store import BackupError, StoredFolder, StoredLink

KEPT = ("lake", "warehouse", "published", "extracts", "quarantine")
"""Folders of the home that are backed up completely."""
VAULT = ("vault.duckdb", "vault.duckdb.wal")
"""The only files of the vault that are backed up: any other may be the key, or a part of it left by a kill."""
NOT_KEPT = ("dagster", "dbt", "tmp", "spool", "staged", "logs", "retailer", "aside")
"""Rebuilt by the next run, or owned by the retailer."""
PERMISSIONS = ".permissions"
"""Marker that the home was closed to others; the next run maintains it."""
UNFINISHED = re.compile(r"\..+\.new|\.new-.+")
"""Partial files left by a killed process."""
CANDIDATE = "published/candidate"
"""A publication that has passed no gate."""


@dataclass(frozen=True)
class Found:
    """One file of the home."""

    path: str
    bytes: int
    mode: int
    mtime_ns: int


@dataclass
class Contents:
    """What to back up, and what else is in the home."""

    files: list[Found] = field(default_factory=list)
    folders: list[StoredFolder] = field(default_factory=list)
    links: list[StoredLink] = field(default_factory=list)
    left_out: list[str] = field(default_factory=list)


def contents(home: Path) -> Contents:
    """List the home's contents. No file is opened.

    Raises:
        BackupError: a symlink leads out of the home, so that the back-up would lack its target; or a name is not a
            file.
    """
    found = Contents()
    for name in KEPT:
        if (home / name).is_dir():
            _look(home, name, found)
    if (home / "vault").is_dir():
        found.folders.append(StoredFolder("vault", _mode((home / "vault").stat())))
    for name in (f"vault/{name}" for name in VAULT):
        if (home / name).is_file():
            found.files.append(_file(home, name))
    known = {*KEPT, *NOT_KEPT, "vault", PERMISSIONS}
    found.left_out = sorted(
        path.name for path in home.iterdir() if path.name not in known and not UNFINISHED.fullmatch(path.name)
    )
    return found


def _look(home: Path, name: str, found: Contents) -> None:
    """One folder and everything below it; the folder itself may be a symlink to another disk."""
    found.folders.append(StoredFolder(name, _mode((home / name).stat())))
    for entry in _entries(home / name):
        path = f"{name}/{entry.name}"
        if path == CANDIDATE:
            continue
        if entry.is_symlink():
            found.links.append(_link(home, path))
        elif entry.is_dir():
            _look(home, path, found)
        elif entry.is_file():
            found.files.append(_file(home, path))
        else:
            raise BackupError(f"{home / path} is neither file, folder nor symlink; move it out of the home")


def _entries(folder: Path) -> Iterator[os.DirEntry[str]]:
    with os.scandir(folder) as entries:
        yield from sorted(
            (entry for entry in entries if not UNFINISHED.fullmatch(entry.name)), key=lambda entry: entry.name
        )


def _link(home: Path, path: str) -> StoredLink:
    target = (home / path).readlink()
    if target.is_absolute() or not (home / path).resolve().is_relative_to((home / path.split("/")[0]).resolve()):
        raise BackupError(
            f"{home / path} is a symlink to {target}, which a restored home would not have; put the files themselves "
            "there"
        )
    return StoredLink(path, str(target))


def _file(home: Path, path: str) -> Found:
    status = (home / path).stat()
    return Found(path, status.st_size, _mode(status), status.st_mtime_ns)


def _mode(status: os.stat_result) -> int:
    return stat.S_IMODE(status.st_mode)
