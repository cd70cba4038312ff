"""Files that the retailer keeps by hand beside its settings: offered to every night, and read from a copy that says
when it was taken, so that each save is a statement of its own that replaces the one before whole."""

from codecs import BOM_UTF8
from collections.abc import Iterator
from datetime import date, datetime
from pathlib import Path

from onedata.sources import Offer, SourceMissing

TAKEN_AT = b"taken_at"
"""The field that the copy has more than the file; the contracts in data_contracts/own map it to `updated_at`."""


def own_file_offer(file: Path, name: str, setting: str, night: date) -> Iterator[Offer]:
    """The file as an offer of `night`, under its name in the ledger.

    Raises:
        SourceMissing: there is no such file.
    """
    if not file.is_file():
        raise SourceMissing(f"{file} is no file: write it, or correct the setting {setting}")
    stat = file.stat()
    yield Offer(night, name, stat.st_size, stat.st_mtime_ns, file)


def has_rows(file: Path) -> bool:
    """Whether the file is there and says something: more than its header, comments and blank lines. What lands of a
    file without a row does not tell that the save before it no longer holds."""
    return file.is_file() and len(list(_lines(file))) > 1


def write_stamped(file: Path, target: Path, moment: datetime) -> None:
    """Copy a CSV of simple rows without its comments (lines that begin with #) and blank lines, and add the field
    `taken_at` to each row (UTC)."""
    more = TAKEN_AT
    with target.open("wb") as copy:
        for text in _lines(file):
            copy.write(text + b"," + more + b"\n")
            more = moment.isoformat(sep=" ").encode()


def _lines(file: Path) -> Iterator[bytes]:
    """The lines that are neither blank nor comments."""
    with file.open("rb") as source:
        for line in source:
            text = line.removeprefix(BOM_UTF8).rstrip()
            if text and not text.startswith(b"#"):
                yield text
