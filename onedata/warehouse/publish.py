"""Publish a night: a read-only DuckDB database and Parquet files, built aside, numbered, and served by one rename."""

import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import duckdb

from onedata.durable import make_folders
from onedata.ledger import apply, tick
from onedata.settings import Settings
from onedata.sql import quote_name, quote_text, transaction
from onedata.warehouse.prune import prune
from onedata.warehouse.publications import (
    DATABASE,
    PARQUET,
    READABLE_FOLDER,
    Publication,
    PublishError,
    Say,
    candidate_folder,
    current_publication,
    next_number,
    place,
    seal,
    swap,
)
from onedata.warehouse.views import ONEID_VIEWS, OPS_VIEWS


@dataclass(frozen=True)
class PublishedTable:
    """One table as analysts see it: its source, its columns and every comment."""

    name: str
    source: str
    description: str
    columns: Mapping[str, str] = field(default_factory=dict)


def published_tables(manifest: Mapping[str, Any]) -> list[PublishedTable]:
    """Tables to publish: models whose YAML says `published: true`, without their sensitive columns; then the views.

    The views are OneID's and the ledger's own.

    Raises:
        PublishError: no model is marked.
    """
    tables = []
    for node in manifest["nodes"].values():
        if node["resource_type"] == "model" and (node["config"].get("meta") or {}).get("published"):
            columns = {
                name: column["description"]
                for name, column in node["columns"].items()
                if ((column.get("config") or {}).get("meta") or column.get("meta") or {}).get(
                    "classification",
                    "public",
                )
                == "public"
            }
            names = ", ".join(quote_name(name) for name in columns)
            source = f"select {names} from {node['schema']}.{node['name']}"
            tables.append(PublishedTable(node["name"], source, node["description"].strip(), columns))
    if not tables:
        raise PublishError("no model says `published: true` in its YAML")
    tables.sort(key=lambda table: table.name)
    views = {**ONEID_VIEWS, **OPS_VIEWS}.items()
    return tables + [PublishedTable(name, source, text, columns) for name, (text, source, columns) in views]


def publication_night(con: duckdb.DuckDBPyConnection, night: date) -> date:
    """The night of a publication: the run's, or the last with accepted rows if an older one is run again."""
    row = con.execute("select greatest(?::date, max(ds)) from ops.batch", [night]).fetchone()
    return row[0] if row and row[0] else night


def candidate_path(settings: Settings) -> Path:
    """The database of the candidate, for the gate before it is published."""
    return candidate_folder(settings) / DATABASE


def build_candidate(
    con: duckdb.DuckDBPyConnection,
    settings: Settings,
    tables: list[PublishedTable],
    night: date,
    run_id: str,
) -> dict[str, int]:
    """Build the night's database and Parquet files aside, readable only by the owner until the gate has passed.

    Returns:
        Rows by table.

    Raises:
        PublishError: a table or column has no comment.
    """
    folder = candidate_folder(settings)
    con.execute("delete from ops.publishing")
    if folder.exists():
        shutil.rmtree(folder)
    make_folders(settings.published, READABLE_FOLDER)
    make_folders(folder)
    known = con.execute("select coalesce(max(publication), 0) from ops.night").fetchall()[0][0]
    with attached(con, folder / DATABASE, "candidate"):
        for table in [*tables, _night_table(night)]:
            _check_comments(table)
            target = f"candidate.main.{table.name}"
            con.execute(f"create table {target} as {table.source}")
            con.execute(f"comment on table {target} is {quote_text(table.description)}")
            for name, text in table.columns.items():
                con.execute(f"comment on column {target}.{quote_name(name)} is {quote_text(text)}")
        write_parquet(con, "candidate", folder / PARQUET)
        counts = count_rows(con, "candidate")
    con.execute(
        "insert into ops.publishing (publication, night, run_id) values (?, ?, ?)",
        [next_number(settings, int(known)), night, run_id],
    )
    return counts


def _night_table(night: date) -> PublishedTable:
    columns = {"night": "The last night that was built into it."}
    return PublishedTable(
        "published_night",
        f"select date '{night}' as night",
        "The night this database shows, one row.",
        columns,
    )


@contextmanager
def attached(con: duckdb.DuckDBPyConnection, database: Path, name: str, read_only: bool = False) -> Iterator[None]:
    """Attach the database file under the name, and detach it at the end, so that the file is complete and closed."""
    con.execute(f"attach {quote_text(str(database))} as {name}{' (read_only)' if read_only else ''}")
    try:
        yield
    finally:
        con.execute(f"detach {name}")


def write_parquet(con: duckdb.DuckDBPyConnection, database: str, folder: Path) -> None:
    """Write every table of the attached database into the folder, one file per table."""
    folder.mkdir()
    for name in _tables(con, database):
        target = quote_text(str(folder / f"{name}.parquet"))
        con.execute(f"copy {database}.main.{quote_name(name)} to {target} (format parquet)")


def count_rows(con: duckdb.DuckDBPyConnection, database: str) -> dict[str, int]:
    """Rows by table of the attached database."""
    counts = {}
    for name in _tables(con, database):
        counts[name] = int(con.execute(f"select count(*) from {database}.main.{quote_name(name)}").fetchall()[0][0])
    return counts


def _tables(con: duckdb.DuckDBPyConnection, database: str) -> list[str]:
    rows = con.execute(
        "select table_name from duckdb_tables() where database_name = ? order by table_name",
        [database],
    ).fetchall()
    return [row[0] for row in rows]


def _check_comments(table: PublishedTable) -> None:
    for name, text in {"": table.description, **table.columns}.items():
        if not text.strip():
            raise PublishError(
                f"{table.name}{'.' + name if name else ''} has no description; write it in the YAML beside the model",
            )


@dataclass(frozen=True)
class Cost:
    """When a run began (UTC, without a zone), and the CPU and memory it used."""

    started_at: datetime
    cpu_seconds: float
    peak_memory_mb: float


def publish_candidate(
    con: duckdb.DuckDBPyConnection,
    settings: Settings,
    run_id: str,
    cost: Cost,
    say: Say,
) -> Publication:
    """Turn the run's candidate into a publication, serve it, and mark its deliveries applied in the ledger.

    The candidate is complete, with its pages, before it gets its number; serving it is one rename. `ops.publishing` is
    committed before that rename, so that a process killed afterwards is known to have published: `finish_publishing`
    then completes the ledger.

    Raises:
        PublishError: there is no candidate of this run, or its gate has not passed in this run.
    """
    number, night = _gated(con, run_id)
    with attached(con, candidate_path(settings), "candidate", read_only=True):
        counts = count_rows(con, "candidate")
    sealed = seal(candidate_folder(settings), number, night, run_id, tick(con).replace(tzinfo=UTC), counts)
    finished = sealed.built_at.replace(tzinfo=None)
    con.execute(
        "update ops.publishing set started_at = ?, finished_at = ?, cpu_seconds = ?, peak_memory_mb = ?",
        [cost.started_at, finished, cost.cpu_seconds, cost.peak_memory_mb],
    )
    folder = place(settings, sealed.folder, number)
    swap(settings, number, say)
    _note_published(con)
    try:
        prune(settings, settings.published_nights_kept, say)
    except OSError as error:
        # The night is published: files that cannot be removed only take space.
        say(f"older publications were not removed: {error}")
    return replace(sealed, folder=folder)


def _gated(con: duckdb.DuckDBPyConnection, run_id: str) -> tuple[int, date]:
    """Number and night of the run's candidate."""
    built = con.execute("select publication, night from ops.publishing where run_id = ?", [run_id]).fetchone()
    if built is None:
        raise PublishError("there is no candidate that this run has built; run the whole night")
    counts = "select count(*), count(*) filter (severity = 'error' and not passed) from ops.gate"
    checked, failed = con.execute(f"{counts} where stage = 'published' and run_id = ?", [run_id]).fetchall()[0]
    if failed or not checked:
        raise PublishError(
            f"the candidate of night {built[1]} has not passed its gate in this run; run the whole night",
        )
    return int(built[0]), built[1]


def finish_publishing(con: duckdb.DuckDBPyConnection, settings: Settings) -> int | None:
    """Complete the ledger after a killed run if its publication is served; discard the entry if it never was.

    Call it before anything is landed, released or chosen to run, because the ledger says which deliveries are applied.

    Returns:
        The number that was recorded; None if there was none.
    """
    row = con.execute("select publication, run_id from ops.publishing where finished_at is not null").fetchone()
    served = current_publication(settings) if row else None
    if row and served and (served.number, served.run_id) == row:
        _note_published(con)
        return served.number
    con.execute("delete from ops.publishing")
    return None


def _note_published(con: duckdb.DuckDBPyConnection) -> None:
    with transaction(con):
        con.execute(
            "insert into ops.night (night, run_id, started_at, finished_at, cpu_seconds, peak_memory_mb, publication) "
            "select night, run_id, started_at, finished_at, cpu_seconds, peak_memory_mb, publication "
            "from ops.publishing"
        )
        apply(con)
        con.execute("delete from ops.publishing")
