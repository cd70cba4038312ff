"""Convert ODCS quality rules to neutral `Rule`s: the same vocabulary in contracts and in model YAML. Also parses
`trends`."""

import re
from collections.abc import Mapping, Sequence
from typing import Any, cast, get_args

from onedata.contracts.mistakes import Where, number
from onedata.contracts.model import ContractError, Metric, Rule, Severity, Trends

_ARGUMENTS = ("properties", "validValues", "pattern", "minimum", "maximum")
_BOUNDS = (
    "mustBe",
    "mustBeGreaterThan",
    "mustBeGreaterOrEqualTo",
    "mustBeLessThan",
    "mustBeLessOrEqualTo",
    "mustBeBetween",
)


def parse_rules(items: Sequence[Mapping[str, Any]], where: str, column: str | None = None) -> tuple[Rule, ...]:
    """The rules of one `quality` list.

    Args:
        items: The YAML list.
        where: File and place, for the error message.
        column: The property of the list, if any.

    Raises:
        ContractError: an unknown metric or severity, no bound, or a bound that is not a number.
    """
    return tuple(_rule(item, where, number, column) for number, item in enumerate(items, 1))


def _place(where: str, item: Mapping[str, Any], rule: object, joint: str) -> str:
    part = f"quality rule {rule}"
    return where.within(item, part, joint) if isinstance(where, Where) else f"{where}{joint}{part}"


def _rule(item: Mapping[str, Any], around: str, position: int, column: str | None) -> Rule:
    where = _place(around, item, position, ", ")
    metric = "sql" if item.get("type") == "sql" else str(item.get("metric"))
    if metric not in get_args(Metric):
        raise ContractError(f"{where}: metric {metric!r} is not known; use one of {', '.join(get_args(Metric))}")
    severity = item.get("severity", "error")
    if severity not in get_args(Severity):
        raise ContractError(f"{where}: severity {severity!r} is not known; use error or warning")
    arguments = dict(item.get("arguments") or {})
    for name in arguments:
        if name not in _ARGUMENTS:
            raise ContractError(f"{where}: argument {name!r} is not known; use one of {', '.join(_ARGUMENTS)}")
    if metric == "sql":
        if not item.get("query"):
            raise ContractError(f"{where}: a sql rule needs a query")
        arguments["query"] = item["query"]
    if "validValues" in arguments and not isinstance(arguments["validValues"], list):
        raise ContractError(f"{where}: validValues is a list, not {arguments['validValues']!r}")
    own = [column] if column else []
    columns = tuple(
        arguments.pop("properties", None) or item.get("columns") or ([item["column"]] if "column" in item else own)
    )
    for own_name in columns:
        if not re.fullmatch(r"[A-Za-z_]\w*", str(own_name), re.ASCII):
            raise ContractError(
                f"{where}: {own_name!r} is no name of a column; an expression belongs in a rule of type sql"
            )
    for limit in ("minimum", "maximum"):
        if limit in arguments:
            number(arguments[limit], f"{where}: {limit}")
    at_least, at_most = _bounds(item, where)
    name = item.get("name") or "_".join([*columns, metric])
    return Rule(
        name=name,
        metric=cast(Metric, metric),
        columns=columns,
        arguments=arguments,
        at_least=at_least,
        at_most=at_most,
        severity=severity,
        description=item.get("description", ""),
        place=_place(around, item, name, ": "),
    )


def _bounds(item: Mapping[str, Any], where: str) -> tuple[int | None, int | None]:
    given = [name for name in _BOUNDS if name in item]
    if len(given) != 1:
        raise ContractError(f"{where}: give exactly one of {', '.join(_BOUNDS)}")
    value = item[given[0]]
    numbers = value if given[0] == "mustBeBetween" and isinstance(value, list) else [value]
    if not all(isinstance(number, int) for number in numbers) or (given[0] == "mustBeBetween") != (len(numbers) == 2):
        raise ContractError(f"{where}: {given[0]} takes whole numbers, not {value!r}")
    return {
        "mustBe": (numbers[0], numbers[0]),
        "mustBeGreaterThan": (numbers[0] + 1, None),
        "mustBeGreaterOrEqualTo": (numbers[0], None),
        "mustBeLessThan": (None, numbers[0] - 1),
        "mustBeLessOrEqualTo": (None, numbers[0]),
        "mustBeBetween": (numbers[0], numbers[-1]),
    }[given[0]]


def parse_trends(value: Any, where: str) -> Trends | None:
    """The custom property `trends`: None for `off`, else severity and tolerance.

    Args:
        value: The YAML value.
        where: File and place, for the error message.

    Raises:
        ContractError: it is neither `off` nor a mapping of the two, or one of them is invalid.
    """
    if value in ("off", False):  # YAML 1.1 reads off as false
        return None
    if not isinstance(value, dict) or not set(value) <= {"severity", "tolerance"}:
        raise ContractError(
            f"{where}: write off, or {{severity: warning or error, tolerance: a factor}}, not {value!r}"
        )
    severity, tolerance = value.get("severity", "warning"), value.get("tolerance", 1.0)
    if severity not in get_args(Severity):
        raise ContractError(f"{where}: severity {severity!r} is not known; use error or warning")
    if isinstance(tolerance, bool) or not isinstance(tolerance, int | float) or not 0 < tolerance < float("inf"):
        raise ContractError(f"{where}: tolerance is a factor above 0 that widens every band, not {tolerance!r}")
    return Trends(severity, float(tolerance))
