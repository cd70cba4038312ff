"""Every change of a delivery in the ledger: record it, judge, accept, replace, apply, forget."""

import hashlib
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime

import duckdb

from onedata.contracts.model import Feed
from onedata.ledger.belongings import add, remove
from onedata.ledger.clock import tick
from onedata.ledger.contracts import remember
from onedata.ledger.manifest import LakeFile
from onedata.ledger.states import UNFINISHED, LedgerError, Status, move, statuses
from onedata.sql import transaction

Counts = tuple[int, int, int, int]


@dataclass(frozen=True)
class FileEntry:
    """One file of a delivery; `counts` are received, accepted, quarantined and duplicate rows, `columns` the columns in
    the file."""

    path: str
    content_hash: str
    ds: date
    status: str
    counts: Counts
    size: int
    mtime_ns: int
    message: str | None = None
    columns: Sequence[str] | None = None
    types: Mapping[str, str] | None = None


@dataclass(frozen=True)
class Booking:
    """A staged delivery to record: `rows` wait for the gate, `replaces` are the deliveries that it replaces."""

    batch: str
    feed: str
    entity: str
    ds: date
    rows: int
    landed_at: datetime
    replaces: Sequence[str] = ()


def new_id(con: duckdb.DuckDBPyConnection, feed: str, ds: date, content: Sequence[str], kind: str = "") -> str:
    """The id of a new delivery. It depends only on the contents, so that files of a killed run are recognised. If an
    accepted delivery has had that id (its night was replaced since, and gets the old contents back), a number is added.

    Args:
        con: The warehouse.
        feed: Its feed.
        ds: Its night.
        content: Its contents, in order.
        kind: Prefix of the hash.
    """
    text, number = "|".join([feed, ds.isoformat(), *content]), 0
    while True:
        told = f"{text}|{number}" if number else text
        batch = f"{feed}-{ds:%Y%m%d}-{kind}{hashlib.sha256(told.encode()).hexdigest()[:12]}"
        if statuses(con, [batch]).get(batch, Status.STAGED) in UNFINISHED:
            return batch
        number += 1


def book(con: duckdb.DuckDBPyConnection, booking: Booking) -> None:
    """Record a delivery, before any of its files enters the lake."""
    con.execute(
        "insert into ops.delivery (batch_id, feed, entity, ds, status, rows, landed_at, replaces) values (?, ?, ?, ?, "
        "?, ?, ?, ?)",
        [
            booking.batch,
            booking.feed,
            booking.entity,
            booking.ds,
            Status.STAGED,
            booking.rows,
            booking.landed_at,
            list(booking.replaces),
        ],
    )


def book_file(con: duckdb.DuckDBPyConnection, feed: str, batch: str, file: FileEntry, arrived_at: datetime) -> None:
    """Record one file of a delivery."""
    types = file.types or {}
    add(
        con,
        "file",
        "select ? as feed, ? as path, ? as content_hash, ? as ds, ? as batch_id, ? as status, ? as received, ? as "
        "accepted, ? as quarantined, ? as duplicate, ? as message, ?::varchar[] as columns, map(?::varchar[], "
        "?::varchar[]) as column_types, ? as size_bytes, ? as mtime_ns, ? as arrived_at",
        [
            *(feed, file.path, file.content_hash, file.ds, batch, file.status, *file.counts, file.message),
            *(
                list(file.columns) if file.columns else None,
                list(types),
                list(types.values()),
                file.size,
                file.mtime_ns,
                arrived_at,
            ),
        ],
    )


def judge(con: duckdb.DuckDBPyConnection, feed: Feed, passed: bool) -> list[str]:
    """Mark the feed's staged deliveries passed or refused. A refused one leaves no profile; a passed one stores its
    contract.

    Returns:
        The deliveries that were judged.
    """
    staged = [
        batch
        for (batch,) in con.execute(
            "select batch_id from ops.delivery where feed = ? and status = ? order by batch_id",
            [feed.name, Status.STAGED],
        ).fetchall()
    ]
    with transaction(con):
        move(con, staged, Status.PASSED if passed else Status.REFUSED)
        if not passed:
            remove(con, staged, ("profile",))
        elif staged:
            remember(con, feed, tick(con))
    return staged


def accept(con: duckdb.DuckDBPyConnection, batch: str, at: datetime, files: Sequence[LakeFile]) -> list[str]:
    """Mark a delivery accepted, whose files and manifest are in the lake, and mark those that it replaces. One
    transaction.

    Returns:
        The replaced deliveries, whose files the caller must move out of the lake.
    """
    with transaction(con):
        move(con, [batch], Status.ACCEPTED)
        con.execute("update ops.delivery set accepted_at = ? where batch_id = ?", [at, batch])
        for file in files:
            add(
                con,
                "lake_file",
                "select batch_id, feed, entity, ds, ? as name, ? as rows, ? as bytes, ? as sha256 from ops.delivery "
                "where batch_id = ?",
                [file.name, file.rows, file.bytes, file.sha256, batch],
            )
        row = con.execute("select replaces from ops.delivery where batch_id = ?", [batch]).fetchone()
        assert row is not None
        replaced: list[str] = row[0]
        move(con, replaced, Status.REPLACED)
        con.execute(
            "update ops.delivery set applied_at = null where batch_id in (select unnest(?::varchar[]))", [replaced]
        )
        remove(con, replaced)
        settle_release(con, batch)
    return replaced


def settle_release(con: duckdb.DuckDBPyConnection, batch: str) -> None:
    """Settle a release: accepted rows leave quarantine and count as accepted in their file; rows that are still invalid
    get their current reason.

    Only rows in quarantine are counted, so it is idempotent.
    """
    same = (
        "q.feed = r.feed and q.path = r.path and q.content_hash = r.content_hash and q.row = r.row and q.rule = r.rule"
    )
    con.execute(
        "update ops.file f set accepted = f.accepted + r.accepted, duplicate = f.duplicate + r.duplicate, "
        "quarantined = f.quarantined - r.accepted - r.duplicate from (select r.feed, r.path, r.content_hash, "
        "count(*) filter (where fate = 'accepted') as accepted, "
        "count(*) filter (where fate = 'duplicate') as duplicate "
        f"from ops.released r join ops.quarantine q on {same} where r.batch_id = ? group by all) r "
        "where f.feed = r.feed and f.path = r.path and f.content_hash = r.content_hash",
        [batch],
    )
    con.execute(
        f"delete from ops.quarantine q using ops.released r where r.batch_id = ? and r.fate <> 'again' and {same}",
        [batch],
    )
    con.execute(
        "update ops.quarantine q set rule = r.rule_now, reason = r.reason_now from ops.released r "
        f"where r.batch_id = ? and r.fate = 'again' and {same}",
        [batch],
    )


def apply(con: duckdb.DuckDBPyConnection) -> None:
    """Mark every accepted delivery applied, and the rows of replaced ones removed: the night is published.

    The caller owns the transaction, so that everything else about the night commits with it.
    """
    accepted = [
        batch
        for (batch,) in con.execute("select batch_id from ops.delivery where status = ?", [Status.ACCEPTED]).fetchall()
    ]
    at = tick(con)
    con.execute(
        "update ops.delivery set applied_at = ? where status = ? or (status = ? and applied_at is null)",
        [at, Status.ACCEPTED, Status.REPLACED],
    )
    move(con, accepted, Status.APPLIED)


def forget(con: duckdb.DuckDBPyConnection, batches: Collection[str]) -> None:
    """Delete unfinished deliveries and all their rows, once their files have left the lake. One transaction.

    Raises:
        LedgerError: one of them is in the lake, or was.
    """
    for batch, status in statuses(con, batches).items():
        if status not in UNFINISHED:
            raise LedgerError(f"delivery {batch} is {status} and cannot be forgotten")
    with transaction(con):
        remove(con, batches)
        con.execute("delete from ops.delivery where batch_id in (select unnest(?::varchar[]))", [list(batches)])


def has_replaced(con: duckdb.DuckDBPyConnection) -> bool:
    """Whether DIM and DWD contain rows that are no longer in the lake, and must be rebuilt."""
    return bool(
        con.execute(
            "select 1 from ops.delivery where status = ? and applied_at is null limit 1", [Status.REPLACED]
        ).fetchall()
    )


def pending_night(con: duckdb.DuckDBPyConnection, night: date) -> date:
    """The night as of which pending rows are built: the run's, or a later one with accepted, unpublished rows."""
    row = con.execute("select greatest(?::date, max(ds)) from ops.pending_batch", [night]).fetchone()
    return row[0] if row and row[0] else night
