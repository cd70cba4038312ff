"""How surely a source field fills a canonical column: by the words of its name and of the objects around it, as far as
its values do not contradict."""

import re
from collections.abc import Mapping, Sequence
from functools import cache
from itertools import dropwhile

from onedata.contracts.model import Column, Entity
from onedata.onboarding.sample import Rows, SourceField
from onedata.onboarding.shapes import Verdict, plausible
from onedata.onboarding.values import EMAIL
from onedata.onboarding.words import Header, Phrase, header, is_known, words

LEAST = 0.6
SURE = 0.9
GUESS = 0.75
NEAR = 0.87
IN_CONTEXT = 0.92
OF_ANOTHER = 0.85
BEYOND = 1.02
"""More than sure: a SKU, rather than another number of the product."""
LIGHT: Mapping[str, float] = {"id": 0.4, "at": 0.3, "date": 0.4, "time": 0.4, "name": 0.5, "amount": 0.5, "total": 0.6}
"""Words that many headers have say less."""
UNKNOWN, MOST_UNKNOWN = 0.4, 0.6
SHARED = frozenset((*LIGHT, "created", "updated", "status", "type", "note", "title"))
"""Words that fields of any object have."""
WRAPPERS = frozenset(
    ("data", "node", "attributes", "properties", "fields", "metrics", "segments", "record", "envelope", "payload")
)
PERSONS = frozenset(("customer", "user", "member", "contact", "account", "loyalty", "union", "visitor"))
NAMES, NAMED_IDS = frozenset(("name", "full name", "given", "family")), frozenset(("id", "user", "member", "account"))
GOODS, CODE = frozenset(("product", "item")), re.compile(r"(?=.*\d)\S+")
FRACTION = re.compile(r"-?\d+[.,]\d{1,2}")
NO_PERSONS = frozenset(("supplier", "store", "employee"))
MOSTLY = 0.8
Known = Mapping[tuple[str, str], frozenset[str]]
"""(entity, column) to the names of fields from which contracts fill it unchanged."""


def score(entity: Entity, column: Column, field: SourceField, rows: Rows, known: Known) -> tuple[float, str]:
    """Confidence, from 0, that the field fills the column, and a note on what is to be looked at; `SURE` or more needs
    no look."""
    names = [header(name) for name in names_of(field.name, rows.documents)]
    parents = _parents(field.name, rows.records, entity)
    if "percent" in names[-1].concepts and column.type in ("decimal", "integer"):
        return 0.0, ""
    by_name = _by_name(entity, column, names, parents)
    if set(names[-1].concepts) == {"id"} and not parents:
        inner = rows.records is None or is_inner(field.name, rows.records)
        by_name = max(by_name, 0.8) if column.name == _own_key(entity, inner, rows.records) else 0.0
    own = names_of(field.name)[-1]
    if not parents and own in known.get((entity.name, column.name), ()) and set(names[-1].concepts) - SHARED:
        by_name = max(by_name, OF_ANOTHER)
    if _contradicts(column, names[-1], field.values):
        return 0.0, ""
    if field.values and column.identifier and column.identifier.type == "email":
        is_mail = sum(EMAIL.fullmatch(value) is not None for value in field.values) >= MOSTLY * len(field.values)
        return (max(by_name, 0.7) if is_mail and not parents & NO_PERSONS else 0.0), ""
    if by_name < LEAST:
        return by_name, ""
    limit, note = plausible(entity, column, field.values)
    if limit is Verdict.CONFIRMED:
        return max(by_name, 0.95 if by_name >= 0.7 else 0.0), ""
    return (0.0 if limit is Verdict.NEVER else min(by_name, GUESS) if limit is Verdict.GUESS else by_name), note


def _by_name(entity: Entity, column: Column, names: Sequence[Header], parents: frozenset[str]) -> float:
    """The confidence by the field's name with its parent's, and by its own."""
    table = words()
    phrases = (
        Phrase(frozenset(header(column.name).concepts), True),
        *(table.columns.get(f"{entity.name}.{column.name}") or table.columns.get(column.name) or ()),
    )
    context = table.context.get(f"{entity.name}.{column.name}") or table.context.get(entity.name, frozenset())
    best = 0.0
    for said in names:
        is_alone = said is names[-1] and len(names) > 1 and bool(parents)
        if is_alone and (parents & PERSONS or not set(said.concepts) - SHARED):
            continue  # customer.created_at is not the order's
        likeness = _likeness(said.concepts, phrases, context)
        best = max(best, likeness * (OF_ANOTHER if is_alone else 1.0))
    return BEYOND if best >= SURE and "sku" in names[-1].concepts else best


def _contradicts(column: Column, said: Header, values: Sequence[str]) -> bool:
    """Whether the header or its values say something else: a person's name or a fraction is no identifier, and what is
    called a product alone is its code or its name by its values."""
    concepts = frozenset(said.concepts)
    if column.name in ("product_id", "product_name") and concepts and concepts <= GOODS and values:
        return all(map(CODE.fullmatch, values)) == (column.name == "product_name")
    if column.name == "customer_id":
        return bool(concepts & NAMES) and not concepts & NAMED_IDS
    is_id = column.type == "text" and column.name.endswith("_id")
    return is_id and "id" not in concepts and bool(values) and all(map(FRACTION.fullmatch, values))


def _own_key(entity: Entity, inner: bool, records: str | None) -> str | None:
    """The column that a field called `id` alone fills: never a person's, except in the entity of persons."""
    own = [name for name in entity.key if name.endswith("_id")]
    if not own:
        return None
    if records is None:
        return own[0] if len(own) == 1 or entity.name in ("refund", "survey_response") else None
    lines = [name for name in own if name == "line_id"]
    return (lines or own)[0] if inner else next((name for name in own if name != "line_id"), None)


def is_nested(name: str, records: str | None) -> bool:
    """Whether the field stands in an object of the row, apart from mere wrappers."""
    steps = _steps(name)[:-1]
    if records is not None and is_inner(name, records):
        steps = steps[len(_steps(records)) :]
    return any(not set(header(step).concepts) <= WRAPPERS for step in steps)


def is_outer(name: str, rows: Rows) -> bool:
    return rows.records is not None and not is_inner(name, rows.records)


def is_inner(name: str, records: str) -> bool:
    return name.startswith((f"{records}[].", f"{records}/"))


@cache
def _likeness(said: tuple[str, ...], phrases: tuple[Phrase, ...], context: frozenset[str]) -> float:
    """How much a header's concepts are like one of the phrases; concepts of the `context` may stand before a phrase."""
    best = 0.0
    concepts = frozenset(said)
    rest = frozenset(dropwhile(context.__contains__, said))
    for phrase in phrases if concepts else ():
        if concepts == phrase.concepts:
            found = 1.0 if phrase.sure else GUESS
        elif rest == phrase.concepts and rest - LIGHT.keys():
            found = IN_CONTEXT if phrase.sure else GUESS - 0.05
        else:
            likeness = _weight(concepts & phrase.concepts) / _weight(concepts | phrase.concepts)
            apart = {concept for concept in concepts ^ phrase.concepts if concept not in LIGHT}
            if likeness < LEAST or not (concepts & phrase.concepts) - LIGHT.keys():
                continue
            found = NEAR * (likeness if apart else 1.0) * (1.0 if phrase.sure else OF_ANOTHER)
        best = max(best, found)
    return best


def _weight(concepts: frozenset[str]) -> float:
    """How much concepts say; words that the table does not know say little, however many they are."""
    known = [concept for concept in concepts if is_known(concept)]
    unknown = len(concepts) - len(known)
    return sum(LIGHT.get(concept, 1.0) for concept in known) + min(UNKNOWN * unknown, MOST_UNKNOWN)


def entity_words(entity: Entity) -> frozenset[str]:
    return frozenset(header(entity.name).concepts)


def _steps(path: str) -> list[str]:
    keyed = re.sub(r"\[\w+=([^\]]+)\][^/]*$", r".\1", path)
    plain = re.sub(r"\[[^\]]*\]", "", keyed).lstrip("@").replace("/@", "/")
    separator = r"[./]" if re.fullmatch(r"[\w./@-]+", plain) and re.search(r"\w[./]\w", plain) else "/(?=$)"
    return [step for step in re.split(separator, plain) if step] or [path]


def names_of(path: str, documents: str | None = None) -> tuple[str, ...]:
    """A field's name with that of the object around it, and its own: (customer email, email)."""
    steps = [*(_steps(documents)[-1:] if documents else ()), *_steps(path)]
    whole = [f"{steps[-2]} {steps[-1]}"] if len(steps) > 1 else []
    return (*whole, steps[-1])


def last_step(path: str) -> str:
    return _steps(path)[-1]


def _parents(path: str, records: str | None, entity: Entity) -> frozenset[str]:
    """The concepts of the objects around the field, apart from those of the row itself and of mere wrappers."""
    steps = _steps(path)[:-1]
    if records is not None and is_inner(path, records):
        steps = steps[len(_steps(records)) :]
    own = entity_words(entity) | WRAPPERS
    return frozenset(concept for step in steps for concept in header(step).concepts if concept not in own)
