"""What a sample's values tell: whether they have a column's type, and the transformLogic that converts them.

What the values cannot settle (01/02/2026, 1.234) is not chosen: every reading is returned, for a person.
"""

import re
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from onedata.contracts.model import NUMBERS, Column
from onedata.onboarding.forms import (
    day_of_instant_sql,
    epoch_sql,
    is_instant,
    layout_form,
    layout_sql,
    number_sql,
    plain_number_sql,
    year_sql,
)
from onedata.onboarding.words import folded, words

ISO_DAY = re.compile(r"\d{4}-\d{2}-\d{2}")
ISO_TIME = re.compile(r"\d{4}-\d{2}-\d{2}[T ]\d{2}:\d{2}(:\d{2}(\.\d+)?)?( ?(Z|UTC|[+-]\d{2}(:?\d{2})?))?")
DAY_IN_UTC = "the day in UTC, which may not be the local one"
NUMBER = re.compile(r"[+-]?\d+(\.\d+)?([eE][+-]?\d+)?")
POINT = re.compile(r"[+-]?(\d+|[1-9]\d{0,2}(,\d{3})+)(\.\d+)?")
COMMA = re.compile(r"[+-]?(\d+|[1-9]\d{0,2}(\.\d{3})+)(,\d+)?")
EMAIL = re.compile(r"[^@\s]+@[^@\s]+\.[^@\s]+")
AFFIXED = re.compile(r"([+-]?)([^\d\s+.,-]{0,3})\s?([+-]?\d[\d.,]*)\s?([^\d\s+.,-]{0,3})")
SYMBOLS = frozenset(("$", "€", "£", "¥", "￥", "R$", "kr", "zł", "₹", "元", "円"))
BOOLEANS = frozenset(("true", "false", "t", "f", "yes", "no", "y", "n", "0", "1"))
PACKED_TIME = re.compile(r"(19|20)\d{12}")
DAYS = ("%Y/%m/%d", "%Y.%m.%d", "%Y%m%d", "%Y年%m月%d日", "%d %b %Y", "%d-%b-%Y", "%b %d, %Y", "%d %B %Y", "%B %d, %Y")
TIMES = ("", " %H:%M", " %H:%M:%S", " %I:%M %p", " %I:%M:%S %p", ", %H:%M", ", %H:%M:%S", "T%H:%M:%S")
ORDERS = {"day first": "%d{0}%m{0}%Y", "month first": "%m{0}%d{0}%Y"}
SHORT = {"day first": "%d{0}%m{0}%y", "month first": "%m{0}%d{0}%y", "year first": "%y{0}%m{0}%d"}
"""With a year of two digits nothing can be settled for sure."""
NUMERIC_DAY = re.compile(r"\d{1,2}([./-])\d{1,2}\1\d{4}\b")
EPOCHS = {10: " * 1000000", 13: " * 1000", 16: ""}
"""Digits of a count since 1970, and what makes microseconds of it."""
EPOCH_YEARS = (631_152_000, 4_102_444_800)  # 1990 to 2100


@dataclass(frozen=True)
class Reading:
    """Whether values have a column's type, and the transformLogic that converts them (None: as they are).

    `choices` holds every possible reading, by its name, where the values do not settle which; `guess` says what was
    taken for granted.
    """

    fits: bool
    logic: str | None = None
    choices: tuple[tuple[str, str], ...] = ()
    guess: str = ""


@dataclass(frozen=True)
class Habits:
    """How a file writes numbers and days, as far as its values settle it: the decimal sign, and by separator whether
    the day or the month comes first."""

    decimal: str | None = None
    orders: dict[str, str] = field(default_factory=dict)


def habits(columns: Iterable[Sequence[str]]) -> Habits:
    """The habits that all columns of a file agree on."""
    decimals: set[str] = set()
    orders: dict[str, set[str]] = {}
    for values in columns:
        plain = [value for value in map(_bare, values) if value and not value.isdigit()]
        if plain:
            point, comma = all(map(POINT.fullmatch, plain)), all(map(COMMA.fullmatch, plain))
            decimals |= {"." if point else ","} if point != comma else set()
        separators = {found[1] for value in values if (found := NUMERIC_DAY.match(value))}
        if len(separators) == 1:
            separator = separators.pop()
            settled = [name for name in ORDERS if _layout(values, ORDERS[name].format(separator))]
            orders.setdefault(separator, set()).update(settled if len(settled) == 1 else ())
    return Habits(
        decimals.pop() if len(decimals) == 1 else None,
        {separator: found.pop() for separator, found in orders.items() if len(found) == 1},
    )


def adapted(column: Column, values: Sequence[str], file: Habits | None = None, unit: str | None = None) -> Reading:
    """How the values fill a column.

    Args:
        column: The canonical column.
        values: Values of the sample, not empty.
        file: The habits of the file that they are from.
        unit: The unit that their header names.
    """
    file = file or Habits()
    if column.type == "text" or not values:
        return Reading(True)
    if column.type == "boolean":
        return _boolean(values)
    if column.name.endswith("_year") and not all(re.fullmatch(r"(19|20)\d\d", value) for value in values):
        return _year(values)
    if column.type in NUMBERS:
        return _in_unit(column, values, _number(column, values, file), unit)
    if all(map(is_instant, values)):
        if column.type != "date":
            return Reading(True)
        return Reading(True, day_of_instant_sql(values), guess=DAY_IN_UTC if is_utc(values) else "")
    if all(map(ISO_DAY.fullmatch, values)):
        return Reading(True)
    return _moment(column, values, file)


def is_day(values: Sequence[str]) -> bool:
    """Whether the values are days without a time."""
    return bool(values) and all(
        ":" not in value
        and len(value) <= len("31 September 2026")
        and not PACKED_TIME.fullmatch(value)
        and not _is_epoch(value)
        for value in values
    )


def is_utc(values: Sequence[str]) -> bool:
    """Whether the values are instants in UTC, whose local day they do not tell."""
    return any(re.search(r"(Z|UTC|[+-]00(:?00)?)$", value) or _is_epoch(value) for value in values)


def _is_epoch(value: str) -> bool:
    return value.isdigit() and len(value) in EPOCHS


def _year(values: Sequence[str]) -> Reading:
    """The year of a day: in front or at the end, whatever the order of day and month."""
    if all(re.fullmatch(r"(19|20)\d\d\D\d{1,2}\D\d{1,2}(\D.*)?", value) for value in values):
        return Reading(True, year_sql(is_first=True))
    is_last = all(re.fullmatch(r"\d{1,2}\D\d{1,2}\D(19|20)\d\d", value) for value in values)
    return Reading(is_last, year_sql(is_first=False))


def _boolean(values: Sequence[str]) -> Reading:
    if all(value.lower() in BOOLEANS for value in values):
        return Reading(True)
    texts = {value.lower() for value in values}
    for yes, no in words().booleans:
        if texts <= {yes, no}:
            return Reading(
                True, f"case lower({{value}}) when '{yes}' then 'true' when '{no}' then 'false' else {{value}} end"
            )
    return Reading(False)


def _bare(value: str) -> str:
    """The number without a sign of its currency; '' if it is none."""
    found = AFFIXED.fullmatch(value)
    return found[1] + found[3] if found else ""


def _number(column: Column, values: Sequence[str], file: Habits) -> Reading:
    is_plain = all(map(NUMBER.fullmatch, values)) and not any(_grouped(value) for value in values)
    # Whole numbers of a file with decimal commas: 1.234 of a later night is no fraction.
    if is_plain and not (file.decimal == "," and all(map(COMMA.fullmatch, values))):
        whole = column.type != "integer" or all(float(value).is_integer() for value in values)
        return Reading(whole or column.name in words().units)
    found = [AFFIXED.fullmatch(value) for value in values]
    affixes = {affix for match in found if match for affix in (match[2], match[4]) if affix}
    known = words().currencies
    if not all(found) or len(affixes) > 1 or not all(a in SYMBOLS or folded(a) in known for a in affixes):
        return Reading(False)
    bare = [_bare(value) for value in values]
    readings = {
        sign: _signed(sign, bare, affixes)
        for sign, form in ((".", POINT), (",", COMMA))
        if all(map(form.fullmatch, bare))
    }
    if file.decimal in readings or len(readings) == 1:
        sign = file.decimal if file.decimal in readings else next(iter(readings))
        logic = readings[sign]
        return Reading(True, None if logic == "{value}" else logic)
    names = {".": "the point is the decimal sign", ",": "the comma is the decimal sign"}
    return Reading(bool(readings), choices=tuple((names[sign], logic) for sign, logic in readings.items()))


def _grouped(value: str) -> bool:
    """Whether a point may part thousands: 1.234 may be a thousand."""
    return "." in value and COMMA.fullmatch(value) is not None


def _signed(sign: str, values: Sequence[str], affixes: Collection[str]) -> str:
    if sign == "." and not affixes and not any("," in value for value in values):
        return "{value}"
    return number_sql(sign, values, affixes)


def _in_unit(column: Column, values: Sequence[str], reading: Reading, unit: str | None) -> Reading:
    """The reading in the column's unit."""
    table = words().units
    own = table.get(column.name)
    if not reading.fits or (own is None and unit is None):
        return reading
    if own is not None and unit not in own:
        told = f"the unit is not told; {column.name.rsplit('_', 1)[-1]} was taken"
        return Reading(True, reading.logic, reading.choices, reading.guess or told)
    factor = (own or (table["money"] if column.type == "decimal" else {})).get(unit or "", "1")
    if factor == "1":
        return reading

    def times(logic: str) -> str:
        inner = plain_number_sql(values) if logic == "{value}" else logic
        if column.type == "integer":
            return f"round({inner}::decimal(18,6) * {factor})::bigint::varchar"
        if column.type == "double":
            return f"({inner}::double * {factor})::varchar"
        return f"({inner}::decimal(24,8) * {factor})::varchar"

    logic = None if reading.choices else times(reading.logic or "{value}")
    return Reading(True, logic, tuple((name, times(text)) for name, text in reading.choices), reading.guess)


def _moment(column: Column, values: Sequence[str], file: Habits) -> Reading:
    cast = "::date::varchar" if column.type == "date" else "::varchar"
    digits = {len(value) for value in values}
    if len(digits) == 1 and all(value.isdigit() for value in values) and digits <= EPOCHS.keys():
        size = digits.pop()
        seconds = [int(value) // 10 ** (size - 10) for value in values]
        in_range = all(EPOCH_YEARS[0] <= second < EPOCH_YEARS[1] for second in seconds)
        is_date = column.type == "date"
        return Reading(in_range, epoch_sql(size, EPOCHS[size], is_date), guess=DAY_IN_UTC if is_date else "")
    if all(map(PACKED_TIME.fullmatch, values)):
        return Reading(True, layout_sql("%Y%m%d%H%M%S", cast))
    for day in DAYS:
        if layout := _layout(values, day):
            return Reading(True, layout_sql(layout, cast))
    separators = {found[1] for value in values if (found := re.match(r"\d{1,2}([./-])", value))}
    if len(separators) != 1:
        return Reading(False)
    separator = separators.pop()
    for orders in (ORDERS, SHORT):
        layouts = {name: form for name, day in orders.items() if (form := _layout(values, day.format(separator)))}
        readings = {name: layout_sql(layout, cast) for name, layout in layouts.items()}
        settled = file.orders.get(separator) if orders is ORDERS else None
        if len(readings) == 1 or settled in readings:
            return Reading(True, readings[settled if settled in readings else next(iter(readings))])
        if readings:
            return Reading(True, choices=tuple(readings.items()))
    return Reading(False)


def _layout(values: Sequence[str], day: str) -> str | None:
    """The layout of a day, with a time behind it or not, that every value has."""
    return next((day + time for time in TIMES if all(_parses(value, day + time) for value in values)), None)


def _parses(value: str, layout: str) -> bool:
    if not re.fullmatch(layout_form(layout), value):
        return False
    try:
        datetime.strptime(value, layout)
    except ValueError:
        return False
    return True
