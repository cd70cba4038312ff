"""Match source fields to canonical columns, by name, by values and by the mappings of other contracts; and find the
entity that fits a file best."""

import difflib
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cache

from onedata.contracts.model import Column, Entity, Feed
from onedata.onboarding.sample import Rows, SourceField

LEAST = 0.6
ISO_DAY = re.compile(r"\d{4}-\d{2}-\d{2}")
ISO_TIME = re.compile(r"\d{4}-\d{2}-\d{2}[T ]\d{2}:\d{2}(:\d{2}(\.\d+)?)?( ?(Z|[+-]\d{2}(:?\d{2})?))?")
EMAIL = re.compile(r"[^@\s]+@[^@\s]+\.[^@\s]+")
NUMBER = re.compile(r"[+-]?\d+(\.\d+)?([eE][+-]?\d+)?")
COMMA = re.compile(r"[+-]?(\d{1,3}(\.\d{3})+|\d+),\d+|[+-]?\d{1,3}(\.\d{3})+|[+-]?\d+")
THOUSANDS = re.compile(r"[+-]?\d{1,3}(,\d{3})+(\.\d+)?|[+-]?\d+(\.\d+)?")
BOOLEANS = {"true", "false", "t", "f", "yes", "no", "y", "n", "0", "1"}
DAYS = ("%d.%m.%Y", "%d/%m/%Y", "%m/%d/%Y", "%Y/%m/%d", "%d-%m-%Y", "%Y%m%d")
TIMES = ("", " %H:%M", " %H:%M:%S")
EPOCHS = {10: " * 1000000", 13: " * 1000", 16: ""}
"""Digits of a count since 1970 in this century, and what makes microseconds of it."""
Known = Mapping[tuple[str, str], frozenset[str]]


@dataclass(frozen=True)
class Mapped:
    """A column with the field that fills it; `logic` is the transformLogic if its values must be converted, `score` is
    between 0 and 1."""

    column: Column
    field: SourceField
    logic: str | None
    score: float


@dataclass(frozen=True)
class Fit:
    """How well a way to extract rows from a file fits an entity, from 0 to 1."""

    entity: Entity
    rows: Rows
    mapped: Sequence[Mapped]
    score: float

    @property
    def needed(self) -> list[Column]:
        """Required columns and key columns that no field fills."""
        found = {item.column.name for item in self.mapped}
        return [
            column
            for column in self.entity.columns
            if (column.required or column.name in self.entity.key) and column.name not in found
        ]

    @property
    def unmapped(self) -> list[SourceField]:
        used = {item.field.name for item in self.mapped}
        return [item for item in self.rows.fields if item.name not in used]


def known_mappings(feeds: Iterable[Feed]) -> Known:
    """(entity, column) to the names of fields from which contracts already fill it unchanged."""
    found: dict[tuple[str, str], set[str]] = {}
    for feed in feeds:
        for item in feed.fields:
            if item.physical_name and not item.logic:
                found.setdefault((feed.entity.name, item.column.name), set()).add(_names(item.physical_name)[0])
    return {key: frozenset(names) for key, names in found.items()}


def rank(rows: Sequence[Rows], entities: Iterable[Entity], known: Known, name: str) -> list[Fit]:
    """Every entity with its best way to extract rows from the file called `name`, best fit first."""
    best = [max((fit(entity, way, known, name) for way in rows), key=lambda item: item.score) for entity in entities]
    return sorted(best, key=lambda item: (-item.score, item.entity.name))


def fit(entity: Entity, rows: Rows, known: Known, name: str) -> Fit:
    """Assign to each column the field that fits it best, best pairs first; each field fills one column, except that a
    time may also fill the day."""
    pairs = sorted(
        (
            (score, column.name, item.name)
            for column in entity.columns
            for item in rows.fields
            if (score := _score(entity, column, item, known)) >= LEAST
        ),
        key=lambda pair: (-pair[0], pair[1:]),
    )
    fields = {item.name: item for item in rows.fields}
    chosen: dict[str, Mapped] = {}
    used: set[str] = set()
    for score, target, source in pairs:
        if target not in chosen and source not in used:
            column = entity.column(target)
            chosen[target] = Mapped(column, fields[source], adapted(column, fields[source].values)[1], score)
            used.add(source)
    _tell_the_day(entity, chosen)
    mapped = [chosen[column.name] for column in entity.columns if column.name in chosen]
    return Fit(entity, rows, mapped, _fitness(entity, rows, mapped, name))


def _fitness(entity: Entity, rows: Rows, mapped: Sequence[Mapped], name: str) -> float:
    """Dice coefficient (Dice 1945): twice the matches, over the fields plus the columns that are mapped or needed."""
    needed = {column.name for column in entity.columns if column.required or column.name in entity.key}
    found = sum(item.score * (2 if item.column.name in needed else 1) for item in mapped)
    wanted = 2 * len(needed) + len({item.column.name for item in mapped} - needed)
    score = 2 * found / (wanted + len(rows.fields))
    words = set(re.sub(r"s\b", "", " ".join(re.findall("[a-z]+", name.lower()))).split())
    if rows.records is not None:
        inner = [item for item in mapped if item.field.name.startswith((f"{rows.records}[].", f"{rows.records}/"))]
        score = score * 0.9 if len(inner) > 1 else 0.0  # one matching member does not justify exploding
    return round(0.85 * score + (0.15 if words & set(entity.name.split("_")) else 0.0), 3)


def _tell_the_day(entity: Entity, chosen: dict[str, Mapped]) -> None:
    """Fill a required day without its own field from the row's required time."""
    times = [
        item for item in chosen.values() if item.column.type == "timestamp" and item.field.values and not item.logic
    ]
    first = next(iter(sorted(times, key=lambda item: not item.column.required)), None)
    for column in entity.columns:
        if first and column.type == "date" and column.required and column.name not in chosen:
            chosen[column.name] = Mapped(column, first.field, "left({value}, 10)", LEAST)


def _score(entity: Entity, column: Column, field: SourceField, known: Known) -> float:
    """Confidence that the field fills the column; 0 if its values do not have the column's type."""
    if not adapted(column, field.values)[0]:
        return 0.0
    last, whole = _names(field.name)
    scores = [_alike(whole, column.name), 0.97 * _alike(last, column.name)]
    if last in known.get((entity.name, column.name), ()):
        scores.append(0.9)
    elif any(last in names for (_, name), names in known.items() if name == column.name):
        scores.append(0.75)
    if (
        last in ("id", "number", "no")
        and column.name in entity.key
        and set(column.name.split("_")) & set(entity.name.split("_"))
    ):
        scores.append(0.8)
    kind = column.identifier.type if column.identifier else ""
    if field.values and kind == "email":
        scores = [0.9 + 0.1 * max(scores) if all(EMAIL.fullmatch(value) for value in field.values) else 0.0]
    return max(scores)


@cache
def _alike(name: str, column: str) -> float:
    if name == column:
        return 1.0
    mine, theirs = set(name.split("_")), set(column.split("_"))
    shared = len(mine & theirs) / len(mine | theirs)
    ratio = difflib.SequenceMatcher(None, name, column).ratio()
    return max(0.9 * ratio if ratio > 0.8 else 0.0, 0.95 * shared if shared > 0.6 else 0.0)


def _names(path: str) -> tuple[str, str]:
    """A field's own name, and its name with that of its parent, in the style of canonical columns: (email,
    customer_email)."""
    keyed = re.sub(r"\[\w+=([^\]]+)\][^/]*$", r".\1", path)
    steps = [step for step in re.split(r"[./]", re.sub(r"\[[^\]]*\]", "", keyed)) if step]
    names = [
        re.sub(r"[^a-z0-9]+", "_", re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", step).lower()).strip("_") for step in steps
    ] or [""]
    parent = re.sub(r"s$", "", names[-2]) if len(names) > 1 else ""
    return names[-1], f"{parent}_{names[-1]}" if parent else names[-1]


def adapted(column: Column, values: Sequence[str]) -> tuple[bool, str | None]:
    """Whether the values have the column's type, and the transformLogic that converts them if they need it."""
    if column.type == "text" or not values:
        return True, None
    if column.type == "boolean":
        return all(value.lower() in BOOLEANS for value in values), None
    if column.type in ("integer", "decimal", "double"):
        return _number(values)
    if all(ISO_TIME.fullmatch(value) for value in values):
        return True, "left({value}, 10)" if column.type == "date" else None
    if all(ISO_DAY.fullmatch(value) for value in values):
        return True, None
    turned = _moment(values)
    cast = "::date::varchar" if column.type == "date" else "::varchar"
    return turned is not None, f"coalesce({turned}{cast}, {{value}})" if turned else None


def _number(values: Sequence[str]) -> tuple[bool, str | None]:
    if all(NUMBER.fullmatch(value) for value in values):
        return True, None
    if all(COMMA.fullmatch(value) for value in values):
        return True, "replace(replace({value}, '.', ''), ',', '.')" if any(
            "." in value for value in values
        ) else "replace({value}, ',', '.')"
    return all(THOUSANDS.fullmatch(value) for value in values), "replace({value}, ',', '')"


def _moment(values: Sequence[str]) -> str | None:
    """SQL that converts every value to a day or time; the first format that works."""
    digits = {len(value) for value in values}
    if len(digits) == 1 and all(value.isdigit() for value in values) and digits <= EPOCHS.keys():
        return f"make_timestamp(try_cast({{value}} as bigint){EPOCHS[digits.pop()]})"
    for day in DAYS:
        for time in TIMES:
            if all(_parses(value, day + time) for value in values):
                return f"try_strptime({{value}}, '{day}{time}')"
    return None


def _parses(value: str, layout: str) -> bool:
    try:
        datetime.strptime(value, layout)
    except ValueError:
        return False
    return True
