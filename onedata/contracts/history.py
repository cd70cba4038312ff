"""Which contracts a feed's rows have landed by: `ops.contract` in the warehouse."""

import json
from collections.abc import Iterable
from contextlib import suppress
from datetime import UTC, datetime

import duckdb

from onedata.contracts.model import Feed
from onedata.contracts.shapes import fingerprint, shape_of
from onedata.contracts.versions import Change, Used, judge

DDL = """
create table if not exists ops.contract (
    feed varchar not null, version varchar not null, fingerprint varchar not null, shape json not null,
    first_used_at timestamp not null, last_used_at timestamp not null, primary key (feed, version, fingerprint)
);
comment on table ops.contract is 'The contracts that rows have landed by; a feed''s last used one is what a change is compared with.';
comment on column ops.contract.shape is 'What of the contract and its canonical entity makes a difference to the rows, as JSON.';
"""


def create_history(con: duckdb.DuckDBPyConnection) -> None:
    """Create `ops.contract` where it is not there; the schema `ops` must be."""
    con.execute(DDL)


def contract_change(con: duckdb.DuckDBPyConnection, feed: Feed) -> Change:
    """The feed's contract against those its rows landed by (see `judge`)."""
    rows = con.execute("select version, shape from ops.contract where feed = ? order by last_used_at desc", [feed.name]).fetchall()
    return judge([Used(version, json.loads(shape)) for version, shape in rows], feed)


def remember(con: duckdb.DuckDBPyConnection, feed: Feed) -> None:
    """Rows have landed by the feed's contract: it is the last used one from now on."""
    shape, now = shape_of(feed), datetime.now(UTC).replace(tzinfo=None)
    con.execute(
        "insert into ops.contract values (?, ?, ?, ?, ?, ?) on conflict do update set last_used_at = excluded.last_used_at",
        [feed.name, feed.version, fingerprint(shape), json.dumps(shape, default=str), now, now],
    )


def changes(con: duckdb.DuckDBPyConnection, feeds: Iterable[Feed]) -> dict[str, Change]:
    """The changes that wait for the next night, by feed; none where nothing has landed yet."""
    with suppress(duckdb.CatalogException):  # an older onedata kept no contracts
        found = {feed.name: contract_change(con, feed) for feed in feeds}
        return {name: change for name, change in found.items() if change.differences}
    return {}
