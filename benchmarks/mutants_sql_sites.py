"""Find the operators in a model's SQL that can be mutated, and apply a mutation. Pure: text in, text out.

A model's text is Jinja and SQL. Every mutable place is enclosed in two SQL comments, which survive Jinja; in the SQL
compiled by dbt, one change is then one replacement, even if a loop or a macro repeats the place.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

TOKEN = re.compile(
    r"(?P<skip>\{#.*?#\}|\{%.*?%\}|--[^\n]*|/\*.*?\*/)"
    r"|(?P<jinja>\{\{.*?\}\})"
    r"|(?P<text>'(?:[^']|'')*'|\"[^\"]*\")"
    r"|(?P<word>[A-Za-z_]\w*)"
    r"|(?P<number>\d+(?:\.\d+)?)"
    r"|(?P<sign><=|>=|<>|!=|\|\||::|:=|->>|->|[^\s\w])",
    re.DOTALL,
)
LITERAL = re.compile(r"'([^'\d][^']*)'|\"([^\"\d][^\"]*)\"")
NO_SQL = re.compile(r"\{\{-?\s*(ref|source|config|var|env_var|this)\b")
MARK = re.compile(r"/\*<\d+\*/|/\*\d+>\*/")

SIGNS = {"<": "<=", "<=": "<", ">": ">=", ">=": ">", "=": "<>", "<>": "=", "!=": "=", "+": "-", "-": "+", "/": "*"}
WORDS = {"and": "or", "or": "and", "asc": "desc", "desc": "asc", "true": "false", "false": "true"}
FUNCTIONS = {
    "sum": "max",
    "max": "min",
    "min": "max",
    "min_by": "max_by",
    "bool_or": "bool_and",
    "least": "greatest",
    "greatest": "least",
    "lower": "upper",
    "upper": "lower",
}
JOINS = {"inner": "left", "left": "inner", "full": "left"}


@dataclass(frozen=True)
class Change:
    """One change to a text: the characters from `start` to `end`, which are `was`, become `becomes`."""

    start: int
    end: int
    was: str
    becomes: str

    @property
    def told(self) -> str:
        """The change in words, with normalised whitespace."""
        return f"{' '.join(self.was.split())} -> {' '.join(self.becomes.split()) or '(nothing)'}"


@dataclass(frozen=True)
class Token:
    """A piece of SQL with its position in the text; a Jinja expression is one piece."""

    kind: str
    text: str
    start: int
    end: int


def changes(text: str) -> list[Change]:
    """Every change of one operator, in text order. Comments, strings and Jinja are unchanged, except SQL passed to a
    macro in quotes."""
    tokens = list(_tokens(text, 0))
    parts = [tokens]
    for token in tokens:
        if token.kind == "jinja" and not NO_SQL.match(token.text):
            for literal in LITERAL.finditer(token.text):
                inside = 1 if literal.group(1) is not None else 2
                parts.append(list(_tokens(literal.group(inside), token.start + literal.start(inside))))
    found = [change for part in parts for at in range(len(part)) for change in _of(part, at, text)]
    return sorted(found, key=lambda change: (change.start, change.end, change.becomes))


def _tokens(text: str, offset: int) -> Iterator[Token]:
    for match in TOKEN.finditer(text):
        kind = str(match.lastgroup)
        if kind != "skip":
            yield Token(kind, match.group(), offset + match.start(), offset + match.end())


def _of(tokens: Sequence[Token], at: int, text: str) -> list[Change]:
    token = tokens[at]
    is_call = _word(tokens, at + 1) == "("
    if is_call and _word(tokens, at) == "coalesce":
        return [_change(text, *span, "") for span in _first_and_last(tokens, at + 1)]
    if is_call and _word(tokens, at) == "count":
        return [_change(text, *span, "*") for span in _counted(tokens, at + 1)]
    return [_change(text, token.start, token.end, becomes) for becomes in _others(tokens, at)]


def _change(text: str, start: int, end: int, becomes: str) -> Change:
    return Change(start, end, text[start:end], becomes)


def _word(tokens: Sequence[Token], at: int) -> str:
    return tokens[at].text.lower() if 0 <= at < len(tokens) else ""


def _others(tokens: Sequence[Token], at: int) -> list[str]:
    """Possible replacements of one token."""
    token = tokens[at]
    if token.kind == "number":
        is_whole = token.text.isdigit() and not _in_type(tokens, at)
        return [str(int(token.text) + 1), str(int(token.text) - 1)] if is_whole else []
    if token.text == "*":
        return ["/"] if at and _is_value(tokens[at - 1]) else []
    if token.text in SIGNS:
        return [SIGNS[token.text]]
    if token.kind == "word" and _word(tokens, at - 1) != ".":
        return _other_words(_word(tokens, at - 1), _word(tokens, at), _word(tokens, at + 1))
    return []


def _other_words(before: str, word: str, after: str) -> list[str]:
    if after == "(" and word in FUNCTIONS:
        return [FUNCTIONS[word]]
    if after in ("join", "outer") and word in JOINS:
        return [JOINS[word]]
    if word in WORDS:
        return [WORDS[word]]
    possible = {
        "not": "",
        "is": "is not" if after != "not" else None,
        "in": "not in" if before != "not" else None,
        "last": "first" if before == "nulls" else None,
        "all": "" if before == "union" else None,
        "distinct": "all" if before == "union" else None,
    }.get(word)
    return [] if possible is None else [possible]


def _is_value(token: Token) -> bool:
    keywords = ("select", "by", "then", "else", "when", "distinct")
    return token.text == ")" or (token.kind in ("word", "number", "jinja") and token.text.lower() not in keywords)


def _in_type(tokens: Sequence[Token], at: int) -> bool:
    """Whether a number is the size of a type, as in decimal(18, 4)."""
    return any(token.text.lower() == "decimal" for token in tokens[max(0, at - 4) : at])


def _arguments(tokens: Sequence[Token], opening: int) -> list[tuple[int, int]]:
    """First and last token of each argument of a call; empty if the call does not end in this text."""
    depth, first, found = 0, opening + 1, []
    for at in range(opening, len(tokens)):
        sign = tokens[at].text
        depth += (sign == "(") - (sign == ")")
        if (sign == "," and depth == 1) or depth == 0:
            found.append((first, at - 1))
            first = at + 1
        if depth == 0:
            return found
    return []


def _first_and_last(tokens: Sequence[Token], opening: int) -> list[tuple[int, int]]:
    """The positions of a call's first and last argument, each with its comma."""
    arguments = _arguments(tokens, opening)
    if len(arguments) < 2:
        return []
    return [
        (tokens[arguments[0][0]].start, tokens[arguments[1][0]].start),
        (tokens[arguments[-2][1]].end, tokens[arguments[-1][1]].end),
    ]


def _counted(tokens: Sequence[Token], opening: int) -> list[tuple[int, int]]:
    """The position of what is counted: a column, whose NULLs are not counted."""
    arguments = _arguments(tokens, opening)
    if not arguments or tokens[arguments[0][0]].text == "*":
        return []
    return [(tokens[arguments[0][0]].start, tokens[arguments[0][1]].end)]


def spans(found: Sequence[Change]) -> list[tuple[int, int]]:
    """The positions of the changes, each once."""
    return sorted({(change.start, change.end) for change in found}, key=lambda span: (span[0], -span[1]))


def marked(text: str, places: Sequence[tuple[int, int]], first: int) -> str:
    """The text with each place between comments with its number, counted from `first`. Places are nested or
    disjoint."""
    opens: dict[int, str] = {}
    closes: dict[int, str] = {}
    for number, (start, end) in enumerate(places, first):
        opens[start] = opens.get(start, "") + f"/*<{number}*/"
        closes[end] = f"/*{number}>*/" + closes.get(end, "")
    return "".join(closes.get(at, "") + opens.get(at, "") + text[at : at + 1] for at in range(len(text) + 1))


def changed(sql: str, number: int, becomes: str) -> str:
    """SQL of a marked text, with the place of this number changed wherever it occurs, and without marks."""
    place = re.compile(rf"/\*<{number}\*/.*?/\*{number}>\*/", re.DOTALL)
    return unmarked(place.sub(lambda _: f" {becomes} ", sql))


def unmarked(sql: str) -> str:
    """The same SQL without marks."""
    return MARK.sub("", sql)


def holds(sql: str, number: int) -> bool:
    """Whether the SQL contains the place of this number."""
    return f"/*<{number}*/" in sql
