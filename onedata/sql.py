"""SQL quoting and transactions, shared by every stage."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import duckdb


def quote_name(name: str) -> str:
    """An SQL identifier."""
    return '"' + name.replace('"', '""') + '"'


def quote_text(text: str) -> str:
    """An SQL string literal."""
    return "'" + text.replace("'", "''") + "'"


def escape_glob(path: str) -> str:
    """`path`, escaped so that DuckDB's file functions read it literally."""
    return "".join(f"[{letter}]" if letter in "*?[" else letter for letter in path)


def json_of(names: Sequence[str]) -> str:
    """SQL of a JSON object, as text, of the named columns."""
    return f"to_json(struct_pack({', '.join(f'{quote_name(name)} := {quote_name(name)}' for name in names)}))::varchar"


@contextmanager
def transaction(con: duckdb.DuckDBPyConnection) -> Iterator[None]:
    """Commit at the end; roll back if anything was raised."""
    con.begin()
    try:
        yield
    except BaseException:
        con.rollback()
        raise
    con.commit()


def any_rows(con: duckdb.DuckDBPyConnection, schema: str, table: str) -> bool:
    """Whether a table exists and has a row."""
    known = (
        "select 1 from duckdb_tables() where database_name = current_database() and schema_name = ? and table_name = ?"
    )
    if not con.execute(known, [schema, table]).fetchone():
        return False
    return con.execute(f"select 1 from {quote_name(schema)}.{quote_name(table)} limit 1").fetchone() is not None
