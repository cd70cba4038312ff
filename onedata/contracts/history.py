"""Which contracts a feed's rows have landed by: `ops.contract` in the warehouse, which the ledger writes."""

import json
from collections.abc import Iterable
from contextlib import suppress

import duckdb

from onedata.contracts.model import Feed
from onedata.contracts.versions import Change, Used, judge


def contract_change(con: duckdb.DuckDBPyConnection, feed: Feed) -> Change:
    """The feed's contract against those its rows landed by (see `judge`)."""
    rows = con.execute(
        "select version, shape from ops.contract where feed = ? order by last_used_at desc", [feed.name]
    ).fetchall()
    return judge([Used(version, json.loads(shape)) for version, shape in rows], feed)


def changes(con: duckdb.DuckDBPyConnection, feeds: Iterable[Feed]) -> dict[str, Change]:
    """The changes that wait for the next night, by feed; none where nothing has landed yet."""
    with suppress(duckdb.CatalogException):  # an older onedata kept no contracts
        found = {feed.name: contract_change(con, feed) for feed in feeds}
        return {name: change for name, change in found.items() if change.differences}
    return {}
