"""What looking at a sample file comes to: formats, fields and values; shared by what looks (sniff) and what uses it
(match, scaffold)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from onedata.errors import OnedataError

SAMPLE_ROWS = 200
MOST_BYTES = 64 << 20
"""What is looked at as a whole (a JSON document, XML) may be this large."""


class SniffError(OnedataError):
    """The sample is not something a reader takes; the text says what to do."""


@dataclass(frozen=True)
class SourceField:
    """A field by the name a contract gives it (`physicalName`), with the values of the sample that are not empty."""

    name: str
    values: Sequence[str]


@dataclass(frozen=True)
class Rows:
    """One way to take rows out of the file: each document (or line), or each member of the array or repeated element
    `records`.

    `documents` says where in a JSON file its documents are, where not at the top.
    """

    records: str | None
    fields: Sequence[SourceField]
    documents: str | None = None


@dataclass(frozen=True)
class Sniffed:
    """A sample's format, reader options that differ from the defaults, ways to take rows out of it, and what a person
    should know."""

    format: str
    options: Mapping[str, str]
    rows: Sequence[Rows]
    notes: Sequence[str] = field(default_factory=tuple)
