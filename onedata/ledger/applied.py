"""Which deliveries a stage outside dbt has taken in (`ops.applied`); commits with that stage's own tables."""

from collections.abc import Sequence

import duckdb

from onedata.ledger.states import IN_LAKE, sql_list


def note_applied(con: duckdb.DuckDBPyConnection, stage: str) -> None:
    """The stage has taken in every delivery that is in the lake."""
    con.execute(
        f"insert into ops.applied select batch_id, ? from ops.delivery d where status in {sql_list(IN_LAKE)} "
        "and not exists (select 1 from ops.applied a where a.batch_id = d.batch_id and a.stage = ?)",
        [stage, stage],
    )


def set_applied(con: duckdb.DuckDBPyConnection, stage: str, batches: Sequence[str]) -> None:
    """The stage had taken in these deliveries, as a log tells."""
    con.execute("insert into ops.applied select unnest(?::varchar[]), ?", [list(batches), stage])


def move_applied(con: duckdb.DuckDBPyConnection, stage: str, to: str) -> None:
    """What was noted under one stage is noted under another."""
    con.execute("update ops.applied set stage = ? where stage = ?", [to, stage])


def forget_applied(con: duckdb.DuckDBPyConnection, stage: str) -> None:
    """The stage takes everything in anew."""
    con.execute("delete from ops.applied where stage = ?", [stage])
