"""Input and output types of all readers, and shared helpers."""

import difflib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path

from onedata.contracts.model import Feed, placeholders, references
from onedata.masking import PLAIN_VALUE, mask, mask_error
from onedata.sql import escape_glob, quote_text

MAX_ADDED = 1_000


@dataclass(frozen=True)
class SourceFile:
    """One delivered file. `number` identifies it within one landing; `ds` is its night; `origin` is its path at the
    source, if that is on this machine: a file that changes there during the read does not land. `edition` numbers the
    contents that came under the file's name, in order of arrival: a later one corrects the earlier."""

    number: int
    path: Path
    relative: str
    ds: date
    size: int
    mtime_ns: int
    content_hash: str
    origin: Path | None = None
    edition: int = 1


@dataclass(frozen=True)
class FileProblem:
    """A file that cannot be read according to its contract; none of its rows land."""

    file: SourceFile
    message: str

    def __post_init__(self) -> None:
        object.__setattr__(self, "message", mask_error(self.message))


@dataclass(frozen=True)
class Drift:
    """A difference between a file's columns and the contract's that does not refuse the file."""

    file: SourceFile
    kind: str
    column: str
    message: str

    def __post_init__(self) -> None:
        for name in ("column", "message"):
            object.__setattr__(self, name, mask(getattr(self, name)))


@dataclass(frozen=True)
class Piece:
    """A query for a part of a file's records. It yields `rows` of them if each record is one line; otherwise its
    `_row`, and that of later pieces, is wrong. `strict` is the same by `Part.strict`, if the part has that."""

    query: str
    rows: int
    strict: str = ""


@dataclass(frozen=True)
class Part:
    """One file as a query: one row per record, in file order.

    `query` yields `_row` bigint (row number in the file, from 1), every source field of the feed, and the inputs of
    `raw`, `place`, `broken` and `extra`. Source fields are varchar, except those in `types`, which have the given
    DuckDB type. They are SQL over the query's columns, evaluated only for the rows that need them: `raw` is the whole
    record as text; if it is NULL, the record is fetched by `place` (see `Reading.raw_of`); `broken` is the reason why
    the record could not be parsed (None if that cannot happen), and `is_told` whether the contract's condition can be
    told of it all the same; `extra` holds the fields unknown to the contract, as a JSON object. `cut` returns at most
    the given number of pieces that together equal `query`, for parallel reading where `PieceFiles` is registered;
    none if the file cannot be split. `strict` reads the same records cheaper: its query fails where a record is not
    as usual as that takes it.
    """

    file: SourceFile
    query: str
    raw: str = "null::varchar"
    place: str = "_row"
    broken: str | None = None
    extra: str | None = None
    is_told: str = "false"
    types: Mapping[str, str] = field(default_factory=dict)
    cut: Callable[[int], Sequence[Piece]] = lambda _: ()
    strict: "Part | None" = None


@dataclass
class Reading:
    """What a reader found in the files of one delivery.

    `columns` are each file's own, by file number, for formats with column names, and `column_types` for typed formats.
    `rejects_table` and `problems` are complete once the parts have run; rows of a file with a problem must not land.
    """

    parts: list[Part] = field(default_factory=list)
    problems: list[FileProblem] = field(default_factory=list)
    columns: dict[int, tuple[str, ...]] = field(default_factory=dict)
    column_types: dict[int, dict[str, str]] = field(default_factory=dict)
    drifts: list[Drift] = field(default_factory=list)
    rejects_table: str | None = None

    def raw_of(self, file: SourceFile, places: Sequence[int]) -> Iterator[tuple[int, str]]:
        """The raw text of the records at `places` (ascending), from a second read of the file, so only invalid rows
        cost that read."""
        raise NotImplementedError(f"{file.relative}: this reader gives every raw record of {len(places)} at once")


def file_literal(path: Path) -> str:
    """A path as an SQL string that DuckDB's file functions read literally."""
    return quote_text(escape_glob(str(path)))


def check_columns(feed: Feed, file: SourceFile, found: Sequence[str]) -> tuple[str | None, list[Drift]]:
    """Compare a file's columns with the contract's, and apply its drift policy.

    Returns:
        The message that refuses the file (None if it may land) and the drifts to report.
    """
    needed = {name: item for item in feed.fields for name in references(item)}
    missing = [name for name in feed.source_fields if name not in found]
    added = [name for name in found if name not in feed.known_fields]
    named = are_names(found) and (not missing or any(name in feed.known_fields for name in found))
    for name in missing:
        required = [item.column.name for item in feed.fields if item.required and name in references(item)]
        required += ["where"] if name in placeholders(feed.condition or "") else []
        if required or feed.drift["missing"] == "refuse":
            if not named:
                return (
                    f"column {name!r} is missing, and the first line holds values where it should hold names. Ask for "
                    "the file with its header.",
                    [],
                )
            close = difflib.get_close_matches(name, added, n=1, cutoff=0.5)
            renamed = f" Was it renamed to {close[0]!r}?" if close else ""
            why = f"{', '.join(required)} needs it" if required else "onDrift says missing: refuse"
            return (
                f"column {name!r} is missing, and {why}; the file has {', '.join(map(repr, found))}.{renamed} "
                f"Ask for the file again, or change physicalName in {feed.contract.name}.",
                [],
            )
    if added and feed.drift["added"] == "refuse":
        names = ", ".join(map(repr, added)) if named else "that is a value and no name"
        return (
            f"column {names} is not in the contract, and onDrift says added: refuse. Map it or list it as unmapped in "
            f"{feed.contract.name}.",
            [],
        )
    drifts = [
        Drift(file, "missing", name, f"column {name!r} is missing; {needed[name].column.name} stays empty")
        for name in missing
    ]
    return None, drifts + added_drifts(feed, file, added, named)


def _refused_as_added(feed: Feed, added: Sequence[str]) -> str | None:
    """The message that refuses a file of documents for its members unknown to the contract: for their number, or by its
    drift policy."""
    if len(added) > MAX_ADDED:
        return (
            f"the file has {len(added):,} members that are not in the contract ({added[0]!r}, {added[1]!r}, "
            "...): are names used as values? Ask for a list."
        )
    if added and feed.drift["added"] == "refuse":
        return (
            f"member {', '.join(map(repr, added))} is not in the contract, and onDrift says added: refuse. Map it or "
            f"list it as unmapped in {feed.contract.name}."
        )
    return None


def note_members(feed: Feed, file: SourceFile, members: Sequence[str], added: Sequence[str], reading: Reading) -> bool:
    """Record a file's members, and those that the contract does not know, in a reading; False if they refuse it."""
    if refusal := _refused_as_added(feed, added):
        reading.problems.append(FileProblem(file, refusal))
        return False
    reading.columns[file.number] = tuple(members)
    reading.drifts += added_drifts(feed, file, added)
    return True


def no_records(feed: Feed, what: str) -> str:
    """The message that refuses a file in which no row was found."""
    return (
        f"there is {what}: was it renamed? Ask for the file as agreed, or change {feed.contract.name}; if a file "
        "without rows is sent on purpose, say emptyOk: true there."
    )


def are_names(found: Sequence[str]) -> bool:
    """Whether a header contains names. If it contains a number, day, e-mail, phone or card, it is a data row, and no
    message quotes its values."""
    return not any(PLAIN_VALUE.fullmatch(name.strip()) or mask(name) != name for name in found)


def added_drifts(feed: Feed, file: SourceFile, added: Sequence[str], named: bool = True) -> list[Drift]:
    """Drifts for fields unknown to the contract, and where their values are kept; `named` if they are names and not
    values."""
    kept = "its values are kept in _extra" if feed.drift["added"] == "keep" else "its values stay in the file"
    if not named:
        return [
            Drift(
                file,
                "added",
                "",
                f"the first line holds values where it should hold names; {kept}. Ask for the file with its header.",
            )
        ]
    return [Drift(file, "added", name, f"column {name!r} is not in the contract; {kept}") for name in added]
