"""The tables with rows of a delivery: the one list that forgetting, replacing and the manifest use. Each has a column
`batch_id`."""

from collections.abc import Collection, Sequence
from typing import Any

import duckdb

from onedata.ledger.states import LedgerError

BELONGINGS = (
    "file",
    "quarantine",
    "repair",
    "drift",
    "control_total",
    "profile",
    "released",
    "key_range",
    "lake_file",
)
FEW = 4
"""DuckDB makes a join of an IN with more values."""


def add(con: duckdb.DuckDBPyConnection, table: str, query: str, values: Sequence[Any] = ()) -> None:
    """Insert the rows of a query, whose columns are named like the table's.

    Raises:
        LedgerError: no such table belongs to a delivery.
    """
    if table not in BELONGINGS:
        raise LedgerError(f"ops.{table} does not belong to a delivery")
    con.execute(f"insert into ops.{table} by name {query}", list(values))


def remove(con: duckdb.DuckDBPyConnection, batches: Collection[str], tables: Sequence[str] = BELONGINGS) -> None:
    """Delete the rows that belong to the deliveries."""
    if not batches:
        return
    # By name where they are few: a join with the list takes twenty times as long as a look at a small table.
    few = len(batches) <= FEW
    listed = ", ".join(["?"] * len(batches)) if few else "select unnest(?::varchar[])"
    values: list[Any] = list(batches) if few else [list(batches)]
    for table in tables:
        con.execute(f"delete from ops.{table} where batch_id in ({listed})", values)
