"""Common types of all sources, and the night in a file name."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path

from onedata.errors import OnedataError

WILD = re.compile(r"(\{ds\}|\*)")


@dataclass(frozen=True)
class Offer:
    """One file or table that a source offers for a night.

    `name` is its name in the ledger, always storable text; size in bytes and modification time in nanoseconds show
    whether it has changed. `path` is the local file (None: it must be fetched). `refused` is the reason why it must not
    be read.
    """

    ds: date
    name: str
    size: int
    mtime_ns: int
    path: Path | None = None
    refused: str | None = None


class SourceError(OnedataError):
    """A source cannot be read at all; the message names the source and the fix."""


class SourceMissing(SourceError):
    """The source folder does not exist."""


def name_pattern(path: str) -> re.Pattern[str]:
    """A contract's path as a regular expression for full names: `{ds}` matches a day, `*` anything within a name."""
    known = {"{ds}": r"(?P<ds>\d{4}-\d{2}-\d{2})", "*": "[^/]*"}
    return re.compile("".join(known.get(part, re.escape(part)) for part in WILD.split(path)))


def night_of(match: re.Match[str], night: date) -> date | None:
    """The night that a name belongs to: the day in the name, or the running night; None if the day is not a calendar
    date."""
    if "ds" not in match.re.groupindex:
        return night
    try:
        return date.fromisoformat(match["ds"])
    except ValueError:
        return None


def in_order(found: Sequence[Offer]) -> list[Offer]:
    return sorted(found, key=lambda offer: (offer.ds, offer.name))
