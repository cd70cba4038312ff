"""Land mutated files through the real landing and contract gate, and check that every row is accounted for."""

import json
import re
import shutil
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import date, timedelta
from pathlib import Path
from random import Random
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import yaml
from checkout import REPOSITORY
from fuzz_samples import MARK, Target
from lxml import etree

from onedata.contracts import ContractError, Feed, load_entities, load_feeds
from onedata.contracts.identifiers import load_identifier_policy
from onedata.landing import land
from onedata.ledger import recover
from onedata.ledger.paths import staged_files
from onedata.ledger.promote import promote
from onedata.quality.gates import contract_gate
from onedata.quality.gx import Gatekeeper
from onedata.readers.xml_paths import record_tags
from onedata.retailer import Retailer, prepare_warehouse
from onedata.settings import Settings
from onedata.sources import SourceError
from onedata.warehouse import open_warehouse

NIGHT = date(2026, 1, 5)
_MARKS = re.compile(rb"Z\d{7}Z\d\d")
_MARKS_OF_ORDER = re.compile(rb"\A(\xef\xbb\xbf)+")
_PLAIN = ("parquet", "xlsx")


@dataclass(frozen=True)
class Input:
    """One file: its name below the source folder, and its bytes."""

    name: str
    content: bytes


@dataclass
class Verdict:
    """Result of one landing's inputs: the count of each outcome, and violations by input name ('' if they concern
    none)."""

    outcomes: Counter[str] = field(default_factory=Counter)
    faults: list[tuple[str, str]] = field(default_factory=list)


def make_inputs(target: Target, seed: int, first: int, count: int) -> list[Input]:
    """The inputs `first`, `first` + 1 ... of a target: each depends only on seed and number."""
    made = []
    for number in range(first, first + count):
        random = Random(f"{seed}/{target.name}/{number}")
        sample = random.choice(target.samples)
        # Some keep the ids of the previously landed file: their rows are duplicates.
        if target.format not in _PLAIN and random.randrange(5):
            sample = sample.replace(MARK.encode(), f"Z{number:07d}Z".encode())
        made.append(Input(f"{target.contract['id']}/{NIGHT}_{number:07d}.{target.suffix}", target.make(random, sample)))
    return made


class Arena:
    """A retailer whose feeds are the targets."""

    def __init__(
        self, folder: Path, targets: Sequence[Target], con: duckdb.DuckDBPyConnection, settings: Settings
    ) -> None:
        self._con, self._settings, self._gatekeeper, self._folder = con, settings, Gatekeeper(con), folder
        settings.contracts.mkdir(parents=True, exist_ok=True)
        for target in targets:
            (settings.contracts / f"{target.contract['id']}.odcs.yaml").write_text(
                yaml.safe_dump(target.contract, sort_keys=False), encoding="utf-8"
            )
        feeds = load_feeds(settings.contracts, load_entities(settings.canonical))
        policy = load_identifier_policy(REPOSITORY / "data_contracts" / "identifiers.yaml")
        self._retailer = Retailer(settings, {feed.entity.name: feed.entity for feed in feeds}, policy, feeds)
        self._feeds = {feed.name: feed for feed in feeds}
        settings.source.mkdir(parents=True, exist_ok=True)
        prepare_warehouse(con, self._retailer)
        self._begun: set[str] = set()

    def judge(self, target: Target, inputs: Sequence[Input]) -> Verdict:
        """Land the inputs as one night of the feed, run the gate, and check the counts. Only SourceError and
        ContractError are accepted.

        Raises:
            Exception: any other error of landing or gate, which is a failure.
        """
        feed = self._feeds[target.feed]
        if feed.name not in self._begun:
            self._begin(target, feed)
        self._put(inputs)
        try:
            landed = land(self._con, self._settings, feed, self._retailer.policy, NIGHT)
            contract_gate(self._con, self._gatekeeper, self._settings, feed, NIGHT)
        except (SourceError, ContractError) as error:
            return Verdict(Counter({type(error).__name__: len(inputs)}))
        finally:
            self._sweep()
        verdict = self._audit(target, feed, inputs)
        # Another target's first night promotes everything that has passed by then.
        recover(self._con, self._settings, feed.name, feed.entity.name)
        if landed.received != landed.accepted + landed.quarantined + landed.duplicate:
            verdict.faults.append(("", f"the landing does not balance: {landed}"))
        return verdict

    def _begin(self, target: Target, feed: Feed) -> None:
        """The valid file, landed and promoted the night before: repeated rows of it are duplicates."""
        before = NIGHT - timedelta(days=1)
        self._put([Input(f"{target.contract['id']}/{before}_0.{target.suffix}", target.pack(target.samples[0]))])
        land(self._con, self._settings, feed, self._retailer.policy, before)
        contract_gate(self._con, self._gatekeeper, self._settings, feed, before)
        promote(self._con, self._settings)
        self._sweep()
        self._begun.add(feed.name)

    def _put(self, inputs: Sequence[Input]) -> None:
        for item in inputs:
            path = self._settings.source / item.name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(item.content)

    def _sweep(self) -> None:
        """Remove source and kept files of the landing; files elsewhere stay, so that the end finds them."""
        for folder in (self._settings.source, self._settings.home / "quarantine"):
            shutil.rmtree(folder, ignore_errors=True)
        self._settings.source.mkdir()

    def strays(self) -> list[str]:
        """Files below the folder that should not be there."""
        return sorted(path.name for path in self._folder.iterdir() if path.name not in ("home", "source", "contracts"))

    def _audit(self, target: Target, feed: Feed, inputs: Sequence[Input]) -> Verdict:
        verdict = Verdict()
        files: dict[str, list[tuple[Any, ...]]] = defaultdict(list)
        for path, *rest in self._rows(
            "select path, status, received, accepted, quarantined, duplicate, batch_id, columns::varchar from ops.file",
            feed,
        ):
            # A member of an archive is recorded as archive!member.
            files[path.partition("!")[0]].append((path, *rest))
        bad: dict[str, list[tuple[Any, ...]]] = defaultdict(list)
        for path, *rest in self._rows("select path, row, rule, reason, raw from ops.quarantine", feed):
            bad[path].append(tuple(rest))
        staged = self._staged(feed, {batch for books in files.values() for *_, batch, _ in books if batch})
        accepted = _marks([target.samples[0].decode("latin-1"), *staged.values()]) if target.marks else set()
        for item in inputs:
            books = files.pop(item.name, [])
            verdict.outcomes[_outcome(books)] += 1
            verdict.faults += [(item.name, fault) for fault in _faults(target, feed, item, books, bad, staged)]
            verdict.faults += [(item.name, fault) for fault in _lost_marks(target, item, books, bad, staged, accepted)]
        verdict.faults += [(name, f"{name} is in the ledger and was not delivered") for name in files]
        return verdict

    def _rows(self, select: str, feed: Feed) -> list[tuple[Any, ...]]:
        return self._con.execute(f"{select} where feed = ? and ds = ?", [feed.name, NIGHT]).fetchall()

    def _staged(self, feed: Feed, batches: set[str]) -> dict[str, list[str]]:
        """Each file's staged rows as JSON."""
        rows: dict[str, list[str]] = defaultdict(list)
        for file in [file for batch in batches for file in staged_files(self._settings, feed.name, batch)]:
            for name, text in self._con.execute(
                "select _file, to_json(r)::varchar from read_parquet(?) r", [str(file)]
            ).fetchall():
                rows[name].append(text)
        return rows


@contextmanager
def arena(folder: Path, targets: Sequence[Target]) -> Iterator[Arena]:
    """An arena in `folder`, with its warehouse open."""
    settings = Settings(home=folder / "home", source=folder / "source", contracts=folder / "contracts", threads=1)
    with open_warehouse(settings) as con:
        con.execute("set enable_progress_bar = false")
        yield Arena(folder, targets, con, settings)


def _outcome(books: Sequence[tuple[Any, ...]]) -> str:
    statuses = {status for _, status, *_ in books}
    if statuses != {"landed"}:
        return "+".join(sorted(statuses)) or "not booked"
    quarantined, duplicate = sum(book[4] for book in books), sum(book[5] for book in books)
    return "some rows quarantined" if quarantined else "some rows duplicate" if duplicate else "accepted whole"


def _faults(
    target: Target,
    feed: Feed,
    item: Input,
    books: Sequence[tuple[Any, ...]],
    bad: dict[str, list[tuple[Any, ...]]],
    staged: dict[str, list[str]],
) -> Iterator[str]:
    if not books:
        yield "is not in ops.file"
    for path, status, received, accepted, quarantined, duplicate, _, _ in books:
        if received != accepted + quarantined + duplicate:
            yield (
                f"{path} does not balance: {received} received, {accepted} accepted, {quarantined} quarantined, "
                f"{duplicate} duplicate"
            )
        if len(bad[path]) != quarantined:
            yield f"{path} has {len(bad[path])} rows in quarantine and {quarantined} in the ledger"
        if len(staged[path]) != accepted:
            yield f"{path} has {len(staged[path])} staged rows and {accepted} in the ledger"
        for row, rule, reason, raw in bad[path]:
            if not (rule and reason and raw) or row < 0:
                yield f"{path}: the quarantined row {row} is not whole: rule {rule!r}, reason {reason!r}, raw {raw!r}"
        if status == "landed":
            expected = _records(target, feed, item.content)
            if expected is not None and expected != received:
                yield f"{path} holds {expected} records and {received} were received"


def _lost_marks(
    target: Target,
    item: Input,
    books: Sequence[tuple[Any, ...]],
    bad: dict[str, list[tuple[Any, ...]]],
    staged: dict[str, list[str]],
    accepted: set[bytes],
) -> Iterator[str]:
    """Ids of the file that occur in none of its rows; ids of its duplicates occur in a row `accepted` earlier, in this
    landing or the night before."""
    if not target.marks or {book[1] for book in books} != {"landed"}:
        return
    lost = set(_MARKS.findall(item.content)) - _marks([books[0][7], *staged[item.name], *bad[item.name]])
    gone = lost - accepted if len(lost) <= sum(book[5] for book in books) else lost
    if gone:
        yield f"{', '.join(mark.decode() for mark in sorted(gone))} stand in the file and in no row of it"


def _marks(rows: Sequence[Any]) -> set[bytes]:
    return set(_MARKS.findall(json.dumps(rows, ensure_ascii=True).encode()))


def _records(target: Target, feed: Feed, content: bytes) -> int | None:
    """Number of rows of the file according to an independent reader; None if there is none that accepts any bytes."""
    if feed.location.format == "jsonl" and target.suffix == "jsonl":
        lines = [line for line in _MARKS_OF_ORDER.sub(b"", content).split(b"\n") if line.strip(b" \t\r\n\x0b\x0c")]
        return len(lines) if not feed.records else _members(feed, lines)
    if feed.location.format == "json" and "documents" not in feed.location.options:
        try:
            # Document boundaries do not depend on characters: documents with invalid ones are still one row each.
            document = json.loads(content.decode("utf-8-sig", "replace"))
        except (ValueError, RecursionError):
            return None
        documents = document if isinstance(document, list) else [document]
        return len(documents) if not feed.records else None
    if feed.location.format == "parquet":
        try:
            return int(pq.ParquetFile(pa.BufferReader(content)).metadata.num_rows)
        except (pa.ArrowException, OSError):
            return None
    if feed.location.format == "xml" and not feed.records and not feed.where:
        tags = record_tags(feed)
        try:
            root = etree.fromstring(content)
        except etree.XMLSyntaxError:
            # Whole, libxml2 refuses what it must not accept in parts either: no row of the file is right.
            return -1
        found = [element for element in root.iter("{*}*") if etree.QName(element).localname in tags]
        return sum(
            not any(etree.QName(above).localname in tags for above in element.iterancestors()) for element in found
        )
    return None


def _members(feed: Feed, lines: Sequence[bytes]) -> int | None:
    """Rows of documents: the members of their arrays, or one for an invalid document and for one of another kind, which
    has none; None if readers differ on what JSON is."""
    # Only null, and with `emptyOk` nothing, is an array without members.
    other = None if feed.empty_ok else feed
    total = 0
    for line in lines:
        try:
            document = json.loads(line.decode(), object_pairs_hook=lambda pairs: dict(reversed(pairs)))
        except UnicodeDecodeError:
            # Python would read it with half a character; JSON is UTF-8, so the line is kept whole as one row.
            total += 1
            continue
        except (ValueError, RecursionError):
            return None
        if rb"\ud" in line.lower() or b"\x00" in line:
            return None
        members = document.get(feed.records, other) if isinstance(document, dict) else line
        total += len(members) if isinstance(members, list) else 0 if members is None else 1
    return total
