"""The contracts that rows have landed by: `ops.contract`."""

import json
from datetime import datetime

import duckdb

from onedata.contracts.model import Feed
from onedata.contracts.shapes import fingerprint, shape_of


def remember(con: duckdb.DuckDBPyConnection, feed: Feed, at: datetime) -> None:
    """Store the feed's contract as the last used one: rows have landed by it."""
    shape = shape_of(feed)
    con.execute(
        "insert into ops.contract values (?, ?, ?, ?, ?, ?) on conflict do update "
        "set last_used_at = excluded.last_used_at",
        [feed.name, feed.version, fingerprint(shape), json.dumps(shape, default=str), at, at],
    )
