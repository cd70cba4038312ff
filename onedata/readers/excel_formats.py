"""Number formats of Excel: what a cell shows of a whole number that names something. Pure.

A format that only says how an amount looks (decimals, thousands, percent, a currency) leaves a number its digits. One
that puts zeros before it, or words around it, makes it a code: that is rendered as Excel shows it, if the format is
made of zeros, places, literals, colours and blanks; otherwise it is not read.
"""

import operator
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import takewhile

_TOKEN = re.compile(
    r"""(?P<literal>"[^"]*"|\\.)
    |(?P<currency>\[\$[^\]-]*(?:-(?:[0-9a-f]{1,4}|0?1[0-9a-f]{6}|[a-z]{2,3}(?:-[a-z0-9]+)*))?\])
    |(?P<nothing>_.|\*.|\[(?:black|blue|cyan|green|magenta|red|white|yellow|color\ ?\d+)\])
    |(?P<condition>\[(?:<=|>=|<>|<|>|=)\d+(?:\.\d+)?\])
    |(?P<general>general|g/[^\W\d_]+|@)
    |(?P<place>[0\#?])
    |(?P<amount>[.,%/]|e[+-])
    |(?P<end>;)
    |(?P<sign>[-+\ $():^&'~{}<>=]|[^\x00-\x7f])
    |(?P<other>\[[^\]]*\]|.)""",
    re.VERBOSE | re.IGNORECASE | re.DOTALL,
)
_SHOWN = ("literal", "currency", "sign")
_COMPARE: Mapping[str, Callable[[float, float], bool]] = {
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
    "=": operator.eq,
    "<>": operator.ne,
}


@dataclass(frozen=True)
class _Token:
    kind: str
    text: str


@dataclass(frozen=True)
class _Section:
    """What a format says of some of the numbers: those of a sign, or of a condition."""

    tokens: Sequence[_Token]

    def has(self, *kinds: str) -> bool:
        return any(token.kind in kinds for token in self.tokens)

    @property
    def width(self) -> int:
        """The least number of digits before the point."""
        whole = takewhile(lambda token: token.text not in (".", "/"), self.tokens)
        places = "".join(token.text for token in whole if token.kind == "place")
        return len(places) - places.index("0") if "0" in places else 0

    @property
    def has_words(self) -> bool:
        return any(token.kind in ("literal", "sign") and any(map(str.isalnum, token.text)) for token in self.tokens)

    @property
    def is_plain(self) -> bool:
        """Whether a number's own digits are all that the section tells of it."""
        if not self.has("place", "general", "amount"):
            return not self.has_words and any(token.kind in _SHOWN and token.text.strip() for token in self.tokens)
        return self.width < 2 and (self.has("amount") or not self.has_words)

    def render(self, number: int) -> str | None:
        """The number, not negative, as it is shown; None if that is not known."""
        if self.has("amount", "other") or self.has("place") == self.has("general"):
            return None
        rest = str(number).zfill(self.width) if number else "0" * self.width
        left = sum(token.kind == "place" for token in self.tokens)
        shown: list[str] = []
        for token in reversed(self.tokens):
            if token.kind == "place":
                left -= 1
                cut = len(rest) - 1 if left else 0
                shown.append(rest[max(cut, 0) :])
                rest = rest[: max(cut, 0)]
            elif token.kind == "general":
                shown.append(str(number))
            elif token.kind in _SHOWN:
                shown.append(token.text)
        return "".join(reversed(shown)).strip() or None


def shown_by(number_format: str, value: int | float, plain: str) -> str | None:
    """A number as a cell with the format shows it: `plain` where the format does not make a code of it; None for a code
    that is not read."""
    sections = _sections(number_format)
    if not sections:
        return plain
    section = _section_of(sections, value)
    if section is None:
        return None
    if section.is_plain:
        return plain
    text = section.render(abs(int(value))) if value == int(value) else None
    if text is None or value >= 0:
        return text
    if len(sections) == 1:
        return f"-{text}"
    # Without its sign, as in red, a number below zero looks like another.
    return text if text.startswith("-") else None


def leaves_values(number_format: str) -> bool:
    """Whether every number and text in cells with the format is its own."""
    section = _section_of_texts(number_format)
    return not _sections(number_format) and (section is None or not section.has_words)


def text_shown_by(number_format: str, text: str) -> str:
    """A text as a cell with the format shows it: with the words that the format puts around texts."""
    section = _section_of_texts(number_format)
    if section is None or not section.has_words:
        return text
    shown = (
        text if token.text == "@" else token.text for token in section.tokens if token.kind in (*_SHOWN, "general")
    )
    return "".join(shown).strip()


@lru_cache(maxsize=4096)
def _sections(number_format: str) -> tuple[_Section, ...]:
    """The sections of numbers; none if each leaves a number its digits."""
    sections = _split(number_format)
    numbers = tuple(sections[: 3 if _section_of_texts(number_format) is None else min(len(sections) - 1, 3) or 1])
    return () if all(section.is_plain for section in numbers) else numbers


@lru_cache(maxsize=4096)
def _section_of_texts(number_format: str) -> _Section | None:
    """The section of texts: the fourth, or the last if it has a place for a text."""
    sections = _split(number_format)
    is_there = len(sections) > 3 or any(token.text == "@" for token in sections[-1].tokens)
    return sections[-1] if is_there else None


def _split(number_format: str) -> list[_Section]:
    found: list[list[_Token]] = [[]]
    for match in _TOKEN.finditer(number_format):
        kind = str(match.lastgroup)
        if kind == "end":
            found.append([])
        elif kind != "nothing":
            found[-1].append(_Token(kind, _literal(kind, match[0])))
    return [_Section(tokens) for tokens in found]


def _literal(kind: str, text: str) -> str:
    """What a token shows."""
    if kind == "literal":
        return text[1:-1] if text.startswith('"') else text[1:]
    return text[2:-1].partition("-")[0] if kind == "currency" else text


def _section_of(sections: Sequence[_Section], value: float) -> _Section | None:
    """The section of a number; None if that is not known."""
    if any(section.has("condition") for section in sections):
        return _section_by_condition(sections, value)
    if value < 0 and len(sections) > 1:
        return sections[1]
    return sections[2] if value == 0 and len(sections) > 2 else sections[0]


def _section_by_condition(sections: Sequence[_Section], value: float) -> _Section | None:
    """The section of a number where the first of two has a condition, as in the postal codes `[<=99999]00000;
    00000-0000`."""
    first = next((token.text for token in sections[0].tokens if token.kind == "condition"), None)
    if first is None or value < 0 or len(sections) != 2 or sections[1].has("condition"):
        return None
    sign = first[1 : -len(first.lstrip("[<>=")) or None]
    return sections[0] if _COMPARE[sign](value, float(first[1 + len(sign) : -1])) else sections[1]
