"""The SQL of landing: source fields to canonical columns, row rules to reasons. Pure: contract and part in, SQL out.

Every row rule is one predicate, used here to quarantine and compiled again by `quality` to guard the result.
"""

from collections.abc import Sequence
from dataclasses import replace
from decimal import Decimal
from typing import cast

from onedata.contracts.boundary import fill
from onedata.contracts.model import ColumnType, Feed, Field, Rule, needed, placeholders, references, results
from onedata.contracts.words import asserted
from onedata.landing.casts import engine_cast, is_clock_change, local_shown, start_of_instant, usual_instant
from onedata.landing.reasons import Check, causes_sql
from onedata.landing.repairs import PADDED, may_be_padded, repaired
from onedata.landing.values import (
    CAST,
    FAILED,
    GIVEN,
    LOCAL,
    SHOWN,
    START,
    TYPED,
    USUAL,
    as_text,
    failed_sql,
    given_sql,
    given_text,
    keeps_type,
    local_sql,
    names_number,
    trimmed_sql,
    typed_sql,
    zone_of,
)
from onedata.readers.base import Part
from onedata.readers.digits import text_from_number
from onedata.sql import quote_name, quote_text

BROKEN = "_breaks_"
VOID = "_void_"
_MARKS_OF_LOSS = (("contains", "e+"), ("contains", "E+"), ("ends_with", ".0"))
_LOSS = r"-?(?:\d(?:\.\d+)?[eE]\+\d+|\d{16,}\.0)"
OF_FILE, OF_EDITION = "_of_file_", "_of_edition_"
"""Columns of the query of a part that stands for several files."""


def typed_rows(feed: Feed, part: Part, is_of_files: bool = False) -> str:
    """SQL: one row per source record with `_row`, every mapped canonical column, `_rule` (NULL if the row is valid),
    `_repaired` and `_extra`. If the part's query is of several files, it tells them apart by `OF_FILE` and
    `OF_EDITION`, which become `_file` and `_edition`.

    `_extra` of an invalid row is a JSON object of its rule, what its reason is made of (`reason_sql`), its raw record
    and its position in the file; of a valid row, of the fields that the contract does not know.
    """
    fields = [item for item in feed.fields if not is_row_identity(item)]
    checks = [Check("unreadable_record", "_broken is not null", "")] if part.broken else []
    if feed.condition:
        after = f"where: {' '.join(feed.condition.split())} cannot be worked out"
        checks.append(Check("where_logic", f"try({{'v': {_condition(feed, part)}}}) is null", after))
    for item in fields:
        if item.on_invalid == "row":
            checks += _checks(item, feed, part)
    files = [f"{OF_FILE} as _file", f"{OF_EDITION} as _edition"] if is_of_files else []
    names = ", ".join(
        [*files, "_row", *[f"{TYPED}{item.column.name} as {item.column.name}" for item in feed.fields], "_repaired"]
    )
    # Each rule's answer is a column: DuckDB plans a predicate, and allocates for it, as often as the SQL contains it.
    answered = [replace(check, predicate=f"{BROKEN}{number}") for number, check in enumerate(checks)]
    judged = ", ".join(f"{check.predicate} as {BROKEN}{number}" for number, check in enumerate(checks))
    rule = " ".join(f"when {check.predicate} then {quote_text(check.rule)}" for check in answered)
    causes = causes_sql([check for check in answered if check.rule != "unreadable_record"])
    why = f"'unparsed', {'_broken' if part.broken else 'null'}, 'causes', {causes}"
    kept = f"json_object('rule', _rule, {why}, 'raw', {part.raw}, 'place', {part.place})::varchar"
    extra = part.extra if part.extra and feed.drift["added"] == "keep" else "null::varchar"
    worked_out = _worked_out(feed, fields, part, is_of_files)
    return (
        f"select {names}, _rule, case when _rule is null then {extra} else {kept} end as _extra "
        f"from (select *, case {rule} end as _rule from (select *, {judged} from ({worked_out})))"
    )


def is_row_identity(item: Field) -> bool:
    return item.logic is not None and item.logic.strip() == "{row_identity}"


def _worked_out(feed: Feed, fields: Sequence[Field], part: Part, is_of_files: bool) -> str:
    """The source's rows with every column's value, given and typed. A column that is computed from the results of
    others comes after them."""
    named = {name for item in feed.fields if item.column.type == "text" for name in references(item)}
    read = [name for name in feed.source_fields if name not in part.types]
    texts, others = ([quote_name(name) for name in read if (name in named) is is_text] for is_text in (True, False))
    padded = may_be_padded(texts, others)
    rows = (
        f"select *, null::varchar as _repaired from (select *, case when {padded} then true else false end as {PADDED} "
        f"from ({part.query})){_of_feed(feed, part)}"
    )
    kept = []
    if part.broken:
        kept.append(f"{part.broken} as _broken")
    if feed.content_key:
        content = ", ".join(f"coalesce({as_text(name, part)}, chr(30))" for name in feed.source_fields)
        kept.append(f"md5(concat_ws(chr(31), {content})) as _content")
    for stage in _stages(fields):
        given = _all_given(feed, stage, part, rows, kept)
        typed = [f"{typed_sql(item, feed, part)} as {TYPED}{item.column.name}" for item in stage]
        typed += [f"{failed_sql(item, part)} as {FAILED}{item.column.name}" for item in stage if item.logic is not None]
        rows, kept = f"select *, {', '.join(typed)} from ({_all_cast(feed, stage, part, given)})", []
        rows = _unread_times(feed, stage, part, rows)
        rows = _with_voids(feed, [item for item in stage if item.on_invalid == "void"], part, rows)
    # Equal rows of one file are told apart by their occurrence; the same rows in another file get the same identities.
    content = f"{OF_FILE}, {OF_EDITION}, _content" if is_of_files else "_content"
    occurrence = f"_content || '-' || row_number() over (partition by {content} order by _row)"
    identities = [f"{occurrence} as {TYPED}{item.column.name}" for item in feed.fields if is_row_identity(item)]
    return f"select *, {', '.join(identities)} from ({rows})" if identities else rows


def _with_voids(feed: Feed, fields: Sequence[Field], part: Part, rows: str) -> str:
    """The typed rows with the invalid values of `fields` emptied, each told in `_repaired` as `column:void`."""
    if not fields:
        return rows
    names = [item.column.name for item in fields]
    broken = [
        f"coalesce({' or '.join(check.predicate for check in _checks(item, feed, part)) or 'false'}, false)"
        for item in fields
    ]
    judged = ", ".join(f"{wrong} as {VOID}{name}" for wrong, name in zip(broken, names, strict=True))
    emptied = ", ".join(f"case when not {VOID}{name} then {TYPED}{name} end as {TYPED}{name}" for name in names)
    told = ", ".join(f"case when {VOID}{name} then {quote_text(f'{name}:void')} end" for name in names)
    some = " or ".join(f"{VOID}{name}" for name in names)
    repairs = f"case when {some} then concat_ws(',', _repaired, {told}) else _repaired end as _repaired"
    return f"select * replace ({emptied}, {repairs}) from (select *, {judged} from ({rows}))"


def _stages(fields: Sequence[Field]) -> list[list[Field]]:
    """The columns in the order of their computation: those of a stage use results of earlier stages only."""
    stages: list[list[Field]] = []
    known: set[str] = set()
    while rest := [item for item in fields if item.column.name not in known]:
        stages.append([item for item in rest if known.issuperset(needed(item))])
        known |= {item.column.name for item in stages[-1]}
    return stages


def _all_given(feed: Feed, fields: Sequence[Field], part: Part, rows: str, kept: Sequence[str]) -> str:
    """Every source value after repairs, the repairs, and the columns `kept`."""
    columns, changes = [], []
    for item in fields:
        value, changed = given_sql(item, feed, part)
        columns.append(f"{value} as {GIVEN}{item.column.name}")
        changes += [(item.column.name, kind, predicate) for kind, predicate in changed]
    told = f"nullif(concat_ws(',', _repaired, {repaired(changes)}), '')" if changes else "_repaired"
    given = f"select * replace ({told} as _repaired), {', '.join([*columns, *kept])} from ({rows})"
    return given if feed.clock == "refuse" else _clocks_told(feed, fields, part, given)


def _clocks_told(feed: Feed, fields: Sequence[Field], part: Part, given: str) -> str:
    """The given rows with each time that comes twice or never when clocks change told in `_repaired`."""
    times = [item for item in fields if item.column.type == "timestamp"]
    if not times or feed.timezone == "UTC":
        return given
    locals_ = ", ".join(
        f"{local_sql(GIVEN + item.column.name, item, part)} as {LOCAL}{item.column.name}" for item in times
    )
    zone = zone_of(feed, part)
    changes = [(item.column.name, "clock", is_clock_change(LOCAL + item.column.name, zone)) for item in times]
    told = f"nullif(concat_ws(',', _repaired, {repaired(changes)}), '')"
    return f"select * replace ({told} as _repaired) from (select *, {locals_} from ({given}))"


def _unread_times(feed: Feed, fields: Sequence[Field], part: Part, typed: str) -> str:
    """The typed rows with the local time of each instant that was not read, for the reason why."""
    times = [item for item in fields if item.column.type == "timestamp"]
    if not times or feed.clock != "refuse" or feed.timezone == "UTC":
        return typed
    unread = ", ".join(
        f"case when {GIVEN}{item.column.name} is not null and {TYPED}{item.column.name} is null then "
        f"{local_sql(GIVEN + item.column.name, item, part)} end as {LOCAL}{item.column.name}"
        for item in times
    )
    return f"select *, {unread} from ({typed})"


def _of_feed(feed: Feed, part: Part) -> str:
    """The WHERE clause of a feed whose contract has a condition: the other records are another feed's. A record on
    which the condition fails is kept, and quarantined, and so is one that cannot be read: nobody can tell whose it is.
    """
    if not feed.condition:
        return ""
    met = _condition(feed, part)
    unread = f"(({part.broken}) is not null)" if part.broken else "false"
    told = f"coalesce(try({met}), try({{'v': {met}}}) is null or {unread})"
    return f" where {told} or ({unread} and not {part.is_told})"


def _condition(feed: Feed, part: Part) -> str:
    names = placeholders(feed.condition or "")
    return f"({fill(feed.condition or '', {name: trimmed_sql(name, part) for name in names})})"


def _all_cast(feed: Feed, fields: Sequence[Field], part: Part, given: str) -> str:
    """The given rows with DuckDB's own cast of each text, and what is known of instants, in columns: an expression that
    stands twice is computed twice, and its patterns are compiled twice."""
    casts, shown, usual, starts = [], [], [], []
    for item in fields:
        name, text = item.column.name, given_text(item)
        made = None if keeps_type(item, part) else engine_cast(text, item.column.type)
        if made:
            casts.append(f"{made} as {CAST}{name}")
        if made and item.column.type == "timestamp":
            shown.append(f"{local_shown(CAST + name)} as {SHOWN}{name}")
            usual.append(f"{usual_instant(text, zone_of(feed, part), CAST + name, SHOWN + name)} as {USUAL}{name}")
            starts.append(f"{start_of_instant(text, USUAL + name)} as {START}{name}")
    rows = given
    for columns in (casts, shown, usual, starts):
        rows = f"select *, {', '.join(columns)} from ({rows})" if columns else rows
    return rows


def _checks(item: Field, feed: Feed, part: Part) -> list[Check]:
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
    if item.logic is not None:
        inputs = [as_text(name, part) for name in references(item)]
        inputs += [f"{TYPED}{name}::varchar" for name in results(item)]
        personal = {column.name for column in feed.entity.columns if column.classification != "public"}
        hidden = hidden or not personal.isdisjoint(results(item))
        shown = f"concat_ws(', ', {', '.join(inputs)})" if inputs and not hidden else None
        after = f" cannot be worked out by {' '.join(item.logic.split())}"
        checks.append(Check(f"{name}_logic", f"({FAILED}{name}{whole})", before, shown, after, known))
    if item.column.type == "timestamp" and feed.clock == "refuse" and feed.timezone != "UTC":
        after = (
            f" comes twice or never when the clocks of {feed.timezone} change; send it with its offset, or declare "
            f"clockChange: earlier or later in {feed.contract.name}"
        )
        # Only a time that was not read is looked at (`_unread_times`).
        changes = is_clock_change(LOCAL + name, zone_of(feed, part))
        predicate = f"(case when {LOCAL}{name} is not null then {changes} else false end)"
        checks.append(Check(f"{name}_clock", predicate, before, value, after, known))
        unread = f"{given} is not null and {typed} is null and not {predicate}"
    else:
        unread = f"{given} is not null and {typed} is null"
    if item.column.type != "text":
        checks.append(Check(f"{name}_type", f"({unread})", before, value, f" is not {_a(item.column.type)}", known))
    elif keeps_type(item, part) or (feed.location.format in ("parquet", "xlsx") and item.logic is None):
        kind = part.types.get(item.physical_name or "", "number")
        after = f" is a {kind} too large to hold every digit of a number that names something; send it as a text"
        lost = unread if keeps_type(item, part) else _lost_digits(item, part)
        checks.append(Check(f"{name}_type", f"({lost})", before, value, after, known))
    if _names_something(item, feed):
        shape = holds(
            f"{given} >= '[' and {given} < '|' and regexp_matches({given}, '^[\\[{{]') and json_valid({given})"
        )
        after = " is an object or a list where a text is expected; name a member of it in physicalName"
        checks.append(Check(f"{name}_type", shape, before, value, after, known))
    checks += _outside(item, part, typed, before, value)
    if item.required:
        empty = given if (item.column.type != "text" or item.logic is None) and not item.day_of else typed
        failed = f" and not {FAILED}{name}" if item.logic is not None else ""
        if names_number(item, part) and item.repairs:
            failed = f" and not {_lost_digits(item, part)}"
        missing = f"({empty} is null{failed}{whole})"
        checks.append(Check(f"{name}_required", missing, f"{field_name}: is required and missing"))
    for rule in item.rules:
        if rule.severity == "error":
            after = f" breaks {rule.name} ({asserted(rule)})"
            checks.append(Check(rule.name, f"({violates(rule, typed)}{whole})", before, value, after, known))
    return checks


def _names_something(item: Field, feed: Feed) -> bool:
    """Whether the column is a text of a JSON document that a row cannot do without: an object in its place is another
    way to write the document, and its JSON would be a value that nothing else has."""
    column = item.column
    is_needed = item.required or column.identifier is not None or column.name in feed.entity.key
    return column.type == "text" and item.logic is None and is_needed and feed.location.format in ("json", "jsonl")


def _lost_digits(item: Field, part: Part) -> str:
    """SQL, never NULL: the column's text is a number without all of its digits. The reader of Excel, and the raw record
    of a Parquet row, leave such a number with its exponent."""
    if names_number(item, part):
        source = quote_name(item.physical_name or "")
        digits = text_from_number(source, part.types[item.physical_name or ""])
        return holds(f"{source} is not null and {digits} is null")
    given = GIVEN + item.column.name
    # Every number begins with a sign or a digit, and most texts do not.
    some = " or ".join(f"{test}({given}, '{part}')" for test, part in _MARKS_OF_LOSS)
    return holds(f"{given} < ':' and ({some}) and regexp_full_match({given}, '{_LOSS}')")


def _a(kind: ColumnType) -> str:
    """A type in words, with what it takes where that is less than one would think."""
    return {
        "integer": "a whole number",
        "decimal": "a number of at most 14 digits before the point and 4 behind it",
        "rate": "a number of at most 10 digits before the point and 8 behind it",
        "double": "a finite number",
        "date": "a day (YYYY-MM-DD)",
        "timestamp": "a time (YYYY-MM-DD HH:MM:SS, with or without offset)",
    }.get(kind, f"a {kind}")


def _outside(item: Field, part: Part, typed: str, before: str, value: str | None) -> list[Check]:
    """The check of the range that the canonical column has."""
    low, high = item.column.limits(part.file.ds)
    limits = (("<", low), (">", high))
    broken = " or ".join(f"{typed} {sign} {_literal(limit, item)}" for sign, limit in limits if limit is not None)
    if not broken:
        return []
    name = item.column.name
    least, most = (limit and _in_words(limit, item) for limit in (low, high))
    after = f" is outside {least} to {most}, the range of {name}"
    if not (least and most):
        after = f" is below {least}, the least of {name}" if least else f" is above {most}, the most of {name}"
    return [Check(f"{name}_range", holds(broken), before, value, after)]


def _in_words(limit: str, item: Field) -> str:
    return limit if item.column.type in ("date", "timestamp") else f"{Decimal(limit):f}"


def _literal(limit: str, item: Field) -> str:
    return f"{item.column.type} '{limit}'" if item.column.type in ("date", "timestamp") else limit


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
        # DuckDB makes a join of an IN with five values or more.
        parts.append(f"not contains([{', '.join(quote_text(str(value)) for value in values)}], {column}::varchar)")
    return holds(" or ".join(parts) or "false")


def holds(condition: str) -> str:
    """SQL, never NULL: the condition is true. Within a CASE, DuckDB looks at the next part of a condition only for the
    rows that need it (1.5.5)."""
    return f"case when {condition} then true else false end"
