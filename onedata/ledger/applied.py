"""Which deliveries a stage outside dbt has processed (`ops.applied`); commits with that stage's own tables."""

from collections.abc import Sequence

import duckdb

from onedata.ledger.states import IN_LAKE, sql_list


def note_applied(con: duckdb.DuckDBPyConnection, stage: str) -> None:
    """Mark every delivery in the lake as processed by the stage."""
    con.execute(
        f"insert into ops.applied select batch_id, ? from ops.delivery d where status in {sql_list(IN_LAKE)} "
        "and not exists (select 1 from ops.applied a where a.batch_id = d.batch_id and a.stage = ?)",
        [stage, stage],
    )


def set_applied(con: duckdb.DuckDBPyConnection, stage: str, batches: Sequence[str]) -> None:
    """Mark these deliveries, read from a log, as processed by the stage."""
    con.execute("insert into ops.applied select unnest(?::varchar[]), ?", [list(batches), stage])


def move_applied(con: duckdb.DuckDBPyConnection, stage: str, to: str) -> None:
    """Rename a stage: its marks move to the other name."""
    con.execute("update ops.applied set stage = ? where stage = ?", [to, stage])


def forget_applied(con: duckdb.DuckDBPyConnection, stage: str) -> None:
    """Remove the stage's marks: it processes every delivery again."""
    con.execute("delete from ops.applied where stage = ?", [stage])
