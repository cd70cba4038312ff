"""What the warehouse's process may reach through DuckDB: the retailer's own folders, and nothing else (ADR 14).

The boundary of contract SQL is judged when a contract is loaded; this is the second lock behind it, also for dbt models
and for mistakes of the platform.
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
"""enable_external_access cannot be turned on again in this process, and without it the others have nothing to open;
they say so too."""


def confine(con: duckdb.DuckDBPyConnection, settings: Settings) -> None:
    """Let DuckDB open files of the home, the source and the dbt project only, load no extension and look at no Python
    variable.

    It holds for every connection to the warehouse in this process, until the last is closed. Set the temp_directory
    before.
    """
    places = [f"{folder}/" for folder in (settings.home, settings.source, settings.dbt_project)]
    # DuckDB compares what it is given, with letters of a glob in brackets, before it takes the brackets off.
    places += [escape_glob(place) for place in places]
    allowed = ", ".join(map(quote_text, [*dict.fromkeys(places), f"{PROTOCOL}://"]))
    # Only while there is such a file system does DuckDB take its name for one, and not for a folder below the current
    # one.
    con.register_filesystem(PieceFiles())
    con.execute(f"set allowed_directories = [{allowed}]")
    con.unregister_filesystem(PROTOCOL)
    for name in OFF:
        con.execute(f"set {name} = false")
