"""The log beside the lake: what cannot be computed from the lake. Append-only, one file per entry.

`lake/_log/<kind>/<time>.json`; the time is from the ledger's clock, so that entries sorted by name are in the order of
the events.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from onedata.durable import make_folders, write_durably
from onedata.errors import OnedataError
from onedata.sealed import seal, unseal


@dataclass(frozen=True)
class Entry:
    """One entry of the log."""

    at: datetime
    content: Mapping[str, Any]
    file: Path


class LogDamaged(OnedataError):
    """An entry of the log cannot be read; the text names the file."""


def log_folder(lake: Path, kind: str) -> Path:
    """Folder of the entries of a kind."""
    return lake / "_log" / kind


def append(lake: Path, kind: str, at: datetime, content: Mapping[str, Any]) -> None:
    """Write one entry durably."""
    folder = log_folder(lake, kind)
    make_folders(folder)
    write_durably(folder / f"{at:%Y%m%dT%H%M%S.%f}.json", seal({"at": at.isoformat(), **content}))


def entries(lake: Path, kind: str) -> Iterator[Entry]:
    """The entries of a kind in the order of the events.

    Raises:
        LogDamaged: one cannot be read.
    """
    for file in sorted(log_folder(lake, kind).glob("*.json")):
        yield read_entry(file)


def read_entry(file: Path) -> Entry:
    """One entry.

    Raises:
        LogDamaged: it cannot be read, or is not what was written.
    """
    try:
        content = unseal(file.read_text(encoding="utf-8"))
        return Entry(datetime.fromisoformat(content.pop("at")), content, file)
    except (ValueError, KeyError) as error:
        raise LogDamaged(
            f"{file} is damaged ({error}); restore it from a back-up (`onedata repair --from BACKUP`)."
        ) from None  # a run tells its first cause, which would be the words without the file
