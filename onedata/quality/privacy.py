"""The last gate: no raw identifier, and no token of one, in the publication.

Two scans over every column that holds text: a pattern for e-mail addresses, and an exact comparison with the vault,
which knows every raw e-mail, phone, name and address the feeds have delivered.
"""

from pathlib import Path

import duckdb

from onedata.landing.vault_files import attach_vault, database_file, is_there, telling_damage
from onedata.quality.results import CheckResult
from onedata.sql import quote_name, quote_text

EMAIL = r"[A-Za-z0-9._%+-]+@[A-Za-z0-9-]+(\.[A-Za-z0-9-]+)+"


def scan(con: duckdb.DuckDBPyConnection, database: Path, vault: Path) -> list[CheckResult]:
    """One result per table of `database`. No message repeats an identifier that it found.

    Args:
        con: A connection that may attach both files.
        database: The candidate for publication.
        vault: Folder of the vault; if it does not exist, nothing was ever classified core.

    Raises:
        VaultError: the vault is damaged.
    """
    with telling_damage(vault):
        return _scan(con, database, vault)


def _scan(con: duckdb.DuckDBPyConnection, database: Path, vault: Path) -> list[CheckResult]:
    con.execute(f"attach {quote_text(str(database))} as scanned (read_only)")
    has_vault = is_there(database_file(vault))
    if has_vault:
        attach_vault(con, vault, "scanned_vault", read_only=True)
    try:
        if has_vault:
            con.execute(
                "create or replace temp table known_identifier as "
                "select lower(value) as value from scanned_vault.token union select token from scanned_vault.token"
            )
        columns = con.execute(
            "select table_name, list({'name': column_name, 'type': data_type} order by column_index) "
            "from duckdb_columns() "
            "where database_name = 'scanned' and (data_type = 'JSON' or data_type like '%VARCHAR%') group by 1 "
            "order by 1"
        ).fetchall()
        return [_scan_table(con, table, names, has_vault) for table, names in columns]
    finally:
        con.execute("detach scanned")
        if has_vault:
            con.execute("drop table if exists known_identifier")
            con.execute("detach scanned_vault")


def _scan_table(
    con: duckdb.DuckDBPyConnection, table: str, columns: list[dict[str, str]], has_vault: bool
) -> CheckResult:
    found = []
    for item in columns:
        name = item["name"]
        # A list is scanned member by member; other nested values are searched as text for the pattern.
        value = f"unnest({quote_name(name)})" if item["type"] == "VARCHAR[]" else f"{quote_name(name)}::varchar"
        values = (
            f"(select distinct value from (select {value} as value from scanned.main.{table}) where value is not null)"
        )
        known = "lower(value) in (select value from known_identifier)" if has_vault else "false"
        row = con.execute(
            f"select count(*) filter (where regexp_matches(value, {quote_text(EMAIL)})), "
            f"count(*) filter (where {known}) from {values}"
        ).fetchone()
        assert row is not None
        if row[0]:
            found.append(f"column {name} holds {row[0]} e-mail addresses")
        if row[1]:
            found.append(f"column {name} holds {row[1]} values that the vault knows as raw identifiers or their tokens")
    message = (
        "; ".join(found) + ". Classify the column core in its contract, or leave it out of the model."
        if found
        else "no raw identifier in any text column"
    )
    return CheckResult(
        "published",
        table,
        "no_raw_identifier",
        "error",
        not found,
        str(len(found)),
        message,
        "0",
        "columns that hold raw identifiers or their tokens",
    )
