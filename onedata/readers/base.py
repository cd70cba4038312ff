"""What every reader takes and returns, and what they share."""

import difflib
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path

from onedata.contracts.model import Feed, references
from onedata.sql import quote_text


@dataclass(frozen=True)
class SourceFile:
    """One delivered file. `number` identifies it within one landing; `ds` is the night it is for."""

    number: int
    path: Path
    relative: str
    ds: date
    size: int
    mtime_ns: int
    content_hash: str


@dataclass(frozen=True)
class FileProblem:
    """A file that cannot be read as its contract says; nothing of it lands."""

    file: SourceFile
    message: str


@dataclass(frozen=True)
class Drift:
    """A difference between a file's columns and the contract's that does not stop the file."""

    file: SourceFile
    kind: str
    column: str
    message: str


@dataclass
class Reading:
    """What a reader found.

    `query` yields one row a record, in file order: `_file_number` integer, `_raw` (the whole record as text), `_broken` (why it could
    not be taken apart, else NULL) and every source field of the feed as varchar. None where no file is readable. `columns` are each file's own, by
    file number, for formats that name them. Rejects table and `problems` are complete once the query has run; rows of a file with a problem
    must not land.
    """

    query: str | None
    problems: list[FileProblem] = field(default_factory=list)
    columns: dict[int, tuple[str, ...]] = field(default_factory=dict)
    drifts: list[Drift] = field(default_factory=list)
    rejects_table: str | None = None


def path_list(files: Sequence[SourceFile]) -> str:
    """The files' paths as an SQL list; glob characters in a name are taken literally."""
    return "[" + ", ".join(quote_text(escape_glob(str(file.path))) for file in files) + "]"


def escape_glob(path: str) -> str:
    """`path` so that DuckDB's file functions read it literally."""
    return "".join(f"[{letter}]" if letter in "*?[" else letter for letter in path)


def file_number(files: Sequence[SourceFile], name: str = "filename") -> str:
    """SQL that turns the reader's file name into the landing's file number."""
    if len(files) == 1:
        return f"{files[0].number}::integer"
    pairs = ", ".join(f"{quote_text(str(file.path))}: {file.number}" for file in files)
    return f"(map {{{pairs}}})[{name}]::integer"


def check_columns(feed: Feed, file: SourceFile, found: Sequence[str]) -> tuple[str | None, list[Drift]]:
    """Compare a file's columns with the contract's.

    Returns:
        The message that refuses the file (None if it may land) and the drifts to report.
    """
    needed = {name: item for item in feed.fields for name in references(item)}
    missing = [name for name in feed.source_fields if name not in found]
    added = [name for name in found if name not in feed.known_fields]
    for name in missing:
        required = [item.column.name for item in feed.fields if item.required and name in references(item)]
        if required:
            close = difflib.get_close_matches(name, added, n=1, cutoff=0.5)
            renamed = f" Was it renamed to {close[0]!r}?" if close else ""
            return (
                f"column {name!r} is missing, and {', '.join(required)} needs it; the file has {', '.join(map(repr, found))}.{renamed} "
                f"Ask for the file again, or change physicalName in {feed.contract.name}.",
                [],
            )
    drifts = [Drift(file, "missing", name, f"column {name!r} is missing; {needed[name].column.name} stays empty") for name in missing]
    drifts += [Drift(file, "added", name, f"column {name!r} is not in the contract; its values stay in the file") for name in added]
    return None, drifts
