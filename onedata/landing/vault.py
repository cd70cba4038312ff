"""The vault: raw identifiers by token, and the key that makes the tokens. Nothing else keeps a raw e-mail, phone, name or address.

Method: token = first 128 bits of HMAC-SHA-256 (RFC 2104) of the normalised value, computed in SQL so that values stay columnar.
"""

import hashlib
import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import duckdb

from onedata.contracts.identifiers import IdentifierPolicy
from onedata.contracts.model import Column
from onedata.sql import quote_text

BLOCK_BYTES = 64
TOKEN_CHARACTERS = 32


class VaultError(RuntimeError):
    """The vault and its key do not belong together."""


@contextmanager
def open_vault(con: duckdb.DuckDBPyConnection, folder: Path) -> Iterator[None]:
    """Attach the vault to `con` as `vault` and make its key available to `token_sql`; detach at the end.

    Raises:
        VaultError: the key file is missing though tokens were made, or is another one than made them.
    """
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    file = folder / "vault.duckdb"
    con.execute(f"attach {quote_text(str(file))} as vault")
    file.chmod(0o600)
    try:
        con.execute("create table if not exists vault.token (token varchar, kind varchar, value varchar)")
        con.execute("create table if not exists vault.key_fingerprint (fingerprint varchar)")
        key = _key(con, folder / "token.key")
        for name, pad in (("token_inner", 0x36), ("token_outer", 0x5C)):
            con.execute(f"set variable {name} = ?::blob", [bytes(byte ^ pad for byte in key.ljust(BLOCK_BYTES, b"\0"))])
        yield
    finally:
        con.execute("reset variable token_inner; reset variable token_outer; detach vault")


def _key(con: duckdb.DuckDBPyConnection, file: Path) -> bytes:
    known = con.execute("select fingerprint from vault.key_fingerprint").fetchone()
    if not file.exists():
        if known:
            raise VaultError(f"{file} is missing, and the vault's tokens were made with it. Restore it: a new key would part every customer.")
        descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "wb") as stream:
            stream.write(secrets.token_bytes(32))
    key = file.read_bytes()
    fingerprint = hashlib.sha256(b"onedata fingerprint" + key).hexdigest()
    if known is None:
        con.execute("insert into vault.key_fingerprint values (?)", [fingerprint])
    elif known[0] != fingerprint:
        raise VaultError(f"{file} is not the key the vault's tokens were made with. Restore the key, or the vault that belongs to it.")
    return key


def normalise_sql(column: Column, value: str) -> str:
    """SQL that brings equal identifiers to equal text: case, blanks, a phone's punctuation."""
    kind = column.identifier.type if column.identifier else column.name
    if kind == "phone":
        return f"'+' || ltrim(regexp_replace({value}, '[^0-9]', '', 'g'), '0')"
    return f"lower(regexp_replace(trim({value}), '\\s+', ' ', 'g'))"


def usable_sql(column: Column, value: str, policy: IdentifierPolicy) -> str:
    """SQL predicate: the normalised value names somebody (it is not blocked by data_contracts/identifiers.yaml)."""
    blocked = ", ".join(quote_text(text) for text in ("", *policy.blocked_values))
    parts = [f"lower({value}) not in ({blocked})", f"not regexp_full_match({value}, '[+0]*')"]
    if column.identifier and column.identifier.type == "email":
        domains = ", ".join(quote_text(domain) for domain in ("", *policy.blocked_email_domains))
        parts.append(f"split_part({value}, '@', 2) not in ({domains})")
    return "(" + " and ".join(parts) + ")"


def token_sql(value: str) -> str:
    """SQL for the token of a normalised value; NULL stays NULL."""
    inner = f"unhex(sha256(getvariable('token_inner') || encode({value})))"
    return f"left(sha256(getvariable('token_outer') || {inner}), {TOKEN_CHARACTERS})"


def tokenise(con: duckdb.DuckDBPyConnection, rows: str, column: Column, policy: IdentifierPolicy) -> str:
    """Make the tokens of one column, each distinct value once, and put the raw values into the vault.

    Args:
        con: A connection inside `open_vault`.
        rows: A relation that holds the column's raw values.
        column: A core column.
        policy: Values that name nobody; they get no token.

    Returns:
        The name of a temp table (value, token), one row a distinct raw value.
    """
    kind = column.identifier.type if column.identifier else column.name
    table = f"landing_token_{column.name}"
    normalised = normalise_sql(column, "value")
    token = f"case when {usable_sql(column, 'normalised', policy)} then {token_sql('normalised')} end"
    con.execute(
        f"create or replace temp table {table} as select value, {token} as token "
        f"from (select value, {normalised} as normalised from (select distinct {column.name} as value from {rows} where {column.name} is not null))"
    )
    con.execute(
        f"insert into vault.token select token, {quote_text(kind)}, min(value) from {table} where token is not null "
        f"and token not in (select token from vault.token where kind = {quote_text(kind)}) group by token"
    )
    return table
