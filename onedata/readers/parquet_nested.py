"""Nested Parquet, as Google Analytics 4 exports it: lists and structures are addressed by the same paths as JSON.

A row becomes a JSON document of DuckDB's, which the reader of JSON lines takes apart; the file's schema tells which of
the contract's paths it has.
"""

from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any

import duckdb

from onedata.contracts.model import Feed
from onedata.contracts.sums import Summed, below, inside, summed
from onedata.readers.base import SourceFile, file_literal
from onedata.readers.digits import marked_text
from onedata.readers.json_paths import Step, member_steps
from onedata.sql import quote_name, quote_text

_LISTS = ("list", "array")
_INNER = ("struct", "map", "union", *_LISTS)
EVERY = "[]"
Leaf = tuple[str, ...]
"""The names on the way to a value, and `EVERY` for a list's members."""


def is_nested(feed: Feed, columns: Sequence[str]) -> bool:
    """Whether the contract looks into the columns of the file."""
    return feed.records is not None or any(
        name not in columns and (summed(name) is not None or len(member_steps(name)) > 1) for name in feed.source_fields
    )


def paths_there(con: duckdb.DuckDBPyConnection, feed: Feed, file: SourceFile) -> Iterator[str]:
    """The paths of the contract that the file's schema has."""
    roots = _roots(con, file)
    prefix = f"{feed.records}[]." if feed.records else ""
    rows = _at(roots, member_steps(feed.records)) if feed.records else None
    has_rows = rows is not None and rows.id in _LISTS
    for name in feed.known_fields:
        if inside(name, prefix):
            found = [_below(_element(rows), steps) for steps in _needed(below(name, prefix))] if has_rows else [None]
        else:
            found = [_at(roots, steps) for steps in _needed(name)]
        if all(kind is not None for kind in found):
            yield name


def members_of(con: duckdb.DuckDBPyConnection, feed: Feed, file: SourceFile) -> list[str]:
    """The file's columns, and the members of the exploded records as `records[].name`."""
    roots = _roots(con, file)
    rows = _at(roots, member_steps(feed.records)) if feed.records else None
    inside = _members(_element(rows)) if rows is not None and rows.id in _LISTS else {}
    return [*roots, *(f"{feed.records}[].{name}" for name in inside)]


def documents_of(con: duckdb.DuckDBPyConnection, feed: Feed, file: SourceFile) -> str:
    """SQL of each row as a JSON document. Plain columns, and the numbers and bytes that the contract reads, are texts
    in it, so that no digit goes through a double (`marked_text`)."""
    read = leaves_read(feed)
    members = ", ".join(f"{quote_text(name)}: {_member(name, kind, read)}" for name, kind in _roots(con, file).items())
    return (
        f"select to_json({{{members}}}) as _json, file_row_number + 1 as _document "
        f"from read_parquet({file_literal(file.path)}, file_row_number=true, hive_partitioning=false)"
    )


def leaves_read(feed: Feed) -> set[Leaf]:
    """The values that the contract reads, those that a filter compares among them."""
    prefix = f"{feed.records}[]." if feed.records else ""
    found: set[Leaf] = {(name,) for name in feed.source_fields}
    for name in feed.source_fields:
        above: list[Step] = [*member_steps(feed.records), 0] if feed.records and inside(name, prefix) else []
        for steps in _values(below(name, prefix) if above else name):
            found.add(_leaf([*above, *steps]))
            found |= {
                _leaf([*above, *steps[: at + 1], step[0]]) for at, step in enumerate(steps) if isinstance(step, tuple)
            }
    return found


def _values(path: str) -> Iterator[list[Step]]:
    """The steps to what a path reads, of a sum to each value that it adds up or compares."""
    total = summed(path)
    yield from _in_lists(total, total.wanted()) if total else [member_steps(path)]


def _needed(path: str) -> Iterator[list[Step]]:
    """Those without which the path reads nothing."""
    total = summed(path)
    yield from _in_lists(total, total.needed()) if total else [member_steps(path)]


def _in_lists(total: Summed, members: Sequence[str]) -> list[list[Step]]:
    above: list[Step] = [step for array in total.arrays for step in (*member_steps(array), 0)]
    return [[*above, *member_steps(member)] for member in members]


def _leaf(steps: Sequence[Step]) -> Leaf:
    return tuple(step if isinstance(step, str) else EVERY for step in steps)


def _member(name: str, kind: Any, read: Collection[Leaf]) -> str:
    """SQL of a column's value in the document."""
    value = _document_value(quote_name(name), kind, (name,), read)
    return value or (quote_name(name) if kind.id in _INNER else f"{quote_name(name)}::varchar")


def _document_value(value: str, kind: Any, place: Leaf, read: Collection[Leaf]) -> str | None:
    """SQL of a value with every marked text in it; None if there is none."""
    if kind.id in _LISTS:
        item = f"item_{len(place)}"
        inner = _document_value(item, _element(kind), (*place, EVERY), read)
        return f"list_transform({value}, lambda {item}: {inner})" if inner else None
    if kind.id != "struct":
        return marked_text(value, str(kind)) if place in read else None
    members = {name: f"{value}[{quote_text(name)}]" for name in _members(kind)}
    changed = {
        name: inner
        for name, member in _members(kind).items()
        if (inner := _document_value(members[name], member, (*place, name), read))
    }
    if not changed:
        return None
    packed = ", ".join(f"{quote_text(name)}: {inner}" for name, inner in (members | changed).items())
    return f"case when {value} is not null then {{{packed}}} end"


def _roots(con: duckdb.DuckDBPyConnection, file: SourceFile) -> dict[str, Any]:
    relation = con.sql(f"select * from read_parquet({file_literal(file.path)}, hive_partitioning=false)")
    return dict(zip(relation.columns, relation.types, strict=True))


def _at(roots: Mapping[str, Any], steps: Sequence[Step]) -> Any | None:
    """The type at a path; None if the schema has no such path."""
    first, *rest = steps
    return _below(roots[str(first)], rest) if first in roots else None


def _below(kind: Any, steps: Sequence[Step]) -> Any | None:
    for step in steps:
        if isinstance(step, str):
            kind = _members(kind).get(step)
        elif kind.id not in _LISTS or (isinstance(step, tuple) and step[0] not in _members(_element(kind))):
            return None
        else:
            kind = _element(kind)
        if kind is None:
            return None
    return kind


def _members(kind: Any) -> dict[str, Any]:
    return dict(kind.children) if kind.id == "struct" else {}


def _element(kind: Any) -> Any:
    return kind.children[0][1]
