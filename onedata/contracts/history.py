"""Contracts under which a feed's rows have landed: `ops.contract` in the warehouse, written by the ledger."""

import json
from collections.abc import Iterable
from contextlib import suppress

import duckdb

from onedata.contracts.model import Feed
from onedata.contracts.versions import Change, Used, judge


def contract_change(con: duckdb.DuckDBPyConnection, feed: Feed) -> Change:
    """Compare the feed's contract with those under which its rows landed (see `judge`)."""
    rows = con.execute(
        "select version, shape from ops.contract where feed = ? order by last_used_at desc", [feed.name]
    ).fetchall()
    return judge([Used(version, json.loads(shape)) for version, shape in rows], feed)


def changes(con: duckdb.DuckDBPyConnection, feeds: Iterable[Feed]) -> dict[str, Change]:
    """The pending changes for the next night, by feed; empty if nothing has landed yet."""
    with suppress(duckdb.CatalogException):  # earlier versions of onedata stored no contracts
        found = {feed.name: contract_change(con, feed) for feed in feeds}
        return {name: change for name, change in found.items() if change.differences}
    return {}
