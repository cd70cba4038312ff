"""Writes a feed's night: pages, files, defects of whole files, and the ground truth of every record."""

from __future__ import annotations

import os
from collections import Counter, deque
from collections.abc import Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq

from onedata.simulate.calendar import Night
from onedata.simulate.damage import DefectMaker
from onedata.simulate.defects import FLAGS
from onedata.simulate.feeds.base import PARQUET, POSLOG, FeedFiles
from onedata.simulate.residents import Residents

PAGES = 8
SMALLEST_PAGE = 60
UNIQUE = ("key", "value", "document", "movement_id", "moved_at")
"""Columns of a table whose values hardly repeat: a dictionary of them costs more than it saves."""
UNKNOWN = "x_export_version"
AHEAD = 2
"""Slices that are made while one is written."""
Bytes = memoryview | bytes


@dataclass
class Count:
    """Expected counts of a contract's feed: delivered rows, and of them duplicates and rows to be quarantined."""

    rows: int = 0
    duplicates: int = 0
    quarantined: int = 0


@dataclass
class Delivered:
    """Result of one night, by the contract's feed names."""

    counts: dict[str, Count] = field(default_factory=dict)
    defects: Counter[str] = field(default_factory=Counter)
    size_bytes: int = 0

    def count(self, feed: str) -> Count:
        """The count of a feed, from zero."""
        return self.counts.setdefault(feed, Count())


@dataclass(frozen=True)
class File:
    """One file of a night: its path below the source, its rows of the night, and its defect as a file."""

    name: str
    start: int
    end: int
    damage: Mapping[str, object]

    @property
    def kind(self) -> str:
        """The kind of its defect, '' if it has none."""
        return str(self.damage.get("kind", ""))


@dataclass(frozen=True)
class Desk:
    """Where and how feeds are written: ``source`` for the pipeline, ``truth`` for the ground truth, the defect maker,
    the overlapping share of pages, the people.

    ``helpers`` prepare lines and records while others are written: Polars does the work and lets other threads run.
    """

    source: Path
    truth: Path
    defects: DefectMaker
    overlap: float
    people: Residents
    helpers: ThreadPoolExecutor


def deliver(desk: Desk, feed: FeedFiles, night: Night, frame: pl.DataFrame, delivered: Delivered) -> None:
    """Inject defects into the night's records of one feed, write and record them. Raises OSError if the disk is
    full."""
    broken = _in_files(desk, feed, desk.defects.apply(feed.name, night.number, frame))
    del frame  # hold the records in memory only once while their lines are made
    if broken.is_empty() and not feed.nightly:
        return
    names = _file_names(feed, night, broken)
    starts = np.searchsorted(broken["_file"].to_numpy(), np.arange(len(names) + 1))
    damage = {
        int(row["file"]): row
        for row in desk.defects.file_defects(feed.name, night.number, len(names)).iter_rows(named=True)
    }
    files = [File(name, int(starts[n]), int(starts[n + 1]), damage.get(n, {})) for n, name in enumerate(names)]
    for file in files:
        (desk.source / file.name).parent.mkdir(parents=True, exist_ok=True)
    broken = _with_truncation(feed, broken, files)
    recording = desk.helpers.submit(_record, desk, feed, night, broken, files, delivered)
    if feed.format == PARQUET:
        _write_tables(desk, feed, night, broken, files)
    else:
        _write_lines(desk, feed, broken, files)
    recording.result()
    for file in files:
        if file.kind == "truncated":
            _truncate(desk, feed, night, file)
        os.utime(desk.source / file.name, (night.delivered, night.delivered))
        delivered.size_bytes += (desk.source / file.name).stat().st_size


def _in_files(desk: Desk, feed: FeedFiles, frame: pl.DataFrame) -> pl.DataFrame:
    """The records with their file number, in the order of writing."""
    if feed.file_of:
        return frame.with_columns(pl.col(feed.file_of).cast(pl.Int32).alias("_file")).sort("_file", maintain_order=True)
    return _in_pages(desk, frame) if feed.paged else frame


def _in_pages(desk: Desk, frame: pl.DataFrame) -> pl.DataFrame:
    """Pages of about an eighth of the night; each begins with the last records of the previous page, byte for byte."""
    size = max(SMALLEST_PAGE, -(-frame.height // PAGES))
    shared = max(1, round(size * desk.overlap)) if desk.overlap else 0
    page = np.arange(frame.height) // size
    repeats = np.flatnonzero((np.arange(frame.height) % size >= size - shared) & (page < page.max(initial=0)))
    whole = pl.concat([frame[repeats].with_columns(*_overlap()), frame]).with_columns(
        pl.Series("_file", np.append(page[repeats] + 1, page), dtype=pl.Int32)
    )
    return whole.sort("_file", maintain_order=True)


def _overlap() -> list[pl.Expr]:
    """Flags of the repeated records: duplicate, except that an unreadable record is quarantined again."""
    bad = pl.col("_expected").eq_missing(pl.lit("quarantine"))
    texts = {"_defect": "overlap", "_what": "the record again, at the head of the next page", "_expected": "duplicate"}
    return [pl.when(bad).then(pl.col(name)).otherwise(pl.lit(text)).alias(name) for name, text in texts.items()]


def _file_names(feed: FeedFiles, night: Night, frame: pl.DataFrame) -> list[str]:
    if "{part}" not in feed.path:
        return [feed.path.format(ds=night.ds)]
    count = int(frame["_file"].max()) + 1 if frame.height else 1  # type: ignore[arg-type]
    return [
        feed.path.format(ds=night.ds, part=f"{number + 1:03d}" if feed.file_of else number + 1)
        for number in range(count)
    ]


def _with_truncation(feed: FeedFiles, frame: pl.DataFrame, files: list[File]) -> pl.DataFrame:
    """Flag the last record of files that are truncated within it."""
    last = [file.end - 1 for file in files if file.kind == "truncated" and file.end > file.start]
    if not last or feed.truncated != "quarantine":
        return frame
    cut = pl.Series("cut", np.isin(np.arange(frame.height), last))
    texts = {
        "_defect": "truncated",
        "_what": "the file ends in the middle of the record",
        "_expected": "quarantine",
        "_broken_feed": feed.name,
    }
    changed = [pl.when(cut).then(pl.lit(text)).otherwise(pl.col(name)).alias(name) for name, text in texts.items()]
    weights = [
        pl.when(cut).then(pl.lit(1, dtype=pl.Int64)).otherwise(pl.col(name)).alias(name)
        for name in ("_rows", "_inner", "_beside")
        if name in frame.columns
    ]
    return frame.with_columns(*changed, *weights)


def _write_tables(desk: Desk, feed: FeedFiles, night: Night, frame: pl.DataFrame, files: list[File]) -> None:
    for file in files:
        part = frame[file.start : file.end].select(**feed.fields)
        if file.kind == "dropped_column" and feed.optional:
            part = part.drop(feed.optional)
        if file.kind == "unknown_column":
            part = part.with_columns(pl.lit("2.4.1").alias(UNKNOWN))
        save_parquet(part, desk.source / file.name, night)


def _write_lines(desk: Desk, feed: FeedFiles, frame: pl.DataFrame, files: list[File]) -> None:
    """Text is produced for one slice of the night at a time: it is many times larger than the values."""
    for file in files:
        (desk.source / file.name).write_bytes(feed.head(*_columns(feed, file)))
    waiting: deque[Future[list[tuple[str, Bytes]]]] = deque()
    for first in range(0, frame.height, feed.at_once):
        waiting.append(desk.helpers.submit(_pieces, desk, feed, frame[first : first + feed.at_once], first, files))
        if len(waiting) > AHEAD:
            _append(desk, waiting.popleft())
    while waiting:
        _append(desk, waiting.popleft())
    for file in files:
        if feed.tail:
            with (desk.source / file.name).open("ab") as stream:
                stream.write(feed.tail)


def _pieces(desk: Desk, feed: FeedFiles, rows: pl.DataFrame, first: int, files: list[File]) -> list[tuple[str, Bytes]]:
    """Content that a slice beginning at row ``first`` of the night adds, by file."""
    text = _encoded(desk, feed, rows)
    pieces = []
    for file in files:
        start, end = max(file.start - first, 0), min(file.end - first, rows.height)
        if start < end:
            special = any(_columns(feed, file))
            pieces.append(
                (
                    file.name,
                    _bytes(
                        _encoded(desk, feed, rows[start:end], *_columns(feed, file)) if special else text[start:end]
                    ),
                )
            )
    return pieces


def _append(desk: Desk, made: Future[list[tuple[str, Bytes]]]) -> None:
    for name, content in made.result():
        with (desk.source / name).open("ab") as stream:
            stream.write(content)


def _columns(feed: FeedFiles, file: File) -> tuple[str, str]:
    """The columns of a file with one missing and one added. POSLog is not a table: its files keep theirs."""
    if feed.format == POSLOG:
        return "", ""
    return feed.optional if file.kind == "dropped_column" else "", UNKNOWN if file.kind == "unknown_column" else ""


def _encoded(desk: Desk, feed: FeedFiles, rows: pl.DataFrame, without: str = "", extra: str = "") -> pl.Series:
    if feed.looked_up:
        found = desk.people.shown(feed.looked_up, rows["person_no"])
        rows = rows.with_columns(
            pl.coalesce(name, found[name]) if name in rows.columns else found[name] for name in feed.looked_up
        )
    lines = rows.select(feed.lines(without, extra).alias("_line"), "_defect")
    if lines["_line"].null_count():
        # One null value makes a whole line null, and a null line would be silently missing from the file.
        raise ValueError(f"{feed.name}: a value that may be null is written without saying how")
    return desk.defects.encode(lines, "_line")


def _bytes(lines: pl.Series) -> Bytes:
    """All lines concatenated, as they are in memory."""
    chunks = lines.to_arrow(compat_level=pl.CompatLevel.oldest())
    array = chunks.combine_chunks() if isinstance(chunks, pa.ChunkedArray) else chunks
    if not len(array):
        return b""
    offsets = np.frombuffer(array.buffers()[1], dtype=np.int64)[array.offset : array.offset + len(array) + 1]
    return memoryview(array.buffers()[2])[int(offsets[0]) : int(offsets[-1])]


def _truncate(desk: Desk, feed: FeedFiles, night: Night, file: File) -> None:
    """Truncate the file, within its last record or (XML, Parquet) at its half; the whole file goes to
    ``truth/intact``."""
    path, whole = desk.source / file.name, desk.truth / "intact" / file.name
    whole.parent.mkdir(parents=True, exist_ok=True)
    content = path.read_bytes()
    whole.write_bytes(content)
    os.utime(whole, (night.delivered, night.delivered))
    last = len(content) - content.rfind(b"\n", 0, len(content) - 1) - 1
    os.truncate(
        path,
        len(content) - last // 2 - 1 if feed.truncated == "quarantine" and file.end > file.start else len(content) // 2,
    )


def _record(
    desk: Desk, feed: FeedFiles, night: Night, frame: pl.DataFrame, files: list[File], delivered: Delivered
) -> None:
    """Write the ground truth of each record of the night, and of files with defects; add up the expected counts."""
    weights = [
        (pl.col(name) if name in frame.columns else pl.lit(default, dtype=pl.Int64)).alias(name)
        for name, default in (("_rows", 1), ("_inner", 0), ("_beside", 0))
    ]
    frame = _with_trials(feed, frame.with_columns(*weights))
    numbers, names = frame["_file"].to_numpy(), [file.name for file in files]
    records = frame.select(
        pl.Series("file", names, dtype=pl.Enum(names)).gather(numbers),
        pl.Series("row", np.arange(frame.height) - np.array([file.start for file in files])[numbers] + 1),
        pl.col("_key").alias("key"),
        pl.col("_person").alias("person_no"),
        *(pl.col(name).alias(name[1:]) for name in FLAGS),
        pl.col("_rows").alias("rows"),
        pl.col("_inner").alias("inner_rows"),
        pl.col("_beside").alias("beside_rows"),
    )
    save_parquet(records, desk.truth / "records" / feed.name / f"{night.ds}.parquet", night)
    _add_up(feed, records, delivered)
    damaged = [
        {"file": file.name} | {name: file.damage[name] for name in ("kind", "what", "expected")}
        for file in files
        if file.damage
    ]
    if damaged:
        save_parquet(pl.DataFrame(damaged), desk.truth / "files" / feed.name / f"{night.ds}.parquet", night)
    delivered.defects.update(records["defect"].drop_nulls().to_list())
    delivered.defects.update(
        file.kind for file in files if file.damage and not (file.kind == "truncated" and feed.truncated == "quarantine")
    )


def _with_trials(feed: FeedFiles, frame: pl.DataFrame) -> pl.DataFrame:
    """Mark the test records; one that is also broken is listed by its defect."""
    if feed.trial is None:
        return frame
    told = feed.trial & pl.col("_defect").is_null()
    texts = {
        "_defect": "test",
        "_what": "a test or training, no business",
        "_expected": "not_a_sale",
        "_broken_feed": feed.name,
    }
    return frame.with_columns(
        pl.when(told).then(pl.lit(text)).otherwise(pl.col(name)).alias(name) for name, text in texts.items()
    )


def _add_up(feed: FeedFiles, records: pl.DataFrame, delivered: Delivered) -> None:
    repeated, bad = (
        pl.col("expected").eq_missing(pl.lit("duplicate")),
        pl.col("expected").eq_missing(pl.lit("quarantine")),
    )
    cut = pl.col("defect").eq_missing(pl.lit("truncated"))
    inside = pl.col("broken_feed").eq_missing(pl.lit(feed.inner)) if feed.inner else pl.lit(value=False)
    names = {feed.name: ("rows", bad & ~inside)} | (
        {feed.inner: ("inner_rows", bad & (inside | cut))} if feed.inner else {}
    )
    names |= {feed.beside: ("beside_rows", bad & ~inside)} if feed.beside else {}
    for name, (weight, broken) in names.items():
        row = records.select(
            pl.col(weight).sum().alias("rows"),
            pl.col(weight).filter(repeated).sum().alias("repeated"),
            pl.col(weight).filter(broken).len().alias("bad"),
        ).row(0)
        count = delivered.count(name)
        count.rows, count.duplicates, count.quarantined = (
            count.rows + row[0],
            count.duplicates + row[1],
            count.quarantined + row[2],
        )


def save_parquet(frame: pl.DataFrame, path: Path, night: Night) -> None:
    """Write a table, creating folders, as a file of its night; equal rows produce equal bytes."""
    path.parent.mkdir(parents=True, exist_ok=True)
    repeating = [name for name in frame.columns if name not in UNIQUE]
    pq.write_table(
        frame.to_arrow(compat_level=pl.CompatLevel.oldest()), path, compression="snappy", use_dictionary=repeating
    )
    pa.default_memory_pool().release_unused()
    os.utime(path, (night.delivered, night.delivered))
