"""What every part of a contract is checked with; each mistake is told by place and fix."""

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from onedata.contracts.model import ContractError
from onedata.errors import did_you_mean


def need(content: Mapping[str, Any], name: str, where: str) -> Any:
    """The value of `name`, which must be there.

    Raises:
        ContractError: it is missing or empty.
    """
    if content.get(name) in (None, "", [], {}):
        raise ContractError(f"{where}: {name} is missing")
    return content[name]


def known(names: Iterable[str], allowed: Sequence[str], where: str) -> None:
    """Refuse the first name that is not among `allowed`, with the nearest that is.

    Raises:
        ContractError: a name is unknown.
    """
    for name in names:
        if name not in allowed:
            hint = did_you_mean(name, allowed) or f"; known are {', '.join(allowed)}"
            raise ContractError(f"{where}: {name!r} is not known{hint}")


def items(content: Mapping[str, Any], name: str, where: str) -> list[Mapping[str, Any]]:
    """A list of mappings, or nothing."""
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
    return {str(item["property"]): item for item in listed}


def custom(item: Mapping[str, Any], where: str) -> dict[str, Any]:
    """The customProperties, by property."""
    return {name: entry["value"] for name, entry in pairs(item, "customProperties", where).items()}


def number(value: Any, where: str) -> float:
    """A finite number.

    Raises:
        ContractError: it is none.
    """
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise ContractError(f"{where} is a number, not {value!r}")
    return float(value)
