"""Select the files of a night: those that the source offers for this night or an earlier one, and whose content the
ledger does not know.

Remote, packed or converted files are put into the feed's spool: downloaded, unpacked, or converted into a format that
DuckDB reads. The ledger keeps the source's name of the file.
"""

import time
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import date
from pathlib import Path
from typing import NamedTuple

import duckdb

from onedata.contracts.model import Database, Feed, ObjectStore, OwnFile
from onedata.landing.delivery import Delivery, Repeat
from onedata.landing.extracts import kept_extracts, take_extracts
from onedata.landing.own_files import own_file_offer, write_stamped
from onedata.ledger import tick
from onedata.ledger.moves import new_id
from onedata.ledger.seen import Archive, Touched, note_archive, note_touched
from onedata.ledger.states import IN_LAKE, sql_list
from onedata.readers.base import Drift, FileProblem, SourceFile
from onedata.readers.prepare import needs_preparing, prepare
from onedata.settings import Settings
from onedata.sources import Offer, SourceError, offers
from onedata.sources.s3 import download
from onedata.sources.spool import Spool
from onedata.sources.unpack import DEFAULT_LIMIT_MB, Unreadable, hash_file, is_packed, unpack

SHOWN = 5
MEMBER = "!"
"""Between an archive's name and a member's: archive.zip!member.csv."""


@dataclass
class Taken:
    """The files of one feed for a night. A file with a problem is in neither of the first two lists; `drifts` come from
    the source, `waiting` are files that were written too recently (setting settle_seconds)."""

    fresh: list[SourceFile] = field(default_factory=list)
    repeats: list[Repeat] = field(default_factory=list)
    problems: list[FileProblem] = field(default_factory=list)
    drifts: list[Drift] = field(default_factory=list)
    waiting: list[str] = field(default_factory=list)


def discover(settings: Settings, feed: Feed, night: date) -> Iterator[Offer]:
    """Files that the feed's source offers for `night` or an earlier one, by night and name; nothing is fetched.

    Raises:
        SourceError: the source does not exist or cannot be reached.
    """
    if isinstance(feed.location.store, OwnFile):
        setting = feed.location.path.removesuffix(".csv")
        return own_file_offer(settings.own_files[setting], feed.location.path, setting, night)
    return offers(settings.source, feed.location, night)


def spool_of(settings: Settings, feed: Feed) -> Spool:
    """Folder of the feed's files of one landing; to be cleared once the landing is recorded."""
    return Spool(settings.home / "spool" / feed.name)


def take(
    con: duckdb.DuckDBPyConnection, settings: Settings, feed: Feed, night: date, again: Collection[date] = ()
) -> Taken:
    """The files to land, those that repeat known content, and unreadable ones; a file that is unchanged since it landed
    is in none of these lists.

    Files that a killed landing left in the spool are removed first. For the nights `again` every file is selected, as
    if the ledger did not know it.

    Raises:
        SourceError: the source does not exist or cannot be reached, or it no longer has a file of a night to reload.
    """
    spool = spool_of(settings, feed)
    spool.clear()
    taking = _Taking(con, settings, feed, spool, again)
    if isinstance(feed.location.store, Database):
        extracts, drifts = take_extracts(con, settings, feed, feed.location.store, night, spool)
        extracts = [*kept_extracts(con, settings, feed, again), *extracts]
        taking.add(_Content(offer, path, offer.name, content_hash) for offer, path, content_hash in extracts)
        by_number = [*taking.taken.fresh, *(repeat.file for repeat in taking.taken.repeats)]
        taking.taken.drifts = [Drift(by_number[-1], *drift) for drift in drifts if by_number]
        return taking.taken
    now, young = time.time_ns(), set()
    for offer in discover(settings, feed, night):
        if _is_young(offer, now, settings.settle_seconds):
            young.add(offer.name)
            taking.taken.waiting.append(offer.name)
        elif not taking.is_unchanged(offer):
            taking.take(offer)
    if taking.touched:
        note_touched(con, settings, feed.name, taking.touched)
    _all_there(con, settings, feed, again, taking.taken, young)
    return taking.taken


def _is_young(offer: Offer, now: int, settle_seconds: float) -> bool:
    """Whether the file was written less than the settle time ago. A time further in the future comes from another
    clock, or from this one before it was set back, and is not waited for.
    """
    return abs(now - offer.mtime_ns) < settle_seconds * 1e9


def _all_there(
    con: duckdb.DuckDBPyConnection,
    settings: Settings,
    feed: Feed,
    again: Collection[date],
    taken: Taken,
    young: Collection[str],
) -> None:
    """Refuse to replace a night if one of its files is missing or has to wait: its rows would be lost."""
    landed = con.execute(
        "select path, ds from ops.file where feed = ? and status = 'landed' and ds in (select unnest(?::date[]))",
        [feed.name, list(again)],
    )
    there = {
        file.relative
        for file in [
            *taken.fresh,
            *[repeat.file for repeat in taken.repeats],
            *[problem.file for problem in taken.problems],
        ]
    }
    gone = sorted((ds, path) for path, ds in landed.fetchall() if path not in there)
    for ds, path in gone:
        if path.split(MEMBER)[0] in young:
            raise SourceError(
                f"{path} was written less than {settings.settle_seconds:g} s ago (setting settle_seconds), so night "
                f"{ds} was not reloaded. Run again when that time has passed."
            )
    if gone:
        names = ", ".join(path for _, path in gone[:SHOWN])
        raise SourceError(
            f"{feed.name}: night {gone[0][0]} cannot be reloaded: {len(gone)} of its files are no longer there "
            f"({names}), and their rows would be lost. Put them back; an empty file (a header alone) in the place of "
            "one takes its rows away."
        )


def replaced_deliveries(con: duckdb.DuckDBPyConnection, feed: Feed, again: Collection[date]) -> dict[date, list[str]]:
    """The accepted deliveries of the nights `again`, by night."""
    rows = con.execute(
        "select ds, list(batch_id order by batch_id) from ops.delivery where feed = ? "
        f"and status in {sql_list(IN_LAKE)} and ds in (select unnest(?::date[])) group by ds",
        [feed.name, list(again)],
    )
    return dict(rows.fetchall())


class _Content(NamedTuple):
    """One offered file, on this machine, with its name in the ledger."""

    offer: Offer
    path: Path
    name: str
    content_hash: str


class _Taking:
    """State of one feed's selection: what the ledger knows, and what has been selected."""

    def __init__(
        self, con: duckdb.DuckDBPyConnection, settings: Settings, feed: Feed, spool: Spool, again: Collection[date]
    ) -> None:
        self._con, self._settings, self._feed, self._spool = con, settings, feed, spool
        self.taken = Taken()
        self.touched: list[Touched] = []
        others = "feed = ? and ds not in (select unnest(?::date[]))"
        known = con.execute(
            f"select path, size_bytes, mtime_ns, content_hash, status, ds from ops.file where {others} "
            "order by arrived_at, path desc",
            [feed.name, list(again)],
        ).fetchall()
        self._again = again
        self._seen: set[tuple[str, int, int]] = {(path, size, mtime) for path, size, mtime, *_ in known}
        self._seen |= _whole_archives(con, feed)
        self._booked: set[tuple[str, str]] = {(path, content_hash) for path, _, _, content_hash, *_ in known}
        # A repeat has no rows of its own: if the file it repeats is reloaded, that file is not a repeat of it.
        own = [(content_hash, path) for path, _, _, content_hash, status, _ in known if status != "repeated"]
        self._by_hash: dict[str, str] = dict(own)
        self._nights: dict[str, set[date]] = defaultdict(set)
        self._editions: dict[str, list[str]] = defaultdict(list)
        for path, _, _, content_hash, _, ds in known:
            self._note(path, content_hash, ds)
        self._number = 0

    def is_unchanged(self, offer: Offer) -> bool:
        return offer.ds not in self._again and (offer.name, offer.size, offer.mtime_ns) in self._seen

    def take(self, offer: Offer) -> None:
        """Fetch and unpack the offers, and select each file; one that has disappeared since the listing waits."""
        try:
            self._take(offer)
        except FileNotFoundError:
            if offer.path is None or offer.path.exists():
                raise
            self.taken.waiting.append(offer.name)

    def _take(self, offer: Offer) -> None:
        if offer.refused:
            note = self._spool.place("refused")
            note.write_text(f"{offer.name}: {offer.refused}", encoding="utf-8", errors="backslashreplace")
            self._refuse(_Content(offer, note, offer.name, hash_file(note)), offer.refused)
            return
        path = self._fetch(offer)
        if not is_packed(offer.name):
            self.add([_Content(offer, path, offer.name, hash_file(path))])
            return
        options = self._feed.location.options
        try:
            limit = int(options.get("unpackLimit", DEFAULT_LIMIT_MB))
            unpacked = unpack(path, offer.name, self._spool.place("unpacked"), limit, options.get("members", "*"))
        except Unreadable as error:
            self._refuse(_Content(offer, path, offer.name, hash_file(path)), str(error))
            return
        if unpacked[0].member:
            note_archive(
                self._con,
                self._settings,
                Archive(self._feed.name, offer.name, offer.size, offer.mtime_ns, len(unpacked)),
            )
        self.add(
            _Content(offer, file.path, MEMBER.join(filter(None, (offer.name, file.member))), file.content_hash)
            for file in unpacked
        )

    def add(self, contents: Iterable[_Content]) -> None:
        """Classify files by their content: new, a repeat, or known under the same name."""
        for content in contents:
            if (content.name, content.content_hash) in self._booked:
                file = self._file(content)
                self.touched.append(Touched(file.relative, file.content_hash, file.size, file.mtime_ns))
            elif self._says_nothing_new(content):
                self.taken.repeats.append(Repeat(self._file(content), self._by_hash[content.content_hash]))
            else:
                self._by_hash[content.content_hash] = content.name
                self._prepare(self._file(content))
            self._booked.add((content.name, content.content_hash))

    def _note(self, name: str, content_hash: str, night: date) -> None:
        self._nights[content_hash].add(night)
        if content_hash not in self._editions[name]:
            self._editions[name].append(content_hash)

    def _says_nothing_new(self, content: _Content) -> bool:
        """Whether the content is known, and its rows cannot be new versions again. They can where the rows have neither
        a version nor themselves as key, and a file of another content came in between."""
        night, same = content.offer.ds, content.content_hash
        before = [known for known in self._nights[same] if known <= night]
        between = (
            other != same and any(max(before) < known <= night for known in nights)
            for other, nights in self._nights.items()
        )
        mapped = {item.column.name for item in self._feed.fields}
        is_told = self._feed.content_key or self._feed.entity.version in mapped
        return same in self._by_hash and (is_told or not before or not any(between))

    def _fetch(self, offer: Offer) -> Path:
        if isinstance(self._feed.location.store, ObjectStore):
            target = self._spool.place(offer.name)
            download(self._feed.location.store, offer, target)
            return target
        assert offer.path is not None
        if isinstance(self._feed.location.store, OwnFile):
            target = self._spool.place(offer.name)
            write_stamped(offer.path, target, tick(self._con))
            return target
        if offer.path.as_posix().isprintable():
            return offer.path
        # DuckDB and reports should not have to handle a name that is not valid text or has line breaks.
        target = self._spool.place(offer.path.name)
        target.symlink_to(offer.path.absolute())
        return target

    def _prepare(self, file: SourceFile) -> None:
        location = self._feed.location
        if needs_preparing(file.path, location):
            target = self._spool.place(file.relative)
            problem = prepare(file.path, target, location, self._feed.source_fields)
            if problem:
                self.taken.problems.append(FileProblem(file, problem))
                return
            file = replace(file, path=target)
        self.taken.fresh.append(file)

    def _refuse(self, content: _Content, message: str) -> None:
        if (content.name, content.content_hash) not in self._booked:
            self.taken.problems.append(FileProblem(self._file(content), message))

    def _file(self, content: _Content) -> SourceFile:
        self._number += 1
        offer = content.offer
        self._note(content.name, content.content_hash, offer.ds)
        return SourceFile(
            self._number,
            content.path,
            content.name,
            offer.ds,
            offer.size,
            offer.mtime_ns,
            content.content_hash,
            self._origin(offer),
            self._editions[content.name].index(content.content_hash) + 1,
        )

    def _origin(self, offer: Offer) -> Path | None:
        return None if isinstance(self._feed.location.store, Database | ObjectStore) else offer.path


def _whole_archives(con: duckdb.DuckDBPyConnection, feed: Feed) -> set[tuple[str, int, int]]:
    """Archives whose members the ledger knows unchanged: they need not be unpacked."""
    whole = con.execute(
        "select a.path, a.size_bytes, a.mtime_ns from ops.archive a join ops.file f on f.feed = a.feed "
        "and f.size_bytes = a.size_bytes "
        f"and f.mtime_ns = a.mtime_ns and starts_with(f.path, a.path || '{MEMBER}') where a.feed = ? "
        "group by all having count(distinct f.path) >= any_value(a.members)",
        [feed.name],
    )
    return set(whole.fetchall())


def has_changed(file: SourceFile) -> bool:
    """Whether the source file changed, by size and time, since its content was hashed."""
    if file.origin is None:
        return False
    try:
        now = file.origin.stat()
    except FileNotFoundError:
        return True
    return (now.st_size, now.st_mtime_ns) != (file.size, file.mtime_ns)


def batch_id(con: duckdb.DuckDBPyConnection, delivery: Delivery, problems: Sequence[FileProblem] = ()) -> str:
    """The delivery's id. The same files get the same id, so running a night again replaces what a killed run left."""
    repeats = sorted(f"{repeat.file.relative}={repeat.file.content_hash}" for repeat in delivery.repeats)
    broken = sorted(problem.file.content_hash for problem in problems)
    hashes = sorted(file.content_hash for file in delivery.files)
    return new_id(con, delivery.feed.name, delivery.ds, [*hashes, *delivery.replaced, *repeats, *broken])
