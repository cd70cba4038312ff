"""The entities and columns of a retailer's own that rows of the lake have, held against its files.

ODS shows only what a file defines. A definition that went missing would make values vanish without a word.
"""

from collections.abc import Mapping, Sequence

import duckdb

from onedata.contracts.model import Entity
from onedata.errors import OnedataError
from onedata.ledger.clock import tick
from onedata.ledger.log import append, entries
from onedata.ledger.paths import partition_folder
from onedata.settings import Settings
from onedata.sql import escape_glob, quote_text

KIND = "own_columns"


class OwnColumnGone(OnedataError):
    """Rows of the lake have a column of the retailer's own that no file defines any more."""


def hold_own_columns(con: duckdb.DuckDBPyConnection, settings: Settings, entities: Mapping[str, Entity]) -> None:
    """Write the retailer's own columns into the lake's log when they change; refuse to lose one that has values.

    A column without values, and an entity without rows, may go.

    Args:
        con: The warehouse, with its ledger.
        settings: Location of the lake.
        entities: All entities, shipped and own.

    Raises:
        OwnColumnGone: a column with values, or an entity with rows, is defined no more.
        LogDamaged: the log cannot be read.
    """
    now = {name: list(entity.own_columns) for name, entity in sorted(entities.items()) if entity.own_columns}
    held: Mapping[str, Sequence[str]] = next(
        (entry.content["columns"] for entry in reversed(list(entries(settings.lake, KIND)))), {}
    )
    if held == now:
        return
    for name, columns in held.items():
        files = _files(con, settings, name)
        if name not in entities and files:
            raise OwnColumnGone(
                f"no file defines the entity {name} any more, and the lake has rows of it: put its file back into "
                f"{_folder(settings)}. No contract needs to fill it"
            )
        there = [column.name for column in entities[name].columns] if name in entities else columns
        for column in (column for column in columns if column not in there):
            if _has_values(con, files, column):
                raise OwnColumnGone(
                    f"no file defines the column {column} of {name} any more, and rows of the lake have it: put it "
                    f"back into a file of {_folder(settings)}. No contract needs to map it"
                )
    append(settings.lake, KIND, tick(con), {"columns": now})


def _folder(settings: Settings) -> str:
    return str(settings.own_entities or "the folder canonical beside the settings")


def _files(con: duckdb.DuckDBPyConnection, settings: Settings, entity: str) -> list[str]:
    rows = con.execute("select feed, ds, name from ops.lake_file where entity = ? order by all", [entity]).fetchall()
    return [str(partition_folder(settings, entity, feed, ds) / name) for feed, ds, name in rows]


def _has_values(con: duckdb.DuckDBPyConnection, files: Sequence[str], column: str) -> bool:
    """Whether a value stands in the column, in a file that has it."""
    for file in map(escape_glob, files):
        found = con.execute("select 1 from parquet_schema(?) where name = ? limit 1", [file, column]).fetchone()
        if (
            found
            and con.execute(
                f"select 1 from read_parquet({quote_text(file)}) where {column} is not null limit 1"
            ).fetchone()
        ):
            return True
    return False
