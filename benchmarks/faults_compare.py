"""Compare two homes: every warehouse table and published table, every column that does not describe a run."""

from collections.abc import Iterator
from pathlib import Path

import duckdb

from onedata.sql import quote_name, quote_text

OF_RUNS = frozenset(
    {"ops.gate", "ops.reconciliation", "ops.night", "ops.publishing", "ops.clock", "ops.cost", "ops.built"}
)
"""Tables that tell of runs and begin anew with a rebuild; tests/tables.py says so of the same ones."""
COUNT_RUNS = frozenset({"oneid.run", "oneid.run_metric"})
"""A night that is run again after a kill has one more run of OneID in them."""
PUBLISHED_OF_RUNS = frozenset(
    {"published.published_night", *(f"published.{name.replace('.', '_')}" for name in OF_RUNS)}
)
LEDGERS = ("ops", "oneid")
WHEN = frozenset(
    {
        "landed_at",
        "accepted_at",
        "applied_at",
        "arrived_at",
        "quarantined_at",
        "first_used_at",
        "last_used_at",
        "extracted_at",
    }
)
OF_RUN = WHEN | {"run_id", "trained_run", "started_at", "decided_at"}
"""Columns of ledger and OneID that say when, and in which run."""
OF_BYTES = frozenset({"bytes", "sha256"})
"""Of ops.lake_file: equal rows are written as other bytes each time. `onedata verify` holds them against the files."""


class NotComparable(RuntimeError):
    """One of the homes has nothing to compare."""


def differences(home: Path, other: Path) -> dict[str, str]:
    """Differences between two homes by table, with EXCEPT ALL in both directions; empty if the homes are equal.

    Raises:
        NotComparable: `home`, the undisturbed one, has no rows of a sale, a payment, a person or a metric.
    """
    found: dict[str, str] = {}
    with duckdb.connect() as con:
        try:
            for name, of in (("a", home), ("b", other)):
                _attach(con, name, of)
        except duckdb.Error as error:
            return {"(all)": str(error).strip().splitlines()[0]}
        tables = {name: dict(_tables(con, name)) for name in ("a", "b")}
        for table in ("dwd.dwd_order_line", "dwd.dwd_payment", "oneid.person", "ads.ads_kpi", "published.ads_kpi"):
            if table not in tables["a"] or not _count(con, f"from {_path('a', table)}"):
                raise NotComparable(f"{home} has no rows in {table}")
        for table in sorted(tables["a"].keys() | tables["b"].keys()):
            columns = [tables[name].get(table) for name in ("a", "b")]
            if columns[0] is None or columns[1] is None:
                found[table] = f"only in {'the undisturbed home' if columns[0] else 'the disturbed home'}"
            elif columns[0] != columns[1]:
                found[table] = f"columns {columns[0]} against {columns[1]}"
            else:
                kept = ", ".join(map(quote_name, columns[0]))
                sides = [f"select {kept} from {_path(name, table)}" for name in ("a", "b")]
                lost, added = (_count(con, f"from ({x} except all {y})") for x, y in (sides, sides[::-1]))
                if lost or added:
                    found[table] = f"{lost} rows are missing, {added} are too many"
    return found


def _attach(con: duckdb.DuckDBPyConnection, name: str, home: Path) -> None:
    for suffix, database in (
        ("", home / "warehouse" / "onedata.duckdb"),
        ("_published", home / "published" / "onedata.duckdb"),
    ):
        con.execute(f"attach {quote_text(str(database))} as {name}{suffix} (read_only)")


def _tables(con: duckdb.DuckDBPyConnection, name: str) -> Iterator[tuple[str, list[str]]]:
    """Tables with their compared columns."""
    rows = con.execute(
        "select database_name, schema_name, c.table_name, list(column_name order by column_name) "
        "from duckdb_columns() c join duckdb_tables() t using (database_name, schema_name, table_name) "
        f"where database_name in ('{name}', '{name}_published') group by all"
    ).fetchall()
    for database, schema, table, columns in rows:
        full = f"published.{table}" if database.endswith("_published") else f"{schema}.{table}"
        if full in OF_RUNS | COUNT_RUNS | PUBLISHED_OF_RUNS:
            continue
        left_out = (
            OF_RUN if schema in LEDGERS or full.startswith(("published.ops_", "published.oneid_")) else frozenset()
        )
        yield (
            full,
            [
                column
                for column in columns
                if column not in left_out | (OF_BYTES if full == "ops.lake_file" else frozenset())
            ],
        )


def _path(name: str, table: str) -> str:
    schema, own = table.split(".")
    return (
        f"{name}_published.main.{quote_name(own)}"
        if schema == "published"
        else f"{name}.{quote_name(schema)}.{quote_name(own)}"
    )


def _count(con: duckdb.DuckDBPyConnection, what: str) -> int:
    row = con.execute(f"select count(*) {what}").fetchone()
    assert row is not None
    return int(row[0])
