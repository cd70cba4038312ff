"""Land one feed's new files: read, cast, validate, count, tokenise, stage. One ledger transaction per delivery."""

from collections.abc import Collection, Sequence
from dataclasses import replace
from datetime import date

import duckdb

from onedata.contracts.history import contract_change
from onedata.contracts.identifiers import IdentifierPolicy
from onedata.contracts.model import Feed
from onedata.landing import files as arrivals
from onedata.landing.book import Landed, book, drop_staged, prepare_bad_rows
from onedata.landing.delivery import Delivery
from onedata.landing.drift import compare_with_before
from onedata.landing.stage import clear, forget_run, stage
from onedata.ledger import recover, tick
from onedata.readers import READERS, Drift, FileProblem, Reading, SourceFile
from onedata.readers.xml import read_xml
from onedata.readers.xml_beside import PLACE, Beside
from onedata.settings import Settings
from onedata.sources import SourceError
from onedata.sql import transaction


def land(
    con: duckdb.DuckDBPyConnection,
    settings: Settings,
    feed: Feed,
    policy: IdentifierPolicy,
    night: date,
    again: Collection[date] = (),
    later: Sequence[Feed] = (),
) -> Landed:
    """Stage every file of `feed` for `night` or earlier that the ledger does not know: one delivery per night, so that
    any grouping of nights into runs gives the same deliveries. Stages nothing if the contract's change is refused. A
    file that changes while it is read waits for the next run.

    Args:
        con: The warehouse, with its ledger.
        settings: Source folder, staging area, lake and vault.
        feed: What to land.
        policy: Identifier values never to use.
        night: The night that runs; files for later nights wait.
        again: Nights to reload although the ledger knows their files; the new rows replace the old ones once the gate
            has passed.
        later: Feeds that read the same files and land after this one (`Retailer.feeds_later`).

    Raises:
        SourceError: the source does not exist or cannot be reached, or a file of a night to reload is missing.
        VaultError: the vault's key is missing or is a different one.
    """
    recover(con, settings, feed.name, feed.entity.name)
    beside = Beside(settings.home.joinpath(*PLACE), tuple(later))
    if contract_change(con, feed).refused:
        beside.forget(feed)
        return Landed(feed.name)
    taken = arrivals.take(con, settings, feed, night, again)
    replaced = arrivals.replaced_deliveries(con, feed, again)
    landed = Landed(feed.name, waiting=list(taken.waiting))
    arrived_at = tick(con)
    delivered = [
        *taken.fresh,
        *(problem.file for problem in taken.problems),
        *(repeat.file for repeat in taken.repeats),
    ]
    nights = sorted({file.ds for file in delivered} | set(replaced))
    forget_run(con)
    unlanded: set[str] = set()
    for ds in nights:
        files = [file for file in taken.fresh if file.ds == ds]
        repeats = [repeat for repeat in taken.repeats if repeat.file.ds == ds]
        delivery = Delivery(feed, ds, "", files, arrived_at, replaced.get(ds, []), ds != nights[-1], repeats)
        problems = [problem for problem in taken.problems if problem.file.ds == ds]
        _land_one(con, settings, policy, delivery, problems, taken.drifts, landed, unlanded, beside)
    forget_run(con)
    arrivals.spool_of(settings, feed).clear()
    beside.forget(feed)
    return landed


def _land_one(
    con: duckdb.DuckDBPyConnection,
    settings: Settings,
    policy: IdentifierPolicy,
    delivery: Delivery,
    problems: Sequence[FileProblem],
    drifts: Sequence[Drift],
    landed: Landed,
    unlanded: set[str],
    beside: Beside,
) -> None:
    """Land one night's delivery. Files that changed since they were hashed are added to `landed.waiting`, and their
    content to `unlanded`."""
    delivery = replace(delivery, batch=arrivals.batch_id(con, delivery, problems))
    reading = _read(con, delivery, beside)
    reading.problems += problems
    reading.drifts += [drift for drift in drifts if drift.file in delivery.files]
    compare_with_before(con, delivery.feed, reading)
    keys = stage(con, settings, policy, delivery, reading)
    prepare_bad_rows(con, delivery, reading)
    changed = _changed(delivery, problems, unlanded)
    if not changed:
        with transaction(con):
            book(con, settings, delivery, reading, keys, landed)
        clear(con, settings, delivery)
        return
    # The hash may belong to one content and the rows to another: such a file is not recorded at all.
    for feed in beside.feeds:
        beside.forget(feed)
    clear(con, settings, delivery)
    drop_staged(settings, delivery)
    names = sorted(file.relative for file in changed)
    if delivery.replaced:
        raise SourceError(
            f"{names[0]} changed while it was read, so night {delivery.ds} was not reloaded. Run again when it is "
            "whole."
        )
    landed.waiting += names
    unlanded |= {file.content_hash for file in changed if file in delivery.files}
    rest = replace(
        delivery,
        files=[file for file in delivery.files if file not in changed],
        repeats=[repeat for repeat in delivery.repeats if repeat.file not in changed],
    )
    still = [problem for problem in problems if problem.file not in changed]
    if rest.files or rest.repeats or still:
        _land_one(con, settings, policy, rest, still, drifts, landed, unlanded, beside)


def _read(con: duckdb.DuckDBPyConnection, delivery: Delivery, beside: Beside) -> Reading:
    if delivery.feed.location.format == "xml":
        return read_xml(con, delivery.feed, delivery.files, beside)
    return READERS[delivery.feed.location.format](con, delivery.feed, delivery.files)


def _changed(delivery: Delivery, problems: Sequence[FileProblem], unlanded: Collection[str]) -> list[SourceFile]:
    """Files that changed since they were hashed, and repeats of such files, whose original has not landed."""
    files = [*delivery.files, *(problem.file for problem in problems), *(repeat.file for repeat in delivery.repeats)]
    changed = [file for file in files if arrivals.has_changed(file)]
    gone = {*unlanded, *(file.content_hash for file in changed if file in delivery.files)}
    repeats = [repeat.file for repeat in delivery.repeats if repeat.file not in changed]
    return [*changed, *(file for file in repeats if file.content_hash in gone)]
