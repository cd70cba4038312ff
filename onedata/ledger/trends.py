"""The last comparison of a feed's night with the nights before it (`ops.trend`)."""

from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any

import duckdb


def forget_trends(con: duckdb.DuckDBPyConnection, feed: str, nights: Sequence[date]) -> None:
    """Delete the results of the nights before they are judged again."""
    con.execute("delete from ops.trend where feed = ? and ds in (select unnest(?::date[]))", [feed, list(nights)])


def add_trends(con: duckdb.DuckDBPyConnection, query: str, values: Mapping[str, Any]) -> None:
    """Insert the rows of a query, whose columns are named like the table's."""
    con.execute(f"insert into ops.trend by name {query}", dict(values))
