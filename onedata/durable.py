"""Crash-safe files: written beside, synced, renamed, and the folder synced; and files that are moved aside instead of
deleted.

Source: rename(2) and fsync(2): a rename is atomic, but durable only once the folder of the name has been synced.
"""

import os
from collections.abc import Iterable
from pathlib import Path

PRIVATE_FILE, PRIVATE_FOLDER = 0o600, 0o700


def sync_file(path: Path) -> None:
    """Sync the file's content to disk. Not for an open DuckDB database: closing a second descriptor drops its lock."""
    _sync(path, os.O_RDONLY)


def sync_folder(path: Path) -> None:
    """Sync the folder's entries to disk: created, renamed and removed names."""
    _sync(path, os.O_RDONLY | os.O_DIRECTORY)


def write_durably(path: Path, content: str | bytes, mode: int = PRIVATE_FILE) -> None:
    """Write a small file atomically: a reader, and a crash, see the old content or the new one."""
    replace_durably(_write_beside(path, content, mode), path)


def create_durably(path: Path, content: str | bytes, mode: int = PRIVATE_FILE) -> bool:
    """Create a small file atomically if it does not exist; return whether it was created.

    If two processes compete, one wins; existing content is kept.
    """
    return name_durably(_write_beside(path, content, mode), path)


def name_durably(source: Path, target: Path) -> bool:
    """Rename the synced file `source` to `target` if that name is free; else remove `source`.

    A rename would replace a file that another process created since the last check; a link (link(2)) fails.

    Returns:
        Whether the name was free.
    """
    try:
        os.link(source, target)
        is_new = True
    except FileExistsError:
        is_new = False
    source.unlink()
    for folder in dict.fromkeys((target.parent, source.parent)):
        sync_folder(folder)
    return is_new


def replace_durably(source: Path, target: Path) -> None:
    """Rename the synced file `source` to `target`, and sync both folders."""
    source.replace(target)
    for folder in dict.fromkeys((target.parent, source.parent)):
        sync_folder(folder)


def make_folders(path: Path, mode: int = PRIVATE_FOLDER) -> None:
    """Create the folder and its missing parents, each with the mode, and sync the folders that contain the new
    names."""
    missing = [folder for folder in (path, *path.parents) if not folder.exists()]
    for folder in reversed(missing):
        folder.mkdir(mode=mode, exist_ok=True)
        sync_folder(folder.parent)


def move_aside(files: Iterable[Path], base: Path, aside: Path) -> list[Path]:
    """Move files below `base` to the same paths below `aside`, for inspection; existing files there are kept.

    Returns:
        The new path of each file.
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


def remove_listed(folder: Path, names: Iterable[str]) -> None:
    """Delete the files below `folder` that onedata's own list names; a name that leads out of the folder is skipped."""
    root = folder.resolve()
    for name in names:
        file = folder / name
        if file.parent.resolve().is_relative_to(root):
            file.unlink(missing_ok=True)


def _write_beside(path: Path, content: str | bytes, mode: int) -> Path:
    """The content, synced, under a name beside `path` that no other process uses."""
    fresh = path.with_name(f".{path.name}.{os.getpid()}.new")
    # A process killed within `name_durably` leaves it as a second name of the file itself: do not write into it.
    fresh.unlink(missing_ok=True)
    descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
    with os.fdopen(descriptor, "wb") as stream:
        stream.write(content.encode() if isinstance(content, str) else content)
        stream.flush()
        os.fsync(stream.fileno())
    return fresh


def _sync(path: Path, flags: int) -> None:
    descriptor = os.open(path, flags)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
