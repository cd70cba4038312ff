"""The ledger's clock: the machine's clock, but it never goes back."""

from datetime import UTC, datetime

import duckdb

CLOCK = """
create table if not exists ops.clock (latest timestamp not null);
comment on table ops.clock is
    'The latest time the ledger has given out, one row: a machine clock that goes back changes no order.';
insert into ops.clock select timestamp '1970-01-01' where not exists (select 1 from ops.clock);
"""


def tick(con: duckdb.DuckDBPyConnection) -> datetime:
    """Now (UTC); at least a microsecond after the last time returned, even if the machine's clock is behind it."""
    now = datetime.now(UTC).replace(tzinfo=None)
    row = con.execute(
        "update ops.clock set latest = greatest(?, latest + interval 1 microsecond) returning latest", [now]
    ).fetchone()
    assert row is not None
    at: datetime = row[0]
    return at


def set_clock(con: duckdb.DuckDBPyConnection, at: datetime) -> None:
    """Continue from `at` if that is later; used when a ledger is rebuilt."""
    con.execute("update ops.clock set latest = greatest(latest, ?)", [at])
