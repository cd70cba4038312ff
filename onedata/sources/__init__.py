"""Sources of a feed's files: a folder, an object store, a database.

A source lists its offers without fetching them, and downloads one offer into a local file. Belongs here: connections,
listing, download, unpacking. Does not belong here: the ledger, formats, values.
"""

from collections.abc import Iterator
from datetime import date
from pathlib import Path

from onedata.contracts.model import Database, Location, ObjectStore
from onedata.sources.base import Offer, SourceError, SourceMissing
from onedata.sources.local import local_offers
from onedata.sources.postgres import table_offer
from onedata.sources.s3 import object_offers

__all__ = ["Offer", "SourceError", "SourceMissing", "offers"]


def offers(source: Path, location: Location, night: date) -> Iterator[Offer]:
    """Offers of the feed's source for `night` or an earlier one, ordered by night and name; nothing is fetched.

    Raises:
        SourceError: the source cannot be reached or does not exist.
    """
    if isinstance(location.store, ObjectStore):
        return object_offers(location.path, location.store, night)
    if isinstance(location.store, Database):
        return table_offer(location.store, night)
    return local_offers(source, location.path, night)
