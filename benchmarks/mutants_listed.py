"""Shared by the mutants of Python and of SQL: the key of a mutant, the list of equivalent ones, and the report."""

import json
import time
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NoReturn

import typer
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


@dataclass
class Tally:
    """Counts of verdicts by group, printed as they come.

    Args:
        reasons: Equivalent mutants.
        special: A verdict that counts as killed and is also counted apart: `timeout` or `broken`.
        show_all: Print killed and equivalent mutants too.
    """

    reasons: Mapping[Key, str]
    special: str
    show_all: bool
    groups: dict[str, Counter[str]] = field(default_factory=lambda: defaultdict(Counter))
    began: float = field(default_factory=time.monotonic)

    def take(self, group: str, mutant: Site, place: str, verdict: str) -> None:
        """Count a verdict: killed, survived, error, or the special one with words after it."""
        stale = mutant.key in self.reasons and verdict != "survived"
        if mutant.key in self.reasons:
            verdict = f"{verdict}, though listed as equivalent" if stale else "equivalent"
        special = verdict.startswith(self.special)
        self.groups[group].update(
            {
                "mutants": 1,
                "killed": int(special or verdict.startswith("killed")),
                self.special: int(special),
                "equivalent": int(verdict == "equivalent"),
                "survived": int(verdict in ("survived", "error")),
                "stale": int(stale),
            }
        )
        if self.show_all or stale or verdict in ("survived", "error"):
            typer.echo(f"{verdict}  {place}  {mutant.change.told}  | {mutant.text}")

    def end(self, by: str, **more: Any) -> NoReturn:
        """Print the counts as a line of JSON; exit code 1 if a mutant survived or an entry of the list is stale."""
        total: Counter[str] = Counter()
        for counts in self.groups.values():
            total.update(counts)
        report = {**total, **more, by: self.groups, "wall_s": round(time.monotonic() - self.began, 1)}
        typer.echo(json.dumps(report))
        raise typer.Exit(1 if total["survived"] or total["stale"] else 0)
