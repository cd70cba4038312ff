"""Extract a PostgreSQL table by its watermark into a Parquet file of text columns, with DuckDB's postgres_scanner.

Credentials follow libpq: `user` in the contract or PGUSER; PGPASSWORD or a line in ~/.pgpass (PGPASSFILE); PGSSLMODE
and its other variables work too. No credential is part of a statement, so none can appear in an error or a log. The
server casts every column to text: numerics keep every digit, times are UTC. Deleted rows are not detected.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path

import duckdb
import duckdb_extension_postgres_scanner

from onedata.contracts.model import Database
from onedata.sources.base import Offer, SourceError
from onedata.sql import quote_name, quote_text

CONNECT_SECONDS = 10
SESSION = "-c timezone=UTC -c datestyle=ISO -c intervalstyle=iso_8601 -c bytea_output=hex"
MEMORY = "512MB"
TIMES = ("timestamp with time zone", "timestamp without time zone", "date")
NUMBERS = ("smallint", "integer", "bigint", "numeric")


@dataclass(frozen=True)
class Extract:
    """Result of one extraction: rows, the watermark that the next one starts from, and notes (kind, column, message) on
    irregularities."""

    rows: int
    mark: str | None
    name: str
    notes: list[tuple[str, str, str]] = field(default_factory=list)


@dataclass(frozen=True)
class _Marks:
    """The highest watermark of the table, and the highest that is not later than now: a row dated in the future must
    not hide the rows after it."""

    highest: str | None
    reached: str | None


def table_offer(store: Database, night: date) -> Iterator[Offer]:
    """Offer the table as of its highest watermark; nothing for an empty table. The name changes when there are new
    rows.

    Raises:
        SourceError: see `extract`.
    """
    with _session(store) as con:
        marks = _marks(con, store, _columns(con, store))
    if marks is None or marks.highest is not None:
        yield Offer(night, _name(store, marks, night), 0, 0)


def extract(store: Database, mark: str | None, keys: Sequence[str], night: date, target: Path) -> Extract:
    """Stream the rows from `mark` on (minus the lookback), and rows without a watermark, to a Parquet file.

    Rows at the mark are read again, since more rows with the same watermark may have arrived; the landing counts known
    rows as duplicates.

    Args:
        store: The table.
        mark: Watermark that the last extraction reached; None reads the whole table.
        keys: Columns that order rows of equal watermark, so that equal rows produce an equal file.
        night: The night of the run.
        target: The file to write.

    Raises:
        SourceError: the server cannot be reached or refuses, or the table or watermark column is missing, or the
            column's type cannot be a watermark.
    """
    with _session(store) as con:
        columns = _columns(con, store)
        marks = _marks(con, store, columns)
        notes = []
        if marks and mark and marks.reached and _is_below(con, store, columns, marks.reached, mark):
            where = (
                f"{_table(store)} of server {store.server}: the highest {store.watermark} is {marks.reached}, "
                f"below {mark}, which was read before"
            )
            notes.append(
                (
                    "watermark_backwards",
                    store.watermark or "",
                    f"{where}. Was it restored, or its newest row deleted? It is read whole.",
                )
            )
            mark = None
        _copy(con, store, columns, mark, keys, target)
        rows, without = _counts(con, store, target)
        if without:
            text = (
                f"{without} rows of {_table(store)} of server {store.server} have no {store.watermark}; they are "
                "read again every night. Fill the column."
            )
            notes.append(("watermark_null", store.watermark or "", text))
    return Extract(rows, marks.reached if marks else None, _name(store, marks, night), notes)


@contextmanager
def _session(store: Database) -> Iterator[duckdb.DuckDBPyConnection]:
    """A separate read-only session: the warehouse never sees the connection string."""
    parts = {
        "host": store.host,
        "port": str(store.port),
        "dbname": store.database,
        "connect_timeout": str(CONNECT_SECONDS),
        "options": SESSION,
    }
    text = " ".join(
        f"{name}={_libpq(value)}" for name, value in (parts | ({"user": store.user} if store.user else {})).items()
    )
    with duckdb.connect(config={"threads": 1, "memory_limit": MEMORY}) as con:
        folder = Path(duckdb_extension_postgres_scanner.__file__).parent / "extensions" / f"v{duckdb.__version__}"
        con.execute(f"load {quote_text(str(folder / 'postgres_scanner.duckdb_extension'))}")
        try:
            con.execute(f"attach {quote_text(text)} as source (type postgres, read_only)")
        except duckdb.Error as error:
            raise _failed(
                store,
                "cannot connect",
                error,
                "Check host and port in the contract, and PGUSER, PGPASSWORD or ~/.pgpass",
            ) from None
        yield con


def _libpq(value: str) -> str:
    return "'" + value.replace("\\", "\\\\").replace("'", "\\'") + "'"


def _ask(con: duckdb.DuckDBPyConnection, store: Database, sql: str) -> list[tuple[str | None, ...]]:
    try:
        return con.execute("from postgres_query('source', ?)", [sql]).fetchall()
    except duckdb.Error as error:
        raise _failed(store, f"cannot read {_table(store)}", error, _grant(store)) from None


def _columns(con: duckdb.DuckDBPyConnection, store: Database) -> dict[str, str]:
    """Columns and their types, in table order."""
    listed = _ask(
        con,
        store,
        "select a.attname::text, format_type(a.atttypid, null)::text from pg_attribute a join pg_class c "
        "on c.oid = a.attrelid join pg_namespace n on n.oid = c.relnamespace "
        f"where n.nspname = {_literal(store.schema)} and c.relname = {_literal(store.table)} "
        "and c.relkind in ('r', 'v', 'm', 'p', 'f') and a.attnum > 0 and not a.attisdropped order by a.attnum",
    )
    if not listed:
        raise SourceError(
            f"server {store.server} ({store.host}:{store.port}/{store.database}): there is no table {_table(store)}. "
            f"Check `schema` of the server and physicalName of the schema object in the contract. {_grant(store)}."
        )
    columns = {str(name): str(kind) for name, kind in listed}
    if store.watermark is not None:
        _check_watermark(store, columns)
    return columns


def _check_watermark(store: Database, columns: dict[str, str]) -> None:
    kind = columns.get(store.watermark or "")
    where = f"server {store.server}: table {_table(store)}"
    if kind is None:
        names = ", ".join(columns)
        raise SourceError(
            f"{where} has no column {store.watermark!r}, its watermark; it has {names}. Was it dropped or renamed? "
            "Change `watermark`."
        )
    if kind not in TIMES + NUMBERS:
        raise SourceError(
            f"{where}: {store.watermark} is {kind}; a watermark is a time or a whole number that grows with every "
            "change. Choose another."
        )
    if store.lookback and store.lookback.isdigit() != (kind in NUMBERS):
        raise SourceError(
            f"{where}: lookback {store.lookback!r} does not go with {store.watermark}, which is {kind}. Write 2 hours "
            "or 100."
        )


def _marks(con: duckdb.DuckDBPyConnection, store: Database, columns: dict[str, str]) -> _Marks | None:
    """The marks; None for a table without a watermark."""
    if store.watermark is None:
        return None
    column, kind = quote_name(store.watermark), columns[store.watermark]
    if kind in NUMBERS:
        highest = f"max({column}) filter (where {column}::text <> 'NaN')"
        reached = highest
    else:
        highest = f"max({column}) filter (where isfinite({column}))"
        now = "now()" if kind == TIMES[0] else f"(now() at time zone {_literal(store.timezone)})::{kind}"
        reached = f"least({highest}, {now})"
    row = _ask(con, store, f"select ({highest})::text, ({reached})::text from {_source(store)}")[0]
    # least() of NULL and now is now, but an empty table has not reached any watermark.
    return _Marks(row[0], row[1] if row[0] is not None else None)


def _is_below(
    con: duckdb.DuckDBPyConnection, store: Database, columns: dict[str, str], reached: str, mark: str
) -> bool:
    kind = columns[store.watermark or ""]
    return _ask(con, store, f"select ({_literal(reached)}::{kind} < {_literal(mark)}::{kind})::text")[0][0] == "true"


def _copy(
    con: duckdb.DuckDBPyConnection,
    store: Database,
    columns: dict[str, str],
    mark: str | None,
    keys: Sequence[str],
    target: Path,
) -> None:
    fields = ", ".join(f"{quote_name(name)}::text as {quote_name(name)}" for name in columns)
    where = ""
    if store.watermark is not None and mark is not None:
        column, kind = quote_name(store.watermark), columns[store.watermark]
        back = (
            ""
            if not store.lookback
            else f" - {store.lookback if kind in NUMBERS else f'interval {_literal(store.lookback)}'}"
        )
        where = f" where {column} >= {_literal(mark)}::{kind}{back} or {column} is null"
    order = ", ".join(
        quote_name(name) for name in dict.fromkeys([*filter(None, [store.watermark]), *keys]) if name in columns
    )
    sql = f"select {fields} from {_source(store)} as t{where}" + (f" order by {order}" if order else "")
    try:
        con.execute(
            f"copy (from postgres_query('source', {quote_text(sql)})) to {quote_text(str(target))} (format parquet, "
            "compression zstd)"
        )
    except duckdb.Error as error:
        raise _failed(store, f"reading {_table(store)} broke off", error, _grant(store)) from None


def _counts(con: duckdb.DuckDBPyConnection, store: Database, target: Path) -> tuple[int, int]:
    """Number of rows of the extract, and of those without a watermark."""
    missing = f"count(*) filter (where {quote_name(store.watermark)} is null)" if store.watermark else "0"
    # Names in the spool contain no DuckDB wildcards; names of its folders may.
    literal = "".join(f"[{letter}]" if letter in "*?[" else letter for letter in str(target))
    row = con.execute(f"select count(*), {missing} from read_parquet({quote_text(literal)})").fetchone()
    assert row is not None
    return int(row[0]), int(row[1])


def _name(store: Database, marks: _Marks | None, night: date) -> str:
    return f"postgres:{store.server}/{_table(store)}@{marks.highest if marks else night}"


def _table(store: Database) -> str:
    return f"{store.schema}.{store.table}"


def _source(store: Database) -> str:
    return f"{quote_name(store.schema)}.{quote_name(store.table)}"


def _literal(text: str) -> str:
    """A string literal for PostgreSQL, with standard_conforming_strings on."""
    return quote_text(text)


def _grant(store: Database) -> str:
    return f"The user needs USAGE on schema {store.schema} and SELECT on {_table(store)}"


def _failed(store: Database, what: str, error: duckdb.Error, fix: str) -> SourceError:
    """The server's message, without the statement and the connection string that DuckDB adds."""
    text = str(error).strip()
    for start in ("failed: ", "ERROR: "):
        text = text.partition(start)[2] or text
    return SourceError(
        f"server {store.server} ({store.host}:{store.port}/{store.database}) {what}: {text.splitlines()[0].strip()}. "
        f"{fix}."
    )
