"""Who may read the data home: its owner everything, the reader group what is published, nobody else anything.

The home is 0710, so that readers can reach `published` without listing what lies beside it; `published` is 0750 with
files of 0640; all the rest is 0700 and 0600. New files get there by the umask of the process, what lies there from
before by one walk.
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
    """What a walk came to: how many were open to others, how many only another user may close, and one of those."""

    tightened: int = 0
    not_owned: int = 0
    example: str = ""


def private_umask() -> None:
    """Let only its owner read what this process, and each process it starts, creates from now on.

    For the edge of a process, once.
    """
    os.umask(PRIVATE_UMASK)


def secure_home(settings: Settings) -> list[str]:
    """Create the data home, or close the one that is there to others: its folders each time, every file in them once.

    Links are never followed, and files that onedata did not write are left alone. Cheap: all files are looked at only
    where a folder was open, the reader group is another, or the home has not been walked by these rules.

    Returns:
        What a person should know, a line each: how much was open to others and is closed now, and what was not closed.
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
    """Let the reader group read `folder`, below `published`, and all in it.

    For what has been built aside, before its name is swapped in. A file that its owner may not write stays so (0440).
    Links are left as they are.
    """
    _share(folder, reader_group_id(settings), _Found())


def share_folder(settings: Settings, folder: Path) -> None:
    """Let the reader group into one folder below `published`, whatever lies in it."""
    _set(folder, SHARED_FOLDER, _Found(), reader_group_id(settings))


def reader_group_id(settings: Settings) -> int:
    """The number of the setting `reader_group`, or of the process's own group."""
    return grp.getgrnam(settings.reader_group).gr_gid if settings.reader_group else os.getegid()


def user_name() -> str:
    """The user this process acts as; the number of one without a name, as containers have them."""
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
    """Create the home where there is none, with folders on the way to it that others may pass; whether it is new."""
    missing = [folder for folder in (home, *home.parents) if not folder.exists()]
    for folder in reversed(missing):
        folder.mkdir(exist_ok=True, mode=PRIVATE_FOLDER)
        if folder != home:
            folder.chmod(ABOVE_HOME)
    return bool(missing)


def _left_alone(home: Path) -> list[str]:
    """What lies in the home and is not looked after: links out of it, and what somebody else put there."""
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
    """Give a folder and all in it to the group to read, the inner ones first: what is new is seen whole or not."""
    for path, mode in [*_below(folder)][::-1]:
        if stat.S_ISDIR(mode):
            _set(path, SHARED_FOLDER, found, group)
        elif stat.S_ISREG(mode):
            _set(path, SHARED_FILE if mode & stat.S_IWUSR else SHARED_FILE & ~stat.S_IWUSR, found, group)


def _close(folder: Path, found: _Found) -> None:
    """Close all in a folder, which is closed itself."""
    for path, mode in islice(_below(folder), 1, None):
        if not stat.S_ISLNK(mode):
            _set(path, PRIVATE_FOLDER if stat.S_ISDIR(mode) else mode & PRIVATE_FILE, found)


def _below(folder: Path) -> Iterator[tuple[Path, int]]:
    """The folder and all below it with their modes, links not followed; nothing where it is no folder, or a link."""
    if not _is_folder(folder):
        return
    yield folder, folder.lstat().st_mode
    waiting = [folder]
    while waiting:
        # A process at work removes what it needs no more; what another user has closed is closed.
        with suppress(FileNotFoundError, PermissionError), os.scandir(waiting.pop()) as entries:
            for entry in entries:
                mode = entry.stat(follow_symlinks=False).st_mode
                yield Path(entry.path), mode
                if stat.S_ISDIR(mode):
                    waiting.append(Path(entry.path))


def _is_folder(path: Path) -> bool:
    return path.is_dir() and not path.is_symlink()


def _set(path: Path, mode: int, found: _Found, group: int | None = None) -> bool:
    """Set mode and group where they differ, and say whether others could read what they may not from now on."""
    try:
        now = path.lstat()
        bits = stat.S_IMODE(now.st_mode)
        is_regrouped = group is not None and group != now.st_gid
        was_open = bool(bits & OPEN & ~mode) or (is_regrouped and bool(bits & stat.S_IRWXG))
        # Closed first: where the group may not be given, the one it had is not let in.
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
