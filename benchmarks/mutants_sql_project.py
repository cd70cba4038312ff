"""Every mutant of one operator in the dbt project's SQL, and the list of equivalent ones."""

from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

import yaml
from checkout import REPOSITORY
from mutants_sql_sites import Change, changes, marked, spans

PROJECT = REPOSITORY / "dbt_project"
LISTED = Path(__file__).with_name("mutants_sql_equivalent.yaml")
LAYERS = ("dim", "dwd", "dws", "ads")
MACROS = ("latest_version", "currency")


@dataclass(frozen=True)
class Mutant:
    """One change in one file; `place` is its number in the marked SQL, `nth` its number among equal changes of equal
    lines of the file."""

    file: str
    line: int
    text: str
    change: Change
    place: int
    nth: int

    @property
    def layer(self) -> str:
        return Path(self.file).parent.name

    @property
    def key(self) -> tuple[str, str, str, int]:
        return self.file, self.text, self.change.told, self.nth


@dataclass
class Project:
    """The models' files, all their mutants, and the marked texts to build."""

    mutants: list[Mutant] = field(default_factory=list)
    texts: dict[str, str] = field(default_factory=dict)


def read_project(folder: Path) -> Project:
    """Mutants of the models and macros below `folder`, in file order."""
    files = sorted(file for layer in LAYERS for file in (folder / "models" / layer).glob("*.sql"))
    files += [folder / "macros" / f"{name}.sql" for name in MACROS]
    project, first = Project(), 0
    for file in files:
        name, text = file.relative_to(folder).as_posix(), file.read_text(encoding="utf-8")
        found = changes(text)
        places = spans(found)
        numbers = {span: number for number, span in enumerate(places, first)}
        seen: Counter[tuple[str, str]] = Counter()
        for change in found:
            line = text.count("\n", 0, change.start) + 1
            words = text.splitlines()[line - 1].strip()
            seen[words, change.told] += 1
            place = numbers[change.start, change.end]
            project.mutants.append(Mutant(name, line, words, change, place, seen[words, change.told]))
        project.texts[name] = marked(text, places, first)
        first += len(places)
    return project


def listed(project: Project) -> dict[tuple[str, str, str, int], str]:
    """Equivalent mutants with the reason, as listed in mutants_sql_equivalent.yaml.

    Raises:
        ValueError: an entry matches no mutant, or several without `nth`.
    """
    known = Counter((mutant.file, mutant.text, mutant.change.told) for mutant in project.mutants)
    reasons: dict[tuple[str, str, str, int], str] = {}
    for group in yaml.safe_load(LISTED.read_text(encoding="utf-8")) or []:
        for entry in group["mutants"]:
            key = (str(group["file"]), str(entry["line"]), str(entry["change"]))
            nth = entry.get("nth", 1 if known[key] == 1 else 0)
            numbers = range(1, known[key] + 1) if nth == "all" else range(nth, nth + 1)
            if not 1 <= min(numbers, default=0) <= max(numbers, default=0) <= known[key]:
                raise ValueError(f"{LISTED.name}: {key} fits {known[key]} mutants; say which by nth")
            reasons |= {(*key, number): str(group["reason"]) for number in numbers}
    return reasons
