"""Identifier kinds and values that never link: the shipped data_contracts/identifiers.yaml, and a retailer's overrides
in the identifiers.yaml beside its settings."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise
from pathlib import Path
from typing import Any

import duckdb

from onedata.contracts.mistakes import Where, known, need, number
from onedata.contracts.model import ContractError
from onedata.contracts.strict_yaml import Written, read_mapping, written
from onedata.normalise.identifiers import NORMALISERS, normalised_sql
from onedata.sql import quote_text

_KEYS = ("strength", "weight", "links", "limit", "degree", "normalise")

# What a retailer may override of a kind. Strength and order decide what identifies a person, normalise what a token is
# computed from: changing them would require landing an existing lake again.
_OWN_KEYS = ("weight", "links", "limit", "degree", "blocked")
_NO_REGION = "US"  # of no consequence: a number with + has its country
LINKS = ("always", "unless_names_differ", "if_names_agree", "never")


@dataclass(frozen=True)
class IdentifierType:
    """One kind. `limit` is the number of values that a person may have, `degree` the number of neighbours of one kind
    above which a value counts as shared, `weight` the weight of a value when an id is assigned, `links` its effect on
    the persons seen with it (LINKS).

    `blocked` values and `blocked_patterns` (RE2, of the whole value) identify nobody; both are compared with the value
    after `normalise`.
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
    """Kinds ordered strongest first, and values of any kind that identify nobody."""

    types: Mapping[str, IdentifierType]
    blocked_values: tuple[str, ...]

    @property
    def strong(self) -> tuple[str, ...]:
        return tuple(name for name, kind in self.types.items() if kind.strong)


def blocked_values(policy: IdentifierPolicy) -> str:
    """The generally blocked values as the content of an SQL list."""
    return ", ".join(quote_text(value) for value in ("", *policy.blocked_values))


def usable_by_kind(policy: IdentifierPolicy) -> dict[str, str]:
    """Kind to the SQL predicate that a value is usable; {value} stands for the SQL of the normalised value."""
    general = blocked_values(policy)
    return {name: usable_sql("{value}", general, kind) for name, kind in policy.types.items()}


def usable_sql(value: str, general: str, kind: IdentifierType | None = None) -> str:
    """SQL predicate: the value is usable, that is, it identifies somebody.

    Args:
        value: SQL of a normalised value.
        general: Content of an SQL list of the generally blocked values, `blocked_values(policy)`.
        kind: Its kind, for values that only that kind blocks.
    """
    return " and ".join([*generally_usable(value, general), *(usable_of_kind(value, kind) if kind else [])])


def generally_usable(value: str, general: str) -> list[str]:
    """The conditions of `usable_sql` that hold for values of every kind."""
    return [f"not contains([{general}], lower({value}))", f"replace({value}, '0', '') != ''"]


def usable_of_kind(value: str, kind: IdentifierType) -> list[str]:
    """The conditions of `usable_sql` that only hold for values of this kind."""
    listed = [f"not contains([{', '.join(map(quote_text, kind.blocked))}], lower({value}))"] if kind.blocked else []
    return listed + [f"not regexp_full_match({value}, {quote_text(pattern)})" for pattern in kind.blocked_patterns]


def load_identifier_policy(file: Path, own: Path | None = None) -> IdentifierPolicy:
    """The policy of `file`, overridden by a retailer's `own` file: weight, links, limit and degree of a kind; blocked
    values and patterns are added to those of `file`. A process checks files of the same content once.

    Raises:
        ContractError: a key is missing, unknown or invalid; the message names it and the accepted values.
    """
    return _loaded(file, own, written(*filter(None, (file, own))))


@lru_cache(maxsize=8)
def _loaded(file: Path, own: Path | None, _: Written) -> IdentifierPolicy:
    policy = _policy(read_mapping(file), file)
    return _changed(policy, read_mapping(own), own) if own else policy


def _changed(policy: IdentifierPolicy, content: Mapping[str, Any], file: Path) -> IdentifierPolicy:
    known(content, ("types", "blocked_values"), Where(file))
    types = _types(content.get("types") or {}, file)
    known(types, list(policy.types), Where(file, "types"))
    places = {name: Where(file).within(item, f"types: {name}") for name, item in types.items()}
    for name, item in types.items():
        where = places[name]
        for key in _mapping(item, where, _OWN_KEYS):
            if key in _KEYS and key not in _OWN_KEYS:
                raise ContractError(f"{where}: {key} is the same for every retailer; take the line out")
        known(item, _OWN_KEYS, where)
    kinds = {
        name: _kind(name, _shipped_item(kind) | types[name], places[name], kind) if name in types else kind
        for name, kind in policy.types.items()
    }
    return IdentifierPolicy(kinds, (*policy.blocked_values, *_general(content, file)))


def _shipped_item(kind: IdentifierType) -> dict[str, Any]:
    return {"strength": "strong" if kind.strong else "weak"} | {key: getattr(kind, key) for key in _KEYS[1:]}


def _policy(content: Mapping[str, Any], file: Path) -> IdentifierPolicy:
    known(content, ("types", "blocked_values"), Where(file))
    types = _types(need(content, "types", str(file)), file)
    kinds = [_kind(name, item, Where(file).within(item, f"types: {name}")) for name, item in types.items()]
    for before, kind in pairwise(kinds):
        if kind.strong and not before.strong:
            raise ContractError(
                f"{file}: types: {kind.name} is strong and stands after {before.name}, which is weak; put the "
                "strongest first"
            )
    return IdentifierPolicy({kind.name: kind for kind in kinds}, _general(content, file))


def _types(types: Any, file: Path) -> dict[str, Any]:
    return _mapping(types, f"{file}: types", ("a kind to what holds for it (email: {strength: strong, ...})",), "of")


def _mapping(item: Any, where: str, keys: Sequence[str], joint: str = "with") -> dict[str, Any]:
    if not isinstance(item, dict):
        raise ContractError(f"{where} is a mapping {joint} {', '.join(keys)}, not {item!r}")
    return item


def _general(content: Mapping[str, Any], file: Path) -> tuple[str, ...]:
    values, patterns = _blocked(content.get("blocked_values", []), f"{file}: blocked_values")
    if patterns:
        raise ContractError(f"{file}: blocked_values takes values; give a pattern to the kind it is for, under blocked")
    return values


def _kind(name: str, item: Any, where: str, shipped: IdentifierType | None = None) -> IdentifierType:
    """The kind in `item`, plus the blocked values of the `shipped` one."""
    known(_mapping(item, where, _KEYS), (*_KEYS, "blocked"), where)
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
    _require_normal_form(values, item["normalise"], f"{where}: blocked")
    return IdentifierType(
        name,
        item["strength"] == "strong",
        item["limit"],
        item["degree"],
        weight,
        item["links"],
        item["normalise"],
        (*(shipped.blocked if shipped else ()), *values),
        (*(shipped.blocked_patterns if shipped else ()), *patterns),
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


def _require_normal_form(values: Sequence[str], normaliser: str, where: str) -> None:
    """Refuse a value that could never be found, because it is not written as the normaliser writes it."""
    if normaliser == "id" or not values:
        return
    with duckdb.connect() as con:
        for value in values:
            row = con.execute(f"select {normalised_sql(normaliser, quote_text(value), _NO_REGION)}").fetchone()
            normal = row[0] if row else None
            if normal is not None and normal.lower() != value:
                fix = "the number with + and the country code" if normaliser == "phone" else repr(normal)
                raise ContractError(f"{where}: {value!r} would never match, the normal form is compared: write {fix}")


def _pattern(item: Mapping[str, Any], where: str) -> str:
    if set(item) != {"pattern"}:
        raise ContractError(f"{where} takes values and {{pattern: ...}}, not {dict(item)}")
    pattern = item["pattern"]
    if not isinstance(pattern, str):
        raise ContractError(f"{where}: pattern {pattern!r} is no text; write it in quotes")
    try:
        with duckdb.connect() as con:
            con.execute("select regexp_full_match('', ?)", [pattern]).fetchall()
    except duckdb.Error as error:
        raise ContractError(
            f"{where}: pattern {pattern!r} is no regular expression of RE2: {str(error).splitlines()[0]}"
        ) from None
    return pattern
