"""The valid files of the lake: those that manifests name, as the ledger knows them."""

from collections.abc import Collection
from pathlib import Path

import duckdb

from onedata.ledger.paths import partition_folder
from onedata.ledger.states import IN_LAKE, sql_list
from onedata.settings import Settings


def lake_files(
    con: duckdb.DuckDBPyConnection, settings: Settings, feed: str, without: Collection[str] = ()
) -> list[Path]:
    """The feed's Parquet files in the lake, except those of the deliveries `without`, ordered by path."""
    rows = con.execute(
        "select l.entity, l.ds, l.name from ops.lake_file l join ops.delivery d using (batch_id) "
        f"where l.feed = ? and d.status in {sql_list(IN_LAKE)} and l.batch_id not in (select unnest(?::varchar[]))",
        [feed, list(without)],
    ).fetchall()
    return sorted(partition_folder(settings, entity, feed, ds) / name for entity, ds, name in rows)
