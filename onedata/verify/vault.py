"""Verify the vault: it is readable, its key is the key of its tokens, no token is missing, and every raw value matches
its token."""

import duckdb

from onedata.identity.known_tokens import lacking_tokens
from onedata.landing.vault import altered_values, open_vault
from onedata.landing.vault_files import attach_vault, database_file, key_fault
from onedata.sql import any_rows
from onedata.verify.report import Finding, Scope


def vault_and_key(scope: Scope) -> Finding:
    """Read every token, compare the key with the vault's fingerprint and the tokens with the known ones, and recompute
    each."""
    file = database_file(scope.settings.vault)
    if not file.exists():
        known = any_rows(scope.con, "oneid", "identifier")
        return Finding(
            "no vault", [f"{file} is gone, and OneID knows identifiers: restore it from a back-up"] if known else []
        )
    attach_vault(scope.con, scope.settings.vault, "vault", read_only=True)
    try:
        tokens, _ = scope.con.execute("select count(*), bit_xor(hash(t)) from vault.token t").fetchall()[0]
        kept = scope.con.execute("select fingerprint from vault.key_fingerprint").fetchall()
        lacking, of, kind = lacking_tokens(scope.con, scope.settings, scope.entities)
    finally:
        scope.con.execute("detach vault")
    wrong = key_fault(scope.settings.vault, kept[0][0] if kept else "")
    differences = [wrong] if wrong else _altered(scope) if scope.thorough else []
    if lacking:
        differences.append(
            f"{file} lacks {lacking:,} of the {of:,} tokens that are known, for example of kind {kind}: restore the "
            "newest copy"
        )
    return Finding(f"{tokens:,} tokens", differences)


def _altered(scope: Scope) -> list[str]:
    """Tokens that do not match their raw value. On a separate connection: the key must not stay with the
    warehouse's."""
    columns = [
        column for entity in scope.entities.values() for column in entity.columns if column.classification == "core"
    ]
    with duckdb.connect() as own, open_vault(own, scope.settings.vault):
        altered = altered_values(own, columns, scope.retailer.policy, scope.retailer.regions)
    file = database_file(scope.settings.vault)
    return [
        f"{file} holds {rows:,} values of kind {kind} that do not make their token: restore the newest copy"
        for kind, rows in altered.items()
    ]
