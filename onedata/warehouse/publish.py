"""Publish a night: a read-only DuckDB database and Parquet files, built aside, swapped in by rename.

`published/onedata.duckdb` always is one whole night. Nights are kept side by side in `published/nights` for "as of" questions and
for going back.
"""

import os
import shutil
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import Any

import duckdb

from onedata.home import share_with_readers
from onedata.settings import Settings
from onedata.sql import quote_name, quote_text
from onedata.warehouse.views import ONEID_VIEWS, OPS_VIEWS


@dataclass(frozen=True)
class PublishedTable:
    """One table as analysts see it: where it comes from, its columns and every comment."""

    name: str
    source: str
    description: str
    columns: Mapping[str, str] = field(default_factory=dict)


class PublishError(RuntimeError):
    """A table cannot be published: a column has no description, or no table is marked published."""


def published_tables(manifest: Mapping[str, Any]) -> list[PublishedTable]:
    """Tables to publish: models whose YAML says `published: true` without their sensitive columns, then OneID's and the ledger's own.

    Raises:
        PublishError: no model is marked.
    """
    tables = []
    for node in manifest["nodes"].values():
        if node["resource_type"] == "model" and (node["config"].get("meta") or {}).get("published"):
            columns = {
                name: column["description"]
                for name, column in node["columns"].items()
                if ((column.get("config") or {}).get("meta") or column.get("meta") or {}).get("classification", "public") == "public"
            }
            names = ", ".join(quote_name(name) for name in columns)
            source = f"select {names} from {node['schema']}.{node['name']}"
            tables.append(PublishedTable(node["name"], source, node["description"].strip(), columns))
    if not tables:
        raise PublishError("no model says `published: true` in its YAML")
    tables.sort(key=lambda table: table.name)
    return tables + [PublishedTable(name, source, text, columns) for name, (text, source, columns) in {**ONEID_VIEWS, **OPS_VIEWS}.items()]


def publication_night(con: duckdb.DuckDBPyConnection, night: date) -> date:
    """The night a publication shows: the run's, or the last one with accepted rows where an older night is run again."""
    row = con.execute("select greatest(?::date, max(ds)) from ops.batch", [night]).fetchone()
    return row[0] if row and row[0] else night


def candidate_path(settings: Settings) -> Path:
    return settings.published / "candidate" / "onedata.duckdb"


def build_candidate(con: duckdb.DuckDBPyConnection, settings: Settings, tables: list[PublishedTable], night: date) -> dict[str, int]:
    """Build the night's database and Parquet files aside.

    Returns:
        Rows by table.

    Raises:
        PublishError: a table or column has no comment.
    """
    folder = candidate_path(settings).parent
    shutil.rmtree(folder, ignore_errors=True)
    (folder / "parquet").mkdir(parents=True)
    con.execute(f"attach {quote_text(str(candidate_path(settings)))} as candidate")
    try:
        counts = {}
        for table in tables:
            _check_comments(table)
            target = f"candidate.main.{table.name}"
            con.execute(f"create table {target} as {table.source}")
            con.execute(f"comment on table {target} is {quote_text(table.description)}")
            for name, text in table.columns.items():
                con.execute(f"comment on column {target}.{quote_name(name)} is {quote_text(text)}")
            con.execute(f"copy {target} to {quote_text(str(folder / 'parquet' / f'{table.name}.parquet'))} (format parquet)")
            row = con.execute(f"select count(*) from {target}").fetchone()
            counts[table.name] = int(row[0]) if row else 0
        con.execute("create table candidate.main.published_night as select ?::date as night", [night])
        con.execute("comment on table candidate.main.published_night is 'The night this database shows, one row.'")
        con.execute("comment on column candidate.main.published_night.night is 'The last night that was built into it.'")
        con.execute(f"copy candidate.main.published_night to {quote_text(str(folder / 'parquet' / 'published_night.parquet'))} (format parquet)")
    finally:
        con.execute("detach candidate")
    return counts


def _check_comments(table: PublishedTable) -> None:
    for name, text in {"": table.description, **table.columns}.items():
        if not text.strip():
            raise PublishError(f"{table.name}{'.' + name if name else ''} has no description; write it in the YAML beside the model")


def swap_in(con: duckdb.DuckDBPyConnection, settings: Settings, night: date) -> Path:
    """Make the candidate the published night and mark its deliveries applied.

    The rename comes first: a process killed between the two publishes the same night again, from the same rows.

    Returns:
        The night's own file.
    """
    nights = settings.published / "nights"
    nights.mkdir(parents=True, exist_ok=True)
    own = nights / f"onedata-{night}.duckdb"
    candidate = candidate_path(settings)
    candidate.chmod(0o400)
    for folder in (nights, candidate.parent):
        share_with_readers(settings, folder)
    candidate.replace(own)
    # A folder cannot be replaced by rename: a night that is published again gets a new one, and the link is swapped.
    older = list(nights.glob(f"parquet-{night}*"))
    parquet = nights / (f"parquet-{night}-{time.time_ns()}" if older else f"parquet-{night}")
    (candidate.parent / "parquet").replace(parquet)
    _serve(settings, own, parquet)
    for folder in older:
        shutil.rmtree(folder)
    con.execute(
        "update ops.delivery set applied_at = now()::timestamp, status = case status when 'accepted' then 'applied' else status end "
        "where status = 'accepted' or (status = 'replaced' and applied_at is null)"
    )
    _prune(nights, settings.published_nights_kept, own.stem.removeprefix("onedata-"))
    return own


def _serve(settings: Settings, database: Path, parquet: Path) -> None:
    """Let the published names stand for these files; each of the two changes whole."""
    fresh = settings.published / "onedata.duckdb.new"
    fresh.unlink(missing_ok=True)
    os.link(database, fresh)
    fresh.replace(settings.published_database)
    link = settings.published / "parquet.new"
    link.unlink(missing_ok=True)
    link.symlink_to(parquet.relative_to(settings.published), target_is_directory=True)
    link.replace(settings.published / "parquet")


def serve_night(settings: Settings, night: date) -> None:
    """Serve a night that was kept: to go back, or forward again. The next published night takes its place as ever.

    Raises:
        PublishError: that night is not kept; the text names those that are.
    """
    nights = settings.published / "nights"
    database, parquet = nights / f"onedata-{night}.duckdb", sorted(nights.glob(f"parquet-{night}*"))
    if not database.exists() or not parquet:
        kept = ", ".join(sorted(file.stem.removeprefix("onedata-") for file in nights.glob("onedata-*.duckdb"))) or "none"
        raise PublishError(f"night {night} is not kept below {nights}; kept are: {kept}")
    _serve(settings, database, parquet[-1])


def _prune(nights: Path, kept: int, current: str) -> None:
    known = sorted(file.stem.removeprefix("onedata-") for file in nights.glob("onedata-*.duckdb"))
    for night in known[: max(0, len(known) - kept)]:
        if night != current:
            (nights / f"onedata-{night}.duckdb").unlink()
            for folder in nights.glob(f"parquet-{night}*"):
                shutil.rmtree(folder)
