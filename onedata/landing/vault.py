"""The vault: raw identifiers by token, and the key of the tokens. Nothing else stores an accepted raw e-mail, phone,
name or address.

Method: token = first 128 bits of HMAC-SHA-256 (RFC 2104) of the normalised value, computed in SQL so that values stay
columnar.
"""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import duckdb

from onedata.contracts.identifiers import IdentifierPolicy, blocked_values, usable_sql
from onedata.contracts.model import Column
from onedata.landing.vault_files import (
    BLOCK_BYTES,
    VaultError,
    attach_vault,
    block_key,
    damaged,
    database_file,
    fingerprint,
    full_refresh,
    key_file,
    read_key,
    telling_damage,
)
from onedata.normalise.identifiers import VERSION, normalised_sql
from onedata.sql import quote_text

TOKEN_CHARACTERS = 32
PROFILES = {"given_name": "name", "family_name": "name", "full_name": "name", "address": "address"}
"""Normaliser of a core column that is not an identifier, by its profile attribute."""


@contextmanager
def open_vault(con: duckdb.DuckDBPyConnection, folder: Path) -> Iterator[None]:
    """Attach the vault to `con` as `vault` and make its key available to `token_sql`; detach at the end.

    The vault must exist: `vault_files.create_vault` creates one, if `identity.known_tokens` shows that none was lost.

    Raises:
        VaultError: the vault or its key is missing, damaged or unreadable; the key is not the one of the tokens; or the
            tokens are of other normalisers.
    """
    with telling_damage(folder), _attached(con, folder):
        yield


@contextmanager
def _attached(con: duckdb.DuckDBPyConnection, folder: Path) -> Iterator[None]:
    attach_vault(con, folder)
    try:
        key = _key(con, folder)
        _same_normalisers(con, folder)
        for name, pad in (("token_inner", 0x36), ("token_outer", 0x5C)):
            con.execute(f"set variable {name} = ?::blob", [bytes(byte ^ pad for byte in key.ljust(BLOCK_BYTES, b"\0"))])
        yield
    finally:
        con.execute("reset variable token_inner; reset variable token_outer; detach vault")


def _key(con: duckdb.DuckDBPyConnection, folder: Path) -> bytes:
    """The key as HMAC uses it; it must match the vault's fingerprint."""
    tables = con.execute("select table_name from duckdb_tables() where database_name = 'vault'").fetchall()
    if ("key_fingerprint",) not in tables:
        raise VaultError(damaged(database_file(folder), "it is the database of something else"))
    con.execute("alter table vault.key_fingerprint add column if not exists normaliser integer")
    known = con.execute("select fingerprint from vault.key_fingerprint").fetchone()
    if known is None:
        raise VaultError(damaged(database_file(folder), "it does not say which key its tokens were made with"))
    key = read_key(folder, known[0])
    # An earlier onedata used a key longer than a block unhashed: its tokens stay valid.
    for candidate in (block_key(key), key):
        if fingerprint(candidate) == known[0]:
            return candidate
    file = key_file(folder)
    wrong = f"{file} is not the key the vault's tokens were made with"
    raise VaultError(f"{wrong}. Restore the key, or the vault that belongs to it.")


def _same_normalisers(con: duckdb.DuckDBPyConnection, folder: Path) -> None:
    """Refuse to mix tokens of values that were normalised in different ways: the same person would have two."""
    row = con.execute("select coalesce(normaliser, 1), exists (from vault.token) from vault.key_fingerprint").fetchone()
    assert row is not None
    version, has_tokens = row
    if version != VERSION and has_tokens:
        raise VaultError(
            f"{database_file(folder)} holds tokens by normalisers of version {version}, this onedata has version "
            f"{VERSION}: continuing would disconnect customers from their known data. "
            f"{full_refresh(folder, f'{folder.name}/vault.duckdb (keep token.key)')}"
        )
    con.execute(
        "update vault.key_fingerprint set normaliser = ? where normaliser is distinct from ?", [VERSION, VERSION]
    )


def token_sql(value: str) -> str:
    """SQL for the token of a normalised value; NULL stays NULL."""
    inner = f"unhex(sha256(getvariable('token_inner') || encode({value})))"
    return f"left(sha256(getvariable('token_outer') || {inner}), {TOKEN_CHARACTERS})"


def tokenise(con: duckdb.DuckDBPyConnection, rows: str, column: Column, policy: IdentifierPolicy, region: str) -> str:
    """Compute the tokens of one column, each distinct value once, and put the raw values into the vault.

    Args:
        con: A connection inside `open_vault`.
        rows: A relation that holds the column's raw values.
        column: A core column.
        policy: Normalisers by kind, and blocked values, which get no token.
        region: ISO 3166 code of the country whose numbers phones without a country code are.

    Returns:
        The name of a temp table (value, token), one row per distinct raw value.
    """
    identifier = policy.types[column.identifier.type] if column.identifier else None
    kind, normaliser = _kind(column, policy)
    normalised = normalised_sql(normaliser, "value", region)
    # `n/a` is blocked as written: the normal form of a name has no slash.
    general = blocked_values(policy)
    usable = f"{usable_sql('value', general)} and {usable_sql('normalised', general, identifier)}"
    table = f"landing_token_{column.name}"
    con.execute(
        f"create or replace temp table {table} as select value, case when {usable} then {token_sql('normalised')} "
        f"end as token from (select value, {normalised} as normalised from (select distinct {column.name} as value "
        f"from {rows} where {column.name} is not null))"
    )
    con.execute(
        f"insert into vault.token select token, {quote_text(kind)}, min(value) from {table} where token is not null "
        f"and token not in (select token from vault.token where kind = {quote_text(kind)}) group by token"
    )
    return table


def altered_values(
    con: duckdb.DuckDBPyConnection, columns: Iterable[Column], policy: IdentifierPolicy, regions: Sequence[str]
) -> dict[str, int]:
    """Tokens by kind that do not match their raw value; kinds without any are omitted.

    Args:
        con: A connection inside `open_vault`.
        columns: The core columns of all entities.
        policy: Normalisers by kind.
        regions: Countries whose numbers phones without a country code may be.
    """
    altered = {}
    for kind, normaliser in sorted({_kind(column, policy) for column in columns}, key=str):
        made = [
            token_sql(normalised_sql(normaliser, "value", region))
            for region in (regions if normaliser == "phone" else regions[:1])
        ]
        apart = " and ".join(f"token is distinct from {token}" for token in made)
        row = con.execute(f"select count(*) from vault.token where kind = {quote_text(kind)} and {apart}").fetchone()
        if row and row[0]:
            altered[kind] = int(row[0])
    return altered


def _kind(column: Column, policy: IdentifierPolicy) -> tuple[str, str | None]:
    """The kind of a core column's tokens, and its normaliser."""
    if column.identifier:
        identifier = policy.types[column.identifier.type]
        return identifier.name, identifier.normalise
    return column.profile or column.name, PROFILES.get(column.profile or "")
