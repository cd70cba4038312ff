"""Access to the data home: the owner may read everything, the reader group what is published, others nothing.

The home is 0710, so that readers reach `published` without listing its siblings; `published` is 0750 with files of
0640; everything else is 0700 and 0600. New files get these modes from the process's umask, existing ones from one walk.
"""

import grp
import os
import pwd
import stat
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from onedata.durable import PRIVATE_FILE, PRIVATE_FOLDER, write_durably
from onedata.settings import Settings

PRIVATE_UMASK = 0o077
HOME_MODE, SHARED_FOLDER, SHARED_FILE = 0o710, 0o750, 0o640
OPEN = 0o077
"""The bits of a mode that let others than the owner in."""
ABOVE_HOME = 0o711
"""Of folders that are made on the way to the home: anybody may pass, to a home that lets in whom it should."""
PRIVATE = ("lake", "warehouse", "staged", "vault", "quarantine", "spool", "extracts", "tmp", "dbt", "dagster", "aside")
"""What onedata writes below the home, but for `published`."""
SHIELDED = ("retailer",)
"""The generated retailer: its folder is closed, its files are the retailer's own and stay as they are."""
MARKER = ".permissions"
VERSION = "1"
"""Of the rules above: a home that was walked by others is walked again."""


@dataclass
class _Found:
    """Result of a walk: how many files were open to others, how many only another user can close, and one of those."""

    tightened: int = 0
    not_owned: int = 0
    example: str = ""


def private_umask() -> None:
    """Make files that this process and its children create from now on readable only by the owner.

    Call it once, at the entry point of a process.
    """
    os.umask(PRIVATE_UMASK)


def secure_home(settings: Settings) -> list[str]:
    """Create the data home, or close an existing one to others: its folders each time, every file in them once.

    Links are never followed, and files that onedata did not write are left alone. Cheap: all files are checked only if
    a folder was open, the reader group has changed, or the home has not been walked by these rules.

    Returns:
        Notes for the user, one per line: what was open to others and is now closed, and what could not be closed.
    """
    home, group = settings.home.resolve(), reader_group_id(settings)
    published = home / settings.published.name
    is_new = _make_home(home)
    found = _Found()
    own = [home / name for name in PRIVATE if _is_folder(home / name)]
    shielded = [home / name for name in SHIELDED if _is_folder(home / name)]
    was_open = [_set(home, HOME_MODE, found, group)]
    was_open += [_set(folder, PRIVATE_FOLDER, found) for folder in own + shielded]
    told = []
    if not is_new and (any(was_open) or _marker(home) != VERSION):
        for folder in own:
            _close(folder, found)
        _share(published, group, found)
        told = _left_alone(home)
    if not published.is_symlink():
        published.mkdir(exist_ok=True, mode=PRIVATE_FOLDER)
        _set(published, SHARED_FOLDER, found, group)
    if _marker(home) != VERSION:
        write_durably(home / MARKER, VERSION)
    if found.tightened:
        told.insert(
            0,
            f"{found.tightened:,} files and folders of {home} could be read by others than user {user_name()}: "
            f"they are closed now; only {published} is open, to the group {_group_name(group)}",
        )
    if found.not_owned:
        told.append(
            f"{found.not_owned:,} files and folders of {home} are not closed to others, because user {user_name()} "
            f"does not own them, for example {found.example}: give them to that user with chown"
        )
    return told


def share_with_readers(settings: Settings, folder: Path) -> None:
    """Let the reader group read `folder`, below `published`, and everything in it.

    Used for what was built aside, before its name is swapped in. A file that its owner may not write stays read-only
    (0440). Links are unchanged.
    """
    _share(folder, reader_group_id(settings), _Found())


def share_folder(settings: Settings, folder: Path) -> None:
    """Let the reader group into one folder below `published`, whatever its content."""
    _set(folder, SHARED_FOLDER, _Found(), reader_group_id(settings))


def reader_group_id(settings: Settings) -> int:
    """The group id of the setting `reader_group`, or of the process."""
    return grp.getgrnam(settings.reader_group).gr_gid if settings.reader_group else os.getegid()


def user_name() -> str:
    """The name of the process's user; the user id if there is no name, as in containers."""
    try:
        return pwd.getpwuid(os.geteuid()).pw_name
    except KeyError:
        return str(os.geteuid())


def _group_name(group: int) -> str:
    try:
        return grp.getgrgid(group).gr_name
    except KeyError:
        return str(group)


def _make_home(home: Path) -> bool:
    """Create the home if it does not exist, with parent folders that others may pass; returns whether it is new."""
    missing = [folder for folder in (home, *home.parents) if not folder.exists()]
    for folder in reversed(missing):
        folder.mkdir(exist_ok=True, mode=PRIVATE_FOLDER)
        if folder != home:
            folder.chmod(ABOVE_HOME)
    return bool(missing)


def _left_alone(home: Path) -> list[str]:
    """Paths in the home that are not managed: links out of it, and files of others."""
    known = {*PRIVATE, *SHIELDED, "published", MARKER}
    entries = sorted(home.iterdir())
    links = [str(path) for path in entries if path.name in known and path.is_symlink()]
    others = [path for path in entries if path.name not in known and not path.is_symlink()]
    # A data home within this one has its own marker, and closes itself.
    foreign = [str(path) for path in others if path.lstat().st_mode & OPEN and not (path / MARKER).is_file()]
    texts = {
        "links that lead out of the data home are not followed, so look yourself who may read what is there": links,
        "not onedata's, so left as they are, though others may read them": foreign,
    }
    return [f"{text}: {', '.join(paths)}" for text, paths in texts.items() if paths]


def _share(folder: Path, group: int, found: _Found) -> None:
    """Give the group read access to a folder and its content, innermost first: readers see new content completely or
    not at all."""
    for path, mode in [*_below(folder)][::-1]:
        if stat.S_ISDIR(mode):
            _set(path, SHARED_FOLDER, found, group)
        elif stat.S_ISREG(mode):
            _set(path, SHARED_FILE if mode & stat.S_IWUSR else SHARED_FILE & ~stat.S_IWUSR, found, group)


def _close(folder: Path, found: _Found) -> None:
    """Close everything in a folder, which is closed itself."""
    for path, mode in islice(_below(folder), 1, None):
        if not stat.S_ISLNK(mode):
            _set(path, PRIVATE_FOLDER if stat.S_ISDIR(mode) else mode & PRIVATE_FILE, found)


def _below(folder: Path) -> Iterator[tuple[Path, int]]:
    """The folder and everything below it with modes, not following links; nothing if it is a link or not a folder."""
    if not _is_folder(folder):
        return
    yield folder, folder.lstat().st_mode
    waiting = [folder]
    while waiting:
        # A running process removes files that it no longer needs; files closed by another user are closed already.
        with suppress(FileNotFoundError, PermissionError), os.scandir(waiting.pop()) as entries:
            for entry in entries:
                mode = entry.stat(follow_symlinks=False).st_mode
                yield Path(entry.path), mode
                if stat.S_ISDIR(mode):
                    waiting.append(Path(entry.path))


def _is_folder(path: Path) -> bool:
    return path.is_dir() and not path.is_symlink()


def _set(path: Path, mode: int, found: _Found, group: int | None = None) -> bool:
    """Set mode and group if they differ; returns whether this took away access that others had."""
    try:
        now = path.lstat()
        bits = stat.S_IMODE(now.st_mode)
        is_regrouped = group is not None and group != now.st_gid
        was_open = bool(bits & OPEN & ~mode) or (is_regrouped and bool(bits & stat.S_IRWXG))
        # Close it first: if the group cannot be set, its previous group gets no access.
        closed = bits & mode & (~stat.S_IRWXG if is_regrouped else ~0)
        if bits != closed:
            path.chmod(closed)
        if is_regrouped and group is not None:
            os.chown(path, -1, group)
        if closed != mode:
            path.chmod(mode)
    except FileNotFoundError:
        return False
    except PermissionError:
        found.not_owned += 1
        found.example = found.example or str(path)
        return False
    found.tightened += was_open
    return was_open


def _marker(home: Path) -> str:
    try:
        return (home / MARKER).read_text(encoding="utf-8")
    except FileNotFoundError:
        return ""
