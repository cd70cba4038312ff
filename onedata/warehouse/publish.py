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

from onedata.settings import Settings
from onedata.sql import quote_name, quote_text

OPS_VIEWS: Mapping[str, tuple[str, str, Mapping[str, str]]] = {
    "ops_file": (
        "Every delivered file: received = accepted + quarantined + duplicate, in rows.",
        "select feed, path, ds, status, received, accepted, quarantined, duplicate, content_hash, arrived_at from ops.file",
        {
            "feed": "Feed of the contract.",
            "path": "File, below the source folder.",
            "ds": "Night the file is for.",
            "status": "landed, repeated (content known under another name) or unreadable.",
            "received": "Rows found in the file.",
            "accepted": "Rows that entered the lake.",
            "quarantined": "Rows kept apart because they break a rule.",
            "duplicate": "Rows that had been accepted before.",
            "content_hash": "SHA-256 of the content.",
            "arrived_at": "When it landed (UTC).",
        },
    ),
    "ops_quarantine": (
        "Rows kept apart, counted by file and rule. The rows themselves stay in the private warehouse (ops.quarantine).",
        "select feed, path, ds, rule, count(*) as rows from ops.quarantine group by all",
        {
            "feed": "Feed of the contract.",
            "path": "File, below the source folder.",
            "ds": "Night the file is for.",
            "rule": "Rule the rows break.",
            "rows": "How many.",
        },
    ),
    "ops_drift": (
        "Differences between a file's columns and its contract that did not stop the file.",
        "select feed, path, ds, kind, column_name, message from ops.drift",
        {
            "feed": "Feed of the contract.",
            "path": "File, below the source folder.",
            "ds": "Night the file is for.",
            "kind": "added, missing or order.",
            "column_name": "Column concerned.",
            "message": "The difference in words.",
        },
    ),
    "ops_gate": (
        "Every quality check of every night. What quotes rows stays in the private warehouse (ops.gate).",
        "select run_id, night, stage, subject, rule, description, severity, passed, observed, expected, checked_at from ops.gate",
        {
            "run_id": "Dagster run that checked it.",
            "night": "Night that was checked.",
            "stage": "contract, ods, dim, dwd, oneid, dws, ads or published.",
            "subject": "Feed, entity or model.",
            "rule": "Rule checked.",
            "description": "The rule in words.",
            "severity": "error closes the gate, warning does not.",
            "passed": "True where the rule held.",
            "observed": "Rows (or keys) that break the rule, or the value that was judged.",
            "expected": "Bound on what is observed.",
            "checked_at": "When it was checked (UTC).",
        },
    ),
    "ops_reconciliation": (
        "Every balance from file to ADS, as last drawn each night: total_in = total_out + excluded + difference, and the difference is 0.",
        "select night, layer, model, subject, ds, path, measure, unit, total_in, total_out, excluded, difference from ops.reconciliation "
        "qualify checked_at = max(checked_at) over (partition by night, layer, subject, ds, path)",
        {
            "night": "Night of the run.",
            "layer": "landing (files and deliveries), ods (the lake), dim, dwd, dws or ads.",
            "model": "Table the rows and the money arrive in.",
            "subject": "Feed, or the tables the balance is drawn between.",
            "ds": "Night the rows are for; empty where the balance is over all nights.",
            "path": "File, below the source folder; empty where the balance is over more than one.",
            "measure": "What is counted or added up.",
            "unit": "rows, files or orders; for money the ISO 4217 code of its currency (XXX where a row names none).",
            "total_in": "What came in.",
            "total_out": "What came out.",
            "excluded": "What was left out on purpose, by reason.",
            "difference": "What is missing (or, negative, too much): total_in - total_out - excluded.",
        },
    ),
    "ops_profile": (
        "What each night of a feed looked like, one row a delivery, column and metric. Listed values stay in the private warehouse (ops.profile).",
        "select p.feed, p.ds, p.batch_id, p.column_name, p.metric, p.value from ops.profile p join ops.batch b using (batch_id) where p.metric <> 'share'",
        {
            "feed": "Feed of the contract.",
            "ds": "Night the delivery is for.",
            "batch_id": "Delivery; a night may have several.",
            "column_name": "Canonical column; empty for the delivery as a whole.",
            "metric": "received, rows, sample_rows; null_share, distinct_share (of a sample), p05 to p95 (dates and times in hours before the night's end).",
            "value": "The value: rows, a share from 0 to 1, or a quantile.",
        },
    ),
    "ops_trend": (
        "Each night of a feed against the 28 days before it, one row a column and metric.",
        "select feed, ds, column_name, metric, value, middle, low, high, nights, holds from ops.trend",
        {
            "feed": "Feed of the contract.",
            "ds": "Night that was judged.",
            "column_name": "Canonical column; empty for the night as a whole.",
            "metric": "received, rows, null_share, distinct_share or distribution (Jensen-Shannon distance, 0 to 1).",
            "value": "What the night has.",
            "middle": "Median of the nights before.",
            "low": "The least that was expected.",
            "high": "The most that was expected.",
            "nights": "Nights compared with.",
            "holds": "False where the value lies outside.",
        },
    ),
}


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
    """Tables to publish: models whose YAML says `published: true` without their sensitive columns, then the ledger's own.

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
    return tables + [PublishedTable(name, source, text, columns) for name, (text, source, columns) in OPS_VIEWS.items()]


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
    candidate.chmod(0o444)
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
