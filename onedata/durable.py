"""Files that are there after a crash: written beside, synced, renamed, and the folder synced; and files moved aside,
never deleted.

Source: rename(2) and fsync(2): a rename is atomic, but lasts only once the folder that holds the name has been synced.
"""

import os
from collections.abc import Iterable
from pathlib import Path

PRIVATE_FILE, PRIVATE_FOLDER = 0o600, 0o700


def sync_file(path: Path) -> None:
    """Make the file's content last. Not for an open DuckDB database: closing a second descriptor drops the lock on
    it."""
    _sync(path, os.O_RDONLY)


def sync_folder(path: Path) -> None:
    """Make the names in the folder last: those that were made, renamed and removed."""
    _sync(path, os.O_RDONLY | os.O_DIRECTORY)


def write_durably(path: Path, content: str | bytes, mode: int = PRIVATE_FILE) -> None:
    """Write a small file whole or not at all: a reader, and a crash, see the old content or the new one."""
    replace_durably(_write_beside(path, content, mode), path)


def create_durably(path: Path, content: str | bytes, mode: int = PRIVATE_FILE) -> bool:
    """Write a small file whole where there is none, and say whether that was so.

    Of two processes one wins; what is there already is kept.
    """
    return name_durably(_write_beside(path, content, mode), path)


def name_durably(source: Path, target: Path) -> bool:
    """Rename `source`, whose content has been synced, to `target` where nothing has that name; else remove it.

    A rename would replace what another process has put there since anybody looked; a link (link(2)) is refused.

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
    """Move files below `base` to the same places below `aside`, for a person to look at; what lies there already is
    kept.

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


def remove_listed(folder: Path, names: Iterable[str]) -> None:
    """Delete the files below `folder` that a list of our own names; a name that leads out of it is left alone."""
    root = folder.resolve()
    for name in names:
        file = folder / name
        if file.parent.resolve().is_relative_to(root):
            file.unlink(missing_ok=True)


def _write_beside(path: Path, content: str | bytes, mode: int) -> Path:
    """The content, synced, under a name beside `path` that no other process uses."""
    fresh = path.with_name(f".{path.name}.{os.getpid()}.new")
    # A process killed within `name_durably` leaves it as a second name of the file itself: not to be written into.
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
