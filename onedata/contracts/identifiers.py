"""The kinds of identifier and what never to link on, from data_contracts/identifiers.yaml."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import duckdb

from onedata.contracts.mistakes import known, need, number
from onedata.contracts.model import ContractError
from onedata.contracts.strict_yaml import read_mapping
from onedata.normalise.identifiers import NORMALISERS
from onedata.sql import quote_text

_KEYS = ("strength", "weight", "links", "limit", "degree", "normalise")

LINKS = ("always", "unless_names_differ", "if_names_agree", "never")


@dataclass(frozen=True)
class IdentifierType:
    """One kind; `limit` values a person may have, `degree` neighbours of one kind before a value counts as shared,
    `weight` of a value in a claim to an id, `links` what it does with the persons it was seen with (LINKS).

    `blocked` values and `blocked_patterns` (RE2, of the whole value) name nobody; both are compared with the value that
    `normalise` makes.
    """

    name: str
    strong: bool
    limit: int
    degree: int
    weight: float = 1.0
    links: str = "never"
    normalise: str = "id"
    blocked: tuple[str, ...] = ()
    blocked_patterns: tuple[str, ...] = ()


@dataclass(frozen=True)
class IdentifierPolicy:
    """Kinds ordered strongest first, and values that name nobody, whatever their kind."""

    types: Mapping[str, IdentifierType]
    blocked_values: tuple[str, ...]

    @property
    def strong(self) -> tuple[str, ...]:
        return tuple(name for name, kind in self.types.items() if kind.strong)


def blocked_values(policy: IdentifierPolicy) -> str:
    """The generally blocked values as the inside of an SQL list."""
    return ", ".join(quote_text(value) for value in ("", *policy.blocked_values))


def usable_sql(value: str, general: str, kind: IdentifierType | None = None, joint: str = " ") -> str:
    """SQL predicate: the value names somebody.

    Args:
        value: SQL of a normalised value.
        general: Inside of an SQL list of the generally blocked values, `blocked_values(policy)`.
        kind: Its kind, for what only that kind blocks.
        joint: The blanks before each `and`, for who lays the predicate out in lines.
    """
    parts = [f"lower({value}) not in ({general})", f"replace({value}, '0', '') != ''"]
    if kind and kind.blocked:
        parts.append(f"lower({value}) not in ({', '.join(map(quote_text, kind.blocked))})")
    if kind:
        parts += [f"not regexp_full_match({value}, {quote_text(pattern)})" for pattern in kind.blocked_patterns]
    return f"{joint}and ".join(parts)


def load_identifier_policy(file: Path) -> IdentifierPolicy:
    """The policy of `file`.

    Raises:
        ContractError: a key is missing, unknown or not as expected; the text names it and what it takes.
    """
    content = read_mapping(file)
    known(content, ("types", "blocked_values"), str(file))
    types = need(content, "types", str(file))
    if not isinstance(types, dict):
        raise ContractError(
            f"{file}: types is a mapping of a kind to what holds for it (email: {{strength: strong, ...}}), not "
            f"{types!r}"
        )
    kinds = [_kind(name, item, f"{file}: types: {name}") for name, item in types.items()]
    for before, kind in pairwise(kinds):
        if kind.strong and not before.strong:
            raise ContractError(
                f"{file}: types: {kind.name} is strong and stands after {before.name}, which is weak; put the "
                "strongest first"
            )
    values, patterns = _blocked(content.get("blocked_values", []), f"{file}: blocked_values")
    if patterns:
        raise ContractError(f"{file}: blocked_values takes values; give a pattern to the kind it is for, under blocked")
    return IdentifierPolicy({kind.name: kind for kind in kinds}, values)


def _kind(name: str, item: Any, where: str) -> IdentifierType:
    if not isinstance(item, dict):
        raise ContractError(f"{where} is a mapping with {', '.join(_KEYS)}, not {item!r}")
    known(item, (*_KEYS, "blocked"), where)
    for key in _KEYS:
        need(item, key, where)
    known([item["strength"]], ("strong", "weak"), f"{where}: strength")
    known([item["links"]], LINKS, f"{where}: links")
    known([item["normalise"]], NORMALISERS, f"{where}: normalise")
    weight = number(item["weight"], f"{where}: weight")
    if weight <= 0:
        raise ContractError(f"{where}: weight is a number above 0, not {weight:g}")
    for key in ("limit", "degree"):
        if isinstance(item[key], bool) or not isinstance(item[key], int) or item[key] < 1:
            raise ContractError(f"{where}: {key} is a whole number from 1, not {item[key]!r}")
    values, patterns = _blocked(item.get("blocked", []), f"{where}: blocked")
    return IdentifierType(
        name,
        item["strength"] == "strong",
        item["limit"],
        item["degree"],
        weight,
        item["links"],
        item["normalise"],
        values,
        patterns,
    )


def _blocked(listed: Any, where: str) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Values, lower-cased, and patterns."""
    if not isinstance(listed, list):
        raise ContractError(f"{where} is a list of values and {{pattern: ...}}, not {listed!r}")
    patterns = tuple(_pattern(item, where) for item in listed if isinstance(item, dict))
    values: Sequence[Any] = [item for item in listed if not isinstance(item, dict)]
    for value in values:
        if not isinstance(value, str):
            raise ContractError(f"{where}: {value!r} is no text; write it in quotes")
    return tuple(value.strip().lower() for value in values), patterns


def _pattern(item: Mapping[str, Any], where: str) -> str:
    if set(item) != {"pattern"}:
        raise ContractError(f"{where} takes values and {{pattern: ...}}, not {dict(item)}")
    pattern = str(item["pattern"])
    try:
        with duckdb.connect() as con:
            con.execute("select regexp_full_match('', ?)", [pattern]).fetchall()
    except duckdb.Error as error:
        raise ContractError(
            f"{where}: pattern {pattern!r} is no regular expression of RE2: {str(error).splitlines()[0]}"
        ) from None
    return pattern
