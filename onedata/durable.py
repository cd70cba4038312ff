"""Files that are there after a crash: written beside, synced, renamed, and the folder synced; and files moved aside, never deleted.

Source: rename(2) and fsync(2): a rename is atomic, but lasts only once the folder that holds the name has been synced.
"""

import os
from collections.abc import Iterable
from pathlib import Path

PRIVATE_FILE, PRIVATE_FOLDER = 0o600, 0o700


def sync_file(path: Path) -> None:
    """Make the file's content last. Not for an open DuckDB database: closing a second descriptor drops the lock on it."""
    _sync(path, os.O_RDONLY)


def sync_folder(path: Path) -> None:
    """Make the names in the folder last: those that were made, renamed and removed."""
    _sync(path, os.O_RDONLY | os.O_DIRECTORY)


def write_durably(path: Path, content: str | bytes, mode: int = PRIVATE_FILE) -> None:
    """Write a small file whole or not at all: a reader, and a crash, see the old content or the new one."""
    fresh = path.with_name(f".{path.name}.{os.getpid()}.new")
    descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, mode)
    with os.fdopen(descriptor, "wb") as stream:
        stream.write(content.encode() if isinstance(content, str) else content)
        stream.flush()
        os.fsync(stream.fileno())
    replace_durably(fresh, path)


def replace_durably(source: Path, target: Path) -> None:
    """Rename `source`, whose content has been synced, to `target`, and sync both folders."""
    source.replace(target)
    for folder in dict.fromkeys((target.parent, source.parent)):
        sync_folder(folder)


def make_folders(path: Path, mode: int = PRIVATE_FOLDER) -> None:
    """Create the folder and its missing parents, each with the mode, and sync the folders that hold the new names."""
    missing = [folder for folder in (path, *path.parents) if not folder.exists()]
    for folder in reversed(missing):
        folder.mkdir(mode=mode, exist_ok=True)
        sync_folder(folder.parent)


def move_aside(files: Iterable[Path], base: Path, aside: Path) -> list[Path]:
    """Move files below `base` to the same places below `aside`, for a person to look at; what lies there already is kept.

    Returns:
        Where each lies now.
    """
    moved = []
    for file in files:
        target = aside / file.relative_to(base)
        make_folders(target.parent)
        number = 1
        while target.exists() or target.is_symlink():
            target = target.with_name(f"{file.name}.{number}")
            number += 1
        replace_durably(file, target)
        moved.append(target)
    return moved


def _sync(path: Path, flags: int) -> None:
    descriptor = os.open(path, flags)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
