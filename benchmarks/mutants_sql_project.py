"""Every mutant of one operator in the dbt project's SQL, and the list of equivalent ones."""

from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

from checkout import REPOSITORY
from mutants_listed import Key, Site, files_in, reasons_in
from mutants_sql_sites import changes, marked, spans

PROJECT = REPOSITORY / "dbt_project"
LISTED = Path(__file__).with_name("mutants_sql_equivalent.yaml")
LAYERS = ("dim", "dwd", "dws", "ads")
MACROS = ("latest_version", "several_feeds", "currency")


@dataclass(frozen=True)
class Mutant(Site):
    """One change in one file; `place` is its number in the marked SQL."""

    place: int

    @property
    def layer(self) -> str:
        return Path(self.file).parent.name


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
            project.mutants.append(Mutant(name, line, words, change, seen[words, change.told], place))
        project.texts[name] = marked(text, places, first)
        first += len(places)
    return project


def listed(project: Project) -> dict[Key, str]:
    """Equivalent mutants with the reason, as listed in mutants_sql_equivalent.yaml.

    Raises:
        ValueError: an entry matches no mutant, or several without `nth`.
    """
    strange = files_in(LISTED) - {mutant.file for mutant in project.mutants}
    if strange:
        raise ValueError(f"{LISTED.name}: {', '.join(sorted(strange))} fits no mutant")
    return reasons_in(LISTED, project.mutants)
