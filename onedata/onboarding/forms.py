"""SQL that converts values of one form, and of no other: the transformLogic of drafts. Pure.

A sample shows one form; a later file may hold another, which `replace` or `left` alone would read wrong in silence.
Here a value of another form stays as it is with a mark behind it, which no type takes: its row goes to quarantine.

The patterns are read by Python (for the sample) and by DuckDB, and hold no braces, which a contract takes for fields.
"""

import re
from collections.abc import Iterable, Sequence

OTHER_FORM = " ?"
"""Follows a value of another form; with it, the value is no number, day, time or boolean."""

_DIGIT = "[0-9]"
_YEAR = _DIGIT * 4
_DAY = f"{_YEAR}-{_DIGIT * 2}-{_DIGIT * 2}"
_CLOCK = f"([01]{_DIGIT}|2[0-3]):[0-5]{_DIGIT}(:[0-5]{_DIGIT}([.]{_DIGIT}+)?)?"
_ZONES = {
    "": "",
    "utc": " ?(Z|UTC|[+-]00(:?00)?)",
    "offset": f" ?[+-]{_DIGIT * 2}(:?{_DIGIT * 2})?",
}
"""How an instant may end: a feed that names no zone, UTC, or its own offset says another day by each."""
_PARTS = {
    "%Y": _YEAR,
    "%y": _DIGIT * 2,
    "%m": f"{_DIGIT}{_DIGIT}?",
    "%d": f"{_DIGIT}{_DIGIT}?",
    "%H": f"{_DIGIT}{_DIGIT}?",
    "%I": f"{_DIGIT}{_DIGIT}?",
    "%M": _DIGIT * 2,
    "%S": _DIGIT * 2,
    "%p": "[AaPp][Mm]",
    "%b": "[A-Za-z][A-Za-z][A-Za-z]",
    "%B": "[A-Za-z]+",
}
_BLANK = "[ \u00a0\u202f]?"


def only(form: str, turned: str) -> str:
    """SQL: `turned` for a value of the form; any other value, and one that `turned` is NULL for, with the mark."""
    return f"coalesce(case when regexp_full_match({{value}}, '{form}') then {turned} end, {{value}} || '{OTHER_FORM}')"


def number_form(sign: str, values: Sequence[str]) -> str:
    """The form of numbers with this decimal sign. Groups of thousands without a decimal sign behind them only count if
    the values have groups: in `10.500` the point may be decimal."""
    decimal, group = ("[.]", ",") if sign == "." else (",", "[.]")
    parted = f"[1-9]{_DIGIT}?{_DIGIT}?({group}{_DIGIT * 3})+"
    if any(group.strip("[]") in value for value in values):
        return f"({_DIGIT}+|{parted})({decimal}{_DIGIT}+)?"
    return f"({_DIGIT}+({decimal}{_DIGIT}+)?|{parted}{decimal}{_DIGIT}+)"


def number_sql(sign: str, values: Sequence[str], affixes: Iterable[str]) -> str:
    """SQL of numbers with this decimal sign, with or without the sign of a currency on one side."""
    number = f"[+-]?{number_form(sign, values)}"
    form, digits = number, "{value}"
    for affix in affixes:
        form = f"[+-]?{_literal(affix)}{_BLANK}{number}|{number}({_BLANK}{_literal(affix)})?"
        digits = "regexp_replace({value}, '[^0-9.,+-]', '', 'g')"
    if sign == ",":
        return only(form, f"replace(replace({digits}, '.', ''), ',', '.')")
    return only(form, f"replace({digits}, ',', '')")


def plain_number_sql(values: Sequence[str]) -> str:
    """SQL of numbers with a decimal point, before a calculation that takes more (`1_000`, `inf`)."""
    exponent = f"([eE][+-]?{_DIGIT}+)?" if any("e" in value.lower() for value in values) else ""
    return only(f"[+-]?{_DIGIT}+([.]{_DIGIT}+)?{exponent}", "{value}")


def day_of_instant_sql(values: Sequence[str]) -> str:
    """SQL of the day that an ISO time says, with a zone behind it only as in the values."""
    ends = [
        next(kind for kind, end in _ZONES.items() if re.fullmatch(f"{_DAY}[T ]{_CLOCK}{end}", value))
        for value in values
    ]
    return only(f"{_DAY}[T ]{_CLOCK}({'|'.join(_ZONES[kind] for kind in dict.fromkeys(ends))})", "left({value}, 10)")


def is_instant(value: str) -> bool:
    """Whether the value is an ISO time, with or without a zone."""
    return any(re.fullmatch(f"{_DAY}[T ]{_CLOCK}{end}", value) for end in _ZONES.values())


def layout_form(layout: str) -> str:
    """The form of a layout of strptime, which alone takes days of one digit in 20260105 and years of two in %Y."""
    packed = "%Y%m%d%H%M%S" if layout.startswith("%Y%m%d%H") else "%Y%m%d" if layout.startswith("%Y%m%d") else ""
    return "".join(
        _DIGIT * 2 if part in ("%m", "%d", "%H") and part in packed else _PARTS.get(part, _literal(part))
        for part in re.findall(r"%.|.", layout)
    )


def _literal(text: str) -> str:
    return "".join(letter if letter.isalnum() else f"[{letter}]" for letter in text)


def layout_sql(layout: str, cast: str) -> str:
    """SQL of days or times in a layout of strptime."""
    return only(layout_form(layout), f"try_strptime({{value}}, '{layout}'){cast}")


def epoch_sql(digits: int, to_micros: str, is_date: bool) -> str:
    """SQL of the instant in UTC, or of its day there, of a count since 1970 with so many digits."""
    instant = f"make_timestamp({{value}}::bigint{to_micros})"
    return only(_DIGIT * digits, f"{instant}::date::varchar" if is_date else f"{instant}::varchar || 'Z'")


def year_sql(is_first: bool) -> str:
    """SQL of the year of a day, which begins with it or ends in it."""
    year = f"(19|20){_DIGIT * 2}"
    short = f"{_DIGIT}{_DIGIT}?"
    if is_first:
        return only(f"{year}[^0-9]{short}[^0-9]{short}([^0-9].*)?", "left({value}, 4)")
    return only(f"{short}[^0-9]{short}[^0-9]{year}", "right({value}, 4)")
