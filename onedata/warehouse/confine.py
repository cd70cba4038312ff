"""Restrict what the warehouse's process can reach through DuckDB to the retailer's own folders (ADR 14).

Contract SQL is checked when a contract is loaded; this is the second line of defence, also for dbt models and mistakes
of the platform.
"""

import duckdb

from onedata.readers.pieces import PROTOCOL, PieceFiles
from onedata.settings import Settings
from onedata.sql import escape_glob, quote_text

OFF = (
    "autoinstall_known_extensions",
    "autoload_known_extensions",
    "allow_community_extensions",
    "allow_persistent_secrets",
    "allow_unredacted_secrets",
    "python_enable_replacements",
    "enable_external_access",
)
"""enable_external_access cannot be turned on again in this process; without it the other settings have nothing to
open, but are set as well."""


def confine(con: duckdb.DuckDBPyConnection, settings: Settings) -> None:
    """Let DuckDB open only files of the home, the source and the dbt project, load no extension and read no Python
    variable.

    It applies to every connection to the warehouse in this process, until the last is closed. Set the temp_directory
    before.
    """
    places = [f"{folder}/" for folder in (settings.home, settings.source, settings.dbt_project)]
    # DuckDB compares the given path with glob characters in brackets, before it removes the brackets.
    places += [escape_glob(place) for place in places]
    allowed = ", ".join(map(quote_text, [*dict.fromkeys(places), f"{PROTOCOL}://"]))
    # DuckDB recognises the protocol only while the file system is registered; otherwise it takes it for a folder.
    con.register_filesystem(PieceFiles())
    con.execute(f"set allowed_directories = [{allowed}]")
    con.unregister_filesystem(PROTOCOL)
    for name in OFF:
        con.execute(f"set {name} = false")
