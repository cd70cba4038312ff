"""Remove personal values from messages: text that looks like an e-mail address, a phone or a card is masked, and a
value is quoted by its shape.

Pure. Each function exists in Python and in SQL, with the same patterns (RE2, which DuckDB runs and Python understands;
ASCII classes, no lookaround), so that both give the same result for the same text. Values without a pattern, such as
names, cannot be found in a text: a value is therefore quoted unchanged only if it is a plain number, day or id
(`shown`). File names are unchanged, except for e-mail addresses in them.
"""

import functools
import inspect
import re
import unicodedata
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from typing import Any, ParamSpec, TypeVar

from onedata.sql import quote_text

E_MAIL, PHONE, CARD = "[e-mail]", "[phone]", "[card]"
MOST_CHARACTERS = 80
NOTHING = "nothing"
SHORTEST_REPEATED = 4
LAST_DIGITS = 4  # of a long number: enough to find its row, too few to call

# Full-width digits and signs of Chinese text, and the dashes and blanks typed in phone numbers: each maps to one
# character.
_WIDE = "０１２３４５６７８９＋－（）＠．　\u00a0\u2009\u202f‐‑‒–—−"
_NARROW = "0123456789+-()@.    ------"
_TO_NARROW = str.maketrans(_WIDE, _NARROW)

_LOCAL, _HOST = (rf"[^\s@\"'<>(){{}},;:=|\\/\[\]{more}]+" for more in ("", "."))
_MAIL = rf"{_LOCAL}(?:'{_LOCAL})*@{_HOST}(?:\.{_HOST})*\.[A-Za-z" + "\x80-\U0010ffff" + "]{2,}"
# What may surround a number that is not part of an id, a path, a day or an amount.
_BEFORE, _AFTER = r"(?:^|[^0-9A-Za-z_./@+-])", r"(?:$|[^0-9A-Za-z_/@.-]|[.]0?(?:$|[^0-9A-Za-z]))"
_SURE_PHONES = (
    r"\+[1-9](?:[ ()-]{0,2}[0-9]){6,14}",  # +49 (0)171 234-5678
    r"\+[1-9][0-9]{0,2}(?:\.[0-9]{2,5}){2,5}",
    r"(?:86[ -]?)?1[3-9][0-9](?:[ -]?[0-9]{4}){2}",  # a Chinese mobile
)
_PHONES = (
    r"00[1-9][0-9]{0,2}[ -](?:[0-9]{7,10}|[0-9]{2,5}(?:[ -][0-9]{2,8}){1,3})",
    # 021-62345678, (030) 123 456
    r"(?:\(0[1-9][0-9]{1,4}\)|0[1-9][0-9]{1,4})[ /.-]{1,2}(?:[0-9]{5,9}|[0-9]{2,4}(?:[ -][0-9]{2,5}){1,3})",
    r"\(0[1-9]\)[ -]?[0-9]{4}[ -]?[0-9]{4}",
    r"0[1-9](?:[ .-][0-9]{2}){4}",  # 06 12 34 56 78
    r"0[1-9][0-9]{8,9}",
    r"(?:1[ .-])?(?:\([2-9][0-9]{2}\)[ .-]?|[2-9][0-9]{2}[ .-])[0-9]{3}[ .-][0-9]{4}",  # (555) 123-4567
    r"[2-9][0-9]{2}-[0-9]{4}",
    r"[3-9][0-9]{3}[ -][0-9]{4}",
)
# Long numbers are searched separately: the first sixteen of nineteen grouped digits may also be a card.
_CARDS = (
    r"[2-6][0-9]{12,18}|[2-6][0-9]{3}(?:[ -][0-9]{4}){3}|3[0-9]{3}[ -][0-9]{6}[ -][0-9]{4,5}",
    r"[2-6][0-9]{3}(?:[ -][0-9]{4}){3}[ -][0-9]{3}",
)
# The character consumed after one number is missing before the next, so each is searched twice. Certain patterns come
# first.
_ROUNDS = [("|".join(cores),) for cores in (_SURE_PHONES, _SURE_PHONES, _PHONES, _PHONES)]

_CURRENCY = "EUR|USD|CNY|RMB|GBP|JPY|CHF|HKD|TWD|KRW|SGD|AUD|CAD|BRL|INR|SEK|DKK|NOK|PLN|[€$£¥%]"
_NUMBER = (
    r"[+-]?(?:[0-9]{1,6}|[0-9]{1,3}(?:[,'][0-9]{3}){1,3}|[0-9]{1,3}[.][0-9]{3})?"
    r"(?:[.,][0-9]{1,6})?(?:[eE][+-]?[0-9]{1,3})?"
)
_UNIT = rf"{_CURRENCY}|g|kg|mg|l|ml|m|cm|mm|km|pcs|min|h|s|d"
_DAY = (
    r"(?:[0-9]{4}[-/.][0-9]{1,2}[-/.][0-9]{1,2}|[0-9]{1,2}[-/.][0-9]{1,2}[-/.][0-9]{4}|"
    r"(?:19|20)[0-9]{2}[01][0-9][0-3][0-9])"
)
_MONTH = "(?:19|20)[0-9]{2}-(?:0[1-9]|1[0-2])"
_TIME = r"[0-9]{1,2}:[0-9]{2}(?::[0-9]{2}(?:[.,][0-9]{1,9})?)? ?(?:Z|UTC|[+-][0-9]{2}:?[0-9]{2})?"
_WORDS = "[a-z]|true|false|yes|no|null|none|nil|nan|n/a|na|inf|infinity|unknown|undefined"
_WORDS += "|zero|one|two|three|four|five|six|seven|eight|nine|ten|eleven|twelve"
_ID = r"(?:[A-Z]{1,4}[-_:./#]?){1,2}[0-9]{1,6}(?:[-_:./#][0-9A-Z]{1,6}){0,4}"
_LONG_NUMBER = "[0-9]{7,19}"
_TOKEN = r"[a-z]{1,12}[:_][0-9a-f]{16,64}"
_AMOUNT = rf"(?:(?:{_CURRENCY}) ?)?{_NUMBER}(?: ?(?:{_UNIT}))?(?: \(the comma is decimal here\))?"
PLAIN = rf"[!-/:-@\[-`{{-~ ]*|{_AMOUNT}|{_DAY}(?:[T ]{_TIME})?|{_MONTH}|{_TIME}|(?i:{_WORDS})|{_ID}|{_TOKEN}"
"""The whole of a value that names nobody: a number of up to six digits before the point, a day, a month, a short id, a
keyed hash."""

PLAIN_VALUE = re.compile(rf"{_NUMBER}[0-9.]|{_DAY}(?:[T ]{_TIME})?", re.ASCII)
"""A number (with a digit) or a day."""

# DuckDB (and Arrow) errors that quote a value of a row. Other errors quote names of tables, columns and files.
_QUOTES_VALUES = re.compile(
    r"Conversion Error|Invalid Input Error|Not implemented Error|Constraint Error|Out of Range Error|Could not convert"
)
# A value that contains a quote of the same kind ends its own quotes early: if quotes do not pair, everything between
# the first and the last is the value.
_UNPAIRED = tuple(
    (
        quote,
        re.compile(rf"(?:^|[\s(=:]){quote}[^{quote}\n]*{quote}[^\s,.;:)\]!]", re.MULTILINE),
        re.compile(rf"(?<![A-Za-z]){quote}(.*){quote}", re.DOTALL),
    )
    for quote in "\"'"
)
# RE2's error about a pattern, which repeats it without quotes.
_OF_PATTERN = re.compile(
    r"(Invalid Input Error: (?:missing|invalid|bad|no argument|unexpected|trailing)[^:\n']*: ).+", re.DOTALL
)
_QUOTED = re.compile(r"\"([^\"\n]*)\"|'([^'\n]*)'")
_RAW_TEXT = re.compile(r"((?:Original Line|Input): ?)(.+)", re.DOTALL)
_PATH = re.compile(r"[^\n]*/[^/\n]*\.[A-Za-z0-9]{1,8}")

_P = ParamSpec("_P")
_R = TypeVar("_R")


def mask(text: str) -> str:
    """Replace every e-mail address, phone and payment card in the text by its kind."""
    narrow = text.translate(_TO_NARROW)
    if "@" in narrow:
        text, narrow = _without([found[0] for found in re.finditer(_MAIL, narrow, re.ASCII)], E_MAIL, text)
    cards = [found for found in _found(_CARDS, narrow) if _is_card(found)]
    text, narrow = _without(cards, CARD, text)
    for phones in _ROUNDS:
        text, narrow = _without(_found(phones, narrow), PHONE, text)
    return text


def mask_sql(text: str) -> str:
    """SQL of `mask`."""
    narrow = f"translate({text}, {quote_text(_WIDE)}, {quote_text(_NARROW)})"
    found = _replaced_sql(narrow, f"regexp_extract_all(t, {quote_text(_MAIL)})", E_MAIL)
    digits = "regexp_replace(c, '[^0-9]', '', 'g')"
    doubled = (
        f"list_transform(range(length({digits})), lambda i: {digits}[length({digits}) - i]::integer * (1 + i % 2))"
    )
    is_card = f"list_sum(list_transform({doubled}, lambda x: x // 10 + x % 10)) % 10 = 0"
    found = _replaced_sql(found, f"list_filter({_all_sql(_CARDS)}, lambda c: {is_card})", CARD)
    for phones in _ROUNDS:
        found = _replaced_sql(found, _all_sql(phones), PHONE)
    return found


def shown(value: str | None, known: Collection[str] = ()) -> str:
    """How a message quotes a value of a row.

    `nothing`; its kind (`[phone]`); the value itself in quotes if it is plain or one of the `known` words; else its
    shape in quotes, letters as A, a or x and digits as 9: `Ann Lee 12` is `"Aaa Aaa 99"`. A long number keeps its last
    digits: `5400000001` is `"******0001"`.
    """
    if value is None:
        return NOTHING
    narrow = value.translate(_TO_NARROW)
    masked = mask(narrow)
    for label in (E_MAIL, CARD, PHONE):
        if label in masked and label not in narrow:
            return label
    if re.fullmatch(_LONG_NUMBER, narrow, re.ASCII) and not re.fullmatch(_DAY, narrow, re.ASCII):
        return f'"{"*" * (len(narrow) - LAST_DIGITS)}{narrow[-LAST_DIGITS:]}"'
    plain = re.fullmatch(PLAIN, narrow, re.ASCII) is not None or narrow.lower() in {word.lower() for word in known}
    return f'"{narrow if plain else _shape(narrow[:MOST_CHARACTERS])}"'


def shown_sql(value: str, known: Collection[str] = ()) -> str:
    """SQL of `shown`."""
    labels = " ".join(
        f"when contains(m, {quote_text(label)}) and not contains(v, {quote_text(label)}) then {quote_text(label)}"
        for label in (E_MAIL, CARD, PHONE)
    )
    words = ", ".join(quote_text(word.lower()) for word in known)
    last = f"when regexp_full_match(v, '{_LONG_NUMBER}') and not regexp_full_match(v, {quote_text(_DAY)}) "
    last += f"then '\"' || repeat('*', length(v) - {LAST_DIGITS}) || right(v, {LAST_DIGITS}) || '\"'"
    plain = f"regexp_full_match(v, {quote_text(PLAIN)})" + (f" or lower(v) in ({words})" if words else "")
    shape = f"left(v, {MOST_CHARACTERS})"
    for classes, letter in (
        (r"\p{N}", "9"),
        (r"\p{Ll}", "a"),
        (r"\p{Lu}", "A"),
        (r"[\p{Lo}\p{Lt}\p{Lm}]", "x"),
        (r"\p{M}", ""),
    ):
        shape = f"regexp_replace({shape}, '{classes}', '{letter}', 'g')"
    narrow = f"translate(({value})::varchar, {quote_text(_WIDE)}, {quote_text(_NARROW)})"
    quoted = (
        f"case when v is null then '{NOTHING}' {labels} {last} when {plain} then '\"' || v || '\"' else '\"' || "
        f"{shape} || '\"' end"
    )
    return f"list_transform([{narrow}], lambda v: list_transform([{mask_sql('v')}], lambda m: {quoted})[1])[1]"


def mask_error(text: str) -> str:
    """The message of an error, with values quoted by DuckDB or Arrow replaced by their shape."""
    if _QUOTES_VALUES.search(text):
        text = _RAW_TEXT.sub(lambda found: found[1] + "not shown", text)
        text = _OF_PATTERN.sub(lambda found: found[1] + "not shown", text)
        for quote, early, whole in _UNPAIRED:
            if text.count(quote) > 2 and (text.count(quote) % 2 or early.search(text)):
                text = whole.sub(
                    lambda found: '"' + _shape(found[1].replace('"', " ").replace("'", " ")[:MOST_CHARACTERS]) + '"',
                    text,
                )
        values = {found[1] or found[2] or "" for found in _QUOTED.finditer(text)}
        # A value may be repeated without quotes, with a mark below the unexpected character.
        for value in sorted((value for value in values if not _PATH.fullmatch(value)), key=len, reverse=True):
            how = shown(value)
            text = text.replace(f'"{value}"', how).replace(f"'{value}'", how)
            text = text.replace(value, how.strip('"')) if len(value) >= SHORTEST_REPEATED else text
    return mask(text)


@contextmanager
def values_hidden() -> Iterator[None]:
    """Re-raise errors of the block with the same type and masked messages (including those of their causes)."""
    try:
        yield
    except BaseException as error:
        _hide(error)
        raise


def hides_values(function: Callable[_P, _R]) -> Callable[_P, _R]:
    """Apply `values_hidden` to a function, or to every step of a generator."""
    if inspect.isgeneratorfunction(function):

        @functools.wraps(function)
        def steps(*args: _P.args, **kwargs: _P.kwargs) -> Any:
            with values_hidden():
                yield from function(*args, **kwargs)

        return steps

    @functools.wraps(function)
    def call(*args: _P.args, **kwargs: _P.kwargs) -> _R:
        with values_hidden():
            return function(*args, **kwargs)

    return call


def _hide(error: BaseException) -> None:
    seen: list[BaseException] = []
    following: BaseException | None = error
    while following is not None and following not in seen:
        seen.append(following)
        following.args = tuple(mask_error(part) if isinstance(part, str) else part for part in following.args)
        following = following.__cause__ or following.__context__


def _found(cores: Collection[str], text: str) -> list[str]:
    return [found[1] for core in cores for found in re.finditer(f"{_BEFORE}({core}){_AFTER}", text, re.ASCII)]


def _without(found: Collection[str], label: str, text: str) -> tuple[str, str]:
    """The text, and its narrow form, with everything found (in the narrow form) replaced by the label."""
    narrow = text.translate(_TO_NARROW)
    for part in sorted(set(found), key=lambda item: (-len(item), item)):
        while (at := narrow.find(part)) >= 0:
            text, narrow = (whole[:at] + label + whole[at + len(part) :] for whole in (text, narrow))
    return text, narrow


def _is_card(text: str) -> bool:
    """Luhn's check (ISO/IEC 7812-1)."""
    doubled = [int(digit) * (1 + place % 2) for place, digit in enumerate(reversed(re.sub("[^0-9]", "", text)))]
    return sum(value // 10 + value % 10 for value in doubled) % 10 == 0


def _shape(text: str) -> str:
    """Replace each letter and digit by its kind."""
    kinds = {
        "Ll": "a",
        "Lu": "A",
        "Lo": "x",
        "Lt": "x",
        "Lm": "x",
        "Mn": "",
        "Mc": "",
        "Me": "",
        "Nd": "9",
        "Nl": "9",
        "No": "9",
    }
    return "".join(kinds.get(unicodedata.category(letter), letter) for letter in text)


def _all_sql(cores: Collection[str]) -> str:
    parts = [f"regexp_extract_all(t, {quote_text(f'{_BEFORE}({core}){_AFTER}')}, 1)" for core in cores]
    return f"flatten([{', '.join(parts)}])"


def _replaced_sql(text: str, found: str, label: str) -> str:
    """SQL: the text with every element of the list `found` in `t`, longest first, replaced."""
    ordered = (
        f"list_transform(list_sort(list_transform(list_distinct({found}), lambda f: (-length(f), f))), lambda f: f[2])"
    )
    replaced = f"list_reduce({ordered}, lambda a, f: replace(a, f, {quote_text(label)}), t)"
    return f"list_transform([{text}], lambda t: {replaced})[1]"
