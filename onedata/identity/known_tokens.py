"""Compare the vault with the known tokens: a lost vault, or an older copy, is refused.

A token without its raw value has no name to compare, and a new key would give other tokens for the same values: persons
would be split silently.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq

from onedata.contracts.model import Entity, Feed
from onedata.identity.locate import core_kinds
from onedata.identity.take_in import STAGE
from onedata.landing.vault import open_vault
from onedata.landing.vault_files import HOWTO, VaultError, create_vault, database_file, gone, is_there
from onedata.ledger.paths import batch_of, partition_folder
from onedata.settings import Settings
from onedata.sql import quote_text


def require_vault(
    con: duckdb.DuckDBPyConnection,
    settings: Settings,
    entities: Mapping[str, Entity],
    feeds: Sequence[Feed],
) -> None:
    """Compare the vault with OneID and the deliveries it has not processed; create one if no token was ever made.

    Runs once per run: it joins OneID's tokens with the vault. Of the lake it reads only those deliveries' files and, if
    there is no vault, files until it finds a token.

    Args:
        con: The warehouse, with its ledger and OneID's tables.
        settings: Locations of vault, lake and staged deliveries.
        entities: Canonical entities, which define the core columns.
        feeds: The retailer's feeds, whose staged deliveries are searched.

    Raises:
        VaultError: the vault is missing though there are tokens, lacks some of them, or cannot be opened.
    """
    file = database_file(settings.vault)
    if not is_there(file):
        where = _known_somewhere(con, settings, entities, feeds)
        if where:
            raise VaultError(f"{gone(file)} (Tokens made with it stand in {where}.)")
        create_vault(settings.vault)
        return
    with open_vault(con, settings.vault):
        lacking, known, kind = lacking_tokens(con, settings, entities)
    if lacking:
        raise VaultError(
            f"{file} lacks {lacking:,} of the {known:,} tokens that are known, for example of kind {kind}: it is a "
            f"copy from before they were made. Restore the newest copy of {settings.vault}. See {HOWTO}."
        )


def _known_somewhere(
    con: duckdb.DuckDBPyConnection,
    settings: Settings,
    entities: Mapping[str, Entity],
    feeds: Sequence[Feed],
) -> str:
    """Where tokens were found: OneID's tables, or a file of the lake or the staged deliveries; empty if nowhere."""
    if con.execute(f"select 1 from ({_oneid_tokens(entities)}) limit 1").fetchone():
        return f"the tables of OneID in {settings.warehouse}"
    folders = [(settings.lake / "ods" / name, entity) for name, entity in entities.items()]
    folders += [(settings.staged / feed.name, feed.entity) for feed in feeds]
    for folder, entity in folders:
        columns = _core_columns(entity)
        for file in sorted(folder.rglob("*.parquet")) if columns else []:
            try:
                if any(len(tokens) for _, tokens in _tokens_in(file, columns)):
                    return str(file)
            except (pa.ArrowException, OSError) as error:
                doubt = f"Whether {file} holds tokens made with it is unknown: {error}."
                raise VaultError(f"{gone(database_file(settings.vault))} ({doubt})") from None
    return ""


def lacking_tokens(
    con: duckdb.DuckDBPyConnection,
    settings: Settings,
    entities: Mapping[str, Entity],
) -> tuple[int, int, str]:
    """Number of known tokens missing in the attached `vault`, number of known tokens, and the kind of a missing one;
    zeros if none is missing."""
    con.register("delivered_token", _delivered_tokens(con, settings, entities))
    known = f"({_oneid_tokens(entities)} union all select kind, token from delivered_token)"
    try:
        # Checked first, since usually none is missing: counting the missing ones takes as long again.
        if not con.execute(f"select 1 from {known} anti join vault.token using (token) limit 1").fetchone():
            return 0, 0, ""
        row = con.execute(
            f"with known as materialized {known} "
            "select count(distinct token), (select count(distinct token) from known), min(kind) "
            "from known anti join vault.token using (token)"
        ).fetchone()
    finally:
        con.unregister("delivered_token")
    assert row is not None
    return row[0], row[1], row[2]


def _oneid_tokens(entities: Mapping[str, Entity]) -> str:
    """SQL of the core tokens that OneID knows, as (kind, token)."""
    columns = [column for entity in entities.values() for column in entity.columns if column.profile]
    attributes = {str(column.profile) for column in columns if column.classification == "core"}
    attributes -= {str(column.profile) for column in columns if column.classification != "core"}
    return (
        "select type as kind, split_part(identity_key, ':', -1) as token from oneid.identifier "
        f"where type in ({_texts(core_kinds(entities))}) "
        "union all select attribute, value from oneid.identifier_profile "
        f"where attribute in ({_texts(sorted(attributes))})"
    )


def _texts(texts: Sequence[str]) -> str:
    return ", ".join(map(quote_text, texts)) or "null"


def _delivered_tokens(con: duckdb.DuckDBPyConnection, settings: Settings, entities: Mapping[str, Entity]) -> pa.Table:
    """Tokens of lake deliveries that OneID has not processed, as (kind, token); only after an interrupted run."""
    waiting = con.execute(
        "select batch_id, feed, entity, ds from ops.delivery where status in ('accepted', 'applied') "
        "and batch_id not in (select batch_id from ops.applied where stage = ?)",
        [STAGE],
    ).fetchall()
    tables = [pa.table({"kind": pa.array([], pa.string()), "token": pa.array([], pa.string())})]
    for batch, feed, name, ds in waiting:
        columns = _core_columns(entities[name]) if name in entities else []
        for file in partition_folder(settings, name, feed, ds).glob("*.parquet") if columns else []:
            if batch_of(file) == batch:
                # The stage that reads a lake file reports its damage.
                with suppress(pa.ArrowException, OSError):
                    tables += [_with_kind(column, tokens) for column, tokens in _tokens_in(file, columns)]
    return pa.concat_tables(tables)


def _with_kind(column: str, tokens: pa.ChunkedArray) -> pa.Table:
    return pa.table({"kind": pa.repeat(column, len(tokens)), "token": tokens})


def _core_columns(entity: Entity) -> list[str]:
    return [column.name for column in entity.columns if column.classification == "core"]


def _tokens_in(file: Path, columns: Sequence[str]) -> Iterator[tuple[str, pa.ChunkedArray]]:
    """Core columns that a Parquet file has, with their tokens."""
    with pq.ParquetFile(file) as parquet:
        names = [name for name in columns if name in parquet.schema_arrow.names]
        table = parquet.read(names)
        for name in names:
            yield name, table.column(name).drop_null().cast(pa.string())
