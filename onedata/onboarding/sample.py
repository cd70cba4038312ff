"""Result of sniffing a sample file: format, fields and values; shared by sniff, match and scaffold."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from onedata.errors import OnedataError

SAMPLE_ROWS = 200
MOST_BYTES = 64 << 20
"""What is looked at as a whole (a JSON document, XML) may be this large."""


class SniffError(OnedataError):
    """No reader supports the sample; the message says what to do."""


@dataclass(frozen=True)
class SourceField:
    """A field by its name in a contract (`physicalName`), with the non-empty values of the sample."""

    name: str
    values: Sequence[str]


@dataclass(frozen=True)
class Rows:
    """One way to extract rows from the file: each document (or line), or each member of the array or repeated element
    `records`.

    `documents` is the path of the documents in a JSON file, if they are not at the top level.
    """

    records: str | None
    fields: Sequence[SourceField]
    documents: str | None = None


@dataclass(frozen=True)
class Sniffed:
    """A sample's format, reader options that differ from the defaults, ways to extract rows, and notes for the user."""

    format: str
    options: Mapping[str, str]
    rows: Sequence[Rows]
    notes: Sequence[str] = field(default_factory=tuple)
