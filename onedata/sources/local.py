"""Files below the source folder. Links to files outside it are not followed."""

from collections.abc import Iterator
from datetime import date
from pathlib import Path

from onedata.sources.base import Offer, SourceMissing, in_order, name_pattern, night_of


def local_offers(source: Path, pattern: str, night: date) -> Iterator[Offer]:
    """Files that match `pattern`, for `night` or earlier.

    A link that leaves the source folder is offered as refused: it is reported, never followed.

    Raises:
        SourceMissing: the source folder does not exist.
    """
    if not source.is_dir():
        raise SourceMissing(
            f"the source folder {source} does not exist. Set `source` in onedata.toml or give --source."
        )
    names, root = name_pattern(pattern), source.resolve()
    found = []
    for path in source.glob(_glob(pattern)):
        relative = path.relative_to(source).as_posix()
        match = names.fullmatch(relative)
        ds = night_of(match, night) if match else None
        if ds is None or ds > night:
            continue
        if not path.resolve().is_relative_to(root):
            found.append(_refused(path, ds, relative, source))
        elif path.is_file():
            stat = path.stat()
            found.append(Offer(ds, _printable(relative), stat.st_size, stat.st_mtime_ns, path))
    yield from in_order(found)


def _glob(pattern: str) -> str:
    """The contract's pattern for pathlib, with `*` as the only wildcard."""
    literal = "".join(f"[{letter}]" if letter in "?[" else letter for letter in pattern)
    return literal.replace("{ds}", "????-??-??")


def _refused(path: Path, ds: date, relative: str, source: Path) -> Offer:
    stat = path.lstat()
    reason = (
        f"it is, or lies below, a symbolic link that leads out of the source folder {source}; links that leave "
        "it are not followed. Deliver the file."
    )
    return Offer(ds, _printable(relative), stat.st_size, stat.st_mtime_ns, refused=reason)


def _printable(name: str) -> str:
    """Convert a name with bytes that are not UTF-8 to storable text; other names are unchanged."""
    return name.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")
