"""Check that nights equal a rebuild: reading and deciding all evidence again must give the same tables."""

import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import duckdb

from onedata.contracts.identifiers import IdentifierPolicy
from onedata.contracts.model import Entity
from onedata.durable import make_folders
from onedata.identity.resolve import resolve
from onedata.sql import quote_name, quote_text

# Table, the columns that must be equal, and which rows.
COMPARED = (
    ("identity_edge", "a, b, source, n_obs", ""),
    ("identifier_profile", "id_int, attribute, value, n_obs", ""),
    ("identifier", "identity_key, status", ""),
    ("profile", "profile_id, fingerprint", ""),
    ("oneid_map", "identity_key, oneid", "where valid_to is null"),
    ("household_map", "oneid, household_id", "where valid_to is null"),
)
SAMPLE = 3


@dataclass(frozen=True)
class Difference:
    """Counts of rows that only the nights or only the rebuild has, and examples of both."""

    table: str
    only_nights: int
    only_rebuilt: int
    sample: tuple[str, ...]

    def __str__(self) -> str:
        return (
            f"oneid.{self.table}: {self.only_nights} rows only from the nights, {self.only_rebuilt} only "
            f"from a rebuild, such as {'; '.join(self.sample)}"
        )


def verify(
    con: duckdb.DuckDBPyConnection, entities: Mapping[str, Entity], policy: IdentifierPolicy, vault: Path | None
) -> list[Difference]:
    """Rebuild OneID from the whole lake in a scratch database and compare; the warehouse is not changed.

    Ids and decisions are copied, so an identifier that a rebuild would give to another person, or another id, is a
    difference. Scores are copied too, because they depend on what was known when they were computed; the check compares
    that they belong to the current profiles.

    Args:
        con: The warehouse, no transaction open.
        entities: Canonical entities.
        policy: Kinds, limits and blocked values.
        vault: Folder of the vault, as in the nights.
    """
    row = con.execute("select max(night) from oneid.run").fetchone()
    if row is None or row[0] is None:
        return []
    home = con.execute("select current_database()").fetchone()
    assert home is not None
    with _scratch(con, str(home[0])) as own:
        resolve(own, entities, policy, row[0], vault, full=True, rescore=False)
        return [
            found for table, columns, where in COMPARED if (found := _compare(own, str(home[0]), table, columns, where))
        ]


@contextmanager
def _scratch(con: duckdb.DuckDBPyConnection, home: str) -> Iterator[duckdb.DuckDBPyConnection]:
    """A connection to a scratch database with a copy of OneID's tables and the ledger, and the lake's views."""
    warehouse = quote_name(home)
    with tempfile.TemporaryDirectory(prefix="onedata-verify-", dir=_temporary(con)) as folder:
        con.execute(f"attach {quote_text(str(Path(folder) / 'rebuilt.duckdb'))} as rebuilt")
        try:
            con.execute("create schema rebuilt.oneid; create schema rebuilt.ops; create schema rebuilt.ods")
            tables = con.execute(
                "select schema_name, table_name from duckdb_tables() where database_name = ? "
                "and (schema_name = 'oneid' "
                "or schema_name = 'ops' and table_name in ('delivery', 'applied', 'clock'))",
                [home],
            ).fetchall()
            for schema, table in tables:
                con.execute(f"create table rebuilt.{schema}.{table} as from {warehouse}.{schema}.{table}")
            for (view,) in con.execute(
                "select table_name from information_schema.tables where table_catalog = ? and table_schema = 'ods'",
                [home],
            ).fetchall():
                con.execute(f"create view rebuilt.ods.{view} as from {warehouse}.ods.{view}")
            own = con.cursor()
            try:
                own.execute("use rebuilt")
                yield own
            finally:
                own.close()
        finally:
            con.execute("detach rebuilt")


def _temporary(con: duckdb.DuckDBPyConnection) -> Path | None:
    """Folder for the connection's temporary files: the data home's; None for the machine's own."""
    row = con.execute("select current_setting('temp_directory')").fetchone()
    folder = Path(row[0]) if row and row[0] else Path()
    if not folder.is_absolute():
        return None
    make_folders(folder)
    return folder


def _compare(own: duckdb.DuckDBPyConnection, home: str, table: str, columns: str, where: str) -> Difference | None:
    nights, rebuilt = (
        f"select {columns} from {database}.oneid.{table} {where}" for database in (quote_name(home), "rebuilt")
    )
    lost, made = (
        own.execute(
            f"select count(*), list(r::varchar order by r)[1:{SAMPLE}] from ({one} except all {other}) r"
        ).fetchone()
        for one, other in ((nights, rebuilt), (rebuilt, nights))
    )
    assert lost is not None and made is not None
    return (
        Difference(table, lost[0], made[0], tuple([*(lost[1] or []), *(made[1] or [])][:SAMPLE]))
        if lost[0] or made[0]
        else None
    )
