"""The vault: it can be read whole, and its key is the one that made its tokens."""

import hashlib
from pathlib import Path

from onedata.sql import quote_text
from onedata.verify.report import Finding, Scope

BLOCK_BYTES = 64


def key_file(folder: Path) -> Path:
    """Where the key of the vault in the folder lies."""
    return folder / "token.key"


def fingerprint(key: bytes) -> str:
    """What the vault keeps of its key. One longer than a block is hashed first, as HMAC takes it (RFC 2104)."""
    block = hashlib.sha256(key).digest() if len(key) > BLOCK_BYTES else key
    return hashlib.sha256(b"onedata fingerprint" + block).hexdigest()


def vault_and_key(scope: Scope) -> Finding:
    """Read every token, and compare the key with what the vault keeps of it."""
    file, key = scope.settings.vault / "vault.duckdb", key_file(scope.settings.vault)
    if not file.exists():
        known = scope.con.execute("select 1 from duckdb_tables() where schema_name = 'oneid' and table_name = 'identifier' and estimated_size > 0").fetchone()
        return Finding("no vault", [f"{file} is gone, and OneID knows identifiers: restore it from a back-up"] if known else [])
    scope.con.execute(f"attach {quote_text(str(file))} as verified_vault (read_only)")
    try:
        tokens, _ = scope.con.execute("select count(*), bit_xor(hash(t)) from verified_vault.token t").fetchall()[0]
        kept = scope.con.execute("select fingerprint from verified_vault.key_fingerprint").fetchall()
    finally:
        scope.con.execute("detach verified_vault")
    wrong = []
    if not key.is_file():
        wrong.append(f"{key} is gone: restore it from where you keep it")
    elif [(fingerprint(key.read_bytes()),)] != kept:
        wrong.append(f"{key} is not the key that the tokens of {file} were made with: restore the one that is")
    return Finding(f"{tokens:,} tokens", wrong)
