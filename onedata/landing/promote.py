"""Move deliveries that passed their contract gate into the ODS lake."""

import duckdb

from onedata.landing.places import lake_file, staged_file
from onedata.settings import Settings


def promote(con: duckdb.DuckDBPyConnection, settings: Settings) -> list[str]:
    """Move every passed delivery's file to its place in the lake and mark it accepted.

    The file is renamed first and the ledger commits after: a process killed between leaves a lake file the ledger does not know,
    which `recover` sweeps away before the same rows land again.

    Returns:
        The ids of the deliveries that were accepted.

    Raises:
        FileNotFoundError: a passed delivery's file is in neither place; nothing is marked accepted without its rows.
    """
    accepted = []
    passed = con.execute("select batch_id, feed, entity, ds from ops.delivery where status = 'passed' order by batch_id").fetchall()
    for batch, feed, entity, ds in passed:
        staged, target = staged_file(settings, feed, batch), lake_file(settings, entity, feed, ds, batch)
        target.parent.mkdir(parents=True, exist_ok=True)
        if staged.exists() or not target.exists():
            staged.replace(target)
        con.execute("update ops.delivery set status = 'accepted' where batch_id = ?", [batch])
        accepted.append(batch)
    return accepted
