"""Move deliveries that passed their contract gate into the ODS lake."""

import duckdb

from onedata.landing.places import batch_of, partition_folder, staged_files, staged_folder
from onedata.settings import Settings
from onedata.sql import transaction


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
    passed = con.execute("select batch_id, feed, entity, ds, replaces from ops.delivery where status = 'passed' order by batch_id").fetchall()
    for batch, feed, entity, ds, replaced in passed:
        target = partition_folder(settings, entity, feed, ds)
        target.mkdir(parents=True, exist_ok=True)
        for file in staged_files(settings, feed, batch):
            file.replace(target / file.name)
        if not any(batch_of(file) == batch for file in target.glob("*.parquet")):
            raise FileNotFoundError(f"delivery {batch} passed its gate, and its rows are neither in {staged_folder(settings, feed, batch)} nor in {target}")
        _accept(con, batch)
        for file in target.glob("*.parquet"):
            if batch_of(file) in replaced:
                file.unlink()
        accepted.append(batch)
    return accepted


def _accept(con: duckdb.DuckDBPyConnection, batch: str) -> None:
    """Mark a delivery accepted. What the ledger said of its night before, where it takes that night's place, goes in the same transaction."""
    with transaction(con):
        con.execute("update ops.delivery set status = 'accepted' where batch_id = ?", [batch])
        con.execute(
            "update ops.delivery set status = 'replaced', applied_at = null where batch_id in (select unnest(replaces) from ops.delivery where batch_id = ?)",
            [batch],
        )
        _settle_release(con, batch)
        for table, arrived in (("file", "arrived_at"), ("quarantine", "quarantined_at")):
            con.execute(
                f"delete from ops.{table} t using ops.delivery d where d.batch_id = ? and len(d.replaces) > 0 and t.feed = d.feed and t.ds = d.ds "
                f"and t.{arrived} < d.landed_at",
                [batch],
            )
        for table in ("repair", "control_total", "profile"):
            con.execute(f"delete from ops.{table} where batch_id in (select unnest(replaces) from ops.delivery where batch_id = ?)", [batch])


def _settle_release(con: duckdb.DuckDBPyConnection, batch: str) -> None:
    """Rows that a release has accepted leave quarantine, and count as accepted in their file; those that are bad still say why now."""
    same = "q.feed = r.feed and q.path = r.path and q.content_hash = r.content_hash and q.row = r.row and q.rule = r.rule"
    con.execute(
        "update ops.file f set accepted = f.accepted + r.accepted, duplicate = f.duplicate + r.duplicate, "
        "quarantined = f.quarantined - r.accepted - r.duplicate from (select feed, path, content_hash, count(*) filter (where fate = 'accepted') as accepted, "
        "count(*) filter (where fate = 'duplicate') as duplicate from ops.released where batch_id = ? group by all) r "
        "where f.feed = r.feed and f.path = r.path and f.content_hash = r.content_hash",
        [batch],
    )
    con.execute(f"delete from ops.quarantine q using ops.released r where r.batch_id = ? and r.fate <> 'again' and {same}", [batch])
    con.execute(
        f"update ops.quarantine q set rule = r.rule_now, reason = r.reason_now from ops.released r where r.batch_id = ? and r.fate = 'again' and {same}",
        [batch],
    )


def has_replaced(con: duckdb.DuckDBPyConnection) -> bool:
    """Whether rows that DIM and DWD have taken in are no longer in the lake: they must be built anew."""
    return bool(con.execute("select 1 from ops.delivery where status = 'replaced' and applied_at is null limit 1").fetchall())
