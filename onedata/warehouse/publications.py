"""Publications: numbered folders, one night each; `published/current` leads to the served one.

    published/publications/000012/              onedata.duckdb  parquet/  quality/  manifest.json
    published/current                           -> publications/000012, the one link that is swapped, by one rename
    published/onedata.duckdb, parquet, quality  -> current/onedata.duckdb, ..., created once and never changed

A reader that needs database, Parquet and pages of one night resolves `current` once. Numbers grow and are never reused.
Reasons: docs/adr/0013.
"""

import fcntl
import hashlib
import os
import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import date, datetime
from importlib.metadata import version
from pathlib import Path

from onedata.durable import make_folders, move_aside, replace_durably, sync_folder, write_durably
from onedata.errors import OnedataError
from onedata.home import SHARED_FOLDER, share_folder, share_with_readers
from onedata.ledger.manifest import digest
from onedata.sealed import seal as seal_text
from onedata.sealed import unseal_if_sealed
from onedata.settings import Settings

DATABASE, PARQUET, QUALITY, MANIFEST = "onedata.duckdb", "parquet", "quality", "manifest.json"
NAMES = (DATABASE, PARQUET, QUALITY)
READABLE_FOLDER, READ_ONLY_FILE = SHARED_FOLDER, 0o440

Say = Callable[[str], object]


class PublishError(OnedataError):
    """A night cannot be published or served; the text says which, why, and the fix."""


@dataclass(frozen=True)
class SealedFile:
    """Contents of a file when it was published."""

    bytes: int
    sha256: str


@dataclass(frozen=True)
class Publication:
    """One publication as described by its manifest; `files` by path in its folder, `tables` with their row counts."""

    folder: Path
    number: int
    night: date
    run_id: str
    built_at: datetime
    files: Mapping[str, SealedFile]
    tables: Mapping[str, int]

    @property
    def database(self) -> Path:
        return self.folder / DATABASE


def publications_folder(settings: Settings) -> Path:
    return settings.published / "publications"


def candidate_folder(settings: Settings) -> Path:
    """Folder in which a publication is built before it has a number; leftovers of a killed night are replaced."""
    return settings.published / "candidate"


def current_link(settings: Settings) -> Path:
    return settings.published / "current"


def read_publication(folder: Path) -> Publication | None:
    """The publication in the folder; None if no manifest proves that onedata published it under this number."""
    try:
        content = unseal_if_sealed((folder / MANIFEST).read_text(encoding="utf-8"))
        told = content["files"].items()
        files = {str(name): SealedFile(int(file["bytes"]), str(file["sha256"])) for name, file in told}
        tables = {str(name): int(rows) for name, rows in content["tables"].items()}
        built_at = datetime.fromisoformat(content["built_at"])
        found = Publication(
            folder,
            int(content["number"]),
            date.fromisoformat(content["night"]),
            str(content["run_id"]),
            built_at,
            files,
            tables,
        )
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None
    return found if folder.name == _name(found.number) and DATABASE in files else None


def publications(settings: Settings) -> list[Publication]:
    """Every publication that is kept, by number."""
    read = [read_publication(folder) for folder in numbered_folders(settings)]
    return sorted((found for found in read if found), key=lambda found: found.number)


def current_publication(settings: Settings) -> Publication | None:
    """The served publication; None if nothing is served, or `current` does not lead to a publication."""
    return read_publication(current_link(settings).resolve()) if current_link(settings).exists() else None


def next_number(settings: Settings, known: int) -> int:
    """One more than any number in the folder and any that the ledger knows (`known`, 0 if it knows none)."""
    return 1 + max([known, *(int(folder.name) for folder in numbered_folders(settings))])


def seal(
    folder: Path,
    number: int,
    night: date,
    run_id: str,
    built_at: datetime,
    tables: Mapping[str, int],
) -> Publication:
    """Sync the folder's files, make them read-only, and write the manifest: files with SHA-256, tables with row counts.

    Raises:
        PublishError: the folder lacks the database, the Parquet files or the pages.
    """
    missing = [name for name in NAMES if not (folder / name).exists()]
    if missing:
        raise PublishError(f"{folder} cannot be published: it has no {missing[0]}; run the night again")
    (folder / MANIFEST).unlink(missing_ok=True)
    paths = sorted(folder.rglob("*"))
    files = {path.relative_to(folder).as_posix(): _sealed(path) for path in paths if path.is_file()}
    content = {
        "number": number,
        "night": night.isoformat(),
        "run_id": run_id,
        "built_at": built_at.isoformat(),
        "onedata": version("onedata"),
        "files": {name: asdict(file) for name, file in files.items()},
        "tables": dict(tables),
    }
    # Files and folders are given to their readers here, before the folder gets its number.
    for inner in (folder, *(path for path in paths if path.is_dir())):
        inner.chmod(READABLE_FOLDER)
        sync_folder(inner)
    write_durably(folder / MANIFEST, seal_text(content), READ_ONLY_FILE)
    return Publication(folder, number, night, run_id, built_at, files, tables)


def place(settings: Settings, folder: Path, number: int) -> Path:
    """Give a sealed folder to its readers and rename it to its number; it is not served yet."""
    make_folders(publications_folder(settings), READABLE_FOLDER)
    share_folder(settings, publications_folder(settings))
    share_with_readers(settings, folder)
    target = publications_folder(settings) / _name(number)
    replace_durably(folder, target)
    return target


def swap(settings: Settings, number: int, say: Say) -> None:
    """Serve the publication of this number: database, Parquet and pages change together, by one rename.

    Raises:
        PublishError: it no longer exists.
    """
    with alone(settings):
        if not (publications_folder(settings) / _name(number)).exists():
            raise PublishError(
                f"publication {number} is not there any more; `onedata serve` names the nights that are kept",
            )
        if current_link(settings).exists() and not current_link(settings).is_symlink():
            _put_aside(settings, current_link(settings), say)
        point_current(settings, number)
        link_names(settings, say)


def point_current(settings: Settings, number: int) -> None:
    """The swap itself, for a caller that holds the lock and maintains the constant names."""
    point(current_link(settings), f"{publications_folder(settings).name}/{_name(number)}")


def link_names(settings: Settings, say: Say) -> None:
    """Create the constant names that lead through `current`; anything else under such a name is moved aside."""
    for name in NAMES:
        link, target = settings.published / name, f"current/{name}"
        if link.is_symlink() and str(link.readlink()) == target:
            continue
        if link.exists() or link.is_symlink():
            _put_aside(settings, link, say)
        point(link, target)


def mend_names(settings: Settings, say: Say) -> None:
    """Recreate the constant names if something else has their place, as after a copy that follows links: readers would
    stay with an old night."""
    if current_publication(settings):
        with alone(settings):
            link_names(settings, say)


def point(link: Path, target: str) -> None:
    """Point the symlink to the target, by one rename. The caller holds the lock."""
    fresh = link.with_name(f".{link.name}.new")
    fresh.unlink(missing_ok=True)
    fresh.symlink_to(target)
    replace_durably(fresh, link)


def serve_night(settings: Settings, night: date, say: Say) -> Publication:
    """Serve the newest publication of a kept night, to roll back or forward again.

    The next published night replaces it as usual.

    Raises:
        PublishError: that night is not kept (the text names those that are), or a file differs from what was published.
    """
    kept = publications(settings)
    found = [publication for publication in kept if publication.night == night]
    if not found:
        nights = ", ".join(sorted({str(publication.night) for publication in kept})) or "none"
        waits = (settings.published / "nights").is_dir()
        earlier = "; nights in published/nights are moved there by the next `onedata run`" if waits else ""
        raise PublishError(
            f"night {night} is not kept below {publications_folder(settings)}; kept are: {nights}{earlier}",
        )
    damaged = damage(found[-1])
    if damaged:
        raise PublishError(f"night {night} is not served: {damaged[0]}; run it again with `onedata run --ds {night}`")
    swap(settings, found[-1].number, say)
    return found[-1]


def damage(publication: Publication) -> list[str]:
    """Differences from what was published, one sentence per file; empty if there are none."""
    told = []
    for name, file in publication.files.items():
        path = publication.folder / name
        if not path.is_file():
            told.append(f"{path} is missing")
        elif path.stat().st_size != file.bytes or digest(path) != file.sha256:
            told.append(f"{path} is not the file that was published: size or SHA-256 differ from {MANIFEST}")
    return told


def _sealed(path: Path) -> SealedFile:
    """Sync the file, make it read-only, and return its size and hash, read once."""
    path.chmod(READ_ONLY_FILE)
    with path.open("rb") as stream:
        digest = hashlib.file_digest(stream, "sha256").hexdigest()
        os.fsync(stream.fileno())
        return SealedFile(os.fstat(stream.fileno()).st_size, digest)


def _put_aside(settings: Settings, path: Path, say: Say) -> None:
    (now,) = move_aside([path], settings.published, settings.published / "aside")
    say(f"{path} is not of this layout and was moved to {now}")


def numbered_folders(settings: Settings) -> list[Path]:
    """Every folder with a number as its name, by number, whether onedata wrote it or not."""
    folder = publications_folder(settings)
    return sorted(path for path in folder.iterdir() if re.fullmatch(r"\d{6,}", path.name)) if folder.is_dir() else []


def _name(number: int) -> str:
    return f"{number:06d}"


@contextmanager
def alone(settings: Settings) -> Iterator[None]:
    """Lock for swapping, pruning and moving: `onedata serve` may run beside a night."""
    make_folders(publications_folder(settings), READABLE_FOLDER)
    make_folders(settings.home / "tmp")
    with (settings.home / "tmp" / "publications.lock").open("w") as stream:
        fcntl.flock(stream, fcntl.LOCK_EX)
        yield
