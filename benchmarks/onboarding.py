"""Accuracy of `onedata feed new`: how often a drafted contract is right, and how often it is wrong without saying so.

    .venv/bin/python benchmarks/onboarding.py [--items 100] [--shared ../shared/data] [--wrong]

Each labelled header (`onboarding_labels/`) is written as a file and drafted as `feed new` drafts it; the draft is
compared with the label. `seen`, and after their first run `found` and `documented`, were used to change the matcher;
`held_out` and `unseen` were not; `found`, `documented` and `unseen` are headers of others. The same is done with the
files of the example retailers in `--shared`, against their contracts; the contracts of the retailer under test are not
known to the matcher. The last line is JSON, one object for each set.
"""

import json
import re
import shutil
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Annotated, Any

import duckdb
import typer
import yaml

from onedata.contracts import Entity, Feed, load_entities, load_feeds
from onedata.contracts.model import references
from onedata.onboarding.match import Fit, known_mappings, rank
from onedata.onboarding.new_feed import look
from onedata.onboarding.sample import Rows, Sniffed, SniffError
from onedata.onboarding.scaffold import Draft, contract_text
from onedata.settings import Settings
from onedata.sql import quote_name

LABELS = Path(__file__).with_name("onboarding_labels")
EXAMPLES = Path(__file__).parents[1] / "examples"
PLACES = {"olist_sample": "olist_sample", "online_retail": "online_retail", "real_formats": ""}
"""Example retailer to the folder below `--shared` that its contracts' paths start in."""
MARK = "guess"
Pairs = Mapping[str, frozenset[str]]


@dataclass(frozen=True)
class Label:
    """What is right for a sample: its entity, and for each source column the canonical columns that it fills.

    `either` holds columns that may be proposed or left out, `ask` those that must be marked, `first` values of the
    first row by canonical column; `places` are paths of the documents in a JSON file.
    """

    entity: str
    columns: Pairs
    either: Pairs = field(default_factory=dict)
    ask: frozenset[str] = frozenset()
    first: Mapping[str, str] = field(default_factory=dict)
    places: Sequence[str] = ()

    def of(self, which: Pairs, source: str, documents: str | None) -> frozenset[str]:
        """The canonical columns of a source column by one of the tables; its path may start at the file (in the
        label or in the draft) or at its document."""
        names = {source, f"{documents}.{source}", f"{documents}[].{source}"}
        names |= {name.removeprefix(f"{place}.") for name in names for place in self.places if place}
        return frozenset().union(*(which.get(name, frozenset()) for name in names))


@dataclass(frozen=True)
class Item:
    """A sample file with its labels; a file that several feeds read has one for each."""

    name: str
    file: Path
    labels: Sequence[Label]
    known: Sequence[Feed]


@dataclass
class Score:
    """Counts over the items of a set; `told` holds a line for each fault."""

    items: int = 0
    entities: int = 0
    columns: int = 0
    right: int = 0
    right_as_told: int = 0
    to_map: int = 0
    mapped: int = 0
    proposals: int = 0
    marked: int = 0
    wrong_unmarked: int = 0
    told: list[str] = field(default_factory=list)

    def figures(self) -> dict[str, float]:
        def share(part: int, whole: int) -> float:
            return round(part / whole, 4) if whole else 0.0

        return {
            "items": self.items,
            "entity_right": share(self.entities, self.items),
            "columns": self.columns,
            "columns_right": share(self.right, self.columns),
            "columns_right_as_told": share(self.right_as_told, self.columns),
            "mapped_right": share(self.mapped, self.to_map),
            "wrong_unmarked": share(self.wrong_unmarked, self.columns),
            "wrong_of_unmarked": share(self.wrong_unmarked, self.proposals - self.marked),
            "marked": share(self.marked, self.proposals),
        }


@dataclass(frozen=True)
class Drafted:
    """A drafted contract: its entity, the rows of the sample, and its properties, each with `marked`."""

    entity: str
    rows: Rows
    properties: Sequence[Mapping[str, Any]]


def _drafted(sniffed: Sniffed, fit: Fit, second: Fit) -> Drafted:
    """The contract as `feed new` writes it, read back."""
    text = contract_text(Draft("drafted", "drafted", "drafted.csv", sniffed, fit, second))
    lines = re.findall(r"^      (?:# )?- (\{name: \w+, .*\}) *(#.*)?$", text, re.MULTILINE)
    read = [yaml.safe_load(line) | {"marked": MARK in comment} for line, comment in lines]
    properties = {entry["name"]: entry for entry in read if entry.get("physicalName") != "..." and _sources(entry)}
    return Drafted(fit.entity.name, fit.rows, list(properties.values()))


def _sources(entry: Mapping[str, Any]) -> list[str]:
    """The source columns that a drafted property reads."""
    named = [entry["physicalName"]] if "physicalName" in entry else []
    inside = [
        name
        for name in re.findall(r"\{([^{}]+)\}", entry.get("transformLogic", ""))
        if name not in ("value", "row_identity")
    ]
    return list(
        dict.fromkeys([*(named if not inside or "{value}" in entry.get("transformLogic", "") else []), *inside])
    )


def _landed(entry: Mapping[str, Any], row: Mapping[str, str], sql_type: str, expected: str) -> bool:
    """Whether the property gives the expected value in its first row."""
    columns = ", ".join(f"? as {quote_name(name)}" for name in row)
    logic = str(entry.get("transformLogic", "{value}")).replace("{value}", f"{{{entry.get('physicalName', '')}}}")
    expression = re.sub(r"\{([^{}]+)\}", lambda found: quote_name(found[1]), logic)
    try:
        found = duckdb.execute(
            f"select ({expression})::varchar::{sql_type} = '{expected}'::{sql_type} from (select {columns})",
            list(row.values()),
        ).fetchone()
    except duckdb.Error:
        return False
    return found == (True,)


def judge(item: Item, entities: Mapping[str, Entity], score: Score) -> None:
    """Add the item to the score."""
    sniffed = look(item.file)
    ranking = rank(sniffed.rows, entities.values(), known_mappings(item.known), item.file.stem)
    drafted = _drafted(sniffed, ranking[0], ranking[1])
    label = next((label for label in item.labels if label.entity == drafted.entity), item.labels[0])
    is_right = label.entity == drafted.entity
    score.items += 1
    score.entities += is_right
    if not is_right:
        score.told.append(f"{item.name}: ENTITY {drafted.entity}, is {label.entity}")
    _judge_marks(item, label, drafted, entities, score)
    if is_right:
        as_told = drafted
    else:
        fit = next(fit for fit in ranking if fit.entity.name == label.entity)
        as_told = _drafted(sniffed, replace(fit, is_sure=True), ranking[0])
    for name, found, wanted, good in _by_source(label, as_told):
        score.columns += 1
        score.right += good and is_right
        score.right_as_told += good
        score.to_map += bool(wanted)
        score.mapped += bool(wanted) and good
        if not good:
            score.told.append(f"{item.name}: {name} -> {sorted(found)}, is {sorted(wanted)}")


def _judge_marks(item: Item, label: Label, drafted: Drafted, entities: Mapping[str, Entity], score: Score) -> None:
    """Count the properties, those with a mark, and those that are wrong without one."""
    rows = drafted.rows
    first = {source.name: source.values[0] for source in rows.fields if source.values}
    for entry in drafted.properties:
        column, sources = entry["name"], _sources(entry)
        allowed = [
            label.of(label.columns, source, rows.documents) | label.of(label.either, source, rows.documents)
            for source in sources
        ]
        fits = label.entity == drafted.entity and all(column in columns for columns in allowed)
        if fits and column in label.first and not entry["marked"]:
            fits = _landed(entry, first, entities[drafted.entity].column(column).sql_type, label.first[column])
        score.proposals += 1
        score.marked += entry["marked"]
        if not entry["marked"] and (not fits or column in label.ask):
            score.wrong_unmarked += 1
            score.told.append(f"{item.name}: UNMARKED {column} <- {', '.join(sources)}")


def _by_source(label: Label, drafted: Drafted) -> Iterator[tuple[str, set[str], frozenset[str], bool]]:
    """Each source column with the canonical columns that it fills in the draft and by the label, and whether that is
    right."""
    proposed: dict[str, set[str]] = {source.name: set() for source in drafted.rows.fields}
    for entry in drafted.properties:
        for source in _sources(entry):
            proposed[source].add(entry["name"])
    filled = {column for columns in proposed.values() for column in columns}
    by_other = {column for columns in label.either.values() for column in columns if column in filled}
    for name, found in proposed.items():
        wanted = label.of(label.columns, name, drafted.rows.documents)
        maybe = label.of(label.either, name, drafted.rows.documents)
        yield name, found, wanted, found <= wanted | maybe and wanted - by_other <= found


def labelled(name: str, folder: Path, known: Sequence[Feed]) -> Iterator[Item]:
    """The items of one file of labels, their samples written below `folder`."""
    for content in yaml.safe_load((LABELS / f"{name}.yaml").read_text(encoding="utf-8")):
        file = folder / content["name"] / content["file"]
        file.parent.mkdir()
        shutil.copyfile(LABELS / name / f"{content['name']}.csv", file)
        label = Label(
            content["entity"],
            _pairs(content["columns"]),
            _pairs(content.get("either", {})),
            frozenset(content.get("ask", ())),
            content.get("first", {}),
        )
        yield Item(content["name"], file, [label], known)


def _pairs(content: Mapping[str, str | list[str]]) -> Pairs:
    return {source: frozenset([column] if isinstance(column, str) else column) for source, column in content.items()}


def examples(shared: Path, entities: Mapping[str, Entity], known: Sequence[Feed]) -> Iterator[Item]:
    """The first file of each contract of the example retailers, as far as it is there."""
    for retailer, place in PLACES.items():
        own = load_feeds(EXAMPLES / retailer / "contracts", entities)
        others = [feed for feed in known if feed.name not in {mine.name for mine in own}]
        for contract in sorted({feed.contract for feed in own}):
            feeds = [feed for feed in own if feed.contract == contract]
            files = sorted((shared / place).glob(feeds[0].location.path.replace("{ds}", "*")))
            if files:
                yield Item(contract.name, files[0], [_by_contract(feed) for feed in feeds], others)


def _by_contract(feed: Feed) -> Label:
    """The contract as a label: what it maps unchanged is to be found, what it computes may be."""
    columns: dict[str, frozenset[str]] = {}
    either: dict[str, frozenset[str]] = {}
    for mapped in feed.fields:
        for source in references(mapped):
            into = either if mapped.logic else columns
            into[source] = into.get(source, frozenset()) | {mapped.column.name}
    places = tuple(feed.location.options.get("documents", "").split("|"))
    return Label(feed.entity.name, columns, either, places=places)


def main(
    items: Annotated[int, typer.Option(help="At most so many items of each set.")] = 1000,
    shared: Annotated[Path, typer.Option(help="Folder of the real data sets.")] = Path("../shared/data"),
    wrong: Annotated[bool, typer.Option(help="Print each fault.")] = False,
    sets: Annotated[str, typer.Option(help="Sets to measure.")] = "seen,held_out,found,documented,unseen,examples",
) -> None:
    """Measure the drafts of `feed new` on labelled headers and on the example retailers."""
    entities = load_entities(Settings().canonical)
    folders = [Settings().contracts, *sorted(EXAMPLES.glob("*/contracts"))]
    known = [feed for folder in folders for feed in load_feeds(folder, entities)]
    result: dict[str, dict[str, float]] = {}
    for name in sets.split(","):
        score = Score()
        with tempfile.TemporaryDirectory(prefix="onedata-onboarding-") as folder:
            found = examples(shared, entities, known) if name == "examples" else labelled(name, Path(folder), known)
            for number, item in enumerate(found):
                if number < items:
                    try:
                        judge(item, entities, score)
                    except SniffError as error:
                        score.items += 1
                        score.told.append(f"{item.name}: {error}")
        if wrong:
            typer.echo("\n".join(score.told))
        result[name] = score.figures()
    typer.echo(json.dumps(result))


if __name__ == "__main__":
    typer.run(main)
