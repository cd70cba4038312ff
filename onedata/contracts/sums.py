"""Paths that add up: `sum(list[].member)` of a JSON document, `sum(path)` of XML. Pure."""

import re
from typing import NamedTuple

from onedata.contracts.mistakes import Where
from onedata.contracts.model import ContractError, Feed

_SUM = re.compile(r"sum\((?P<list>.+?)\[(?:(?P<key>[^\]=]+)=(?P<value>[^\]]+))?\]\.(?P<member>[^\[\]()]+)\)")


class Summed(NamedTuple):
    """`sum(list[].member)`, or of those of its members that have a value: `sum(list[key=value].member)`."""

    array: str
    key: str | None
    value: str | None
    member: str

    def wanted(self) -> list[str]:
        """The paths in a member of the array."""
        return [self.member, self.key] if self.key else [self.member]


def summed(name: str) -> Summed | None:
    """The parts of a JSON path that adds up, None for any other."""
    match = _SUM.fullmatch(name)
    return Summed(match["list"], match["key"], match["value"], match["member"]) if match else None


def inside(name: str, prefix: str) -> bool:
    """Whether a field is one of the exploded record, whose paths begin with `prefix`."""
    return bool(prefix) and name.removeprefix("sum(").startswith(prefix)


def below(name: str, prefix: str) -> str:
    """The field's path below the exploded record."""
    return f"sum({name.removeprefix('sum(')[len(prefix) :]}" if summed(name) else name[len(prefix) :]


def check_sums(feed: Feed, where: Where | str) -> None:
    """Refuse a sum that a reader of documents would not understand.

    Raises:
        ContractError: the path has another form, or an array within an array.
    """
    if feed.location.format not in ("json", "jsonl", "parquet"):
        return
    prefix = f"{feed.records}[]." if feed.records else ""
    for name in feed.source_fields:
        if name.startswith("sum(") and name.endswith(")"):
            path = below(name, prefix) if inside(name, prefix) else name
            total = summed(path)
            if total is None or "[]" in total.array:
                raise ContractError(
                    f"{where}: {name!r} is not understood: write sum(list[].member), or sum(list[key=value].member) "
                    "for those items that have the value; a list within a list cannot be added up"
                )
