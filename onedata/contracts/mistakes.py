"""Checks used by every part of a contract; each mistake names place and fix."""

import math
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Self

from onedata.contracts.model import ContractError
from onedata.contracts.strict_yaml import line_of
from onedata.errors import did_you_mean


class Where(str):
    """A place in a file, as error messages name it: `file:line: schema orders: property id`."""

    file: Path
    path: str
    line: int | None

    def __new__(cls, file: Path, path: str = "", line: int | None = None) -> Self:
        """The place that `path` names in words, at this line."""
        text = str(file) + (f":{line}" if line else "") + (f": {path}" if path else "")
        where = super().__new__(cls, text)
        where.file, where.path, where.line = file, path, line
        return where

    def within(self, item: Any, part: str, joint: str = ": ") -> Self:
        """The place of an item within this one."""
        return type(self)(self.file, f"{self.path}{joint}{part}" if self.path else part, line_of(item) or self.line)

    def at(self, item: Any, key: object) -> Self:
        """The same place, at the line of a key."""
        return type(self)(self.file, self.path, line_of(item, [key]) or self.line)


def need(content: Mapping[str, Any], name: str, where: str) -> Any:
    """The required value of `name`.

    Raises:
        ContractError: it is missing or empty.
    """
    if content.get(name) in (None, "", [], {}):
        raise ContractError(f"{where}: {name} is missing")
    return content[name]


def known(names: Iterable[str], allowed: Sequence[str], where: str) -> None:
    """Refuse the first name that is not in `allowed`, and suggest the nearest.

    Raises:
        ContractError: a name is unknown.
    """
    for name in map(str, names):
        if name not in allowed:
            hint = did_you_mean(name, allowed) or f"; known are {', '.join(allowed)}"
            where = where.at(names, name) if isinstance(where, Where) else where
            raise ContractError(f"{where}: {name!r} is not known{hint}")


def items(content: Mapping[str, Any], name: str, where: str) -> list[Mapping[str, Any]]:
    """A list of mappings; empty if missing."""
    listed = content.get(name) or []
    if not isinstance(listed, list) or not all(isinstance(item, dict) for item in listed):
        raise ContractError(f"{where}: {name} is a list of mappings (- name: value)")
    return listed


def pairs(content: Mapping[str, Any], name: str, where: str) -> dict[str, Mapping[str, Any]]:
    """A list of mappings with `property` and `value`, by property."""
    listed = items(content, name, where)
    for item in listed:
        if "property" not in item or "value" not in item:
            raise ContractError(f"{where}: {name} takes entries {{property: ..., value: ...}}, not {dict(item)}")
    names = [str(item["property"]) for item in listed]
    for entry in names:
        if names.count(entry) > 1:
            raise ContractError(f"{where}: {name}: {entry} stands twice")
    return {str(item["property"]): item for item in listed}


def custom(item: Mapping[str, Any], where: str) -> dict[str, Any]:
    """The customProperties, by property."""
    return {name: entry["value"] for name, entry in pairs(item, "customProperties", where).items()}


def number(value: Any, where: str) -> float:
    """A finite number.

    Raises:
        ContractError: it is not one.
    """
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise ContractError(f"{where} is a number, not {value!r}")
    return float(value)
