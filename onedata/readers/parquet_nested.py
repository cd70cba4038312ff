"""Nested Parquet, as Google Analytics 4 exports it: lists and structures are addressed by the same paths as JSON.

A row becomes a JSON document of DuckDB's, which the reader of JSON lines takes apart; the file's schema tells which of
the contract's paths it has.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import duckdb

from onedata.contracts.model import Feed
from onedata.contracts.sums import below, inside, summed
from onedata.readers.base import SourceFile, file_literal
from onedata.readers.json_paths import Step, member_steps
from onedata.sql import quote_name, quote_text

_LISTS = ("list", "array")


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
    for name in feed.known_fields:
        if inside(name, prefix):
            if rows is not None and rows.id in _LISTS and _below(_element(rows), member_steps(below(name, prefix))):
                yield name
        elif _at(roots, member_steps(name)) is not None:
            yield name


def members_of(con: duckdb.DuckDBPyConnection, feed: Feed, file: SourceFile) -> list[str]:
    """The file's columns, and the members of the exploded records as `records[].name`."""
    roots = _roots(con, file)
    rows = _at(roots, member_steps(feed.records)) if feed.records else None
    inside = _members(_element(rows)) if rows is not None and rows.id in _LISTS else {}
    return [*roots, *(f"{feed.records}[].{name}" for name in inside)]


def documents_of(columns: Mapping[str, str], file: SourceFile) -> str:
    """SQL of each row as a JSON document; plain columns are texts in it, so that no digit goes through a double."""
    plain = ("STRUCT", "MAP")
    members = ", ".join(
        f"{quote_text(name)}: "
        + (quote_name(name) if kind.startswith(plain) or kind.endswith("]") else f"{quote_name(name)}::varchar")
        for name, kind in columns.items()
    )
    return (
        f"select to_json({{{members}}}) as _json, file_row_number + 1 as _document "
        f"from read_parquet({file_literal(file.path)}, file_row_number=true, hive_partitioning=false)"
    )


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
