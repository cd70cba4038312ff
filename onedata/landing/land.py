"""Land one feed's new files: read, type, judge, count, tokenise, stage. One transaction of the ledger a delivery."""

from collections import defaultdict
from collections.abc import Sequence
from datetime import UTC, date, datetime

import duckdb

from onedata.contracts.history import contract_change
from onedata.contracts.identifiers import IdentifierPolicy
from onedata.contracts.model import Feed
from onedata.landing import files as arrivals
from onedata.landing.book import Landed, book, book_repeat, prepare_bad_rows
from onedata.landing.drift import compare_with_before
from onedata.landing.recover import recover
from onedata.landing.stage import Delivery, clear, stage
from onedata.readers import READERS, SourceFile
from onedata.settings import Settings
from onedata.sql import transaction


def land(con: duckdb.DuckDBPyConnection, settings: Settings, feed: Feed, policy: IdentifierPolicy, night: date) -> Landed:
    """Stage every file of `feed` for `night` or earlier that the ledger does not know: one delivery a night, so that any grouping of nights into runs makes
    the same ones. Nothing where the change of its contract is refused.

    Args:
        con: The warehouse, with its ledger.
        settings: Source folder, staging area, lake and vault.
        feed: What to land.
        policy: Identifier values never to use.
        night: The night that runs; files for later nights wait.

    Raises:
        SourceMissing: there is no source folder.
        VaultError: the vault's key is missing or another.
    """
    recover(con, settings, feed.name, feed.entity.name)
    if contract_change(con, feed).refused:
        return Landed(feed.name)
    fresh, repeats = arrivals.take(con, settings.source, feed, night)
    landed = Landed(feed.name)
    arrived_at = datetime.now(UTC).replace(tzinfo=None)
    for ds, members in sorted(_by_night(fresh).items()):
        _land_one(con, settings, policy, Delivery(feed, ds, arrivals.batch_id(feed, ds, members), members, arrived_at), landed)
    with transaction(con):
        for repeat in repeats:
            book_repeat(con, feed, repeat, arrived_at, landed)
    return landed


def _land_one(con: duckdb.DuckDBPyConnection, settings: Settings, policy: IdentifierPolicy, delivery: Delivery, landed: Landed) -> None:
    reading = READERS[delivery.feed.location.format](con, delivery.feed, delivery.files)
    compare_with_before(con, delivery.feed, reading)
    stage(con, settings, policy, delivery, reading)
    prepare_bad_rows(con, delivery, reading)
    with transaction(con):
        book(con, settings, delivery, reading, landed)
    clear(con, settings, delivery)


def _by_night(files: Sequence[SourceFile]) -> dict[date, list[SourceFile]]:
    by_night: dict[date, list[SourceFile]] = defaultdict(list)
    for file in files:
        by_night[file.ds].append(file)
    return by_night
