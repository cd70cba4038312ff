"""Generate a contract's YAML from a sniffed sample and its best entity; comments list mapped, unmapped and needed
fields."""

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass

import yaml

from onedata.contracts.model import Column
from onedata.onboarding.match import Fit, Mapped
from onedata.onboarding.sample import Sniffed, SourceField
from onedata.onboarding.values import EMAIL, ISO_TIME, NUMBER

DAY = re.compile(r"\d{4}-\d{2}-\d{2}")
PACKED_DAY = re.compile(r"(?<!\d)20\d{6}(?!\d)")
OFFSET = re.compile(r"(Z|UTC|GMT|[+-]\d{2}(:?\d{2})?)$")
MOST_WORDS = 8
MOST_DIGITS = 7
SHOWN = 3
PLAIN = re.compile(r"[A-Za-z_][A-Za-z0-9_.\-/ ]*[A-Za-z0-9_]|[A-Za-z_]")
WORDS_OF_YAML = frozenset(("true", "false", "yes", "no", "on", "off", "null", "y", "n"))


@dataclass(frozen=True)
class Draft:
    """Input of a contract: the feed's name, its source system, the path of its files, the sniffed sample, the chosen
    entity, and the next best one."""

    name: str
    system: str
    path: str
    sniffed: Sniffed
    fit: Fit
    runner_up: Fit | None = None


def path_pattern(relative: str) -> tuple[str, str]:
    """The contract's path for a file's path below the source folder, and a note on it ('' if the path contains the
    day)."""
    found = list(DAY.finditer(relative))
    if found:
        last = found[-1]
        return relative[: last.start()] + "{ds}" + relative[last.end() :], ""
    packed = list(PACKED_DAY.finditer(relative.rsplit("/", 1)[-1]))
    if packed:
        cut = len(relative) - len(relative.rsplit("/", 1)[-1])
        last = packed[-1]
        return (
            relative[: cut + last.start()] + "*" + relative[cut + last.end() :],
            "The day in the name is not written YYYY-MM-DD: * takes it, and a file belongs to the night that first "
            "sees it.",
        )
    return (
        relative,
        "No day in the name: a file belongs to the night that first sees it. {ds} would stand for a day YYYY-MM-DD.",
    )


def contract_text(draft: Draft) -> str:
    """The YAML, as a draft if anything in it is marked. It loads unchanged, unless a needed column has no field: that
    column is marked NEEDED, and the loader names it."""
    fit, entity = draft.fit, draft.fit.entity
    lines = [
        "apiVersion: v3.1.0",
        "kind: DataContract",
        f"id: {draft.name}",
        f"name: {_scalar(draft.name.replace('_', ' ').capitalize())}",
        "version: 1.0.0",
        _status(draft),
        f"dataProduct: {_scalar(draft.system)}   # the source system: ids are unique within it",
        "description:",
        f"  purpose: {_scalar(f'{entity.title} of {draft.system}.')}   # say what the rows are used for",
        f"# team: {{name: ...}}   # who answers for the feed; without it the entity's owner, {entity.owner}",
        *_unmapped(fit),
        *_server(draft),
        "schema:",
        f"  - name: {draft.name}",
        "    logicalType: object",
        "    customProperties:",
        f"      - {{property: entity, value: {entity.name}}}{_entity_mark(draft)}",
        *(
            [f"      - {{property: records, value: {_scalar(fit.rows.records)}}}   # one row for each of these"]
            if fit.rows.records
            else []
        ),
        *_time_zone(fit),
        "    properties:",
        *[line for item in fit.mapped for line in _property(item, fit.is_sure)],
        *[line for column in fit.needed for line in _needed(column, column.name in entity.key)],
        *_free(fit),
        "slaProperties:",
        *(
            ["  - {property: frequency, value: 1, unit: d}   # a night without a file warns"]
            if "{ds}" in draft.path
            else []
        ),
        f"  {'# ' if '{ds}' in draft.path else ''}- {{property: retention, value: 10, unit: y}}   # how long rows may "
        "be kept; without it for ever",
    ]
    return "\n".join(lines) + "\n"


def _status(draft: Draft) -> str:
    """A contract with a guess or a question is a draft: no night lands rows by it before a person has looked."""
    fit = draft.fit
    is_told = draft.sniffed.options.get("encoding", "utf-16") == "utf-16" and not _time_zone(fit)
    is_clear = fit.is_sure and not fit.needed and all(item.is_sure for item in fit.mapped) and is_told
    return (
        "status: active" if is_clear else "status: draft   # nights skip it; active once the marks below are answered"
    )


def _entity_mark(draft: Draft) -> str:
    if draft.fit.is_sure:
        return ""
    other = f", or {draft.runner_up.entity.name}" if draft.runner_up else ""
    return f"   # a guess{other}: with another entity, `onedata feed new` maps anew"


def _time_zone(fit: Fit) -> list[str]:
    """A question, where times of the sample have no offset."""
    local = [
        item.field.name
        for item in fit.mapped
        if item.column.type == "timestamp"
        and any(":" in value and not OFFSET.search(value) for value in item.field.values)
    ]
    if not local:
        return []
    return [
        f"      # ASK: {', '.join(dict.fromkeys(local))} without an offset: UTC is a guess. Of a shop in Berlin it is "
        "Europe/Berlin:",
        "      - {property: timezone, value: UTC}   # a guess",
    ]


def _unmapped(fit: Fit) -> list[str]:
    if not fit.unmapped:
        return []
    return [
        "customProperties:",
        "  - property: unmapped",
        "    value:   # fields that fill no column. To map one, move it down to properties: - {name: <column>, "
        "physicalName: <field>}",
        *[f"      - {_scalar(item.name)}{shown(item)}" for item in fit.unmapped],
    ]


def _server(draft: Draft) -> list[str]:
    note = [
        f"    # {text}"
        for text in (path_pattern(draft.path)[1] if "{ds}" not in draft.path else "", *draft.sniffed.notes)
        if text
    ]
    documents = draft.fit.rows.documents
    options = {**draft.sniffed.options, **({"documents": documents} if documents else {})}
    return [
        "servers:",
        "  - server: landing",
        "    type: local",
        *note,
        f"    path: {_scalar(draft.path)}   # below the source folder",
        f"    format: {draft.sniffed.format}",
        *(["    customProperties:"] if options else []),
        *[f"      - {{property: {name}, value: {_scalar(value)}}}" for name, value in options.items()],
    ]


def _property(item: Mapped, is_entity_sure: bool) -> list[str]:
    """The line of a mapping, with a mark if it is a guess; where the sample does not tell how to read the values, a
    question and a line for each answer."""
    start = f"{{name: {item.column.name}, physicalName: {_scalar(item.field.name)}"
    if item.choices:
        asked = f"{item.column.name} from {_scalar(item.field.name)}: {' or '.join(name for name, _ in item.choices)}?"
        return [
            f"      # ASK: {asked} The sample does not tell. Keep one:",
            *[
                f"      # - {start}, transformLogic: {_scalar(logic)}}}   # a guess: {name}"
                for name, logic in item.choices
            ],
        ]
    logic = f", transformLogic: {_scalar(item.logic)}" if item.logic else ""
    mark = "" if item.is_sure and is_entity_sure else f"   # a guess: {item.note or 'see whether it is so'}"
    return [f"      - {start}{logic}}}{mark}"]


def _needed(column: Column, is_key: bool) -> list[str]:
    lines = [
        f"      # NEEDED: {column.name} ({column.type}): {column.description}",
        f"      # - {{name: {column.name}, physicalName: ...}}   # or transformLogic: an SQL expression over "
        "{Field}s, or a constant as \"'...'\"",
    ]
    if is_key and column.type == "text":
        lines.append(
            f'      # - {{name: {column.name}, transformLogic: "{{row_identity}}"}}   # where the feed names none; '
            "with {property: rowKey, value: content}"
        )
    return lines


def _free(fit: Fit) -> list[str]:
    taken = {item.column.name for item in fit.mapped} | {column.name for column in fit.needed}
    free = [column.name for column in fit.entity.columns if column.name not in taken]
    return [f"      # Columns of {fit.entity.name} that no field fills: {', '.join(free)}."] if free else []


def shown(item: SourceField) -> str:
    """A comment with a few values. Values that may be personal are shown only as a shape (Xxx for letters, 9 for
    digits), since contracts are shared."""
    values = list(dict.fromkeys(item.values))
    if not values:
        return "   # always empty in the sample"
    few = len(values) <= min(MOST_WORDS, len(item.values) // 3)
    texts = [value if few or _harmless(value) else _shape(value) for value in values[:SHOWN]]
    return "   # " + ", ".join(dict.fromkeys(_printable(text)[:40] for text in texts))


def _harmless(value: str) -> bool:
    """Whether the value is a short number, a day, a time or a boolean."""
    short = NUMBER.fullmatch(value) is not None and sum(letter.isdigit() for letter in value) <= MOST_DIGITS
    return short or bool(DAY.fullmatch(value) or ISO_TIME.fullmatch(value)) or value.lower() in ("true", "false")


def _printable(text: str) -> str:
    return "".join(letter for letter in " ".join(text.split()) if letter.isprintable())


def _shape(value: str) -> str:
    return "".join(
        "9" if letter.isdigit() else ("X" if letter.isupper() else "x") if letter.isalpha() else letter
        for letter in value
    )


def _scalar(text: str) -> str:
    """A YAML scalar, quoted if it would be read as another type."""
    if PLAIN.fullmatch(text) and text.lower() not in WORDS_OF_YAML:
        return text
    return yaml.safe_dump(text, default_style='"', allow_unicode=True, width=math.inf).strip()


def looks_personal(fields: Sequence[SourceField]) -> list[str]:
    """Unmapped fields with e-mail addresses: they stay in the source file only, and the user is told."""
    return [item.name for item in fields if item.values and all(EMAIL.fullmatch(value) for value in item.values)]
