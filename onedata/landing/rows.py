"""The SQL of landing: source text to canonical columns, row rules to reasons. Pure: contract in, SQL out.

Every row rule is one predicate, used here to quarantine and compiled again by `quality` to guard the result.
"""

from collections.abc import Sequence

from onedata.contracts.model import Feed, Field, Rule, references
from onedata.sql import quote_name, quote_text

GIVEN = "_given_"


def typed_rows(feed: Feed, reading: str) -> str:
    """SQL: one row a source record with every mapped canonical column, `_hash` or `_content`, `_rule`, `_reason` and, for bad rows, `_raw`.

    Args:
        feed: The feed.
        reading: The reader's query (see `onedata.readers.base.Reading`).
    """
    fields = [item for item in feed.fields if not is_row_identity(item)]
    given = ", ".join(f"{_given(item)} as {GIVEN}{item.column.name}" for item in fields)
    content = ", ".join(f"coalesce({quote_name(name)}, chr(30))" for name in feed.source_fields)
    digest = f"md5(concat_ws(chr(31), {content})) as _content" if feed.content_key else f"md5_number_lower(concat_ws(chr(31), {content})) as _hash"
    typed = ", ".join(f"{_typed(item, feed)} as {item.column.name}" for item in fields)
    checks = [("unreadable_record", "_broken is not null", "_broken")]
    for item in fields:
        checks += _checks(item)
    bad = " or ".join(predicate for _, predicate, _ in checks)
    rule = " ".join(f"when {predicate} then {quote_text(name)}" for name, predicate, _ in checks)
    reasons = ", ".join(f"case when {predicate} then {reason} end" for _, predicate, reason in checks[1:])
    names = ", ".join(item.column.name for item in fields)
    return (
        f"select _file_number, {names}, {'_content' if feed.content_key else '_hash'}, "
        f"case when {bad} then case {rule} end end as _rule, "
        f"case when _broken is not null then _broken when {bad} then concat_ws('; ', {reasons}) end as _reason, "
        f"case when {bad} then _raw end as _raw "
        f"from (select *, {typed} from (select _file_number, _raw, _broken, {digest}, {given} from ({reading}))) "
    )


def is_row_identity(item: Field) -> bool:
    return item.logic is not None and item.logic.strip() == "{row_identity}"


def _given(item: Field) -> str:
    """The source's value for a column, as text or as what transformLogic makes of it."""
    if item.logic is None:
        assert item.physical_name is not None
        return _text(item.physical_name)
    logic = item.logic
    if item.physical_name:
        logic = logic.replace("{value}", _text(item.physical_name))
    for name in _sources(item):
        logic = logic.replace("{" + name + "}", _text(name))
    return f"try({logic})"


def _sources(item: Field) -> list[str]:
    return [name for name in references(item) if item.logic and "{" + name + "}" in item.logic]


def _text(name: str) -> str:
    """A source field, trimmed; an empty string is a missing value."""
    return f"nullif(trim({quote_name(name)}), '')"


def _typed(item: Field, feed: Feed) -> str:
    value = GIVEN + item.column.name
    if item.column.type == "text":
        return f"nullif(trim({value}::varchar), '')"
    if item.column.type == "timestamp":
        return _timestamp(value, feed.timezone)
    return f"try_cast({value} as {item.column.sql_type})"


def _timestamp(value: str, timezone: str) -> str:
    """UTC from text with an offset, or from local time of the feed's zone. The session's zone is UTC."""
    # Shop exports write a blank before the offset.
    closed_up = f"replace(replace({value}::varchar, ' +', '+'), ' -', '-')"
    with_offset = f"try_cast({closed_up} as timestamptz) at time zone 'UTC'"
    if timezone == "UTC":
        return with_offset
    local = f"(try_cast({value}::varchar as timestamp) at time zone {quote_text(timezone)}) at time zone 'UTC'"
    has_offset = f"regexp_matches({value}::varchar, ':.*[0-9](Z|[+-][0-9]{{2}}(:?[0-9]{{2}})?)$')"
    return f"case when {has_offset} then {with_offset} else {local} end"


def _checks(item: Field) -> list[tuple[str, str, str]]:
    """Rule name, predicate of a bad row, SQL of the reason."""
    name, given = item.column.name, GIVEN + item.column.name
    field_name = f"{name} (source field {item.physical_name})" if item.physical_name and item.physical_name != name else name
    # A reason travels further than the raw row does: it never repeats a raw identifier.
    shown = "'its value'" if item.column.classification == "core" else f"coalesce('\"' || left({given}::varchar, 80) || '\"', 'nothing')"
    # `_broken is null`: a record that could not be taken apart has no values to judge.
    checks = []
    if item.column.type != "text":
        checks.append(
            (
                f"{name}_type",
                f"({given} is not null and {name} is null)",
                f"{quote_text(f'{field_name}: ')} || {shown} || {quote_text(f' is not a {item.column.type}')}",
            )
        )
    if item.required:
        missing = f"({given} is null and {name} is null and _broken is null)"
        if item.column.type == "text":
            missing = f"({name} is null and _broken is null)"
        checks.append((f"{name}_required", missing, quote_text(f"{field_name}: is required and missing")))
    for rule in item.rules:
        if rule.severity == "error":
            reason = f"{quote_text(f'{field_name}: ')} || {shown} || {quote_text(f' breaks {rule.name} ({describe(rule)})')}"
            checks.append((rule.name, f"(({violates(rule, name)}) and _broken is null)", reason))
    return checks


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


def describe(rule: Rule) -> str:
    """The rule's arguments in words."""
    names = {"minimum": "at least", "maximum": "at most", "pattern": "matches", "validValues": "one of"}
    return ", ".join(f"{names.get(name, name)} {value}" for name, value in rule.arguments.items()) or rule.metric
