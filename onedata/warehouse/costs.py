"""What the steps of a run took: noted after each step in `ops.cost`, and read again for `onedata status --cost`.

Shape of what is read: one row per stage of the run, then the tables that took longest. CPU seconds are of all threads
of the process; the times are wall seconds.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime

import duckdb

from onedata.tables import text_table

START = "start"
MOST_TABLES = 10
STAGE = "split_part(step, '__', 1)"
"""The ops of a key, such as `landing/shop_orders`, are one stage."""


@dataclass(frozen=True)
class StepCost:
    """Of a step, or of a table that it made (`subject`; it has no CPU seconds of its own)."""

    step: str
    subject: str = ""
    cpu_seconds: float | None = None
    wall_seconds: float | None = None
    rows_read: int | None = None
    rows_written: int | None = None


def note_costs(
    con: duckdb.DuckDBPyConnection, run_id: str, night: date, start: StepCost, costs: Sequence[StepCost]
) -> None:
    """Add the costs of a step of the run; before those of its first step the cost of its `start`."""
    is_first = not con.execute("select 1 from ops.cost where run_id = ? limit 1", [run_id]).fetchall()
    con.executemany(
        "insert into ops.cost values (?, ?, ?, ?, ?, ?, ?, ?, ?)",
        [
            [
                *(run_id, night, cost.step, cost.subject, cost.cpu_seconds, cost.wall_seconds),
                *(cost.rows_read, cost.rows_written, datetime.now(UTC).replace(tzinfo=None)),
            ]
            for cost in ([start] if is_first else []) + list(costs)
        ],
    )


def seconds_of_last_run(con: duckdb.DuckDBPyConnection) -> dict[str, float]:
    """What each step of the last run that was noted took by the clock; empty if there is none."""
    run = _last_run(con)
    if run is None:
        return {}
    rows = con.execute(
        "select step, sum(wall_seconds) from ops.cost where run_id = ? and subject = '' and wall_seconds is not null "
        "group by step",
        [run[0]],
    ).fetchall()
    return dict(rows)


def _last_run(con: duckdb.DuckDBPyConnection) -> tuple[str, date] | None:
    """Id and night."""
    if not con.execute("select 1 from duckdb_tables() where schema_name = 'ops' and table_name = 'cost'").fetchall():
        return None
    return con.execute("select run_id, night from ops.cost order by noted_at desc limit 1").fetchone()


def cost_report(con: duckdb.DuckDBPyConnection) -> str:
    """The costs of the last run that was noted, by stage in order, and the tables that took longest."""
    run = _last_run(con)
    if run is None:
        return "no run has noted its costs yet; `onedata run` does"
    stages = con.execute(
        f"select {STAGE} as stage, round(sum(cpu_seconds), 1), round(sum(wall_seconds), 1), "
        "sum(rows_read)::bigint, sum(rows_written)::bigint from ops.cost "
        "where run_id = ? and subject = '' group by stage order by min(noted_at)",
        [run[0]],
    ).fetchall()
    tables = con.execute(
        "select subject, round(wall_seconds, 2), rows_written from ops.cost "
        "where run_id = ? and subject <> '' and wall_seconds is not null order by wall_seconds desc, subject limit ?",
        [run[0], MOST_TABLES],
    ).fetchall()
    cpu, wall = (sum(row[place] or 0 for row in stages) for place in (1, 2))
    return "\n\n".join(
        [
            f"COST of the run of night {run[1]}: {cpu:.1f} CPU seconds, {wall:.1f} seconds\n"
            + text_table(["stage", "CPU s", "s", "rows read", "rows written"], list(map(_told, stages)), _NUMBERS),
            f"TABLES that took longest, at most {MOST_TABLES}\n"
            + text_table(["table", "s", "rows"], list(map(_told, tables)), _NUMBERS),
        ]
    )


def _told(row: Sequence[object]) -> list[object]:
    return ["" if value is None else f"{value:,}" if isinstance(value, int) else value for value in row]


_NUMBERS = ("CPU s", "s", "rows", "rows read", "rows written")
