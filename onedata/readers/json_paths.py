"""Compile a contract's JSON paths into one structure, so that each document is parsed once for all paths.

`customer.email`, `items[0].sku` and `event_params[key=page].value.string_value` become one argument of DuckDB's
`from_json` and one expression per path.
"""

import json
import re
from collections.abc import Callable, Sequence
from typing import Any

from onedata.contracts.sums import Summed, summed
from onedata.readers.digits import INEXACT
from onedata.sql import quote_text

_STEP = re.compile(r"\[(\d+)\]|\[([^\]=]+)=([^\]]+)\]|([^.\[\]]+)")
_NUMBER = r"\s*[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?\s*"
NOWHERE = "(no member has this name)"
Step = str | int | tuple[str, str]


def member_steps(path: str) -> list[Step]:
    """The path's steps: a member's name, an array index from 0, or the (key, value) of the wanted array member; of a
    path that adds up, those to its first array."""
    total = summed(path)
    found = _STEP.findall(total.arrays[0] if total else path)
    return [int(index) if index else ((key, value) if key else name) for index, key, value, name in found]


def json_path(path: str | Sequence[Step]) -> str:
    """A path as DuckDB JSONPath; a filter is a wildcard in it: every member of the array."""
    steps = member_steps(path) if isinstance(path, str) else path
    written = {int: "[{}]", tuple: "[*]", str: '."{}"'}
    return "$" + "".join(written[type(step)].format(step) for step in steps)


def pointer(name: str) -> str:
    """A member of any name, including names with dots or quotes, as a JSON pointer."""
    return "/" + name.replace("~", "~0").replace("/", "~1")


def nested_object(path: str, value: str) -> str:
    """SQL of a JSON object with `value` at a path of names."""
    for step in reversed(member_steps(path)):
        value = f"json_object({quote_text(str(step))}, {value})"
    return value


class Tree:
    """What is extracted from a document: named members, members of an array, or the value itself as text."""

    def __init__(self) -> None:
        self._members: dict[str, Tree] = {}
        self._element: Tree | None = None
        self._wanted = False

    def want(self, steps: Sequence[Step]) -> None:
        """Request the value at `steps`."""
        tree = self
        for step in steps:
            tree = tree._step(step)
        tree._wanted = True

    def want_field(self, name: str) -> None:
        """Request a field by its path: a value, or what `sum(list[].member)` adds up."""
        total = summed(name)
        if total is None:
            self.want(member_steps(name))
            return
        tree = self
        for array in total.arrays:
            for step in member_steps(array):
                tree = tree._step(step)
            tree._element = tree = tree._element or Tree()
        for path in total.wanted():
            tree.want(member_steps(path))

    def put_list(self, steps: Sequence[Step], element: "Tree") -> None:
        """Set the structure of the members of the array at `steps` to `element`."""
        tree = self
        for step in steps:
            tree = tree._step(step)
        tree._element = element

    def add(self, steps: Sequence[Step], names: Sequence[str]) -> None:
        """Request those members of the object at `steps` as text that are not requested in another way."""
        tree = self
        for step in steps:
            tree = tree._step(step)
        for name in names:
            if name not in tree._members:
                tree.want([name])

    def _step(self, step: Step) -> "Tree":
        if isinstance(step, str):
            return self._members.setdefault(step, Tree())
        self._element = self._element or Tree()
        if isinstance(step, tuple):
            self._element.want([step[0]])
        return self._element

    @property
    def _is_mixed(self) -> bool:
        """Whether the value is requested in ways that no structure expresses: as text and parsed, as object and array,
        or by names that differ only in case."""
        ways = self._wanted + bool(self._members) + (self._element is not None)
        return ways > 1 or len({name.lower() for name in self._members}) < len(self._members)

    @property
    def members(self) -> Sequence[str]:
        """The names of the members that are requested."""
        return list(self._members)

    @property
    def is_plain(self) -> bool:
        """Whether one structure expresses everything that is requested."""
        below = [*self._members.values(), *([self._element] if self._element else [])]
        return not self._is_mixed and all(tree.is_plain for tree in below)

    def structure(self) -> Any:
        """What is requested, as `from_json` names it."""
        if self._is_mixed:
            return "JSON"
        if self._element is not None:
            return [self._element.structure()]
        if self._members:
            return {name: member.structure() for name, member in self._members.items()}
        return "VARCHAR" if self._wanted else {NOWHERE: "VARCHAR"}

    def taken_from(self, document: str) -> str:
        """SQL that parses a JSON document; missing members, and members of another type, are NULL."""
        return f"from_json({document}, {quote_text(json.dumps(self.structure(), ensure_ascii=False))})"

    def value(self, taken: str, steps: Sequence[Step]) -> str:
        """SQL of the text at `steps` of the parsed document."""
        tree, sql = self, taken
        for number, step in enumerate(steps):
            if tree._is_mixed:
                return f"({searched(sql, steps[number:])} ->> '$')"
            tree = tree._step(step)
            sql = _stepped(sql, step, tree._is_mixed)
        return f"({sql} ->> '$')" if tree._is_mixed else sql

    def field(self, taken: str, name: str) -> str:
        """SQL of the text of a field of the parsed document."""
        total = summed(name)
        return self._sum(taken, total) if total else self.value(taken, member_steps(name))

    def _sum(self, taken: str, total: Summed) -> str:
        """SQL of a sum as text: '0' without a member, 'NaN' if a member's value is no number."""
        items, element = _items(taken, self, member_steps(total.arrays[0]))
        for array in total.arrays[1:]:
            inner, element = _items("m", element, member_steps(array))
            items = f"flatten(list_transform({items}, lambda m: {inner}))"
        if element is None:
            return _added(items, total, lambda path: f"({searched('m', member_steps(path))} ->> '$')")
        return _added(items, total, lambda path: element.value("m", member_steps(path)))

    def list_at(self, taken: str, steps: Sequence[Step]) -> str:
        """SQL of the array at `steps` of the parsed document."""
        for step in steps:
            taken = _stepped(taken, step)
        return taken


def _items(sql: str, tree: Tree | None, steps: Sequence[Step]) -> tuple[str, Tree | None]:
    """SQL of the members of the array at `steps` of a value, and what is extracted from one; None where it is JSON."""
    for number, step in enumerate(steps):
        if tree is None or tree._is_mixed:
            return f"json_extract({searched(sql, steps[number:])}, '$[*]')", None
        tree = tree._step(step)
        sql = _stepped(sql, step, tree._is_mixed)
    if tree is None or tree._is_mixed:
        return f"json_extract({sql}, '$[*]')", None
    element = tree._element
    return sql, None if element is None or element._is_mixed else element


def _added(array: str, total: Summed, of_member: Callable[[str], str]) -> str:
    kept = array
    if total.conditions:
        meets = " and ".join(
            f"{of_member(key)} {'=' if is_equal else 'is distinct from'} {quote_text(value)}"
            for key, is_equal, value in total.conditions
        )
        kept = f"list_filter({array}, lambda m: {meets})"
    text = f"replace({of_member(total.member)}, {quote_text(INEXACT)}, '')"
    texts = f"list_filter(list_transform({kept}, lambda m: {text}), lambda t: t is not null)"
    # DuckDB's own cast takes '1_000' for a thousand.
    number = f"case when regexp_full_match(t, {quote_text(_NUMBER)}) then try_cast(t as decimal(28, 8)) end"
    numbers = f"list_transform({texts}, lambda t: {number})"
    whole = f"rtrim(rtrim(coalesce(list_sum({numbers}), 0)::decimal(38, 8)::varchar, '0'), '.')"
    return f"case when len(list_filter({numbers}, lambda n: n is null)) > 0 then 'NaN' else {whole} end"


def _stepped(sql: str, step: Step, to_json: bool = False) -> str:
    """One step into a struct or list; `to_json` if what it leads to is still JSON."""
    if isinstance(step, str):
        return f"{sql}[{quote_text(step)}]"
    if isinstance(step, int):
        return f"{sql}[{step + 1}]"
    key = f"(e ->> {quote_text(step[0])})" if to_json else f"e[{quote_text(step[0])}]"
    return f"list_filter({sql}, lambda e: {key} = {quote_text(step[1])})[1]"


def searched(sql: str, steps: Sequence[Step]) -> str:
    """The same steps into a value that is still JSON."""
    for step in steps:
        if isinstance(step, tuple):
            sql = (
                f"list_filter(json_extract({sql}, '$[*]'), lambda e: e ->> {quote_text(step[0])} = "
                f"{quote_text(step[1])})[1]"
            )
        else:
            sql = f"json_extract({sql}, {quote_text(json_path([step]))})"
    return sql
