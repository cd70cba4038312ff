"""Which files a night takes: those on disk, for this night or an earlier one, whose content the ledger does not know."""

import hashlib
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import duckdb

from onedata.contracts.model import Feed
from onedata.readers.base import SourceFile

HASH_BLOCK = 1 << 20
Known = Mapping[tuple[str, int, int], str]


@dataclass(frozen=True)
class Repeat:
    """A file whose content is known under another path (or earlier in the same night)."""

    file: SourceFile
    known_as: str


class SourceMissing(FileNotFoundError):
    """The source folder does not exist."""


def discover(source: Path, feed: Feed, night: date) -> Iterator[tuple[Path, date]]:
    """Files of the feed for `night` or earlier with the night each is for, ordered by night and name.

    Raises:
        SourceMissing: there is no source folder.
    """
    if not source.is_dir():
        raise SourceMissing(f"the source folder {source} does not exist. Set `source` in onedata.toml or give --source.")
    pattern = feed.location.path
    regex = re.compile("".join({"{ds}": r"(?P<ds>\d{4}-\d{2}-\d{2})", "*": "[^/]*"}.get(part, re.escape(part)) for part in re.split(r"(\{ds\}|\*)", pattern)))
    found = []
    for path in source.glob(pattern.replace("{ds}", "????-??-??")):
        match = regex.fullmatch(path.relative_to(source).as_posix())
        if match and path.is_file():
            ds = date.fromisoformat(match["ds"]) if "ds" in regex.groupindex else night
            if ds <= night:
                found.append((ds, path.relative_to(source).as_posix(), path))
    yield from ((path, ds) for ds, _, path in sorted(found))


def take(con: duckdb.DuckDBPyConnection, source: Path, feed: Feed, night: date) -> tuple[list[SourceFile], list[Repeat]]:
    """The files to land, and those that repeat known content; a file unchanged since it landed is neither."""
    seen: set[tuple[str, int, int]] = set(con.execute("select path, size_bytes, mtime_ns from ops.file where feed = ?", [feed.name]).fetchall())
    booked: set[tuple[str, str]] = set(con.execute("select path, content_hash from ops.file where feed = ?", [feed.name]).fetchall())
    by_hash: dict[str, str] = dict(con.execute("select content_hash, min(path) from ops.file where feed = ? group by 1", [feed.name]).fetchall())
    fresh: list[SourceFile] = []
    repeats: list[Repeat] = []
    for path, ds in discover(source, feed, night):
        stat, relative = path.stat(), path.relative_to(source).as_posix()
        if (relative, stat.st_size, stat.st_mtime_ns) in seen:
            continue
        content_hash = hash_file(path)
        file = SourceFile(len(fresh) + len(repeats) + 1, path, relative, ds, stat.st_size, stat.st_mtime_ns, content_hash)
        if (relative, content_hash) in booked:
            _touched(con, feed, file)
        elif content_hash in by_hash:
            repeats.append(Repeat(file, by_hash[content_hash]))
        else:
            by_hash[content_hash] = relative
            fresh.append(file)
    return fresh, repeats


def _touched(con: duckdb.DuckDBPyConnection, feed: Feed, file: SourceFile) -> None:
    """A file that was copied or touched since: the ledger takes its new time, so that it is not read again every night."""
    con.execute(
        "update ops.file set mtime_ns = ? where feed = ? and path = ? and content_hash = ?",
        [file.mtime_ns, feed.name, file.relative, file.content_hash],
    )


def hash_file(path: Path) -> str:
    """SHA-256 of the content."""
    digest = hashlib.sha256()
    with path.open("rb") as stream:
        while block := stream.read(HASH_BLOCK):
            digest.update(block)
    return digest.hexdigest()


def batch_id(feed: Feed, ds: date, files: list[SourceFile]) -> str:
    """The same files land under the same id, so a night that is run again replaces what a killed one left."""
    text = "|".join([feed.name, ds.isoformat(), *sorted(file.content_hash for file in files)])
    return f"{feed.name}-{ds:%Y%m%d}-{hashlib.sha256(text.encode()).hexdigest()[:12]}"
