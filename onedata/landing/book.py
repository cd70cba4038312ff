"""Book one landing into the ledger: every file with its four counts, every bad row, every delivery. The caller owns the transaction."""

import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime

import duckdb

from onedata.contracts.model import Feed
from onedata.landing.files import Repeat
from onedata.readers import Drift, FileProblem, Reading, SourceFile
from onedata.settings import Settings

Counts = tuple[int, int, int, int]
NOTHING: Counts = (0, 0, 0, 0)


@dataclass(frozen=True)
class Arrival:
    """What one landing took: new files, repeats of known content, their deliveries by night, and what the reader said."""

    feed: Feed
    fresh: Sequence[SourceFile]
    repeats: Sequence[Repeat]
    batches: Mapping[date, str]
    reading: Reading
    arrived_at: datetime


@dataclass
class Landed:
    """What one landing found, in rows; `nights` are the days its files are for."""

    feed: str
    files: int = 0
    received: int = 0
    accepted: int = 0
    quarantined: int = 0
    duplicate: int = 0
    nights: list[date] = field(default_factory=list)
    batches: list[str] = field(default_factory=list)


def book(con: duckdb.DuckDBPyConnection, settings: Settings, arrival: Arrival) -> None:
    """Write the landing's files, drifts, quarantine and deliveries; the landing's temp tables must be there."""
    unreadable = {problem.file.number for problem in arrival.reading.problems}
    readable = [file for file in arrival.fresh if file.number not in unreadable]
    counts = _counts(con) if arrival.reading.query else {}
    _book_readable(con, arrival, readable, counts)
    for problem in arrival.reading.problems:
        _book_unreadable(con, settings, arrival, problem)
    for repeat in arrival.repeats:
        _book_repeat(con, arrival, repeat)
    if arrival.reading.query:
        _book_quarantine(con, arrival)
    for ds, batch in arrival.batches.items():
        rows = [counts.get(file.number, NOTHING)[1] for file in readable if file.ds == ds]
        if rows:
            _book_delivery(con, arrival, ds, batch, sum(rows))


def landed_totals(con: duckdb.DuckDBPyConnection, arrival: Arrival) -> Landed:
    """The totals of what `book` wrote."""
    hashes = [file.content_hash for file in arrival.fresh]
    repeated = [repeat.file.relative for repeat in arrival.repeats]
    row = con.execute(
        "select count(*), sum(received)::bigint, sum(accepted)::bigint, sum(quarantined)::bigint, sum(duplicate)::bigint, "
        "list_sort(list(distinct ds)), list_sort(list(distinct batch_id)) from ops.file where feed = ? "
        "and (content_hash in (select unnest(?::varchar[])) or (status = 'repeated' and path in (select unnest(?::varchar[]))))",
        [arrival.feed.name, hashes, repeated],
    ).fetchone()
    assert row is not None
    files, received, accepted, quarantined, duplicate, nights, batches = row
    return Landed(arrival.feed.name, files, received, accepted, quarantined, duplicate, nights, [batch for batch in batches if batch])


def _counts(con: duckdb.DuckDBPyConnection) -> dict[int, Counts]:
    """Received, accepted, quarantined, duplicate by file number."""
    rows = con.execute(
        "select f.number, count(k._id) + any_value(coalesce(r.n, 0)), count(k._id) filter (where k._rule is null and d._id is null), "
        "count(k._id) filter (where k._rule is not null) + any_value(coalesce(r.n, 0)), count(d._id) "
        "from landing_files f left join landing_keyed k on k._file_number = f.number left join landing_duplicates d on d._id = k._id "
        "left join (select number, count(*) as n from landing_rejects group by 1) r on r.number = f.number group by f.number"
    ).fetchall()
    return {number: (received, accepted, quarantined, duplicate) for number, received, accepted, quarantined, duplicate in rows}


def _book_readable(con: duckdb.DuckDBPyConnection, arrival: Arrival, files: Sequence[SourceFile], counts: Mapping[int, Counts]) -> None:
    before = _columns_before(con, arrival.feed)
    drifts = list(arrival.reading.drifts)
    for file in files:
        columns = arrival.reading.columns.get(file.number)
        if columns and before and columns != before and sorted(columns) == sorted(before):
            text = f"the columns stand in another order than before ({', '.join(columns)}); they are read by name"
            drifts.append(Drift(file, "order", "", text))
        before = columns or before
        _insert_file(con, arrival, file, arrival.batches[file.ds], "landed", counts.get(file.number, NOTHING), None, columns)
    for drift in drifts:
        con.execute(
            "insert into ops.drift values (?, ?, ?, ?, ?, ?, ?)",
            [arrival.feed.name, drift.file.ds, drift.file.relative, drift.kind, drift.column, drift.message, drift.file.content_hash],
        )


def _columns_before(con: duckdb.DuckDBPyConnection, feed: Feed) -> tuple[str, ...] | None:
    row = con.execute(
        "select columns from ops.file where feed = ? and columns is not null order by ds desc, arrived_at desc, path desc limit 1", [feed.name]
    ).fetchone()
    return tuple(row[0]) if row else None


def _book_unreadable(con: duckdb.DuckDBPyConnection, settings: Settings, arrival: Arrival, problem: FileProblem) -> None:
    """An unreadable file counts as one quarantined row and is kept whole, in case the landing area is cleaned."""
    file = problem.file
    copy = settings.home / "quarantine" / arrival.feed.name / file.content_hash[:16] / file.path.name
    copy.parent.mkdir(parents=True, exist_ok=True)
    shutil.copy2(file.path, copy)
    _insert_file(con, arrival, file, None, "unreadable", (1, 0, 1, 0), problem.message, None)
    con.execute(
        "insert into ops.quarantine values (?, ?, ?, 0, 'unreadable_file', ?, ?, null, ?, ?)",
        [arrival.feed.name, file.ds, file.relative, problem.message, f"the file is kept at {copy}", file.content_hash, arrival.arrived_at],
    )


def _book_repeat(con: duckdb.DuckDBPyConnection, arrival: Arrival, repeat: Repeat) -> None:
    """A file with known content: each of its rows is a duplicate."""
    known = con.execute(
        "select received, batch_id from ops.file where feed = ? and content_hash = ? and status <> 'repeated'",
        [arrival.feed.name, repeat.file.content_hash],
    ).fetchone()
    received, batch = known if known else (0, None)
    message = f"the same content as {repeat.known_as}: every row counts as a duplicate"
    _insert_file(con, arrival, repeat.file, batch, "repeated", (received, 0, 0, received), message, None)


def _insert_file(
    con: duckdb.DuckDBPyConnection,
    arrival: Arrival,
    file: SourceFile,
    batch: str | None,
    status: str,
    counts: Counts,
    message: str | None,
    columns: Sequence[str] | None,
) -> None:
    listed = list(columns) if columns else None
    con.execute(
        "insert into ops.file values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        [arrival.feed.name, file.relative, file.content_hash, file.ds, batch, status, *counts, message, listed, file.size, file.mtime_ns, arrival.arrived_at],
    )


def _book_quarantine(con: duckdb.DuckDBPyConnection, arrival: Arrival) -> None:
    con.execute(
        "insert into ops.quarantine select ?, f.ds, f.path, k._id - b.base, k._rule, k._reason, k._raw, f.batch_id, f.content_hash, ? "
        "from landing_keyed k join landing_files f on f.number = k._file_number join landing_base b on b._file_number = k._file_number "
        "where k._rule is not null",
        [arrival.feed.name, arrival.arrived_at],
    )
    con.execute(
        "insert into ops.quarantine select ?, f.ds, f.path, r.row, 'unreadable_record', r.reason, r.raw, f.batch_id, f.content_hash, ? "
        "from landing_rejects r join landing_files f on f.number = r.number",
        [arrival.feed.name, arrival.arrived_at],
    )


def _book_delivery(con: duckdb.DuckDBPyConnection, arrival: Arrival, ds: date, batch: str, rows: int) -> None:
    feed = arrival.feed
    con.execute(
        "insert into ops.delivery values (?, ?, ?, ?, 'staged', ?, ?, null)",
        [batch, feed.name, feed.entity.name, ds, rows, arrival.arrived_at],
    )
