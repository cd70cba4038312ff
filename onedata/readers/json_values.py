"""The value of a field in a JSON document as text, and whether it is a number of which something would be lost."""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from onedata.contracts.model import NUMBERS, Feed, placeholders, references
from onedata.contracts.sums import below, summed
from onedata.readers.digits import DIGITS_IN_DOUBLE, INEXACT, NO_TEXT
from onedata.readers.json_paths import Step, Tree, json_path, member_steps, searched
from onedata.sql import quote_name, quote_text

MAX_DOCUMENT_BYTES = 1 << 25
DIGITS_IN_INTEGER = 19
_LOST = f": is a number with more than {DIGITS_IN_DOUBLE} digits, of which not all survive; send it as a text"
_INEXACT = ": is a number of which its type does not hold every digit; send it as a text"


class JsonValue(NamedTuple):
    """A field whose value may be a JSON number: SQL of its text, and where it stands, as a path below a JSON value."""

    name: str
    text: str
    within: str
    steps: Sequence[Step] | None
    """None of a sum."""
    is_exact: bool
    is_text: bool
    is_time: bool
    is_marked: bool
    """Whether the document is of a typed file (`marked_text`)."""
    arrays: tuple[str, ...] = ()
    """The lists of a sum, each below a member of the one before."""

    @property
    def is_double(self) -> str | None:
        """SQL: the value is a number with a point or an exponent, which DuckDB parses through a double. None of a
        sum."""
        if self.steps is None:
            return None
        if any(isinstance(step, tuple) for step in self.steps):
            return f"json_type({searched(self.within, self.steps)}) = 'DOUBLE'"
        return f"json_type({self.within}, {quote_text(json_path(self.steps))}) = 'DOUBLE'"

    @property
    def unusual(self) -> str:
        """SQL: only the document can tell whether something of the value is lost. Empty if nothing can be.

        DuckDB writes a double with a point or with `e+`, or as whole digits that no integer type holds.
        """
        text = self.text
        if self.is_double is None or self.is_time or not (self.is_text or self.is_exact):
            return ""
        is_double = f"(contains({text}, '.') or strlen({text}) > {DIGITS_IN_INTEGER})"
        is_long = f"strlen({text}) > {DIGITS_IN_DOUBLE} and {is_double} and not contains({text}, ':')"
        if not self.is_text:
            # A column of numbers holds none of those with an exponent.
            return f"({is_long})"
        return f"({text} < ':' and (ends_with({text}, '.0') or contains({text}, 'e+') or ({is_long})))"


def of_field(feed: Feed, name: str, tree: Tree, taken: str, document: str, prefix: str = "") -> JsonValue:
    """A source field of a document, or of a member of it.

    Args:
        feed: The feed.
        name: The source field.
        tree: What is taken from the document.
        taken: SQL of that.
        document: SQL of the document or member.
        prefix: Begin of the names of the member's fields.
    """
    path = below(name, prefix)
    total = summed(path)
    steps = None if total else member_steps(path)
    is_marked = feed.location.format == "parquet"
    return JsonValue(
        name,
        tree.field(taken, path),
        document,
        steps,
        *_of_number(feed, name),
        is_marked,
        total.arrays if total else (),
    )


def _of_number(feed: Feed, name: str) -> tuple[bool, bool, bool]:
    """Whether all digits of the field count, if it is a number: not where only columns of type double read it, or
    rounded ones. Whether its text counts as it is written: not where only columns of numbers read it, for which '12.0'
    is 12. And whether only columns of days and times read it, which take no number."""
    readers = [item for item in feed.fields if name in references(item)]
    is_exact = not all(
        item.column.type == "double" or any(repair.kind == "round" for repair in item.repairs) for item in readers
    )
    is_text = bool(feed.content_key or feed.location.options.get("decimal")) or not all(
        item.column.type in NUMBERS and item.logic is None and not item.repairs for item in readers
    )
    is_asked = name in placeholders(feed.condition or "")
    is_time = not feed.content_key and all(
        item.column.type in ("date", "timestamp") and item.logic is None and not item.repairs for item in readers
    )
    return is_exact, is_text or is_asked, is_time and not is_asked


def fields_sql(values: Sequence[JsonValue]) -> str:
    """The fields, a whole number among them without the `.0` that a double adds, and `_lost`: why the first of those
    that cannot be told is bad. Only texts that look so are looked up in the document."""
    fields: list[str] = []
    lost: list[str] = []
    for value in values:
        text, is_double = value.text, value.is_double
        if is_double is None:
            fields.append(f"{text} as {quote_name(value.name)}")
            lost += _no_arrays(value)
            continue
        # Every number begins with a sign or a digit, and most texts do not.
        whole = f"{text} < ':' and ends_with({text}, '.0') and {is_double}"
        written = f"case when {whole} then left({text}, -2) else {text} end" if value.is_text else text
        if value.is_marked:
            written = f"replace({written}, {quote_text(INEXACT)}, '')"
            lost.append(_when_marked(value, NO_TEXT, any_text(f"the bytes of {value.name} are not UTF-8 text")))
        fields.append(f"{written} as {quote_name(value.name)}")
        if not value.is_exact:
            continue
        if value.is_marked and value.is_text:
            lost.append(_when_marked(value, INEXACT, any_text(value.name + _INEXACT)))
        digits = f"strlen(replace(ltrim({text}, '-0.'), '.', '')) - if(ends_with({text}, '.0'), 1, 0)"
        # Unlike AND, CASE counts the digits of long texts only; those that begin with a digit are mostly times.
        is_long = f"strlen({text}) > {DIGITS_IN_DOUBLE} and not contains({text}, ':')"
        many = f"contains({text}, 'e+') or case when {is_long} then {digits} > {DIGITS_IN_DOUBLE} else false end"
        lost.append(f"when {text} < ':' and ({many}) and {is_double} then {any_text(value.name + _LOST)}")
    found = f"case {' '.join(lost)} end" if lost else "null::varchar"
    return "".join(f", {field}" for field in [*fields, f"{found} as _lost"])


def _when_marked(value: JsonValue, mark: str, reason: str) -> str:
    return f"when starts_with({value.text}, {quote_text(mark)}) then {reason}"


def _no_arrays(value: JsonValue) -> Iterator[str]:
    """Of a sum: something else stands where an array is expected. Then a sum over one array is 0."""
    place = "$"
    for number, array in enumerate(value.arrays):
        place += json_path(array)[1:]
        kinds = f"json_type({value.within}, {quote_text(place)})"
        odd = f"{kinds} not in ('ARRAY', 'NULL')"
        if number:
            odd = f"len(list_filter({kinds}, lambda kind: kind not in ('ARRAY', 'NULL'))) > 0"
        elif len(value.arrays) == 1:
            odd = f"{value.text} = '0' and {odd}"
        yield f"when {odd} then {any_text(f'{value.name}: what stands at {array} is no array')}"
        place += "[*]"


def any_text(text: str) -> str:
    """An SQL string of a member name chosen by the sender: a NUL character is not allowed in a literal."""
    return f"({' || chr(0) || '.join(map(quote_text, text.split(chr(0))))})"
