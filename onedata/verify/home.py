"""All areas of a verification, one after the other, with the warehouse opened read-only."""

import time
from collections.abc import Callable, Sequence

import duckdb

from onedata.landing.vault_files import VaultError
from onedata.retailer import Retailer
from onedata.sql import quote_text
from onedata.verify.ledger import against_lake, against_log, against_records
from onedata.verify.published import publications, published_against_warehouse
from onedata.verify.report import Area, Finding, Scope
from onedata.verify.vault import vault_and_key
from onedata.verify.warehouse import lake_against_ledger, lake_against_models, summaries
from onedata.warehouse import read_warehouse

AREAS: Sequence[tuple[str, Callable[[Scope], Finding]]] = (
    ("ledger and lake", against_lake),
    ("log", against_log),
    ("ledger and records", against_records),
    ("lake, rows and money", lake_against_ledger),
    ("lake and DIM, DWD", lake_against_models),
    ("DWD to ADS", summaries),
    ("warehouse and published", published_against_warehouse),
    ("publications", publications),
    ("vault and key", vault_and_key),
)


def verify_home(retailer: Retailer, thorough: bool = True) -> list[Area]:
    """Verify a data home. A night that starts meanwhile waits, as for another night.

    Args:
        retailer: The retailer of the home; its entities define the money and keys to compare, its policy the tokens.
        thorough: Read every file and compare its SHA-256; otherwise only its size.

    Raises:
        WarehouseMissing, WarehouseBusy, WarehouseDamaged, WarehouseUnreadable: the warehouse cannot be read.
        HalfRestored: a restore of the home was interrupted.
    """
    settings = retailer.settings
    with read_warehouse(settings) as con:
        con.execute(
            f"set timezone = 'UTC'; set threads = {settings.threads}; set memory_limit = '{settings.memory_limit}'"
        )
        con.execute(f"set temp_directory = {quote_text(str(settings.home / 'tmp'))}")
        scope = Scope(con, retailer, thorough)
        return [_area(scope, name, look) for name, look in AREAS]


def _area(scope: Scope, name: str, look: Callable[[Scope], Finding]) -> Area:
    """Verify one area; an unreadable file or table is a difference, and the other areas continue."""
    began = time.monotonic()
    try:
        finding = look(scope)
    except (duckdb.Error, VaultError) as error:
        finding = Finding("could not be read", [f"{name}: {str(error).splitlines()[0]}"])
    return Area(name, finding.compared, time.monotonic() - began, list(dict.fromkeys(finding.differences)))
