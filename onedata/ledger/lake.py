"""The valid files of the lake: those that manifests name, as the ledger knows them."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path

import duckdb

from onedata.contracts.derive import schema_file
from onedata.contracts.model import Entity
from onedata.ledger.paths import partition_folder
from onedata.ledger.states import IN_LAKE, sql_list
from onedata.settings import Settings
from onedata.sql import escape_glob, quote_text


@dataclass(frozen=True)
class KeyRange:
    """The values of a key column that are looked for: from the least to the greatest, as texts."""

    column: str
    sql_type: str
    least: str
    greatest: str

    @property
    def low(self) -> str:
        """SQL of the least value."""
        return f"{quote_text(self.least)}::{self.sql_type}"

    @property
    def high(self) -> str:
        """SQL of the greatest value."""
        return f"{quote_text(self.greatest)}::{self.sql_type}"


def ods_rows(settings: Settings, entity: Entity, files: Sequence[Path]) -> str:
    """SQL of the rows of an entity's ODS files, with all of its columns: a file holds those that its feed maps, and the
    empty file of the entity (`ensure_lake`) names the others, which are NULL."""
    listed = ", ".join(quote_text(escape_glob(str(file))) for file in (schema_file(settings.lake, entity), *files))
    return f"read_parquet([{listed}], union_by_name = true, hive_partitioning = false)"


def lake_files(
    con: duckdb.DuckDBPyConnection,
    settings: Settings,
    feed: str,
    without: Collection[str] = (),
    keys: Sequence[KeyRange] = (),
) -> list[Path]:
    """The feed's Parquet files in the lake, ordered by path.

    Args:
        con: The warehouse.
        settings: Location of the lake.
        feed: Its name.
        without: Deliveries whose files are left out.
        keys: Key columns and the values that are looked for: deliveries whose keys lie elsewhere are left out.
    """
    apart = " or ".join(
        f"(column_name = {quote_text(key.column)} and (greatest::{key.sql_type} < {key.low} or "
        f"least::{key.sql_type} > {key.high}))"
        for key in keys
    )
    rows = con.execute(
        "select l.entity, l.ds, l.name from ops.lake_file l join ops.delivery d using (batch_id) "
        f"where l.feed = ? and d.status in {sql_list(IN_LAKE)} and l.batch_id not in (select unnest(?::varchar[])) "
        f"and l.batch_id not in (select batch_id from ops.key_range where feed = ? and ({apart or 'false'}))",
        [feed, list(without), feed],
    ).fetchall()
    return sorted(partition_folder(settings, entity, feed, ds) / name for entity, ds, name in rows)
