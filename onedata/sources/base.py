"""What every source gives, and the names of files by night."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path

from onedata.errors import OnedataError

WILD = re.compile(r"(\{ds\}|\*)")


@dataclass(frozen=True)
class Offer:
    """Something a source has for a night.

    `name` is its name in the ledger, always text that can be stored; with size in bytes and modification time in
    nanoseconds it tells whether it has changed. `path` is the local file (None: it has to be fetched). `refused` says
    why it must not be read.
    """

    ds: date
    name: str
    size: int
    mtime_ns: int
    path: Path | None = None
    refused: str | None = None


class SourceError(OnedataError):
    """A source cannot be read as a whole; the text names it and the fix."""


class SourceMissing(SourceError):
    """The source folder does not exist."""


def name_pattern(path: str) -> re.Pattern[str]:
    """A contract's path as a pattern of whole names: `{ds}` a day, `*` anything within a name."""
    known = {"{ds}": r"(?P<ds>\d{4}-\d{2}-\d{2})", "*": "[^/]*"}
    return re.compile("".join(known.get(part, re.escape(part)) for part in WILD.split(path)))


def night_of(match: re.Match[str], night: date) -> date | None:
    """The night a name is for: its own day, or the running night; None where its day is none of the calendar."""
    if "ds" not in match.re.groupindex:
        return night
    try:
        return date.fromisoformat(match["ds"])
    except ValueError:
        return None


def in_order(found: Sequence[Offer]) -> list[Offer]:
    return sorted(found, key=lambda offer: (offer.ds, offer.name))
