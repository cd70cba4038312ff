"""Keys of many rows: whether one occurs twice, and the range that they lie in."""

import re
from collections.abc import Sequence
from pathlib import Path

import duckdb
import numpy as np

from onedata.contracts.model import Column, Entity
from onedata.ledger.lake import KeyRange
from onedata.masking import mask
from onedata.readers.base import file_literal

MOST_HASHES = 32_000_000
"""256 MB in memory; of more rows DuckDB groups the hashes, and spills to disk."""
FEW_ROWS = 100_000
"""Grouping so few is cheaper than to fetch and sort their hashes."""
STATISTICS_BYTES = 4 << 20
"""Reading the keys of smaller files is cheaper than asking for their statistics."""
HEAD_ROWS = 2_048
_RUNNING_NUMBER = re.compile(r"[A-Za-z]{0,6}[-_]?[0-9]+([-_][0-9]+)*")


def are_distinct(con: duckdb.DuckDBPyConnection, columns: Sequence[str], relation: str, rows: int) -> bool:
    """Whether hashes of 64 bits prove that a key occurs once in each of the relation's rows. Two keys may share a hash:
    False proves nothing. Of many rows, a column that differs in the first of them is tried alone: it is usually the
    number of the row, and half of the work.

    Args:
        con: The connection that knows the relation.
        columns: The columns of the key.
        relation: A table, view or query in parentheses.
        rows: The number of its rows.
    """
    whole = ", ".join(columns)
    if rows <= FEW_ROWS or rows > MOST_HASHES:
        found = con.execute(f"select count(distinct hash({whole})) from {relation}").fetchone()
        return found is not None and bool(found[0] == rows)
    counts = ", ".join(f"count(distinct {column})" for column in columns)
    head = con.execute(f"select count(*), {counts} from (select {whole} from {relation} limit {HEAD_ROWS})").fetchone()
    assert head is not None
    telling = [column for column, count in zip(columns, head[1:], strict=True) if count == head[0]]
    return any(_differ(con, key, relation, rows) for key in dict.fromkeys([*telling[:1], whole]))


def _differ(con: duckdb.DuckDBPyConnection, key: str, relation: str, rows: int) -> bool:
    """Whether all hashes of the rows differ."""
    hashes, at = np.empty(rows, np.uint64), 0
    for batch in con.execute(f"select hash({key}) from {relation}").to_arrow_reader():
        hashes[at : at + len(batch)] = batch.column(0)
        at += len(batch)
    # Sorting needs no memory beside the hashes, and a fraction of the time of a hash table.
    hashes.sort()
    return bool((hashes[1:] != hashes[:-1]).all())


def key_columns(entity: Entity) -> list[Column]:
    """The key's columns that are never empty."""
    return [column for column in entity.columns if column.name in entity.key and column.required]


def key_ranges(
    con: duckdb.DuckDBPyConnection, entity: Entity, relation: str, files: Sequence[Path] = ()
) -> list[KeyRange]:
    """The least and the greatest value of each key column that is never empty. Keys that go on, as numbers and days do,
    are looked for in the few nights that have them, whatever the length of the history.

    Args:
        con: The connection that knows the relation.
        entity: Whose keys.
        relation: The rows.
        files: The Parquet files that hold these rows and no others; none if they hold others too.
    """
    columns = key_columns(entity)
    if not columns:
        return []
    known = _written_ends(con, [column.name for column in columns if column.type == "text"], files)
    ends = [
        f"min({column.name})::varchar, max({column.name})::varchar" for column in columns if column.name not in known
    ]
    row = con.execute(f"select {', '.join(ends)} from {relation}").fetchone() if ends else ()
    assert row is not None
    left = iter(row)
    found = [(column, *(known.get(column.name) or (next(left), next(left)))) for column in columns]
    return [
        KeyRange(column.name, column.sql_type, least, greatest)
        for column, least, greatest in found
        if least is not None
    ]


def _written_ends(
    con: duckdb.DuckDBPyConnection, texts: Sequence[str], files: Sequence[Path]
) -> dict[str, tuple[str, str]]:
    """The least and the greatest value of text columns as the files' own statistics say, where they say it exactly of
    every row group: DuckDB asks the statistics for numbers and days itself, but reads all texts (1.5.5)."""
    if not texts or sum(file.stat().st_size for file in files) < STATISTICS_BYTES:
        return {}
    found = con.execute(
        "select path_in_schema, min(stats_min_value), max(stats_max_value) "
        f"from parquet_metadata([{', '.join(map(file_literal, files))}]) "
        "where list_contains(?::varchar[], path_in_schema) group by 1 "
        "having bool_and(coalesce(min_is_exact and max_is_exact, false)) "
        "and count(stats_min_value) = count(*) and count(stats_max_value) = count(*)",
        [list(texts)],
    ).fetchall()
    return {name: (least, greatest) for name, least, greatest in found}


def names_nobody(item: KeyRange, column: Column) -> bool:
    """Whether the ledger may keep the range. It holds nothing that names a person: of texts only running numbers, with
    letters before them, in which masking finds neither a phone nor a card."""
    ends: Sequence[str] = (item.least, item.greatest)
    return column.classification == "public" and (
        column.type != "text" or all(_RUNNING_NUMBER.fullmatch(end) and mask(end) == end for end in ends)
    )
