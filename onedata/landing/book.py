"""Record one delivery in the ledger: every file with its four counts, every invalid row, every repair. The caller owns
the transaction."""

import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date

import duckdb
import pyarrow as pa

from onedata.contracts.model import Column
from onedata.durable import make_folders
from onedata.landing.control_totals import amounts_sql, control_totals_sql, repeated_totals_sql
from onedata.landing.delivery import Delivery, Repeat
from onedata.landing.documents import document_sql
from onedata.landing.keys import names_nobody
from onedata.landing.reasons import REJECTED, reason_sql
from onedata.landing.stage import BAD, DUPLICATE, GOOD, WRITTEN
from onedata.ledger import moves as ledger
from onedata.ledger.belongings import add
from onedata.ledger.lake import KeyRange
from onedata.ledger.moves import Booking, Counts, FileEntry
from onedata.ledger.paths import staged_folder
from onedata.readers import FileProblem, Reading, SourceFile
from onedata.readers.csv_raw import MOST_SHOWN, raw_records
from onedata.readers.encoding import is_utf8
from onedata.settings import Settings
from onedata.sql import quote_text

NOTHING: Counts = (0, 0, 0, 0)
UNREADABLE: Counts = (1, 0, 1, 0)
RAW_RECORDS_AT_ONCE = 10_000


@dataclass
class Landed:
    """Result of one landing, in rows; `nights` are the days its files are for, `waiting` are files that still change,
    which the next run loads."""

    feed: str
    files: int = 0
    received: int = 0
    accepted: int = 0
    quarantined: int = 0
    duplicate: int = 0
    nights: list[date] = field(default_factory=list)
    batches: list[str] = field(default_factory=list)
    waiting: list[str] = field(default_factory=list)

    def add(self, ds: date, counts: Counts, batch: str | None) -> None:
        """Count one more file."""
        self.files += 1
        self.received, self.accepted = self.received + counts[0], self.accepted + counts[1]
        self.quarantined, self.duplicate = self.quarantined + counts[2], self.duplicate + counts[3]
        self.nights = sorted({*self.nights, ds})
        self.batches = sorted({*self.batches, batch}) if batch else self.batches


def prepare_bad_rows(con: duckdb.DuckDBPyConnection, delivery: Delivery, reading: Reading) -> None:
    """`landing_quarantine`: every invalid row and unreadable record of the delivery, with its raw text. Reads files, so
    call it before the transaction."""
    totals, currency = amounts_sql(delivery.feed)
    con.execute(
        "create or replace temp table landing_quarantine as select path as _file, row as _row, rule, reason, raw, "
        "row as place, totals, currency, document from ops.quarantine limit 0"
    )
    # Most deliveries have none, and the plan of the statement takes longer than the question.
    if con.execute(f"select 1 from {BAD} limit 1").fetchone():
        con.execute(
            f"insert into landing_quarantine select _file, _row, _extra ->> 'rule', {reason_sql('_extra')}, "
            f"_extra ->> 'raw', (_extra ->> 'place')::bigint, {totals}, {currency}, "
            f"{document_sql(delivery.feed, delivery.ds)} from {BAD}"
        )
    places = con.execute(
        "select _file, list(distinct place order by place) from landing_quarantine where raw is null group by 1 "
        "order by 1"
    ).fetchall()
    by_name = {file.relative: file for file in delivery.files}
    for name, wanted in places:
        texts: list[tuple[int, str]] = []
        for found in reading.raw_of(by_name[name], wanted):
            texts.append(found)
            if len(texts) == RAW_RECORDS_AT_ONCE:
                _fill_in(con, name, texts)
                texts = []
        _fill_in(con, name, texts)
    if reading.rejects_table and con.execute(f"select 1 from {reading.rejects_table} limit 1").fetchone():
        _add_rejects(con, delivery, reading.rejects_table)


def _fill_in(con: duckdb.DuckDBPyConnection, name: str, texts: Sequence[tuple[int, str]]) -> None:
    con.register(
        "landing_texts",
        pa.table({"place": [place for place, _ in texts], "raw": pa.array([raw for _, raw in texts], pa.string())}),
    )
    con.execute(
        "update landing_quarantine q set raw = t.raw from landing_texts t where q._file = ? and q.place = t.place "
        "and q.raw is null",
        [name],
    )
    con.unregister("landing_texts")


def _add_rejects(con: duckdb.DuckDBPyConnection, delivery: Delivery, rejects: str) -> None:
    """Records that DuckDB could not parse, one row each, as they are in the file; a byte that is not UTF-8 is shown as
    \\x...

    DuckDB returns a record's text with the blank lines before it, a '?' for each byte it cannot decode, and only its
    beginning (`MOST_SHOWN`). For an open quote it returns nothing, another part of the record, or the record before: in
    that case the bytes between the record's positions are read.
    """
    options, files = delivery.feed.location.options, {str(file.path): file for file in delivery.files}
    encoding = options.get("encoding", "utf-8")
    names = pa.table(
        {
            "file_path": pa.array(files, pa.string()),
            "relative": pa.array([file.relative for file in files.values()], pa.string()),
        }
    )
    con.register("landing_read", names)
    broken = (
        f"select s.file_path, e.line, min(e.line_byte_position) as place, max(e.csv_line) as csv_line, "
        f"max(e.line_byte_position + strlen(e.csv_line)) as shown, "
        f"greatest(shown, max(e.byte_position)) - place as length, "
        f"min(strlen(e.csv_line)) = 0 or max(strlen(e.csv_line)) >= {MOST_SHOWN} or max(e.byte_position) > shown as "
        "is_partial, "
        "is_partial or count(distinct e.line_byte_position) > 1 or bool_or(e.error_type = 'INVALID ENCODING') as "
        "in_file, "
        "case when bool_or(e.error_type = 'INVALID ENCODING') then "
        f"{quote_text(f'invalid encoding: the record holds bytes that are not {encoding}')} "
        # The first one: for a truncated record DuckDB reports every missing column.
        f"else arg_min({REJECTED}, (e.column_idx, e.error_message)) "
        "end as reason "
        f"from {rejects} e join {rejects}_scans s using (scan_id, file_id) group by all"
    )
    con.execute(
        f"create or replace temp table landing_broken as select r.relative, b.* from ({broken}) b "
        "join landing_read r using (file_path)"
    )
    con.unregister("landing_read")
    con.execute(
        "insert into landing_quarantine select relative, line, 'unreadable_record', reason, "
        "case when not in_file then ltrim(csv_line, chr(10) || chr(13)) end, place, null, null, null "
        "from landing_broken"
    )
    wanted = con.execute(
        "select file_path, list((place, length, is_partial) order by place) from landing_broken where in_file "
        "group by 1 order by 1"
    ).fetchall()
    for path, places in wanted:
        for first in range(0, len(places), RAW_RECORDS_AT_ONCE):
            found = raw_records(files[path].path, places[first : first + RAW_RECORDS_AT_ONCE], options)
            # A file of another encoding was turned into UTF-8 with 0xFF before what it could not turn, see
            # `readers.encoding`.
            texts = found if is_utf8(encoding) else ((place, text.replace("\\xff\\x", "\\x")) for place, text in found)
            _fill_in(con, files[path].relative, list(texts))


def book(
    con: duckdb.DuckDBPyConnection,
    settings: Settings,
    delivery: Delivery,
    reading: Reading,
    keys: Sequence[KeyRange],
    landed: Landed,
) -> None:
    """Record the staged delivery: files, duplicates, drifts, quarantine, repairs and money, and the ranges of its keys.
    `stage` and `prepare_bad_rows` must have run."""
    unreadable = {problem.file.number for problem in reading.problems}
    readable = [file for file in delivery.files if file.number not in unreadable]
    counts = _counts(con)
    for file in readable:
        own = counts.get(file.relative, NOTHING)
        columns, types = reading.columns.get(file.number), reading.column_types.get(file.number)
        _book_file(con, delivery, file, "landed", own, columns=columns, types=types)
        landed.add(file.ds, own, delivery.batch)
    for problem in reading.problems:
        _book_unreadable(con, settings, delivery, problem)
        landed.add(problem.file.ds, UNREADABLE, None)
    if readable or delivery.replaced:
        bad, duplicates = (any(own[fate] for own in counts.values()) for fate in (2, 3))
        _book_rows(con, delivery, readable, bad, duplicates, keys)
    else:
        book_delivery(con, delivery, 0)
        drop_staged(settings, delivery)
    for repeat in delivery.repeats:
        _book_repeat(con, delivery, repeat, landed)
    for drift in reading.drifts:
        add(
            con,
            "drift",
            "select ? as feed, ? as ds, ? as path, ? as kind, ? as column_name, ? as message, ? as content_hash, ? as "
            "batch_id",
            [
                *(delivery.feed.name, drift.file.ds, drift.file.relative, drift.kind, drift.column, drift.message),
                *(drift.file.content_hash, delivery.batch),
            ],
        )


def _counts(con: duckdb.DuckDBPyConnection) -> dict[str, Counts]:
    """Received, accepted, quarantined, duplicate by file."""
    fates = (("good", GOOD), ("bad", "landing_quarantine"), ("again", DUPLICATE))
    each = " union all ".join(
        f"select '{fate}' as fate, _file, count(*) as n from {relation} group by all" for fate, relation in fates
    )
    sums = ", ".join(f"coalesce(sum(n) filter (where fate = '{fate}'), 0)::bigint" for fate, _ in fates)
    rows = con.execute(f"select _file, sum(n)::bigint, {sums} from ({each}) group by 1").fetchall()
    return {
        path: (received, accepted, quarantined, duplicate) for path, received, accepted, quarantined, duplicate in rows
    }


def _book_rows(
    con: duckdb.DuckDBPyConnection,
    delivery: Delivery,
    readable: Sequence[SourceFile],
    has_bad_rows: bool,
    has_duplicates: bool,
    keys: Sequence[KeyRange],
) -> None:
    feed = delivery.feed
    names, hashes = [file.relative for file in readable], [file.content_hash for file in readable]
    nights = pa.array([delivery.ds] * len(names), pa.date32())
    batches = pa.array([delivery.batch] * len(names), pa.string())
    known = {
        "path": pa.array(names, pa.string()),
        "content_hash": pa.array(hashes, pa.string()),
        "batch_id": batches,
        "ds": nights,
    }
    con.register("landing_files", pa.table(known))
    if has_bad_rows:
        add(
            con,
            "quarantine",
            "select ? as feed, ? as ds, q._file as path, q._row as row, q.rule, q.reason, q.raw, ? as batch_id, "
            "f.content_hash, ? as quarantined_at, q.totals, q.currency, q.document from landing_quarantine q "
            "join landing_files f on f.path = q._file",
            [feed.name, delivery.ds, delivery.batch, delivery.arrived_at],
        )
    book_accepted(con, delivery, keys)
    fates = {WRITTEN: ["received"], GOOD: ["accepted"]} if has_duplicates else {GOOD: ["received", "accepted"]}
    fates |= {BAD: ["received", "quarantined"]} if has_bad_rows else {}
    fates |= {DUPLICATE: ["duplicate"]} if has_duplicates else {}
    totals = control_totals_sql(feed, fates)
    if totals:
        add(con, "control_total", totals)
    con.unregister("landing_files")


def book_accepted(con: duckdb.DuckDBPyConnection, delivery: Delivery, keys: Sequence[KeyRange]) -> None:
    """Record the delivery of the staged rows, their repairs, and the ranges of their keys."""
    add(
        con,
        "repair",
        "select ? as feed, ? as ds, _file as path, split_part(change, ':', 1) as column_name, split_part(change, ':', "
        "2) as repair, "
        "count(*) as rows, ? as batch_id from (select _file, unnest(string_split(_repaired, ',')) as change "
        f"from {GOOD} where _repaired is not null) group by all",
        [delivery.feed.name, delivery.ds, delivery.batch],
    )
    kept = [item for item, column in _with_columns(delivery, keys) if names_nobody(item, column)]
    if kept:
        add(
            con,
            "key_range",
            "select ? as batch_id, ? as feed, unnest(?::varchar[]) as column_name, unnest(?::varchar[]) as least, "
            "unnest(?::varchar[]) as greatest",
            [
                *(delivery.batch, delivery.feed.name),
                *([item.column for item in kept], [item.least for item in kept], [item.greatest for item in kept]),
            ],
        )
    row = con.execute(f"select count(*) from {GOOD}").fetchone()
    assert row is not None
    book_delivery(con, delivery, row[0])


def _with_columns(delivery: Delivery, keys: Sequence[KeyRange]) -> list[tuple[KeyRange, Column]]:
    columns = {column.name: column for column in delivery.feed.entity.columns}
    return [(item, columns[item.column]) for item in keys]


def book_delivery(con: duckdb.DuckDBPyConnection, delivery: Delivery, rows: int) -> None:
    """Record the delivery itself, with the rows that wait for the gate."""
    feed = delivery.feed
    ledger.book(
        con,
        Booking(delivery.batch, feed.name, feed.entity.name, delivery.ds, rows, delivery.arrived_at, delivery.replaced),
    )


def drop_staged(settings: Settings, delivery: Delivery) -> None:
    """Remove the empty staged file of a delivery without rows for the gate."""
    shutil.rmtree(staged_folder(settings, delivery.feed.name, delivery.batch), ignore_errors=True)


def _book_unreadable(
    con: duckdb.DuckDBPyConnection, settings: Settings, delivery: Delivery, problem: FileProblem
) -> None:
    """An unreadable file counts as one quarantined row and is kept whole, in case the landing area is cleaned."""
    file, feed = problem.file, delivery.feed
    copy = settings.home / "quarantine" / feed.name / file.content_hash[:16] / file.path.name
    make_folders(copy.parent)
    shutil.copyfile(file.path, copy)
    _book_file(con, delivery, file, "unreadable", UNREADABLE, problem.message)
    add(
        con,
        "quarantine",
        "select ? as feed, ? as ds, ? as path, 0 as row, 'unreadable_file' as rule, ? as reason, ? as raw, ? as "
        "batch_id, ? as content_hash, ? as quarantined_at",
        [
            *(feed.name, file.ds, file.relative, problem.message, f"the file is kept at {copy}", delivery.batch),
            *(file.content_hash, delivery.arrived_at),
        ],
    )


def _book_repeat(con: duckdb.DuckDBPyConnection, delivery: Delivery, repeat: Repeat, landed: Landed) -> None:
    """A file with known content: each of its rows is a duplicate."""
    feed, file = delivery.feed, repeat.file
    known = con.execute(
        "select max(received) from ops.file where feed = ? and content_hash = ? and status <> 'repeated'",
        [feed.name, file.content_hash],
    ).fetchone()
    received = (known[0] if known else None) or 0
    counts = (received, 0, 0, received)
    message = f"the same content as {repeat.known_as}: every row counts as a duplicate"
    _book_file(con, delivery, file, "repeated", counts, message)
    add(
        con,
        "control_total",
        repeated_totals_sql(feed, file.relative, delivery.ds, file.content_hash, repeat.known_as, delivery.batch),
    )
    landed.add(file.ds, counts, delivery.batch)


def _book_file(
    con: duckdb.DuckDBPyConnection,
    delivery: Delivery,
    file: SourceFile,
    status: str,
    counts: Counts,
    message: str | None = None,
    columns: Sequence[str] | None = None,
    types: Mapping[str, str] | None = None,
) -> None:
    entry = FileEntry(
        file.relative, file.content_hash, file.ds, status, counts, file.size, file.mtime_ns, message, columns, types
    )
    ledger.book_file(con, delivery.feed.name, delivery.batch, entry, delivery.arrived_at)
