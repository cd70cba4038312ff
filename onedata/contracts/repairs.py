"""Repairs that a contract allows, what an invalid value costs, and the treatment of unknown or missing fields:
`repairs`, `onInvalid` and `onDrift` as typed values."""

import re
from collections.abc import Mapping
from typing import Any, cast, get_args

from onedata.contracts.model import DIGITS, NUMBERS, Column, ContractError, Entity, OnInvalid, Repair, RepairKind

PROPERTIES = ("repairs", "onInvalid")

DRIFT: Mapping[str, tuple[str, ...]] = {
    "missing": ("empty", "refuse"),
    "added": ("keep", "drop", "refuse"),
    "retyped": ("report", "refuse"),
}


def parse_drift(value: Any, where: str) -> dict[str, str]:
    """The drift policy of a feed; the default is the first choice in `DRIFT`.

    Raises:
        ContractError: an unknown kind of drift, or an unknown choice.
    """
    given = {} if value is None else value
    if not isinstance(given, dict):
        raise ContractError(f"{where} is a mapping, for example {{missing: refuse}}, not {value!r}")
    for kind, choice in given.items():
        if kind not in DRIFT:
            raise ContractError(f"{where}: {kind!r} is not known; use {', '.join(DRIFT)}")
        if choice not in DRIFT[kind]:
            raise ContractError(f"{where}: {kind} takes {' or '.join(DRIFT[kind])}, not {choice!r}")
    return {kind: str(given.get(kind, choices[0])) for kind, choices in DRIFT.items()}


def parse_repairs(custom: Mapping[str, Any], column: Column, where: str) -> tuple[Repair, ...]:
    """The repairs of a property's customProperties, in order of execution.

    Raises:
        ContractError: an unknown repair, or one with invalid arguments.
    """
    for name in custom:
        if name not in PROPERTIES:
            raise ContractError(
                f"{where}: customProperties: {name!r} is not known; a property takes {' and '.join(PROPERTIES)}"
            )
    items = custom.get("repairs", [])
    if not isinstance(items, list):
        raise ContractError(f"{where}: repairs is a list, for example [upper, {{values: {{RMB: CNY}}}}]")
    return tuple(_repair(item, column, f"{where}: repairs") for item in items)


def parse_on_invalid(
    custom: Mapping[str, Any], column: Column, entity: Entity, required: bool, where: str
) -> OnInvalid:
    """What an invalid value of a property costs: its row (the default), or only the value (`void`).

    Raises:
        ContractError: an unknown choice, or `void` of a column that a row cannot be without: a required one, one of the
            key, the version, or an amount that is reconciled.
    """
    choice = custom.get("onInvalid", "row")
    if choice not in get_args(OnInvalid):
        raise ContractError(f"{where}: onInvalid takes {' or '.join(get_args(OnInvalid))}, not {choice!r}")
    if choice == "void":
        counted = {name for total in entity.totals for name in re.findall(r"\w+", total.amount)}
        reasons = {
            f"of the key of {entity.name}": column.name in entity.key,
            "required": required,
            f"the version of {entity.name}": column.name == entity.version,
            f"an amount of {entity.name} that is reconciled": column.name in counted,
        }
        for reason, holds in reasons.items():
            if holds:
                raise ContractError(f"{where}: onInvalid: void is not for {column.name}, which is {reason}; use row")
    return cast(OnInvalid, choice)


def _repair(item: Any, column: Column, where: str) -> Repair:
    kind, arguments = next(iter(item.items())) if isinstance(item, dict) and len(item) == 1 else (item, None)
    if kind not in get_args(RepairKind):
        raise ContractError(f"{where}: {item!r} is not known; use {', '.join(get_args(RepairKind))}")
    if kind == "round":
        most = DIGITS.get(column.type, 4)
        if isinstance(arguments, bool) or not isinstance(arguments, int) or not 0 <= arguments <= most:
            raise ContractError(f"{where}: write {{round: 2}}, with 0 to {most} digits behind the point, not {item!r}")
        if column.type not in NUMBERS:
            raise ContractError(f"{where}: round mends numbers, {column.name} is {column.type}")
        return Repair("round", {"digits": str(arguments)})
    texts: Mapping[str, Any] = arguments if isinstance(arguments, dict) else {}
    if (kind in ("values", "unit")) != bool(texts) or (arguments is not None and not texts):
        example = {"values": "{values: {RMB: CNY}}", "unit": "{unit: {g: 0.001, kg: 1}}"}.get(kind, kind)
        raise ContractError(f"{where}: write {example}, not {item!r}")
    if kind == "unit" and not all(
        isinstance(factor, int | float) and not isinstance(factor, bool) for factor in texts.values()
    ):
        raise ContractError(f"{where}: unit takes a number for each unit, not {arguments!r}")
    if kind == "unit" and column.type not in NUMBERS:
        raise ContractError(f"{where}: unit mends numbers, {column.name} is {column.type}")
    return Repair(cast(RepairKind, kind), {str(name): str(value) for name, value in texts.items()})
