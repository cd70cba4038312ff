"""Move deliveries that passed their contract gate durably into the ODS lake, and mark them accepted."""

from pathlib import Path

import duckdb

from onedata.durable import make_folders, sync_file, sync_folder
from onedata.ledger.clock import tick
from onedata.ledger.manifest import lake_file, write_manifest
from onedata.ledger.moves import accept
from onedata.ledger.paths import batch_of, partition_folder, staged_files, staged_folder
from onedata.ledger.recover import leave_lake
from onedata.ledger.states import LedgerError, Status
from onedata.settings import Settings


def promote(con: duckdb.DuckDBPyConnection, settings: Settings) -> list[str]:
    """Move every passed delivery's files into the lake, write its manifest and mark it accepted.

    Files and manifest are synced before the ledger commits. A process killed in between leaves files of a delivery that
    the ledger knows as unfinished: `recover` moves them aside before the same rows land again.

    Returns:
        The ids of the deliveries that were accepted.

    Raises:
        FileNotFoundError: a passed delivery's files are in neither folder; nothing is marked accepted without its rows.
        LedgerError: the lake already has a file of that name; nothing is overwritten.
    """
    passed = con.execute(
        "select batch_id, feed, entity, ds, rows from ops.delivery where status = ? order by batch_id", [Status.PASSED]
    ).fetchall()
    for batch, feed, entity, ds, rows in passed:
        partition = partition_folder(settings, entity, feed, ds)
        files = _enter_lake(settings, feed, batch, partition)
        if rows and not files:
            staged = staged_folder(settings, feed, batch)
            raise FileNotFoundError(
                f"delivery {batch} passed its gate, and its rows are neither in {staged} nor in {partition}"
            )
        at = tick(con)
        written = [lake_file(con, file) for file in files]
        write_manifest(con, partition, batch, at, written)
        replaced = accept(con, batch, at, written)
        leave_lake(settings, entity, feed, replaced)
    return [row[0] for row in passed]


def _enter_lake(settings: Settings, feed: str, batch: str, partition: Path) -> list[Path]:
    """Sync the delivery's staged files and rename them into the lake. Returns its files there, including those that an
    earlier attempt moved."""
    make_folders(partition)
    for file in staged_files(settings, feed, batch):
        sync_file(file)
        if (partition / file.name).exists():
            there = partition / file.name
            raise LedgerError(
                f"{there} already exists and is not overwritten; run again: unknown files are reported first"
            )
        file.replace(partition / file.name)
    sync_folder(partition)
    return sorted(file for file in partition.glob("*.parquet") if batch_of(file) == batch)
