"""Compare the ledger with the lake: manifests, files, records, and the log."""

import json
from dataclasses import fields, replace
from pathlib import Path

import duckdb

from onedata.identity.keep import DECISIONS, lost_state, unknown_decisions
from onedata.ledger.log import LogDamaged, log_folder, read_entry
from onedata.ledger.manifest import (
    RECORDED,
    InLake,
    LakeFile,
    Manifest,
    ManifestError,
    digest,
    file_damage,
    read_manifest,
)
from onedata.ledger.paths import batch_of, manifest_file, partition_folder, record_file
from onedata.ledger.recover import compare
from onedata.ledger.states import IN_LAKE, sql_list
from onedata.sql import any_rows, escape_glob, quote_text
from onedata.verify.report import Finding, Scope

LISTING = "state.json"
"""In a folder of the log: the list of its files with their SHA-256."""
CHANGING = {
    "file": ("size_bytes", "mtime_ns", "accepted", "quarantined", "duplicate"),
    "quarantine": ("rule", "reason"),
}
"""Columns that change after a delivery was accepted: a file is touched, a row released or revalidated."""


def against_lake(scope: Scope) -> Finding:
    """Check that every lake file belongs to a delivery in the ledger and matches manifest and ledger."""
    state = compare(scope.con, scope.settings)
    differences = [f"{path} is of no delivery that the ledger knows" for path in state.unknown]
    deliveries = _deliveries(scope.con)
    count, size = 0, 0
    for known in deliveries:
        partition = partition_folder(scope.settings, known.entity, known.feed, known.ds)
        named = [(partition / item.name, item) for item in known.files]
        file = manifest_file(partition, known.batch)
        try:
            manifest = read_manifest(file)
            differences += _apart_from(manifest, file, known)
            named.append((record_file(partition, known.batch), manifest.record))
        except FileNotFoundError:
            differences.append(f"{file} is gone; the next run writes it again from the ledger")
        except ManifestError as error:
            differences.append(str(error))
        for path, item in named:
            wrong = file_damage(path, item, scope.thorough)
            if wrong:
                differences.append(wrong)
                scope.broken.add(str(path))
            count, size = count + 1, size + item.bytes
    waiting = f", {len(state.orphans)} of unfinished or replaced deliveries" if state.orphans else ""
    return Finding(f"{len(deliveries):,} deliveries, {count:,} files, {size / 1e6:,.1f} MB{waiting}", differences)


def against_log(scope: Scope) -> Finding:
    """Check that every entry of the log is intact, and that every operator decision has one."""
    lake = scope.settings.lake
    differences, count, logged = list[str](), 0, set()
    for file in sorted(log_folder(lake, "").rglob("*.json")):
        count += 1
        if file.name == LISTING:
            differences += _listed(file)
            continue
        try:
            logged.add((file.parent.name, read_entry(file).content.get("decision_id")))
        except LogDamaged as error:
            differences.append(str(error))
    decided = (
        scope.con.execute("select decision_id from oneid.decision order by 1").fetchall()
        if any_rows(scope.con, "oneid", "decision")
        else []
    )
    lost = [number for (number,) in decided if (DECISIONS, number) not in logged]
    if lost:
        told = (
            f"{log_folder(lake, DECISIONS)} lacks {len(lost)} decisions that the warehouse knows "
            f"(the first is {lost[0]})"
        )
        differences.append(
            f"{told}: a rebuild would drop them; the next run that has a night writes them again, or "
            "`onedata repair --from BACKUP`"
        )
    if not differences:
        differences = [text for tell in (unknown_decisions, lost_state) if (text := tell(scope.con, lake))]
    return Finding(f"{count:,} entries", differences)


def against_records(scope: Scope) -> Finding:
    """Check that the ledger's rows of each delivery match its record in the lake."""
    places = [
        (known.batch, partition_folder(scope.settings, known.entity, known.feed, known.ds))
        for known in _deliveries(scope.con)
    ]
    records = [
        file
        for batch, partition in places
        if (file := record_file(partition, batch)).exists() and str(file) not in scope.broken
    ]
    if not records:
        return Finding("no records", [])
    listed = ", ".join(quote_text(escape_glob(str(file))) for file in records)
    batches = ", ".join(quote_text(batch_of(file)) for file in records)
    scope.con.execute(
        f"create or replace temp view record as select * from read_parquet([{listed}], union_by_name = true, "
        f"hive_partitioning = false) where batch_id in ({batches})"
    )
    differences, rows = [], 0
    for table in RECORDED:
        names = _columns(scope.con, table)
        compared = [name for name in names if name not in CHANGING.get(table, ())]
        told = ", ".join(f"cast({name} as {names[name]}) as {name}" for name in compared)
        record = f"select {told} from record where _table = '{table}'"
        ledger = f"select {', '.join(compared)} from ops.{table} where batch_id in ({batches})"
        if table == "quarantine":
            record += (
                " and not exists (from ops.released r where r.feed = record.feed and r.path = record.path "
                "and r.content_hash = record.content_hash "
                "and r.row = record.row and r.fate <> 'again')"
            )
        differences += _apart(scope.con, table, ledger, record)
        rows += int(scope.con.execute(f"select count(*) from ({ledger})").fetchall()[0][0])
    return Finding(f"{len(records):,} records, {rows:,} rows", differences)


def _apart(con: duckdb.DuckDBPyConnection, table: str, ledger: str, record: str) -> list[str]:
    found = con.execute(
        f"select batch_id, count(*) filter (in_ledger), count(*) filter (not in_ledger) from ("
        f"select batch_id, true as in_ledger from ({ledger} except all {record}) union all "
        f"select batch_id, false from ({record} except all {ledger})) group by 1 order by 1"
    ).fetchall()
    return [
        f"ops.{table} of delivery {batch}: {mine:,} rows only in the ledger, {its:,} only in its record in the lake"
        for batch, mine, its in found
    ]


def _deliveries(con: duckdb.DuckDBPyConnection) -> list[InLake]:
    """Every delivery in the lake."""
    rows = con.execute(
        "select batch_id, feed, entity, ds, rows, accepted_at, replaces, (select list([name, rows::varchar, "
        "bytes::varchar, sha256] order by name) from ops.lake_file l where l.batch_id = d.batch_id) "
        f"from ops.delivery d where status in {sql_list(IN_LAKE)} order by batch_id"
    ).fetchall()
    return [
        InLake(
            batch,
            feed,
            entity,
            ds,
            count,
            at,
            tuple(replaces),
            tuple(LakeFile(name, int(n), int(size), sha256) for name, n, size, sha256 in files or ()),
        )
        for batch, feed, entity, ds, count, at, replaces, files in rows
    ]


def _apart_from(manifest: Manifest, file: Path, known: InLake) -> list[str]:
    """Differences between a manifest and the ledger."""
    ordered = replace(manifest, files=tuple(sorted(manifest.files, key=lambda item: item.name)))
    says = {item.name: (getattr(ordered, item.name), getattr(known, item.name)) for item in fields(known)}
    return [
        f"{file}: {name} is {its} there and {mine} in the ledger" for name, (its, mine) in says.items() if its != mine
    ]


def _columns(con: duckdb.DuckDBPyConnection, table: str) -> dict[str, str]:
    rows = con.execute(
        "select column_name, data_type from duckdb_columns() where schema_name = 'ops' and table_name = ? "
        "and database_name = current_database() order by column_index",
        [table],
    ).fetchall()
    return dict(rows)


def _listed(listing: Path) -> list[str]:
    """Damage of the files in a folder of the log."""
    try:
        names: dict[str, str] = json.loads(listing.read_text(encoding="utf-8"))
        files = {listing.parent / name: sha256 for name, sha256 in names.items()}
    except (ValueError, AttributeError) as error:
        return [f"{listing} is damaged ({error})"]
    return [
        f"{file} is gone or has other content than was written (SHA-256)"
        for file, sha256 in files.items()
        if not file.exists() or digest(file) != sha256
    ]
