"""The SQL of one column: the source's value after repairs, or the result of transformLogic, and its cast. Pure."""

from collections.abc import Mapping

from onedata.contracts.boundary import fill
from onedata.contracts.model import DIGITS, NUMBERS, RESULT_OF, ColumnType, Feed, Field, references, results
from onedata.landing.casts import (
    Zone,
    date_from_text,
    decimal_from_text,
    double_from_text,
    instant_from_timestamp,
    integer_from_text,
    local_day,
    local_of_text,
    number_from_number,
    unusual_instant,
    without_open_end,
)
from onedata.landing.repairs import PADDED, mended
from onedata.readers.base import Part
from onedata.readers.digits import text_from_number
from onedata.sql import quote_name

# Source fields and canonical columns may have the same names: each has a prefix until the last step.
GIVEN = "_given_"
TYPED = "_typed_"
CAST = "_cast_"
SHOWN = "_shown_"
USUAL = "_usual_"
START = "_start_"
LOCAL = "_local_"
FAILED = "_failed_"
_NUMBERS = ("INT", "DECIMAL", "DOUBLE", "FLOAT")
# DuckDB types that can be cast to a column's type without going through text.
_AS_THEY_ARE: Mapping[ColumnType, tuple[str, ...]] = {
    "text": _NUMBERS,
    "integer": ("INT", "DECIMAL"),
    "decimal": ("INT", "DECIMAL"),
    "rate": ("INT", "DECIMAL"),
    "double": _NUMBERS,
    "boolean": ("BOOLEAN",),
    "date": ("DATE",),
    "timestamp": ("TIMESTAMP",),
}


def given_text(item: Field) -> str:
    """The given value of a column as a text."""
    value = GIVEN + item.column.name
    return value if item.logic is None or item.repairs else f"{value}::varchar"


def as_text(name: str, part: Part) -> str:
    return f"{quote_name(name)}::varchar" if name in part.types else quote_name(name)


def given_sql(item: Field, feed: Feed, part: Part) -> tuple[str, tuple[tuple[str, str], ...]]:
    """The source's value for a column and its repairs: unchanged, as text, or as the result of transformLogic."""
    if item.is_filled:
        return "null::varchar", ()
    if keeps_type(item, part):
        assert item.physical_name is not None
        value = quote_name(item.physical_name)
        return (without_open_end(value, part.types[item.physical_name]) if _has_end(item) else value), ()
    if item.logic is None:
        assert item.physical_name is not None
        text = as_text(item.physical_name, part)
        if item.column.type == "text" and names_number(item, part):
            text = text_from_number(quote_name(item.physical_name), part.types[item.physical_name])
        if feed.location.options.get("decimal") == "," and item.column.type in NUMBERS:
            text = _with_point(text)
        if _has_end(item):
            text = without_open_end(text)
        found = mended(text, item.repairs, PADDED)
        return found.value, found.changed if item.column.type == "text" or item.repairs else ()
    logic = filled_sql(item, part)
    if not item.repairs:
        return f"try({logic})", ()
    found = mended(f"try({logic})::varchar", item.repairs)
    return found.value, found.changed[1:]


def filled_sql(item: Field, part: Part) -> str:
    """The column's transformLogic over the source fields, trimmed and as text, and over the results of others."""
    values = {name: trimmed_sql(name, part, item.column.type == "text") for name in references(item)}
    values |= {f"{RESULT_OF}{name}": f"{TYPED}{name}" for name in results(item)}
    return fill(item.logic or "", values | ({"value": values[item.physical_name]} if item.physical_name else {}))


def failed_sql(item: Field, part: Part) -> str:
    """SQL: transformLogic raises an error, which `try` alone makes the same as a result of NULL: inside a structure the
    two differ. Only rows without a result are looked at again."""
    fails = f"try({{'v': {filled_sql(item, part)}}}) is null"
    return f"case when {GIVEN}{item.column.name} is null then {fails} else false end"


def _has_end(item: Field) -> bool:
    return item.column.type in ("date", "timestamp")


def _with_point(text: str) -> str:
    """Convert a number with a decimal comma (1.234,50) to one with a point. A point must separate thousands, of which
    the first group does not begin with 0 (0.500 is no 500), else the text is not a number."""
    thousands = f"regexp_full_match({text}, '\\s*[+-]?[1-9]\\d{{0,2}}(\\.\\d{{3}})+(,\\d*)?\\s*')"
    with_point = f"replace(replace({text}, '.', ''), ',', '.')"
    return (
        f"(case when contains({text}, '.') and not {thousands} then {text} || ' (the comma is decimal here)' else "
        f"{with_point} end)"
    )


def trimmed_sql(name: str, part: Part, names_something: bool = False) -> str:
    """A source field as a text without surrounding blanks. A number whose digits its type does not hold is written as
    the type writes it, and fails where the text `names_something`."""
    kind = part.types.get(name, "")
    text = as_text(name, part)
    if not _is_number(kind):
        return f"({mended(text, (), PADDED).value})"
    if names_something:
        # A cast that fails where it is computed; TRY takes no error().
        text = f"cast({text} || ' does not hold every digit' as bigint)::varchar"
    return f"coalesce({text_from_number(quote_name(name), kind)}, {text})"


def names_number(item: Field, part: Part) -> bool:
    """Whether the column is filled from a number of a typed file."""
    return item.logic is None and _is_number(part.types.get(item.physical_name or "", ""))


def _is_number(kind: str) -> bool:
    return any(number in kind for number in _NUMBERS)


def keeps_type(item: Field, part: Part) -> bool:
    kind = part.types.get(item.physical_name or "", "")
    return item.logic is None and not item.repairs and any(known in kind for known in _AS_THEY_ARE[item.column.type])


def typed_sql(item: Field, feed: Feed, part: Part) -> str:
    """SQL of the column's value, typed; of an empty day, the local day of the instant that tells it."""
    typed = _given_typed(item, feed, part)
    if not item.day_of:
        return typed
    instants = ", ".join(f"{TYPED}{name}" for name in item.day_of)
    day = local_day(f"coalesce({instants})" if len(item.day_of) > 1 else instants, zone_of(feed, part))
    return f"case when {GIVEN}{item.column.name} is null then {day} else {typed} end"


def _given_typed(item: Field, feed: Feed, part: Part) -> str:
    value, to = GIVEN + item.column.name, item.column.type
    if keeps_type(item, part):
        return _typed_kept(value, part.types[item.physical_name or ""], to, zone_of(feed, part))
    if to == "text":
        return value if item.logic is None else f"nullif(trim({value}::varchar), '')"
    text, cast = given_text(item), CAST + item.column.name
    if to == "integer":
        return integer_from_text(text, cast)
    if to in DIGITS:
        return decimal_from_text(text, cast, to)
    if to == "double":
        return double_from_text(text, cast)
    if to == "date":
        return date_from_text(text, cast)
    if to == "timestamp":
        usual = USUAL + item.column.name
        return f"case when {usual} is not null then {usual} else {unusual_instant(text, START + item.column.name)} end"
    return f"try_cast({value} as {item.column.sql_type})"


def _typed_kept(value: str, kind: str, to: ColumnType, zone: Zone) -> str:
    """A value of a typed file, which needs no way through text."""
    if to == "timestamp":
        return instant_from_timestamp(value, kind, zone)
    if to == "text":
        return text_from_number(value, kind)
    return number_from_number(value, kind, to) if to in NUMBERS else value


def zone_of(feed: Feed, part: Part) -> Zone:
    return Zone(feed.timezone, feed.clock, part.file.ds)


def local_sql(value: str, item: Field, part: Part) -> str:
    """SQL: the local time of a value; NULL where it names its own zone."""
    if not keeps_type(item, part):
        return local_of_text(f"{value}::varchar")
    return "null::timestamp" if part.types[item.physical_name or ""].endswith("WITH TIME ZONE") else value
