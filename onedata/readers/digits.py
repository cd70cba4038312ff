"""SQL of the digits of numbers in typed files."""

from onedata.sql import quote_text

DIGITS_IN_DOUBLE = 15
WHOLE_IN_DOUBLE = 2**53
"""From here on a double no longer holds every whole number."""


def text_from_number(value: str, kind: str) -> str:
    """The digits of a number that names something: no '.0', no exponent. NULL for a number so large that its type no
    longer tells it from its neighbours, and for one with a fraction that its digits would not show."""
    if kind in ("DOUBLE", "FLOAT"):
        most = WHOLE_IN_DOUBLE if kind == "DOUBLE" else 2**24
        whole = f"{value}::double = trunc({value}::double)"
        return (
            f"case when not isfinite({value}) or abs({value}) > {most} then null "
            f"when {whole} then {value}::bigint::varchar "
            f"when not contains({value}::varchar, 'e') then {value}::varchar end"
        )
    if kind.startswith("DECIMAL") and not kind.endswith(",0)"):
        return (
            f"case when {value} = trunc({value}) then trunc({value})::decimal(38,0)::varchar else {value}::varchar end"
        )
    return f"{value}::varchar"


INEXACT = "\x01inexact:"
"""Begin of a number's text in a document of a typed file, where its digits are not those of something's name."""
NO_TEXT = "\x01bytes:"
"""Begin of the text of bytes that are no UTF-8, in a document of a typed file."""


def marked_text(value: str, kind: str) -> str | None:
    """SQL of a value's text for a document, in which DuckDB would write a number through a double and bytes with
    escapes: digits, decoded bytes, or one of the marks and the value. None for a type that a document holds whole."""
    if kind.startswith("DECIMAL"):
        return text_from_number(value, kind)
    if kind in ("DOUBLE", "FLOAT"):
        digits = f"strlen(replace(ltrim({value}::varchar, '-0.'), '.', ''))"
        is_short = f"{value} = trunc({value}) or {digits} <= {DIGITS_IN_DOUBLE}"
        exact = f"case when {is_short} then {text_from_number(value, kind)} end"
        return f"coalesce({exact}, {quote_text(INEXACT)} || {value}::varchar)"
    if kind == "BLOB":
        return f"coalesce(try(decode({value})), {quote_text(NO_TEXT)} || {value}::varchar)"
    return None
