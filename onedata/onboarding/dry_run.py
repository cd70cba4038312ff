"""Dry-run one file against its contract: land it in a temporary data home, run the contract gate, report, remove.

It uses the landing and the gate of a night, so the result is what a night would do. Nothing outside the temp folder is
written, and the temp folder is removed: an unreadable file, which a night keeps, is not kept. Earlier landings of the
retailer are ignored, so rows that repeat an earlier file do not count as duplicates here.
"""

import codecs
import os
import re
import shutil
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path

import duckdb

from onedata.contracts.model import Database, Feed
from onedata.errors import OnedataError, require_known
from onedata.landing import Landed, land
from onedata.landing import files as arrivals
from onedata.onboarding.preview import Preview, preview
from onedata.quality.gates import contract_gate
from onedata.quality.gx import Gatekeeper
from onedata.quality.profile import staged_relation
from onedata.quality.results import CheckResult
from onedata.quality.vocabulary import vocabulary
from onedata.retailer import Retailer, prepare_warehouse
from onedata.sources.unpack import is_packed
from onedata.warehouse import open_warehouse

SAMPLE = 3
HEAD_BYTES = 1 << 16
MAGIC = {"parquet": b"PAR1", "xlsx": b"PK"}
TEXTS = ("csv", "json", "jsonl", "xml")
UNREADABLE = "unreadable_file"
KEPT = "a night keeps the whole file below quarantine/ of its data home; here nothing is kept"
DAY = re.compile(r"\d{4}-\d{2}-\d{2}")


class CheckMisuse(OnedataError):
    """The file, or the feed to check it against, does not exist or is ambiguous, or the file has nothing to check; the
    message says what to pass."""


@dataclass(frozen=True)
class BadRows:
    """Rows of the file that one rule quarantined: their number, and the first of them as (row, reason, raw)."""

    rule: str
    count: int
    sample: Sequence[tuple[int, str, str]]


@dataclass(frozen=True)
class Checked:
    """What a night would do with the file under one feed.

    `read_as` is its path below the source folder; `repaired` counts the accepted rows in which a value was repaired, by
    column and repair. `preview` shows the accepted rows; None if there are none.
    """

    feed: Feed
    read_as: str
    landed: Landed
    repaired: Sequence[tuple[str, str, int]]
    bad: Sequence[BadRows]
    gate: Sequence[CheckResult]
    preview: Preview | None = None

    @property
    def clean(self) -> bool:
        """Whether no row would be quarantined and the gate would pass."""
        return not self.landed.quarantined and not any(result.blocks for result in self.gate)


def feeds_for(retailer: Retailer, file: Path, name: str | None) -> list[Feed]:
    """The feed of that name, or every feed whose contract path matches the end of the file's path (longest match).

    Raises:
        CheckMisuse: no contract fits, several fit equally well, or the file does not exist.
        UnknownName: no feed has the name.
    """
    if name:
        named = [feed for feed in retailer.feeds if feed.name == name]
        require_known(name, (feed.name for feed in retailer.feeds), "feed", "`onedata contracts` lists them")
        return named
    if not file.is_file():
        raise CheckMisuse(f"no file {file}")
    path = file.absolute().as_posix()
    fits = {feed.name: _fit(feed.location.path, path) for feed in retailer.feeds}
    longest = max(fits.values())
    found = [feed for feed in retailer.feeds if fits[feed.name] == longest]
    if not longest:
        patterns = sorted({feed.location.path for feed in retailer.feeds})
        raise CheckMisuse(f"{file.name} is named like no feed's files; give --feed NAME. Known: {', '.join(patterns)}")
    if len({feed.contract for feed in found}) > 1:
        raise CheckMisuse(f"{file.name} may be of {' or '.join(feed.name for feed in found)}; give --feed NAME")
    return found


def check_file(retailer: Retailer, file: Path, feed: Feed) -> Checked:
    """What a night would do with `file` as a delivery of `feed`.

    Raises:
        CheckMisuse: the file does not exist, is empty, has no rows or is not of the feed's format, or the feed is read
            from a database.
    """
    if not file.is_file():
        raise CheckMisuse(f"no file {file}")
    feed = _local(feed)
    _can_be_read(file, feed)
    read_as, night = _placed(feed, file, retailer.settings.today())
    with tempfile.TemporaryDirectory(prefix="onedata-check-") as folder:
        settings = replace(retailer.settings, home=Path(folder) / "home", source=Path(folder) / "source")
        place = settings.source / read_as
        place.parent.mkdir(parents=True)
        try:
            os.link(file.resolve(), place)
        except OSError:  # another file system
            shutil.copyfile(file, place)
        with open_warehouse(settings) as con:
            prepare_warehouse(con, replace(retailer, settings=settings))
            landed = land(con, settings, feed, retailer.policy, night)
            shown = _preview(con, replace(retailer, settings=settings), feed, night) if landed.accepted else None
            rows = con.execute(
                "select rule, count(*), list({'row': row, 'reason': reason, 'raw': coalesce(raw, '')} "
                "order by row)[1:?] from ops.quarantine group by rule order by 2 desc, 1",
                [SAMPLE],
            ).fetchall()
            bad = [
                BadRows(
                    rule,
                    count,
                    [(item["row"], item["reason"], KEPT if rule == UNREADABLE else item["raw"]) for item in sample],
                )
                for rule, count, sample in rows
            ]
            repaired = con.execute(
                "select column_name, repair, sum(rows)::bigint from ops.repair group by all order by 1, 2"
            ).fetchall()
            gate = contract_gate(con, Gatekeeper(con, vocabulary([feed])), settings, feed, night)
    if not landed.received and not feed.empty_ok:
        raise CheckMisuse(
            f"{file.name} has no rows: a night takes it for a day without any, and there is nothing to check"
        )
    return Checked(feed, read_as, landed, repaired, bad, gate, shown)


def _preview(con: duckdb.DuckDBPyConnection, retailer: Retailer, feed: Feed, night: date) -> Preview:
    """The preview of what has just landed."""
    settings = retailer.settings
    batches = con.execute("select distinct batch_id from ops.file where feed = ? and accepted > 0", [feed.name])
    landed = staged_relation(con, settings, feed, [batch for (batch,) in batches.fetchall()])
    files = arrivals.take(con, settings, feed, night, [night]).fresh
    try:
        region = feed.region or settings.default_region
        return preview(con, feed, retailer.policy, region, landed, files)
    finally:
        arrivals.spool_of(settings, feed).clear()


def _can_be_read(file: Path, feed: Feed) -> None:
    """Refuse a file that is empty or, by its first bytes, not of the feed's format."""
    with file.open("rb") as stream:
        head = stream.read(HEAD_BYTES)
    if not head.strip():
        raise CheckMisuse(f"{file.name} is empty: not even a header")
    kind = feed.location.format
    if is_packed(file.name):
        return
    if not head.startswith(MAGIC.get(kind, b"")):
        raise CheckMisuse(f"{file.name} is no {kind} file, as {feed.contract.name} says it is")
    is_wide = feed.location.options.get("encoding", "").lower().startswith(("utf-16", "utf-32")) or head.startswith(
        (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
    )
    if kind in TEXTS and b"\x00" in head and not is_wide:
        raise CheckMisuse(f"{file.name} is binary (it holds zero bytes), and {feed.contract.name} says it is {kind}")


def _local(feed: Feed) -> Feed:
    """The feed, with its path in an object store replaced by one below the source folder."""
    store = feed.location.store
    if isinstance(store, Database):
        raise CheckMisuse(f"{feed.name} is read from the database {feed.location.path}, not from files")
    if store is None:
        return feed
    key = feed.location.path.removeprefix("s3://").split("/", 1)[1]
    return replace(feed, location=replace(feed.location, path=key, store=None))


def _fit(pattern: str, path: str) -> int:
    """Number of parts of the contract's path that match the end of the file's path; 0 if the name does not match."""
    parts = pattern.split("/")
    for first in range(len(parts)):
        if re.search("(^|/)" + _regex("/".join(parts[first:])) + "$", path):
            return len(parts) - first
    return 0


def _regex(pattern: str) -> str:
    return "".join(
        {"{ds}": DAY.pattern, "*": "[^/]*"}.get(part, re.escape(part)) for part in re.split(r"(\{ds\}|\*)", pattern)
    )


def _placed(feed: Feed, file: Path, today: date) -> tuple[str, date]:
    """The file's path below the source folder, and its night: the day in its name, else `today`."""
    pattern, path = feed.location.path, file.absolute().as_posix()
    match = DAY.search(file.name) or DAY.search(path)
    try:
        night = date.fromisoformat(match[0]) if match else today
    except ValueError:
        raise CheckMisuse(f"{match[0] if match else ''} in the name of {file.name} is no day") from None
    whole = re.search("(?:^|/)(" + _regex(pattern) + ")$", path)
    return (whole[1] if whole else pattern.replace("{ds}", night.isoformat()).replace("*", "file")), night
