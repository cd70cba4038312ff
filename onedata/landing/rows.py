"""The SQL of landing: source fields to canonical columns, row rules to reasons. Pure: contract and part in, SQL out.

Every row rule is one predicate, used here to quarantine and compiled again by `quality` to guard the result.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import cast

from onedata.contracts.boundary import fill
from onedata.contracts.model import ColumnType, Feed, Field, Rule, references
from onedata.contracts.words import asserted
from onedata.landing.repairs import PADDED, may_be_padded, mended, repaired
from onedata.masking import mask_sql, shown_sql
from onedata.readers.base import Part
from onedata.sql import quote_name, quote_text

# Source fields and canonical columns may have the same names: each has a prefix until the last step.
GIVEN = "_given_"
TYPED = "_typed_"
# DuckDB types that can be cast to a column's type without going through text.
_AS_THEY_ARE: Mapping[ColumnType, tuple[str, ...]] = {
    "text": (),
    "integer": ("INT", "DECIMAL"),
    "decimal": ("INT", "DECIMAL"),
    "double": ("INT", "DECIMAL", "DOUBLE"),
    "boolean": ("BOOLEAN",),
    "date": ("DATE",),
    "timestamp": ("TIMESTAMP",),
}


def typed_rows(feed: Feed, part: Part) -> str:
    """SQL: one row per source record with `_row`, every mapped canonical column, `_rule` (NULL if the row is valid),
    `_repaired` and `_extra`.

    `_extra` of an invalid row is a JSON object of its rule, reason, raw record and position in the file; of a valid
    row, of the fields that the contract does not know.
    """
    fields = [item for item in feed.fields if not is_row_identity(item)]
    checks = [_Check("unreadable_record", "_broken is not null", "")] if part.broken else []
    for item in fields:
        checks += _checks(item, part)
    names = ", ".join(
        ["_row", *[f"{TYPED}{item.column.name} as {item.column.name}" for item in feed.fields], "_repaired"]
    )
    rule = " ".join(f"when {check.predicate} then {quote_text(check.rule)}" for check in checks)
    reason = _reason([check for check in checks if check.rule != "unreadable_record"])
    reason = f"coalesce({mask_sql('_broken')}, {reason})" if part.broken else reason
    kept = f"json_object('rule', _rule, 'reason', {reason}, 'raw', {part.raw}, 'place', {part.place})::varchar"
    extra = part.extra if part.extra and feed.drift["added"] == "keep" else "null::varchar"
    return (
        f"select {names}, _rule, case when _rule is null then {extra} else {kept} end as _extra "
        f"from (select *, case {rule} end as _rule from (select *, {_all_typed(feed, fields, part)} "
        f"from ({_all_given(feed, fields, part)})))"
    )


def is_row_identity(item: Field) -> bool:
    return item.logic is not None and item.logic.strip() == "{row_identity}"


def _all_given(feed: Feed, fields: Sequence[Field], part: Part) -> str:
    """Every source value after repairs; the repairs; and the content that identifies a row without a key."""
    columns, changes = [], []
    for item in fields:
        value, changed = _given(item, feed, part)
        columns.append(f"{value} as {GIVEN}{item.column.name}")
        changes += [(item.column.name, kind, predicate) for kind, predicate in changed]
    columns.append(f"{repaired(changes)} as _repaired")
    if part.broken:
        columns.append(f"{part.broken} as _broken")
    if feed.content_key:
        content = ", ".join(f"coalesce({_as_text(name, part)}, chr(30))" for name in feed.source_fields)
        columns.append(f"md5(concat_ws(chr(31), {content})) as _content")
    padded = may_be_padded([quote_name(name) for name in feed.source_fields if name not in part.types])
    return (
        f"select *, {', '.join(columns)} from (select *, case when {padded} then true else false end as {PADDED} "
        f"from ({part.query}))"
    )


def _all_typed(feed: Feed, fields: Sequence[Field], part: Part) -> str:
    columns = [f"{_typed(item, feed, part)} as {TYPED}{item.column.name}" for item in fields]
    # Equal rows of one file are told apart by their occurrence; the same rows in another file get the same identities.
    occurrence = "_content || '-' || row_number() over (partition by _content order by _row)"
    columns += [f"{occurrence} as {TYPED}{item.column.name}" for item in feed.fields if is_row_identity(item)]
    return ", ".join(columns)


def _as_text(name: str, part: Part) -> str:
    return f"{quote_name(name)}::varchar" if name in part.types else quote_name(name)


def _given(item: Field, feed: Feed, part: Part) -> tuple[str, tuple[tuple[str, str], ...]]:
    """The source's value for a column and its repairs: unchanged, as text, or as the result of transformLogic."""
    if _keeps_type(item, part):
        assert item.physical_name is not None
        return quote_name(item.physical_name), ()
    if item.logic is None:
        assert item.physical_name is not None
        text = _as_text(item.physical_name, part)
        if feed.location.options.get("decimal") == "," and item.column.type in ("integer", "decimal", "double"):
            text = _with_point(text)
        found = mended(text, item.repairs, PADDED)
        return found.value, found.changed if item.column.type == "text" or item.repairs else ()
    values = {name: _trimmed(name, part) for name in references(item)}
    logic = fill(item.logic, values | ({"value": values[item.physical_name]} if item.physical_name else {}))
    if not item.repairs:
        return f"try({logic})", ()
    found = mended(f"try({logic})::varchar", item.repairs)
    return found.value, found.changed[1:]


def _with_point(text: str) -> str:
    """Convert a number with a decimal comma (1.234,50) to one with a point. A point must separate thousands, else the
    text is not a number."""
    thousands = f"regexp_full_match({text}, '\\s*[+-]?\\d{{1,3}}(\\.\\d{{3}})+(,\\d*)?\\s*')"
    with_point = f"replace(replace({text}, '.', ''), ',', '.')"
    return (
        f"(case when contains({text}, '.') and not {thousands} then {text} || ' (the comma is decimal here)' else "
        f"{with_point} end)"
    )


def _trimmed(name: str, part: Part) -> str:
    return f"({mended(_as_text(name, part), (), PADDED).value})"


def _keeps_type(item: Field, part: Part) -> bool:
    kind = part.types.get(item.physical_name or "", "")
    return item.logic is None and not item.repairs and any(known in kind for known in _AS_THEY_ARE[item.column.type])


def _typed(item: Field, feed: Feed, part: Part) -> str:
    value = GIVEN + item.column.name
    if _keeps_type(item, part):
        return (
            _timestamp_kept(value, part.types[item.physical_name or ""], feed.timezone)
            if item.column.type == "timestamp"
            else _cast(item, value)
        )
    if item.column.type == "text":
        return value if item.logic is None else f"nullif(trim({value}::varchar), '')"
    if item.column.type == "timestamp":
        return _timestamp(value, feed.timezone)
    return _cast(item, value)


def _cast(item: Field, value: str) -> str:
    return f"try_cast({value} as {item.column.sql_type})"


def _timestamp_kept(value: str, kind: str, timezone: str) -> str:
    """UTC from a value of a timestamp type."""
    if kind.endswith("WITH TIME ZONE"):
        return _in_utc(value)
    return value if timezone == "UTC" else f"({value} at time zone {quote_text(timezone)}) at time zone 'UTC'"


def _timestamp(value: str, timezone: str) -> str:
    """UTC from text with an offset, or from local time of the feed's zone. The session's zone is UTC."""
    text = f"{value}::varchar"
    # Shop exports write a blank before the offset; few rows have one, so the others do not pay for it.
    closed_up = f"replace(replace({text}, ' +', '+'), ' -', '-')"
    with_offset = _in_utc(f"coalesce(try_cast({text} as timestamptz), try_cast({closed_up} as timestamptz))")
    if timezone == "UTC":
        return with_offset
    local = f"(try_cast({text} as timestamp) at time zone {quote_text(timezone)}) at time zone 'UTC'"
    has_offset = (
        f"(ends_with({text}, 'Z') or contains({text}, '+') or contains(substr({text}, 12), '-')) and "
        f"contains({text}, ':')"
    )
    return f"case when {has_offset} then {with_offset} else {local} end"


def _in_utc(instant: str) -> str:
    """UTC of a timestamptz, from its microseconds; the calendar, which costs far more, is used only for infinity."""
    return f"coalesce(make_timestamp(epoch_us({instant})), {instant} at time zone 'UTC')"


@dataclass(frozen=True)
class _Check:
    """A row rule: SQL that is true for an invalid row, and its reason: text around SQL of the value to show (None if no
    value is shown)."""

    rule: str
    predicate: str
    before: str
    value: str | None = None
    after: str = ""
    known: Sequence[str] = ()


def _checks(item: Field, part: Part) -> list[_Check]:
    name, given, typed = item.column.name, GIVEN + item.column.name, TYPED + item.column.name
    field_name = (
        f"{name} (source field {item.physical_name})" if item.physical_name and item.physical_name != name else name
    )
    # More people see a reason than the raw row: values of personal columns are not shown at all, others are masked
    # (`masking`).
    hidden = item.column.classification != "public"
    before, value = (f"{field_name}: its value", None) if hidden else (f"{field_name}: ", f"{given}::varchar")
    known = [
        str(word) for rule in item.rules for word in cast(Sequence[object], rule.arguments.get("validValues") or ())
    ]
    # An unparsed record has no values to validate.
    whole = " and _broken is null" if part.broken else ""
    checks = []
    if item.column.type != "text":
        predicate = f"({given} is not null and {typed} is null)"
        checks.append(_Check(f"{name}_type", predicate, before, value, f" is not a {item.column.type}", known))
    if item.required:
        missing = f"({given} is null{whole})" if item.column.type != "text" else f"({typed} is null{whole})"
        checks.append(_Check(f"{name}_required", missing, f"{field_name}: is required and missing"))
    for rule in item.rules:
        if rule.severity == "error":
            after = f" breaks {rule.name} ({asserted(rule)})"
            checks.append(_Check(rule.name, f"({violates(rule, typed)}{whole})", before, value, after, known))
    return checks


def _reason(checks: Sequence[_Check]) -> str:
    """SQL: the reasons of all rules that a row breaks. The long SQL that masks a value occurs in it once."""
    if not checks:
        return "''"
    broken = []
    for check in checks:
        known = f"[{', '.join(quote_text(word.lower()) for word in check.known)}]::varchar[]"
        texts = f"'before': {quote_text(check.before)}, 'after': {quote_text(check.after)}"
        shown = f"'shown': {check.value is not None}, 'value': {check.value or 'null::varchar'}, 'known': {known}"
        broken.append(f"case when {check.predicate} then {{{texts}, {shown}}} end")
    shown = f"case when lower(c.value) in c.known then '\"' || c.value || '\"' else {shown_sql('c.value')} end"
    words = f"c.before || case when c.shown then {shown} else '' end || c.after"
    return (
        f"array_to_string(list_transform(list_filter([{', '.join(broken)}], lambda c: c is not null), lambda c: "
        f"{words}), '; ')"
    )


def violates(rule: Rule, column: str) -> str:
    """SQL predicate, never NULL: the row breaks a row rule of the column."""
    if rule.metric == "nullValues":
        return f"{column} is null"
    parts: list[str] = []
    if "minimum" in rule.arguments:
        parts.append(f"{column} < {rule.arguments['minimum']}")
    if "maximum" in rule.arguments:
        parts.append(f"{column} > {rule.arguments['maximum']}")
    if "pattern" in rule.arguments:
        parts.append(f"not regexp_matches({column}::varchar, {quote_text(str(rule.arguments['pattern']))})")
    values = rule.arguments.get("validValues")
    if isinstance(values, Sequence):
        parts.append(f"{column}::varchar not in ({', '.join(quote_text(str(value)) for value in values)})")
    return f"coalesce({' or '.join(parts) or 'false'}, false)"
