"""Migrate data homes of an earlier onedata to the current format, step by step; refuse those of a later one."""

import shutil
import subprocess
import sys
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path

import duckdb

from onedata.durable import make_folders
from onedata.errors import OnedataError
from onedata.ledger.clock import set_clock
from onedata.ledger.manifest import lake_file, write_manifest
from onedata.ledger.paths import batch_of, partition_folder
from onedata.ledger.schema import FORMAT, create_ledger, note_format
from onedata.ledger.states import IN_LAKE, Status, sql_list
from onedata.settings import Settings
from onedata.sql import transaction

COPY = "import shutil, sys; shutil.copyfile(sys.argv[1], sys.argv[2])"


class HomeFormatError(OnedataError):
    """The data home is of a later onedata, or there is no space for the copy made before the migration."""


def migrate(con: duckdb.DuckDBPyConnection, settings: Settings) -> list[str]:
    """Migrate the ledger to the current format, after a copy of the warehouse. Creates missing tables of the ledger.

    Returns:
        What was done, as sentences for a person; empty for a new or current home.

    Raises:
        HomeFormatError: the home is of a later onedata, or there is no space for the copy.
    """
    now = format_of(con)
    if now is not None and now > FORMAT:
        raise HomeFormatError(
            f"the data home {settings.home} has format {now}, made by a later onedata; this one knows formats up to "
            f"{FORMAT}. Update onedata, or rebuild the warehouse from its lake with this one: `onedata rebuild`."
        )
    if now is None or now == FORMAT:
        create_ledger(con)
        return []
    copy = _copy_first(con, settings, now)
    for step in range(now + 1, FORMAT + 1):
        STEPS[step](con, settings)
    return [f"the data home had format {now} and has format {FORMAT} now; the warehouse as it was is at {copy}"]


def format_of(con: duckdb.DuckDBPyConnection) -> int | None:
    """The home's format; None if there is no ledger yet."""
    tables = {
        name
        for (name,) in con.execute(
            "select table_name from duckdb_tables() where database_name = current_database() and schema_name = 'ops'"
        ).fetchall()
    }
    if "delivery" not in tables:
        return None
    if "format" not in tables:
        return 1
    row = con.execute("select format from ops.format").fetchone()
    return int(row[0]) if row else 1


def _copy_first(con: duckdb.DuckDBPyConnection, settings: Settings, now: int) -> Path:
    """Copy the warehouse in a child process: this process must not open the file whose lock it holds."""
    con.execute("checkpoint")
    size, free = settings.warehouse.stat().st_size, shutil.disk_usage(settings.home).free
    if free < 2 * size:
        raise HomeFormatError(
            f"the data home {settings.home} has format {now} and must be brought to {FORMAT}; the copy of the "
            f"warehouse that is made first takes {size / 1e6:,.0f} MB, and {free / 1e6:,.0f} MB are free. Make room, "
            "then run again."
        )
    copy = settings.home / "aside" / f"{datetime.now(UTC):%Y%m%dT%H%M%S}" / f"onedata.format-{now}.duckdb"
    make_folders(copy.parent)
    subprocess.run([sys.executable, "-c", COPY, str(settings.warehouse), str(copy)], check=True)
    return copy


def _to_2(con: duckdb.DuckDBPyConnection, settings: Settings) -> None:
    """Assign every row to a delivery, and write a manifest for each delivery in the lake."""
    with transaction(con):
        con.execute("alter table ops.delivery add column accepted_at timestamp")
        con.execute("alter table ops.drift add column batch_id varchar")
        create_ledger(con)
        con.execute(f"update ops.delivery set accepted_at = landed_at where status in {sql_list(IN_LAKE)}")
        # Unreadable files belonged to no delivery: they are loaded again.
        con.execute("delete from ops.file where batch_id is null; delete from ops.quarantine where batch_id is null")
        con.execute(
            "update ops.drift d set batch_id = f.batch_id from ops.file f where f.feed = d.feed and f.path = d.path "
            "and f.content_hash = "
            "d.content_hash and f.status = 'landed'; delete from ops.drift where batch_id is null"
        )
        _part_repeats(con)
        times = "select landed_at from ops.delivery union all select checked_at from ops.gate"
        latest = con.execute(f"select max(landed_at) from ({times})").fetchone()
        if latest and latest[0]:
            set_clock(con, latest[0])
        _write_manifests(con, settings)
        note_format(con)


def _part_repeats(con: duckdb.DuckDBPyConnection) -> None:
    """Duplicates belonged to the delivery whose content they repeat; give them a delivery of their own per feed and
    night."""
    own = "f.feed || '-' || strftime(f.ds, '%Y%m%d') || '-repeats'"
    con.execute(
        "insert into ops.delivery (batch_id, feed, entity, ds, status, rows, landed_at, accepted_at, applied_at, "
        "replaces) "
        f"select {own}, f.feed, any_value(d.entity), f.ds, '{Status.APPLIED}', 0, max(f.arrived_at), "
        "max(f.arrived_at), max(f.arrived_at), [] "
        "from ops.file f join (select distinct feed, entity from ops.delivery) d using (feed) "
        "where f.status = 'repeated' group by all"
    )
    con.execute(
        f"update ops.control_total c set batch_id = {own} from ops.file f where f.status = 'repeated' "
        "and f.feed = c.feed and f.path = c.path and f.content_hash = c.content_hash and f.ds = c.ds"
    )
    con.execute(f"update ops.file f set batch_id = {own} where f.status = 'repeated'")


def _write_manifests(con: duckdb.DuckDBPyConnection, settings: Settings) -> None:
    deliveries = con.execute(
        f"select batch_id, feed, entity, ds, accepted_at from ops.delivery where status in {sql_list(IN_LAKE)} "
        "order by batch_id"
    ).fetchall()
    for batch, feed, entity, ds, accepted_at in deliveries:
        partition = partition_folder(settings, entity, feed, ds)
        files = [lake_file(con, path) for path in sorted(partition.glob("*.parquet")) if batch_of(path) == batch]
        for file in files:
            con.execute(
                "insert into ops.lake_file values (?, ?, ?, ?, ?, ?, ?, ?)",
                [batch, feed, entity, ds, file.name, file.rows, file.bytes, file.sha256],
            )
        write_manifest(con, partition, batch, accepted_at, files)


STEPS: Mapping[int, Callable[[duckdb.DuckDBPyConnection, Settings], None]] = {2: _to_2}
"""The format after a step, and the step; each step commits as a whole."""
