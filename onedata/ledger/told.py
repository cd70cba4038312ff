"""Read-only queries on the ledger, for choosing nights and showing a feed."""

from dataclasses import dataclass
from datetime import date

import duckdb

FILE_COLUMNS = ("file", "night", "status", "received", "accepted", "quarantined", "duplicate")
QUARANTINE_COLUMNS = ("file", "rule", "rows", "first row", "reason")


@dataclass(frozen=True)
class Counted:
    """A feed's files of some nights, and their rows: received = accepted + quarantined + duplicate."""

    files: int
    received: int
    accepted: int
    quarantined: int
    duplicate: int


def last_delivered(con: duckdb.DuckDBPyConnection) -> date | None:
    """The last night with a delivery; None if there is none."""
    row = con.execute("select max(ds) from ops.delivery").fetchone()
    return row[0] if row else None


def last_published(con: duckdb.DuckDBPyConnection) -> date | None:
    """The last published night; None if there is none."""
    row = con.execute("select max(night) from ops.night").fetchone()
    return row[0] if row else None


def accepted_nights(con: duckdb.DuckDBPyConnection) -> list[date]:
    """Nights of accepted deliveries that no run has published, in ascending order."""
    return [ds for (ds,) in con.execute("select distinct ds from ops.pending_batch order by ds").fetchall()]


def waiting_nights(con: duckdb.DuckDBPyConnection) -> set[date]:
    """Nights of deliveries in any state that no run has published."""
    return {ds for (ds,) in con.execute("select distinct ds from ops.delivery where applied_at is null").fetchall()}


def published_files(con: duckdb.DuckDBPyConnection, member: str) -> set[tuple[str, str, int, int]]:
    """Feed, path, bytes and time (ns) of every file whose delivery was published; a member of an archive also
    represents its archive, whose name ends before `member`."""
    rows = con.execute(
        "select f.feed, unnest([f.path, split_part(f.path, ?, 1)]), f.size_bytes, f.mtime_ns from ops.file f "
        "join ops.delivery d using (batch_id) where d.status = 'applied'",
        [member],
    )
    return set(rows.fetchall())


def counted(con: duckdb.DuckDBPyConnection, feed: str, first: date, last: date) -> Counted:
    """A feed's files and rows of the nights from first to last."""
    row = con.execute(
        "select count(*), coalesce(sum(received), 0)::bigint, coalesce(sum(accepted), 0)::bigint, "
        "coalesce(sum(quarantined), 0)::bigint, coalesce(sum(duplicate), 0)::bigint from ops.file where feed = ? "
        "and ds between ? and ?",
        [feed, first, last],
    ).fetchone()
    assert row is not None
    return Counted(*row)


def files_of_nights(
    con: duckdb.DuckDBPyConnection, feed: str, first: date, last: date, most: int
) -> list[tuple[object, ...]]:
    """`FILE_COLUMNS` of a feed's files, the last night first."""
    return con.execute(
        "select path, ds, status, received, accepted, quarantined, duplicate from ops.file where feed = ? "
        "and ds between ? and ? order by ds desc, path limit ?",
        [feed, first, last, most],
    ).fetchall()


def quarantine_of_nights(
    con: duckdb.DuckDBPyConnection, feed: str, first: date, last: date, most: int
) -> list[tuple[object, ...]]:
    """`QUARANTINE_COLUMNS` of a feed's quarantined rows, one line per file and rule, the most rows first."""
    return con.execute(
        "select path, rule, count(*), min(row), any_value(reason) from ops.quarantine where feed = ? "
        "and ds between ? and ? group by path, rule order by 3 desc, 1, 2 limit ?",
        [feed, first, last, most],
    ).fetchall()
