"""Move deliveries that passed their contract gate into the ODS lake."""

from pathlib import Path

import duckdb


def promote(con: duckdb.DuckDBPyConnection) -> list[str]:
    """Move every passed delivery's file to its place in the lake and mark it accepted.

    The file is renamed first and the ledger commits after: a process killed between leaves a lake file the ledger does not know,
    which `recover` sweeps away before the same rows land again.

    Returns:
        The ids of the deliveries that were accepted.
    """
    accepted = []
    passed = con.execute("select batch_id, staged_path, lake_path from ops.delivery where status = 'passed' order by batch_id").fetchall()
    for batch, staged, lake in passed:
        target = Path(lake)
        target.parent.mkdir(parents=True, exist_ok=True)
        if Path(staged).exists():
            Path(staged).replace(target)
        con.execute("update ops.delivery set status = 'accepted' where batch_id = ?", [batch])
        accepted.append(batch)
    return accepted
