"""The vault: it can be read whole, and its key is the one that made its tokens."""

from onedata.landing.vault_files import attach_vault, database_file, key_fault
from onedata.sql import any_rows
from onedata.verify.report import Finding, Scope


def vault_and_key(scope: Scope) -> Finding:
    """Read every token, and compare the key with what the vault keeps of it."""
    file = database_file(scope.settings.vault)
    if not file.exists():
        known = any_rows(scope.con, "oneid", "identifier")
        return Finding("no vault", [f"{file} is gone, and OneID knows identifiers: restore it from a back-up"] if known else [])
    attach_vault(scope.con, scope.settings.vault, "verified_vault", read_only=True)
    try:
        tokens, _ = scope.con.execute("select count(*), bit_xor(hash(t)) from verified_vault.token t").fetchall()[0]
        kept = scope.con.execute("select fingerprint from verified_vault.key_fingerprint").fetchall()
    finally:
        scope.con.execute("detach verified_vault")
    wrong = key_fault(scope.settings.vault, kept[0][0] if kept else "")
    return Finding(f"{tokens:,} tokens", [wrong] if wrong else [])
