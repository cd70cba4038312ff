"""Paths that add up: `sum(list[].member)` of a JSON document, `sum(path)` of XML. Pure."""

import re
from typing import NamedTuple

from onedata.contracts.mistakes import Where
from onedata.contracts.model import ContractError, Feed

_SUM = re.compile(r"sum\((?P<lists>.+?)(?:\[\]|(?P<conditions>(?:\[[^\]=]+=[^\]]+\])+))\.(?P<member>[^\[\]()]+)\)")
_CONDITION = re.compile(r"\[([^\]=]+?)(!?=)([^\]]+)\]")


class Condition(NamedTuple):
    """What a member of a list must say to be added: `[key=value]`, or anything else or nothing: `[key!=value]`."""

    key: str
    is_equal: bool
    value: str


class Summed(NamedTuple):
    """`sum(list[].member)`; of lists within a list, `sum(list[].list[].member)`; of those members of the last list
    that meet conditions, `sum(list[key=value][other!=value].member)`."""

    arrays: tuple[str, ...]
    conditions: tuple[Condition, ...]
    member: str

    def wanted(self) -> list[str]:
        """The paths in a member of the last array."""
        return [self.member, *(condition.key for condition in self.conditions)]

    def needed(self) -> list[str]:
        """Those of them without which the sum is of nothing: what must differ may be missing."""
        return [self.member, *(condition.key for condition in self.conditions if condition.is_equal)]


def summed(name: str) -> Summed | None:
    """The parts of a JSON path that adds up, None for any other."""
    match = _SUM.fullmatch(name)
    if match is None:
        return None
    found = _CONDITION.findall(match["conditions"] or "")
    conditions = tuple(Condition(key, sign == "=", value) for key, sign, value in found)
    return Summed(tuple(match["lists"].split("[].")), conditions, match["member"])


def inside(name: str, prefix: str) -> bool:
    """Whether a field is one of the exploded record, whose paths begin with `prefix`."""
    return bool(prefix) and name.removeprefix("sum(").startswith(prefix)


def below(name: str, prefix: str) -> str:
    """The field's path below the exploded record."""
    return f"sum({name.removeprefix('sum(')[len(prefix) :]}" if summed(name) else name[len(prefix) :]


def check_sums(feed: Feed, where: Where | str) -> None:
    """Refuse a sum that a reader of documents would not understand.

    Raises:
        ContractError: the path has another form.
    """
    if feed.location.format not in ("json", "jsonl", "parquet"):
        return
    prefix = f"{feed.records}[]." if feed.records else ""
    for name in feed.source_fields:
        if name.startswith("sum(") and name.endswith(")"):
            path = below(name, prefix) if inside(name, prefix) else name
            if summed(path) is None:
                raise ContractError(
                    f"{where}: {name!r} is not understood: write sum(list[].member), sum(list[].list[].member) for a "
                    "list within a list, or sum(list[key=value].member), sum(list[key!=value].member) for those items "
                    "that have the value, or do not"
                )
