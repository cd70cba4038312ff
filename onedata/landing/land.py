"""Land one feed's new files: read, type, judge, count, tokenise, stage. One transaction of the ledger a delivery."""

from collections.abc import Collection, Sequence
from datetime import UTC, date, datetime

import duckdb

from onedata.contracts.history import contract_change
from onedata.contracts.identifiers import IdentifierPolicy
from onedata.contracts.model import Feed
from onedata.landing import files as arrivals
from onedata.landing.book import Landed, book, book_repeat, prepare_bad_rows
from onedata.landing.drift import compare_with_before
from onedata.landing.recover import recover
from onedata.landing.stage import clear, forget_run, stage
from onedata.landing.write import Delivery
from onedata.readers import READERS, Drift, FileProblem
from onedata.settings import Settings
from onedata.sql import transaction


def land(con: duckdb.DuckDBPyConnection, settings: Settings, feed: Feed, policy: IdentifierPolicy, night: date, again: Collection[date] = ()) -> Landed:
    """Stage every file of `feed` for `night` or earlier that the ledger does not know: one delivery a night, so that any grouping of nights into runs makes
    the same ones. Nothing where the change of its contract is refused.

    Args:
        con: The warehouse, with its ledger.
        settings: Source folder, staging area, lake and vault.
        feed: What to land.
        policy: Identifier values never to use.
        night: The night that runs; files for later nights wait.
        again: Nights whose files are taken anew although the ledger knows them; what they come to replaces what there is, once its gate has passed.

    Raises:
        SourceError: the source is not there or cannot be reached, or a file of a night to be taken again is gone.
        VaultError: the vault's key is missing or another.
    """
    recover(con, settings, feed.name, feed.entity.name)
    if contract_change(con, feed).refused:
        return Landed(feed.name)
    taken = arrivals.take(con, settings, feed, night, again)
    replaced = arrivals.replaced_deliveries(con, feed, again)
    landed = Landed(feed.name)
    arrived_at = datetime.now(UTC).replace(tzinfo=None)
    nights = sorted({file.ds for file in taken.fresh} | {problem.file.ds for problem in taken.problems} | set(replaced))
    forget_run(con)
    for ds in nights:
        members = [file for file in taken.fresh if file.ds == ds]
        old = replaced.get(ds, [])
        delivery = Delivery(feed, ds, arrivals.batch_id(feed, ds, members, old), members, arrived_at, old, ds != nights[-1])
        _land_one(con, settings, policy, delivery, [problem for problem in taken.problems if problem.file.ds == ds], taken.drifts, landed)
    with transaction(con):
        for repeat in taken.repeats:
            book_repeat(con, feed, repeat, arrived_at, landed)
    forget_run(con)
    arrivals.spool_of(settings, feed).clear()
    return landed


def _land_one(
    con: duckdb.DuckDBPyConnection,
    settings: Settings,
    policy: IdentifierPolicy,
    delivery: Delivery,
    problems: Sequence[FileProblem],
    drifts: Sequence[Drift],
    landed: Landed,
) -> None:
    reading = READERS[delivery.feed.location.format](con, delivery.feed, delivery.files)
    reading.problems += problems
    reading.drifts += [drift for drift in drifts if drift.file in delivery.files]
    compare_with_before(con, delivery.feed, reading)
    stage(con, settings, policy, delivery, reading)
    prepare_bad_rows(con, delivery, reading)
    with transaction(con):
        book(con, settings, delivery, reading, landed)
    clear(con, settings, delivery)
