"""What a mutant is known by, whichever language it is of, and those that are listed as changing nothing."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import yaml
from mutants_sql_sites import Change

Key = tuple[str, str, str, int]


@dataclass(frozen=True)
class Site:
    """One change in one file: `text` is its line, `nth` its number among equal changes of equal lines of the file."""

    file: str
    line: int
    text: str
    change: Change
    nth: int

    @property
    def key(self) -> Key:
        return self.file, self.text, self.change.told, self.nth


def reasons_in(listing: Path, mutants: Sequence[Site]) -> dict[Key, str]:
    """Which of the mutants the listing says change nothing, with the reason; entries of files that no mutant is of are
    passed over.

    Raises:
        ValueError: an entry fits no mutant of its file, or several and does not say which (`nth`).
    """
    known = Counter((mutant.file, mutant.text, mutant.change.told) for mutant in mutants)
    files = {mutant.file for mutant in mutants}
    reasons: dict[Key, str] = {}
    for group in yaml.safe_load(listing.read_text(encoding="utf-8")) or []:
        for entry in group["mutants"] if group["file"] in files else ():
            key = (str(group["file"]), str(entry["line"]), str(entry["change"]))
            nth = entry.get("nth", 1 if known[key] == 1 else 0)
            numbers = range(1, known[key] + 1) if nth == "all" else range(nth, nth + 1)
            if not 1 <= min(numbers, default=0) <= max(numbers, default=0) <= known[key]:
                raise ValueError(f"{listing.name}: {key} fits {known[key]} mutants; say which by nth")
            reasons |= {(*key, number): str(group["reason"]) for number in numbers}
    return reasons


def files_in(listing: Path) -> set[str]:
    """The files that the listing names."""
    return {str(group["file"]) for group in yaml.safe_load(listing.read_text(encoding="utf-8")) or []}
