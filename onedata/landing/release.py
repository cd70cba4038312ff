"""Release quarantined rows: revalidate their stored raw records with the current contract, and stage those that pass.

A row leaves quarantine, and its file's counts change, in the transaction that accepts the release (`promote`): no row
is lost or counted twice. Records that could not be parsed have no fields to revalidate; reload their night instead
(`onedata run --ds NIGHT --replace`).
"""

import shutil
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date

import duckdb

from onedata.contracts.identifiers import IdentifierPolicy
from onedata.contracts.model import Feed
from onedata.landing.book import book_accepted, book_delivery, drop_staged
from onedata.landing.control_totals import released_totals_sql
from onedata.landing.delivery import Delivery
from onedata.landing.reasons import reason_sql
from onedata.landing.stage import BAD, DUPLICATE, GOOD, clear, forget_run, stage
from onedata.ledger import recover, tick
from onedata.ledger.belongings import add
from onedata.ledger.lake import KeyRange
from onedata.ledger.moves import new_id
from onedata.readers import Reading, SourceFile
from onedata.readers.base import Part
from onedata.readers.jsonl import documents_part
from onedata.readers.xml import records_part
from onedata.settings import Settings
from onedata.sql import json_of, quote_name, quote_text, transaction

UNREADABLE = ("unreadable_record", "unreadable_file")


@dataclass(frozen=True)
class Selection:
    """Selected rows of a feed: all that can be revalidated, or those of one rule or one file."""

    rule: str | None = None
    path: str | None = None


@dataclass
class Release:
    """Outcome of the revalidated rows, the number that must be reloaded from their file, and the deliveries that wait
    for the gate."""

    accepted: int = 0
    duplicate: int = 0
    still_bad: int = 0
    unreadable: int = 0
    deliveries: int = field(default=0, compare=False)

    @property
    def tried(self) -> int:
        return self.accepted + self.duplicate + self.still_bad


def stage_release(
    con: duckdb.DuckDBPyConnection, settings: Settings, feed: Feed, policy: IdentifierPolicy, selection: Selection
) -> Release:
    """Stage the selected rows that are valid now, for the contract gate; the others stay unchanged.

    Raises:
        VaultError: the vault's key is missing or is a different one.
    """
    recover(con, settings, feed.name, feed.entity.name)
    release = Release(unreadable=_select(con, feed, selection))
    forget_run(con)
    arrived_at = tick(con)
    nights = con.execute(
        "select ds, generation, list(distinct path order by path) from release_row group by all order by all"
    ).fetchall()
    for ds, generation, paths in nights:
        files = [
            _file(number, path, ds, settings, _edition(con, feed, path, generation))
            for number, path in enumerate(paths, 1)
        ]
        delivery = Delivery(feed, ds, _batch(con, feed, ds, generation), files, arrived_at)
        keys = stage(con, settings, policy, delivery, _reading(con, feed, files, generation))
        with transaction(con):
            _book(con, settings, delivery, generation, keys, release)
        clear(con, settings, delivery)
    for (name,) in con.execute(
        "select table_name from duckdb_tables() where temporary and table_name like 'release_%'"
    ).fetchall():
        con.execute(f"drop table temp.{name}")
    shutil.rmtree(settings.home / "spool" / "release", ignore_errors=True)
    return release


def _select(con: duckdb.DuckDBPyConnection, feed: Feed, selection: Selection) -> int:
    """`release_row`: the rows to revalidate; files with the same name and other content are generations. Returns the
    number of rows that cannot be revalidated."""
    chosen = "feed = ? and (?::varchar is null or rule = ?) and (?::varchar is null or path = ?)"
    values = [feed.name, selection.rule, selection.rule, selection.path, selection.path]
    unreadable = ", ".join(map(quote_text, UNREADABLE))
    con.execute(
        "create or replace temp table release_row as select *, dense_rank() over (partition by path "
        f"order by content_hash) as generation from ops.quarantine where {chosen} and rule not in ({unreadable})",
        values,
    )
    row = con.execute(
        f"select count(*) from ops.quarantine where {chosen} and rule in ({unreadable})", values
    ).fetchone()
    return int(row[0]) if row else 0


def _file(number: int, path: str, ds: date, settings: Settings, edition: int) -> SourceFile:
    return SourceFile(number, settings.home / "spool" / "release" / str(number), path, ds, 0, 0, "", edition=edition)


def _edition(con: duckdb.DuckDBPyConnection, feed: Feed, path: str, generation: int) -> int:
    """The edition of the content that the rows stood in, as it landed: a row does not outlive its correction by being
    released after it."""
    row = con.execute(
        "select count(distinct f.content_hash) from ops.file f, ops.file own where f.feed = ? and f.path = ? "
        "and own.feed = f.feed and own.path = f.path and f.arrived_at <= own.arrived_at and own.content_hash in "
        "(select content_hash from release_row where path = f.path and generation = ?)",
        [feed.name, path, generation],
    ).fetchone()
    return max(1, int(row[0]) if row else 1)


def _batch(con: duckdb.DuckDBPyConnection, feed: Feed, ds: date, generation: int) -> str:
    """The release's id. The same rows get the same id, so running a release again replaces what a killed one left."""
    rows = con.execute(
        "select path, row, rule, reason from release_row where ds = ? and generation = ? order by all", [ds, generation]
    ).fetchall()
    return new_id(con, feed.name, ds, [str(generation), *map(str, rows)], "released")


def _reading(con: duckdb.DuckDBPyConnection, feed: Feed, files: Sequence[SourceFile], generation: int) -> Reading:
    reading = Reading()
    for file in files:
        rows = (
            f"(select row, raw from release_row where path = {quote_text(file.relative)} and generation = {generation})"
        )
        if feed.location.format in ("json", "jsonl"):
            reading.parts.append(documents_part(feed, file, f"select try_cast(raw as json) as json, row from {rows}"))
        elif feed.location.format == "xml":
            reading.parts.append(_of_xml(con, feed, file, rows))
        else:
            reading.parts.append(_of_columns(con, feed, file, rows))
    return reading


def _of_columns(con: duckdb.DuckDBPyConnection, feed: Feed, file: SourceFile, rows: str) -> Part:
    """Rows of columnar formats are stored as JSON objects."""
    found = con.execute(f"select json_keys(raw::json) from {rows} limit 1").fetchone()
    names: list[str] = found[0] if found else []
    columns = ", ".join(f"raw ->> {quote_text(_member(name))} as {quote_name(name)}" for name in names)
    absent = "".join(f", null::varchar as {quote_name(name)}" for name in feed.source_fields if name not in names)
    added = [name for name in names if name not in feed.known_fields]
    query = f"select row as _row, raw as _raw_record, {columns}{absent} from {rows}"
    return Part(file, query, raw="_raw_record", extra=json_of(added) if added else None)


def _member(name: str) -> str:
    escaped = name.replace("\\", "\\\\").replace('"', '\\"')
    return f'$."{escaped}"'


def _of_xml(con: duckdb.DuckDBPyConnection, feed: Feed, file: SourceFile, rows: str) -> Part:
    """XML records are stored one per row: written one after the other, they are read as before and get their numbers
    back."""
    numbers = f"release_number_{file.number}"
    con.execute(
        f"create or replace temp table {numbers} as select row, raw, row_number() over (order by row) as n from {rows}"
    )
    part = records_part(
        con, feed, file, (raw for (raw,) in con.execute(f"select raw from {numbers} order by n").fetchall())
    )
    return Part(
        file,
        f"select p.* replace (m.row as _row) from ({part.query}) p join {numbers} m on m.n = p._row",
        raw="null::varchar",
    )


def _book(
    con: duckdb.DuckDBPyConnection,
    settings: Settings,
    delivery: Delivery,
    generation: int,
    keys: Sequence[KeyRange],
    release: Release,
) -> None:
    """Record the outcome of each row, the delivery of the valid ones, and the money that moves with them. If none is
    valid: a delivery without rows that has the current reasons, or nothing if quarantine has the same reasons."""
    feed = delivery.feed
    con.execute(
        "create or replace temp table landing_fate as select _file, _row, 'accepted' as fate, null as rule_now, "
        f"null as reason_now from {GOOD} union all "
        f"select _file, _row, 'duplicate', null, null from {DUPLICATE} union all "
        f"select _file, _row, 'again', _extra ->> 'rule', {reason_sql('_extra')} from {BAD}"
    )
    counts = dict(con.execute("select fate, count(*) from landing_fate group by 1").fetchall())
    release.accepted += counts.get("accepted", 0)
    release.duplicate += counts.get("duplicate", 0)
    release.still_bad += counts.get("again", 0)
    joined = (
        "from release_row r join landing_fate f on f._file = r.path and f._row = r.row where r.ds = ? "
        "and r.generation = ?"
    )
    is_good = counts.get("accepted", 0) + counts.get("duplicate", 0) > 0
    row = con.execute(
        f"select count(*) filter (where f.rule_now <> r.rule or f.reason_now <> r.reason) {joined}",
        [delivery.ds, generation],
    ).fetchone()
    if not is_good:
        drop_staged(settings, delivery)
        if not row or not row[0]:
            return
    release.deliveries += 1
    add(
        con,
        "released",
        "select ? as batch_id, r.feed, r.ds, r.path, r.content_hash, r.row, f.fate, r.rule, r.reason, r.raw, "
        f"f.rule_now, f.reason_now, ? as released_at {joined}",
        [delivery.batch, delivery.arrived_at, delivery.ds, generation],
    )
    if not is_good:
        book_delivery(con, delivery, 0)
        return
    book_accepted(con, delivery, keys)
    totals = released_totals_sql(feed, delivery.batch, delivery.ds, GOOD, DUPLICATE)
    if totals:
        add(con, "control_total", totals)
