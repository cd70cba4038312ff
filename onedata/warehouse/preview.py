"""Preview of a table: its columns, row count and first rows."""

from collections.abc import Sequence

import duckdb

from onedata.sql import quote_name


def columns_of(con: duckdb.DuckDBPyConnection, relation: Sequence[str]) -> list[tuple[str, str]]:
    """Name and type of every column of a table, given as schema and name."""
    return [(name, kind) for name, kind, *_ in con.execute(f"describe {_quoted(relation)}").fetchall()]


def rows_of(con: duckdb.DuckDBPyConnection, relation: Sequence[str]) -> int:
    """Number of rows of a table."""
    row = con.execute(f"select count(*) from {_quoted(relation)}").fetchone()
    assert row is not None
    return int(row[0])


def first_rows(
    con: duckdb.DuckDBPyConnection, relation: Sequence[str], columns: Sequence[str], most: int
) -> list[tuple[object, ...]]:
    """Some rows of these columns."""
    return con.execute(f"select {', '.join(map(quote_name, columns))} from {_quoted(relation)} limit {most}").fetchall()


def _quoted(relation: Sequence[str]) -> str:
    return ".".join(map(quote_name, relation))
