"""Match source fields to canonical columns, by the words of their names, by their values and by the mappings of other
contracts; and find the entity that fits a file best, by the columns that distinguish it."""

import math
import re
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from onedata.contracts.model import Column, Entity, Feed, placeholders
from onedata.onboarding.likeness import (
    GUESS,
    LEAST,
    SURE,
    Known,
    entity_words,
    is_inner,
    is_nested,
    is_outer,
    last_step,
    names_of,
)
from onedata.onboarding.likeness import score as likeness
from onedata.onboarding.sample import Rows, SourceField
from onedata.onboarding.values import DAY_IN_UTC, Habits, Reading, adapted, habits, is_day, is_utc
from onedata.onboarding.words import header, words

CLOSE = 0.04
RATE = re.compile(r"0([.,]\d+)?")
OFTEN_LEFT_OUT = frozenset(
    (
        *("channel", "currency", "line_type", "market", "platform", "node_type", "post_type", "event_type"),
        *("business_date", "line_id", "location_id"),
    )
)
"""Needed columns that a source often leaves out: the same in every row, told by another field, or the row's number."""
BESIDE = 0.5
WHOLE_KEY = 0.04
"""For each further column of a key that is filled whole: rows of several keys are about their meeting."""
TELLING = 0.35
"""A column that tells the entity stands for so much of its needed ones."""
ENTITY_MARGIN = 0.08
ENTITY_LEAST = 0.55


@dataclass(frozen=True)
class Mapped:
    """A column with the field that fills it; `logic` is the transformLogic if its values must be converted, `score` is
    between 0 and 1.

    `note` says what was guessed; `choices` holds the readings, by name, of which a person must choose one.
    """

    column: Column
    field: SourceField
    logic: str | None
    score: float
    note: str = ""
    choices: tuple[tuple[str, str], ...] = ()

    @property
    def is_sure(self) -> bool:
        return self.score >= SURE and not self.choices

    @property
    def sources(self) -> list[str]:
        """Names of the fields that fill the column."""
        inside = [name for name in placeholders(self.logic or "") if name != "value"]
        return [self.field.name, *(name for name in inside if name != self.field.name)]


@dataclass(frozen=True)
class Fit:
    """How well a way to extract rows from a file fits an entity, from 0 to 1; `is_sure` where no other entity comes
    near, `because` names the mapped columns that tell it from others, the most telling first."""

    entity: Entity
    rows: Rows
    mapped: Sequence[Mapped]
    score: float
    is_sure: bool = True
    because: Sequence[str] = ()

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
    def needed_answers(self) -> list[str]:
        """Required columns and key columns whose values can be read in more than one way."""
        return [
            item.column.name
            for item in self.mapped
            if item.choices and (item.column.required or item.column.name in self.entity.key)
        ]

    @property
    def unmapped(self) -> list[SourceField]:
        used = {name for item in self.mapped for name in item.sources}
        return [item for item in self.rows.fields if item.name not in used]


def known_mappings(feeds: Iterable[Feed]) -> Known:
    """(entity, column) to the names of fields from which contracts already fill it unchanged."""
    found: dict[tuple[str, str], set[str]] = {}
    for feed in feeds:
        for item in feed.fields:
            if item.physical_name and not item.logic:
                found.setdefault((feed.entity.name, item.column.name), set()).add(names_of(item.physical_name)[-1])
    return {key: frozenset(names) for key, names in found.items()}


def rank(rows: Sequence[Rows], entities: Iterable[Entity], known: Known, name: str) -> list[Fit]:
    """Every entity with its best way to extract rows from the file called `name`, best fit first."""
    among = list(entities)
    fits: list[Fit] = []
    has_sku = any(map(_has_sku, rows))
    for way in rows:
        found = [fit(entity, way, known) for entity in among]
        weights = _weights(found)
        told = {concept for text in (name, way.documents) for concept in header(text or "").concepts}
        evidence = [{item.field.name: item.score * weights[item.field.name] for item in one.mapped} for one in found]
        evidence = _with_masters(found, evidence)
        best = sum(max(mine.get(field.name, 0.0) for mine in evidence) for field in way.fields)
        is_less = has_sku and not _has_sku(way)
        fits += [
            _scored(one, sum(mine.values()) / (best or 1.0), told, weights)
            for one, mine in zip(found, evidence, strict=True)
        ]
        if is_less:  # the product is in another list of the document
            fits[-len(among) :] = [
                replace(one, score=one.score * 0.6) if any(m.column.name == "product_id" for m in one.mapped) else one
                for one in fits[-len(among) :]
            ]
    tops = [max((one for one in fits if one.entity == entity), key=lambda one: one.score) for entity in among]
    ranking = sorted(tops, key=lambda one: (-one.score, one.entity.name))
    margin = ranking[0].score - ranking[1].score if len(ranking) > 1 else 1.0
    is_sure = ranking[0].score >= ENTITY_LEAST and margin >= ENTITY_MARGIN
    return [replace(one, is_sure=is_sure and number == 0) for number, one in enumerate(ranking)]


def _with_masters(fits: Sequence[Fit], evidence: Sequence[dict[str, float]]) -> list[dict[str, float]]:
    """What the fields say for each entity, with half of what they say for the entities that it points at: a line may
    carry the name and the category of its product."""
    own = {one.entity.name: mine for one, mine in zip(fits, evidence, strict=True)}
    columns = {one.entity.name: {item.column.name for item in one.mapped} for one in fits}
    whole: list[dict[str, float]] = []
    for one, mine in zip(fits, evidence, strict=True):
        beside = [
            own[master]
            for master, column in words().masters.items()
            if master != one.entity.name and column in columns[one.entity.name]
        ]
        lent = {name: BESIDE * said for other in beside for name, said in other.items() if name not in mine}
        whole.append(mine | lent)
    return whole


def _has_sku(way: Rows) -> bool:
    return any("sku" in header(last_step(item.name)).concepts for item in way.fields)


def _weights(fits: Sequence[Fit]) -> dict[str, float]:
    """How much each field says about the entity: the fewer entities can take it, the more."""
    takers = Counter(name for one in fits for name in {item.field.name for item in one.mapped})
    most = math.log(len(fits) + 1)
    return {name: 0.1 + 0.9 * math.log((len(fits) + 1) / count) / most for name, count in takers.items()}


def _scored(one: Fit, explained: float, told: set[str], weights: Mapping[str, float]) -> Fit:
    """The fit with its score: the share of what the fields say that the entity explains, the share of its needed
    columns that are filled, and what the name of the file says."""
    entity, found = one.entity, {item.column.name: item.score for item in one.mapped}
    needed = {
        column.name: (0.2 if column.name in OFTEN_LEFT_OUT else 1.0) * (2.0 if column.name in entity.key else 1.0)
        for column in entity.columns
        if column.required or column.name in entity.key
    }
    covered = sum(weight * found.get(name, 0.0) for name, weight in needed.items()) / (sum(needed.values()) or 1.0)
    own = entity_words(entity)
    named = 1.0 if told & words().named.get(entity.name, frozenset()) else len(told & own) / len(own)
    keys = [item for item in one.mapped if item.column.name in entity.key]
    if keys and all(is_nested(item.field.name, one.rows.records) for item in keys):
        covered *= 0.5  # the rows are of another thing, which has one of these
    telling = words().telling.get(entity.name, frozenset())
    tells = max(
        (
            item.score
            for item in one.mapped
            if item.column.name in telling and not is_nested(item.field.name, one.rows.records)
        ),
        default=0.0,
    )
    if telling and tells < GUESS:
        covered *= 0.5
    elif tells >= SURE:
        covered = max(covered, TELLING)
    score = 0.55 * explained + 0.35 * covered + 0.1 * named
    if all(name in found for name in entity.key):
        score += WHOLE_KEY * (len(entity.key) - 1)
    if any(words().only.get(concept, entity.name) != entity.name for concept in told):
        score *= 0.5
    if one.rows.records is not None:
        inner = {item.column.name for item in one.mapped if is_inner(item.field.name, one.rows.records)}
        is_row = len(inner) > 1 and (inner & set(entity.key) or not found.keys() & set(entity.key))
        score = score * 0.95 if is_row else 0.0  # the key of the whole would stand on each of its records
    most = sorted(one.mapped, key=lambda item: -item.score * weights[item.field.name])
    return replace(one, score=round(score, 3), because=[f"{m.column.name} ({m.field.name})" for m in most[:3]])


def fit(entity: Entity, rows: Rows, known: Known) -> Fit:
    """Assign to each column the field that fits it best, best pairs first; each field fills one column, except that a
    time may also fill the day. The score is left at 0: `rank` compares entities."""
    file = habits(item.values for item in rows.fields)
    scored: dict[tuple[str, str], tuple[float, Reading, str]] = {}
    for item in rows.fields:
        for column in entity.columns:
            score, note = likeness(entity, column, item, rows, known)
            if score < LEAST or (column.type == "decimal" and is_outer(item.name, rows)):
                continue  # an amount of the whole would be repeated in each of its records
            reading = adapted(column, item.values, file, header(last_step(item.name)).unit)
            if not reading.fits:
                continue
            if column.type == "timestamp" and is_day(item.values):
                score, note = min(score, 0.8) * (0.9 if score < SURE else 1.0), note or "it tells days, without a time"
            if column.type == "date" and item.values and not is_day(item.values):
                score *= 0.9
            if score >= LEAST:
                scored[column.name, item.name] = score, reading, note
    fields = {item.name: item for item in rows.fields}
    chosen: dict[str, Mapped] = {}
    used: set[str] = set()
    for (target, source), (score, reading, note) in sorted(scored.items(), key=_order(entity, rows)):
        if target not in chosen and source not in used:
            rivals = [
                other
                for other, (points, _, _) in scored.items()
                if other != (target, source)
                and target in other[:1]
                and points >= score - CLOSE
                and other[1] not in used
                and not (is_outer(other[1], rows) and last_step(other[1]) == last_step(source))
            ]
            if rivals and score >= SURE:
                score, note = GUESS, f"{rivals[0][1]} may be meant as well"
            note = note or reading.guess
            score = min(score, 0.8) if reading.guess else score
            chosen[target] = Mapped(entity.column(target), fields[source], reading.logic, score, note, reading.choices)
            used.add(source)
    _see_the_discounts(chosen)
    _join_the_name(entity, rows, chosen, used)
    _tell_the_day(entity, chosen, file)
    mapped = [chosen[column.name] for column in entity.columns if column.name in chosen]
    return Fit(entity, rows, mapped, 0.0)


def _order(
    entity: Entity, rows: Rows
) -> Callable[[tuple[tuple[str, str], tuple[float, Reading, str]]], tuple[object, ...]]:
    """The order in which pairs of column and field are chosen: fields with values first, the best first; of equals one
    that names an id for an id, one in the row's own record, one that is not in an object, one of the column's own name,
    and one for a column that must be filled."""
    empty = {item.name for item in rows.fields if not item.values}

    def key(pair: tuple[tuple[str, str], tuple[float, Reading, str]]) -> tuple[object, ...]:
        (column, field), (score, _, _) = pair
        names_id = column.endswith(("_id", "_code")) and "id" in header(last_step(field)).concepts
        return (
            field in empty,
            -score,
            not names_id,
            is_outer(field, rows),
            is_nested(field, rows.records),
            last_step(field) != column,
            not entity.column(column).required,
            column,
            field,
        )

    return key


def _see_the_discounts(chosen: dict[str, Mapped]) -> None:
    """A discount has the sign of its quantity: one of the other sign is a question."""
    discount, quantity = chosen.get("discount_amount"), chosen.get("quantity")
    negative, returned = (
        any("-" in value for value in item.field.values) if item else False for item in (discount, quantity)
    )
    if discount and negative and not returned:
        note = "negative; a discount has the sign of the quantity"
        chosen["discount_amount"] = replace(discount, score=GUESS, note=note)
    if discount and discount.field.values and all(RATE.fullmatch(value) for value in discount.field.values):
        chosen["discount_amount"] = replace(discount, score=GUESS, note="below 1: a rate, not an amount?")


def _join_the_name(entity: Entity, rows: Rows, chosen: dict[str, Mapped], used: set[str]) -> None:
    """Fill a full name from a given and a family name."""
    column = next((column for column in entity.columns if column.name == "full_name"), None)
    if column is None or "full_name" in chosen:
        return
    found: dict[str, SourceField] = {}
    for part in ("given_name", "family_name"):
        for item in rows.fields:
            if item.name not in used and any(
                p.concepts == frozenset(header(last_step(item.name)).concepts) for p in words().columns[part]
            ):
                found.setdefault(part, item)
    if len(found) == 2 and not any(sign in item.name for item in found.values() for sign in "{}"):
        given, family = found["given_name"], found["family_name"]
        logic = f"concat_ws(' ', {{{given.name}}}, {{{family.name}}})"
        chosen["full_name"] = Mapped(column, given, logic, SURE)


def _tell_the_day(entity: Entity, chosen: dict[str, Mapped], file: Habits) -> None:
    """Fill the day without a field of its own from the row's time, and a required time from the day."""
    times = [item for item in chosen.values() if item.column.type == "timestamp" and item.field.values]
    own = {"order_line": "sold_at"}.get(entity.name)
    first = next((item for item in times if item.column.required or item.column.name == own), None)
    for column in entity.columns:
        if column.name in chosen or column.name not in ("business_date", "snapshot_date", "spend_date", "price_date"):
            continue
        told = first or next((item for item in times if column.required), None)
        if told is not None and (column.required or own):
            utc = is_utc(told.field.values)
            sure = told.is_sure and told is first and not utc
            note = DAY_IN_UTC if utc else f"the day of {told.column.name}"
            read = adapted(column, told.field.values, file)
            chosen[column.name] = Mapped(column, told.field, read.logic, SURE if sure else LEAST, note, read.choices)
    day = chosen.get("business_date")
    for column in entity.columns:
        is_own = column.type == "timestamp" and (column.required or column.name == own)
        if day is None or not is_own or column.name in chosen or not day.field.values:
            continue
        if not is_day(day.field.values):
            reading = adapted(column, day.field.values, file)
            note = "the time of the field that tells the day"
            chosen[column.name] = Mapped(column, day.field, reading.logic, GUESS, note, reading.choices)
        elif column.required:
            note = "it tells days, without a time"
            chosen[column.name] = Mapped(column, day.field, day.logic, LEAST, note, day.choices)
