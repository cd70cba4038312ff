"""Move deliveries that passed their contract gate into the ODS lake."""

import duckdb

from onedata.landing.places import batch_of, partition_folder, staged_files, staged_folder
from onedata.settings import Settings


def promote(con: duckdb.DuckDBPyConnection, settings: Settings) -> list[str]:
    """Move every passed delivery's files to their place in the lake and mark it accepted.

    The files are renamed first and the ledger commits after: a process killed between leaves lake files the ledger does not know,
    which `recover` sweeps away before the same rows land again.

    Returns:
        The ids of the deliveries that were accepted.

    Raises:
        FileNotFoundError: a passed delivery's files are in neither place; nothing is marked accepted without its rows.
    """
    accepted = []
    passed = con.execute("select batch_id, feed, entity, ds from ops.delivery where status = 'passed' order by batch_id").fetchall()
    for batch, feed, entity, ds in passed:
        target = partition_folder(settings, entity, feed, ds)
        target.mkdir(parents=True, exist_ok=True)
        for file in staged_files(settings, feed, batch):
            file.replace(target / file.name)
        if not any(batch_of(file) == batch for file in target.glob("*.parquet")):
            raise FileNotFoundError(f"delivery {batch} passed its gate, and its rows are neither in {staged_folder(settings, feed, batch)} nor in {target}")
        con.execute("update ops.delivery set status = 'accepted' where batch_id = ?", [batch])
        accepted.append(batch)
    return accepted
