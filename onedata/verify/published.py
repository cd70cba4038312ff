"""Compare the publication with the warehouse, and each publication's database, Parquet files and manifest with one
another."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb

from onedata.ledger.manifest import digest
from onedata.sealed import unseal_if_sealed
from onedata.settings import Settings
from onedata.sql import escape_glob, quote_name, quote_text
from onedata.verify.report import Finding, Scope
from onedata.warehouse.views import ONEID_VIEWS, OPS_VIEWS

DATABASE, PARQUET, MANIFEST = "onedata.duckdb", "parquet", "manifest.json"
NIGHT = "published_night"
GROWING = {"ops_cost", "ops_gate"}
"""Tables that grow in the warehouse after the publication was built: every published row must be in them."""
WEEKLY = "weekly_identity_check"
LAYERS = ("dim", "dwd", "dws", "ads")


@dataclass(frozen=True)
class Publication:
    """One publication: its database, its Parquet files, and its folder if it has one."""

    database: Path
    parquet: Path
    folder: Path | None = None


def published_against_warehouse(scope: Scope) -> Finding:
    """Check that every published table equals its source in the warehouse, if nothing has run since."""
    served = _served(scope.settings)
    last = scope.con.execute("select max(night) from ops.night").fetchall()[0][0]
    if not served.database.exists():
        lost = (
            f"{scope.settings.published_database} is gone, and night {last} was published: "
            f"`onedata run --ds {last}` publishes it again"
        )
        return Finding("nothing is published", [lost] if last else [])
    waiting = _gone_on(scope.con)
    if waiting:
        return Finding(f"not compared: {waiting}", [])
    with _attached(scope.con, served.database):
        night = scope.con.execute(f"select night from served.{NIGHT}").fetchall()[0][0]
        if night != last:
            return Finding(f"not compared: night {night} is served, and the warehouse is at {last}", [])
        differences, count = [], 0
        for table in _tables(scope.con, "served"):
            if table != NIGHT:
                found, rows = _against_source(scope.con, table)
                differences += found
                count += rows
        return Finding(f"{len(_tables(scope.con, 'served'))} tables, {count:,} rows of night {night}", differences)


def publications(scope: Scope) -> Finding:
    """Check that the served publication's database equals its Parquet files, and that every publication's files match
    its manifest."""
    served, differences, count = _served(scope.settings), _past_current(scope.settings), 0
    if served.database.exists():
        differences += _against_parquet(scope.settings, served)
    for folder in sorted((scope.settings.published / "publications").glob("[0-9]*")):
        count += 1
        kept = Publication(folder / DATABASE, folder / PARQUET, folder)
        if (folder / MANIFEST).exists():
            differences += _against_manifest(folder, scope.thorough)
        elif folder != served.folder:
            differences += [f"{folder} has no {MANIFEST}", *_against_parquet(scope.settings, kept)]
    return Finding(f"{count} and the served one" if served.database.exists() else f"{count}", differences)


def _served(settings: Settings) -> Publication:
    """The served publication, with `current` resolved once."""
    current = settings.published / "current"
    if current.exists():
        folder = current.resolve()
        return Publication(folder / DATABASE, folder / PARQUET, folder)
    return Publication(settings.published_database, (settings.published / "parquet").resolve())


def _past_current(settings: Settings) -> list[str]:
    """Names that readers open but that do not lead through `current`, as after a copy that follows links: they stay at
    an old night."""
    current = settings.published / "current"
    if not current.is_symlink():
        return []
    names = (settings.published / name for name in (DATABASE, PARQUET))
    return [
        f"{path} is no link through {current}, so its readers stay with an old night: `onedata serve NIGHT` moves it "
        "aside and links it again"
        for path in names
        if path.exists() and not (path.is_symlink() and path.readlink().parts[0] == current.name)
    ]


def _gone_on(con: duckdb.DuckDBPyConnection) -> str:
    """The reason why the warehouse may differ from the last publication; empty if it must be equal."""
    if con.execute("select 1 from ops.delivery where applied_at is null limit 1").fetchone():
        return "deliveries wait to be published; `onedata run` publishes them"
    run = con.execute(
        "select run_id from ops.gate where subject <> ? and checked_at > (select max(finished_at) from ops.night) "
        "and run_id not in (select run_id from ops.night) limit 1",
        [WEEKLY],
    ).fetchone()
    return f"run {run[0]} came after the last publication and published nothing" if run else ""


def _against_source(con: duckdb.DuckDBPyConnection, table: str) -> tuple[list[str], int]:
    columns = _columns(con, f"served.main.{quote_name(table)}")
    names = ", ".join(quote_name(name) for name in columns)
    own = f"(select {names} from served.main.{quote_name(table)})"
    source = _source(con, table)
    if source is None:
        return [
            f"{table} is published, and the warehouse has no such table; `onedata run --full-refresh` rebuilds it"
        ], 0
    rows = int(con.execute(f"select count(*) from {own}").fetchall()[0][0])
    missing = sorted(set(columns) - set(_columns(con, f"({source})")))
    if missing:
        return [f"{table}: column {missing[0]} is published, and the warehouse has none"], rows
    made = f"(select {names} from ({source}))"
    if table in GROWING:
        lost = int(con.execute(f"select count(*) from (from {own} except all from {made})").fetchall()[0][0])
        return ([f"{table}: {lost:,} published rows are not in the warehouse"] if lost else []), rows
    return _apart(con, table, (own, made), ("published", "in the warehouse"), columns), rows


def _source(con: duckdb.DuckDBPyConnection, table: str) -> str | None:
    """SQL of the table's source in the warehouse; None if there is none of its name."""
    views = {**ONEID_VIEWS, **OPS_VIEWS}
    if table in views:
        return views[table][1]
    found = con.execute(
        "select schema_name from (select schema_name, table_name, database_name from duckdb_tables() union all "
        "select schema_name, view_name, database_name from duckdb_views()) where table_name = ? "
        "and database_name = current_database() and list_contains(?, schema_name)",
        [table, list(LAYERS)],
    ).fetchone()
    return f"from {quote_name(found[0])}.{quote_name(table)}" if found else None


def _against_parquet(settings: Settings, publication: Publication) -> list[str]:
    """On a separate connection, which a damaged file may invalidate."""
    try:
        with duckdb.connect() as con:
            con.execute(f"set threads = {settings.threads}; set memory_limit = '{settings.memory_limit}'")
            with _attached(con, publication.database):
                return [
                    text for table in _tables(con, "served") for text in _table_against_parquet(con, table, publication)
                ] + [
                    f"{file} is of no table of {publication.database}"
                    for file in sorted(publication.parquet.glob("*"))
                    if file.suffix != ".parquet" or file.stem not in _tables(con, "served")
                ]
    except duckdb.Error as error:
        return [f"{publication.database} cannot be read: {str(error).splitlines()[0]}"]


def _table_against_parquet(con: duckdb.DuckDBPyConnection, table: str, publication: Publication) -> list[str]:
    file = publication.parquet / f"{table}.parquet"
    if not file.exists():
        return [f"{file} is gone"]
    try:
        rows = f"read_parquet({quote_text(escape_glob(str(file)))})"
        columns = _columns(con, rows)
        if list(columns) != list(_columns(con, f"served.main.{quote_name(table)}")):
            return [f"{file} has other columns than table {table} of {publication.database}"]
        # Parquet has fewer types than DuckDB: both sides are cast to Parquet's types.
        typed = ", ".join(f"cast({quote_name(name)} as {kind}) as {quote_name(name)}" for name, kind in columns.items())
        sides = (f"(select {typed} from served.main.{quote_name(table)})", f"(from {rows})")
        return _apart(con, table, sides, (f"in {publication.database}", f"in {file}"), columns)
    except (duckdb.IOException, duckdb.InvalidInputException, duckdb.SerializationException) as error:
        return [f"{file} or table {table} of {publication.database} cannot be read: {str(error).splitlines()[0]}"]


def _apart(
    con: duckdb.DuckDBPyConnection,
    table: str,
    sides: tuple[str, str],
    where: tuple[str, str],
    columns: Sequence[str] | Any,
) -> list[str]:
    """Difference of two relations regardless of row order: by count, and by xor and sum of the hashes of whole
    rows."""
    names = [quote_name(name) for name in columns]
    first, second = (_figures(con, side, [", ".join(names)]) for side in sides)
    if first == second:
        return []
    counts = f"{table}: {first[0]:,} rows {where[0]} and {second[0]:,} {where[1]}"
    each = [_figures(con, side, names) for side in sides]
    apart = [name for name, mine, its in zip(columns, each[0][1:], each[1][1:], strict=True) if mine != its]
    how = f"different are {', '.join(apart)}" if apart else "the rows combine their values in another way"
    return [f"{counts}; {how}"]


def _figures(con: duckdb.DuckDBPyConnection, relation: str, hashed: Sequence[str]) -> tuple[Any, ...]:
    """Row count, and for each list of columns xor and sum of their hashes."""
    figures = ", ".join(f"(bit_xor(hash({names})), sum(hash({names})::hugeint))" for names in hashed)
    return tuple(con.execute(f"select count(*), {figures} from {relation}").fetchall()[0])


def _against_manifest(folder: Path, thorough: bool) -> list[str]:
    file = folder / MANIFEST
    try:
        content = unseal_if_sealed(file.read_text(encoding="utf-8"))
        files = {str(name): (int(item["bytes"]), str(item["sha256"])) for name, item in content["files"].items()}
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        return [f"{file} is damaged ({error})"]
    found = []
    for name, (size, sha256) in files.items():
        path = folder / name
        if not path.is_file():
            found.append(f"{path} is gone")
        elif path.stat().st_size != size or (thorough and digest(path) != sha256):
            found.append(f"{path} is not the file that was published (size or SHA-256)")
    there = {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()} - {MANIFEST}
    return found + [f"{folder / name} is no file that was published" for name in sorted(there - set(files))]


def _columns(con: duckdb.DuckDBPyConnection, relation: str) -> dict[str, str]:
    return {row[0]: row[1] for row in con.execute(f"describe (from {relation})").fetchall()}


def _tables(con: duckdb.DuckDBPyConnection, database: str) -> list[str]:
    return [
        name
        for (name,) in con.execute(
            "select table_name from duckdb_tables() where database_name = ? order by 1", [database]
        ).fetchall()
    ]


@contextmanager
def _attached(con: duckdb.DuckDBPyConnection, database: Path) -> Iterator[None]:
    con.execute(f"attach {quote_text(str(database))} as served (read_only)")
    try:
        yield
    finally:
        con.execute("detach served")
