"""Rebuild the ledger from the lake: manifests, their records, and the log."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import duckdb

from onedata.ledger.clock import set_clock
from onedata.ledger.log import entries
from onedata.ledger.manifest import RECORDED, Manifest, damage, in_force, read_manifests
from onedata.ledger.moves import settle_release
from onedata.ledger.paths import MANIFESTS, batch_of, manifest_file
from onedata.ledger.recover import SHOWN, LakeDamaged, lake_contents, move_orphans
from onedata.ledger.seen import Archive, Touched, set_archive, set_touched
from onedata.settings import Settings
from onedata.sql import escape_glob, quote_text


@dataclass(frozen=True)
class Rebuilt:
    """Result of a rebuild: the deliveries, and what was left out, as sentences."""

    deliveries: int
    left_out: list[str]


def rebuild_ledger(con: duckdb.DuckDBPyConnection, settings: Settings, leave_out: bool = False) -> Rebuilt:
    """Fill an empty ledger from the lake. Every file that a manifest names is read and compared. The caller owns the
    transaction.

    Deliveries are accepted and wait to be published, so that the run that follows builds every layer from all of them.

    Args:
        con: A warehouse whose ledger is empty.
        settings: Whose lake.
        leave_out: Move aside deliveries with damaged or missing files, and files that no manifest names; without it
            they are refused.

    Raises:
        LakeDamaged: a file differs from its manifest, or no manifest names it; nothing was changed.
        ManifestError, LogDamaged: a manifest or an entry of the log cannot be read.
    """
    found = in_force(list(read_manifests(settings.lake)))
    broken = {item.batch: wrong for item in found if (wrong := damage(item, thorough=True))}
    named = {file for item in found if item.batch not in broken for file in files_of(item)}
    replaced = {batch for item in found for batch in item.replaces}
    unnamed = [file for file in lake_contents(settings.lake) if file not in named]
    strange = [file for file in unnamed if batch_of(file) not in replaced]
    told = [*(text for texts in broken.values() for text in texts)]
    told += _unnamed(settings, [file for file in strange if batch_of(file) not in broken])
    if told and not leave_out:
        raise LakeDamaged(
            f"{len(told):,} files of the lake are not as they were written: {'; '.join(told[:SHOWN])}. Nothing was "
            "changed. Restore them from a back-up (`onedata repair --from BACKUP`), or go "
            "on without those deliveries: `onedata rebuild --leave-out` moves them aside, and "
            "the next run takes their files from the source, where they are still there."
        )
    whole = [item for item in found if item.batch not in broken]
    _fill(con, whole)
    _follow_log(con, settings.lake)
    for batch in [item.batch for item in whole]:
        settle_release(con, batch)
    move_orphans(settings, unnamed)
    return Rebuilt(len(whole), told)


def _unnamed(settings: Settings, files: Sequence[Path]) -> list[str]:
    """Files that no manifest names, by their delivery: its manifest is lost, and a warehouse that is there knows it."""
    batches: dict[Path, list[Path]] = {}
    for file in files:
        partition = file.parent.parent if file.parent.name == MANIFESTS else file.parent
        batches.setdefault(manifest_file(partition, batch_of(file)), []).append(file)
    way = " (`onedata run` writes it again while the warehouse is there)" if settings.warehouse.exists() else ""
    return [
        f"{manifest} is not there{way}, and names {len(of_it)} files, among them {of_it[0]}"
        for manifest, of_it in batches.items()
    ]


def files_of(manifest: Manifest) -> list[Path]:
    """Every file of a delivery in the lake, including its manifest and record."""
    own = [manifest.partition / item.name for item in manifest.files]
    return [*own, manifest.folder / manifest.record.name, manifest.folder / f"{manifest.batch}.json"]


def _fill(con: duckdb.DuckDBPyConnection, manifests: Sequence[Manifest]) -> None:
    if not manifests:
        return
    records = ", ".join(quote_text(escape_glob(str(item.folder / item.record.name))) for item in manifests)
    con.execute(
        f"create or replace temp view record as select * from read_parquet([{records}], union_by_name = true, "
        "hive_partitioning = false)"
    )
    for table in RECORDED:
        _insert(con, table, f"select * from record where _table = '{table}'")
    own = "row_number() over (partition by batch_id order by (status = 'replaced') desc, _accepted_at desc) = 1"
    # A rebuilt warehouse has no rows of replaced deliveries in any layer.
    _insert(
        con,
        "delivery",
        "select * replace (case when status = 'replaced' then _accepted_at end as applied_at) from record "
        f"where _table = 'delivery' qualify {own}",
    )
    ends = "min(first_used_at) as first_used_at, max(last_used_at) as last_used_at"
    _insert(
        con,
        "contract",
        f"select feed, version, fingerprint, any_value(shape) as shape, {ends} from record where _table = 'contract' "
        "group by all",
    )
    newest = "row_number() over (partition by feed, content_hash order by _accepted_at desc) = 1"
    _insert(con, "watermark", f"select * from record where _table = 'watermark' qualify {newest}")
    _insert(
        con,
        "trend",
        "select * from record where _table = 'trend' qualify _accepted_at = max(_accepted_at) over (partition by feed, "
        "ds)",
    )
    con.execute("drop view record")
    files = [
        [item.batch, item.feed, item.entity, item.ds, file.name, file.rows, file.bytes, file.sha256]
        for item in manifests
        for file in item.files
    ]
    if files:
        con.executemany("insert into ops.lake_file values (?, ?, ?, ?, ?, ?, ?, ?)", files)
    set_clock(con, max(item.accepted_at for item in manifests))


def _insert(con: duckdb.DuckDBPyConnection, table: str, query: str) -> None:
    """The rows of a query that has the table's columns among its own. Records that an earlier onedata wrote have no
    rows of a newer table, nor its columns."""
    names = con.execute(
        "select column_name from duckdb_columns() where schema_name = 'ops' and table_name = ? "
        "and database_name = current_database() order by column_index",
        [table],
    ).fetchall()
    there = {row[0] for row in con.execute(f"describe {query}").fetchall()}
    found = ", ".join(name for (name,) in names if name in there)
    con.execute(f"insert into ops.{table} by name select {found} from ({query})")


def _follow_log(con: duckdb.DuckDBPyConnection, lake: Path) -> None:
    last: datetime | None = None
    for entry in entries(lake, "touched"):
        set_touched(con, entry.content["feed"], [Touched(**item) for item in entry.content["files"]])
        last = entry.at
    for entry in entries(lake, "archive"):
        set_archive(con, Archive(**entry.content))
        last = max(last or entry.at, entry.at)
    if last:
        set_clock(con, last)
