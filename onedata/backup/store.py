"""The folder of back-ups: contents named by their SHA-256, and indexes that map the files of a home to contents."""

import fcntl
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

from onedata.durable import make_folders, write_durably
from onedata.errors import OnedataError
from onedata.sealed import seal, unseal

MARKER = "onedata-backup.json"
FORMAT = 1
INDEX = re.compile(r"(\d{6,})\.json")
HARMLESS = re.compile(rf"lost\+found|\.{re.escape(MARKER)}\..*\.new")
"""What an empty folder may contain: files of the file system, and a partial marker left by a kill."""


class BackupError(OnedataError):
    """A back-up cannot be made, read or restored; the text names the file, the cause and the fix."""


@dataclass(frozen=True)
class StoredFile:
    """One file of the home: its path below the home, its content, and other attributes that `restore` sets."""

    path: str
    sha256: str
    bytes: int
    mode: int
    mtime_ns: int


@dataclass(frozen=True)
class StoredFolder:
    """One folder of the home."""

    path: str
    mode: int


@dataclass(frozen=True)
class StoredLink:
    """One symlink of the home; it is not followed."""

    path: str
    target: str


@dataclass(frozen=True)
class Backup:
    """One back-up. `at` is UTC; `night` the last published one (YYYY-MM-DD); `key` the fingerprint of the vault's key,
    empty if there is no vault."""

    number: int
    at: datetime
    night: str
    key: str
    files: Sequence[StoredFile]
    folders: Sequence[StoredFolder]
    links: Sequence[StoredLink]

    @property
    def bytes(self) -> int:
        """Size of the home's files."""
        return sum(file.bytes for file in self.files)


def make_store(folder: Path) -> None:
    """Turn an empty or missing folder into one for back-ups; an existing one is unchanged.

    Raises:
        BackupError: the folder contains something else.
    """
    if (folder / MARKER).exists():
        open_store(folder)
        return
    if folder.exists() and not folder.is_dir():
        raise BackupError(f"{folder} is no folder; give a folder for the back-ups")
    strange = (
        sorted(path.name for path in folder.iterdir() if not HARMLESS.fullmatch(path.name)) if folder.exists() else []
    )
    if strange:
        raise BackupError(
            f"{folder} holds {strange[0]} and no back-up; give an empty folder, or one that `onedata backup` has made"
        )
    make_folders(folder)
    write_durably(folder / MARKER, seal({"format": FORMAT, "onedata": version("onedata")}))


def open_store(folder: Path) -> None:
    """Check that the folder is one of back-ups that this onedata can read.

    Raises:
        BackupError: it is not.
    """
    if not (folder / MARKER).exists():
        raise BackupError(
            f"{folder} is no back-up: it has no {MARKER}; give the folder that `onedata backup` has written to"
        )
    content = _read(folder / MARKER)
    if content["format"] > FORMAT:
        raise BackupError(f"{folder} was written by a later onedata ({content['onedata']}); update onedata")


@contextmanager
def alone(folder: Path) -> Iterator[None]:
    """Lock the folder: only one back-up at a time writes to it.

    Raises:
        BackupError: another process does.
    """
    with (folder / ".lock").open("w") as stream:
        try:
            fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise BackupError(f"another back-up is being written to {folder}; wait for it to end") from None
        yield


def object_file(folder: Path, sha256: str) -> Path:
    """Path of a content."""
    return folder / "objects" / sha256[:2] / sha256


def has_object(folder: Path, sha256: str, size: int) -> bool:
    """Whether the content exists with its full size; it was verified when it was written."""
    path = object_file(folder, sha256)
    return path.is_file() and path.stat().st_size == size


def incoming_folder(folder: Path) -> Path:
    """Folder of contents while they are being copied."""
    return folder / "incoming"


def numbers(folder: Path) -> list[int]:
    """The back-ups of the folder, the newest last."""
    found = (INDEX.fullmatch(path.name) for path in (folder / "backups").glob("*.json"))
    return sorted(int(match[1]) for match in found if match)


def read_backup(folder: Path, number: int | None = None) -> Backup:
    """A back-up, or the newest one.

    Raises:
        BackupError: there is none, or not that one, or its index is damaged.
    """
    open_store(folder)
    known = numbers(folder)
    if not known:
        raise BackupError(
            f"{folder} has no complete back-up: the first one was interrupted. Run `onedata backup {folder}` again, "
            "it resumes from there."
        )
    if number is not None and number not in known:
        raise BackupError(f"{folder} holds no back-up {number}; it holds {', '.join(map(str, known))}")
    file = _index_file(folder, known[-1] if number is None else number)
    try:
        content = _read(file)
    except BackupError as error:
        earlier = [item for item in known if item < int(file.stem)]
        raise BackupError(f"{error}{f'; the one before is `--number {earlier[-1]}`' if earlier else ''}") from error
    return Backup(
        content["number"],
        datetime.fromisoformat(content["at"]),
        content["night"],
        content["key"],
        tuple(StoredFile(**item) for item in content["files"]),
        tuple(StoredFolder(**item) for item in content["folders"]),
        tuple(StoredLink(**item) for item in content["links"]),
    )


def write_backup(folder: Path, backup: Backup) -> None:
    """Write the index durably; the back-up counts from then on."""
    make_folders(folder / "backups")
    write_durably(
        _index_file(folder, backup.number),
        seal({"onedata": version("onedata"), **asdict(backup), "at": backup.at.isoformat()}),
    )


def _index_file(folder: Path, number: int) -> Path:
    return folder / "backups" / f"{number:06d}.json"


def _read(file: Path) -> dict[str, Any]:
    try:
        return unseal(file.read_text(encoding="utf-8"))
    except ValueError as error:
        raise BackupError(f"{file} is damaged ({error})") from error
