"""Decimals of Parquet with more digits than DuckDB's type has: it reads them as doubles, and the values are wrong."""

from collections.abc import Iterator

import duckdb

from onedata.contracts.model import Feed
from onedata.readers.base import SourceFile, file_literal
from onedata.readers.parquet_nested import EVERY, Leaf, leaves_read

MOST_DIGITS = 38
_Node = tuple[str, int, str | None, int | None, int | None]
"""Name, number of children, converted type, digits and digits after the point of an element of the schema."""


def too_wide(con: duckdb.DuckDBPyConnection, feed: Feed, file: SourceFile) -> str | None:
    """The message that refuses the file if the contract reads such a decimal; others do no harm."""
    nodes: Iterator[_Node] = iter(
        con.execute(
            "select name, coalesce(num_children, 0), converted_type, precision, scale "
            f"from parquet_schema({file_literal(file.path)})"
        ).fetchall()
    )
    columns = next(nodes)[1]
    read = leaves_read(feed)
    for leaf, digits, scale in [found for _ in range(columns) for found in _decimals(next(nodes), nodes, ())]:
        if digits > MOST_DIGITS and any(leaf[: len(place)] == place for place in read):
            name = ".".join(leaf).replace(f".{EVERY}", EVERY)
            return (
                f"column {name!r} is DECIMAL({digits},{scale}), and a decimal of more than {MOST_DIGITS} digits cannot "
                f"be read right. Ask for the column as DECIMAL({MOST_DIGITS},{min(scale, MOST_DIGITS)}) or as a text."
            )
    return None


def _decimals(node: _Node, nodes: Iterator[_Node], above: Leaf) -> Iterator[tuple[Leaf, int, int]]:
    """Place, digits and digits after the point of the decimals in an element, whose parts follow in `nodes`."""
    name, children, converted, digits, scale = node
    place = (*above, name) if name != EVERY else above
    if converted == "LIST" and children == 1:
        member = next(nodes)
        # Of three levels the middle one is the repeated group, with the member as its only child; of two it is missing.
        if member[1] == 1:
            member = next(nodes)
        yield from _decimals((EVERY, *member[1:]), nodes, (*place, EVERY))
        return
    if digits is not None:
        yield place, digits, scale or 0
    for _ in range(children):
        yield from _decimals(next(nodes), nodes, place)
