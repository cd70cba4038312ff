"""All areas of a verification, one after the other, over the warehouse opened for reading."""

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

import duckdb

from onedata.retailer import Retailer
from onedata.settings import Settings
from onedata.sql import quote_text
from onedata.verify.ledger import against_lake, against_log, against_records
from onedata.verify.published import publications, published_against_warehouse
from onedata.verify.report import Area, Finding, Scope
from onedata.verify.vault import vault_and_key
from onedata.verify.warehouse import lake_against_ledger, lake_against_models, summaries
from onedata.warehouse.open import refuse_half_restored

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


class VerifyError(RuntimeError):
    """The home cannot be verified; the text says why and what to do."""


def verify_home(retailer: Retailer, thorough: bool = True) -> list[Area]:
    """Verify a data home. A night that comes meanwhile waits, as for another night.

    Args:
        retailer: Whose home, and the entities whose money and keys are compared.
        thorough: Read every file and compare its SHA-256; otherwise its size alone.

    Raises:
        VerifyError: there is no warehouse, or it cannot be opened.
        HalfRestored: a restore of the home was stopped.
    """
    with _reading(retailer.settings) as con:
        scope = Scope(con, retailer.settings, retailer.entities, thorough)
        return [_area(scope, name, look) for name, look in AREAS]


def _area(scope: Scope, name: str, look: Callable[[Scope], Finding]) -> Area:
    """One area; a file or table that cannot be read is a difference, and the other areas go on."""
    began = time.monotonic()
    try:
        finding = look(scope)
    except duckdb.Error as error:
        finding = Finding("could not be read", [f"{name}: {str(error).splitlines()[0]}"])
    return Area(name, finding.compared, time.monotonic() - began, list(dict.fromkeys(finding.differences)))


@contextmanager
def _reading(settings: Settings) -> Iterator[duckdb.DuckDBPyConnection]:
    refuse_half_restored(settings.home)
    if not settings.warehouse.exists():
        raise VerifyError(f"there is no warehouse {settings.warehouse}: no night has run, or it is lost and `onedata rebuild` makes it anew")
    try:
        con = duckdb.connect(str(settings.warehouse), read_only=True)
    except duckdb.Error as error:
        raise VerifyError(f"{settings.warehouse} cannot be read: {str(error).splitlines()[0]}. Where a night holds it, wait for its end.") from error
    try:
        con.execute(f"set timezone = 'UTC'; set threads = {settings.threads}; set memory_limit = '{settings.memory_limit}'")
        con.execute(f"set temp_directory = {quote_text(str(settings.home / 'tmp'))}")
        yield con
    finally:
        con.close()
