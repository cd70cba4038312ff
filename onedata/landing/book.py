"""Book one delivery into the ledger: every file with its four counts, every bad row, every repair. The caller owns the transaction."""

import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime

import duckdb
import pyarrow as pa

from onedata.contracts.model import Feed
from onedata.landing.control_totals import amounts_sql, control_totals_sql, repeated_totals_sql
from onedata.landing.files import Repeat
from onedata.landing.stage import BAD, DUPLICATE, GOOD, WRITTEN
from onedata.landing.write import Delivery
from onedata.readers import FileProblem, Reading, SourceFile
from onedata.readers.csv_raw import MOST_SHOWN, raw_records
from onedata.readers.encoding import is_utf8
from onedata.settings import Settings
from onedata.sql import quote_text

Counts = tuple[int, int, int, int]
NOTHING: Counts = (0, 0, 0, 0)
RAW_RECORDS_AT_ONCE = 10_000


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

    def add(self, ds: date, counts: Counts, batch: str | None) -> None:
        """Count one file more."""
        self.files += 1
        self.received, self.accepted = self.received + counts[0], self.accepted + counts[1]
        self.quarantined, self.duplicate = self.quarantined + counts[2], self.duplicate + counts[3]
        self.nights = sorted({*self.nights, ds})
        self.batches = sorted({*self.batches, batch}) if batch else self.batches


def prepare_bad_rows(con: duckdb.DuckDBPyConnection, delivery: Delivery, reading: Reading) -> None:
    """`landing_quarantine`: every bad row and unreadable record of the delivery, with its raw text. Reads files; call it before the transaction."""
    totals, currency = amounts_sql(delivery.feed)
    con.execute(
        f"create or replace temp table landing_quarantine as select _file, _row, _extra ->> 'rule' as rule, _extra ->> 'reason' as reason, "
        f"_extra ->> 'raw' as raw, (_extra ->> 'place')::bigint as place, {totals} as totals, {currency} as currency from {BAD}"
    )
    places = con.execute("select _file, list(distinct place order by place) from landing_quarantine where raw is null group by 1 order by 1").fetchall()
    by_name = {file.relative: file for file in delivery.files}
    for name, wanted in places:
        texts: list[tuple[int, str]] = []
        for found in reading.raw_of(by_name[name], wanted):
            texts.append(found)
            if len(texts) == RAW_RECORDS_AT_ONCE:
                _fill_in(con, name, texts)
                texts = []
        _fill_in(con, name, texts)
    if reading.rejects_table:
        _add_rejects(con, delivery, reading.rejects_table)


def _fill_in(con: duckdb.DuckDBPyConnection, name: str, texts: Sequence[tuple[int, str]]) -> None:
    con.register("landing_texts", pa.table({"place": [place for place, _ in texts], "raw": pa.array([raw for _, raw in texts], pa.string())}))
    con.execute("update landing_quarantine q set raw = t.raw from landing_texts t where q._file = ? and q.place = t.place and q.raw is null", [name])
    con.unregister("landing_texts")


def _add_rejects(con: duckdb.DuckDBPyConnection, delivery: Delivery, rejects: str) -> None:
    """Records that DuckDB could not take apart, one row each, as they stand in the file; a byte that is not UTF-8 is shown as \\x...

    DuckDB gives a record's text with the blank lines before it, a '?' for each byte it cannot decode, and only so much of it (`MOST_SHOWN`).
    Where a quote stays open it gives nothing, another part of the record, or the record before: then what lies between its places is read.
    """
    options, files = delivery.feed.location.options, {str(file.path): file for file in delivery.files}
    encoding = options.get("encoding", "utf-8")
    names = pa.table({"file_path": pa.array(files, pa.string()), "relative": pa.array([file.relative for file in files.values()], pa.string())})
    con.register("landing_read", names)
    broken = (
        f"select s.file_path, e.line, min(e.line_byte_position) as place, max(e.csv_line) as csv_line, "
        f"max(e.line_byte_position + strlen(e.csv_line)) as shown, "
        f"greatest(shown, max(e.byte_position)) - place as length, "
        f"min(strlen(e.csv_line)) = 0 or max(strlen(e.csv_line)) >= {MOST_SHOWN} or max(e.byte_position) > shown as is_partial, "
        f"is_partial or count(distinct e.line_byte_position) > 1 or bool_or(e.error_type = 'INVALID ENCODING') as in_file, "
        f"case when bool_or(e.error_type = 'INVALID ENCODING') then {quote_text(f'invalid encoding: the record holds bytes that are not {encoding}')} "
        f"else string_agg(distinct lower(e.error_type::varchar) || ': ' || e.error_message, '; ') end as reason "
        f"from {rejects} e join {rejects}_scans s using (scan_id, file_id) group by all"
    )
    con.execute(f"create or replace temp table landing_broken as select r.relative, b.* from ({broken}) b join landing_read r using (file_path)")
    con.unregister("landing_read")
    con.execute(
        "insert into landing_quarantine select relative, line, 'unreadable_record', reason, "
        "case when not in_file then ltrim(csv_line, chr(10) || chr(13)) end, place, null, null from landing_broken"
    )
    wanted = con.execute(
        "select file_path, list((place, length, is_partial) order by place) from landing_broken where in_file group by 1 order by 1"
    ).fetchall()
    for path, places in wanted:
        for first in range(0, len(places), RAW_RECORDS_AT_ONCE):
            found = raw_records(files[path].path, places[first : first + RAW_RECORDS_AT_ONCE], options)
            # A file of another encoding was turned into UTF-8 with 0xFF before what it could not turn, see `readers.encoding`.
            texts = found if is_utf8(encoding) else ((place, text.replace("\\xff\\x", "\\x")) for place, text in found)
            _fill_in(con, files[path].relative, list(texts))


def book(con: duckdb.DuckDBPyConnection, settings: Settings, delivery: Delivery, reading: Reading, landed: Landed) -> None:
    """Write the delivery's files, drifts, quarantine and repairs; what `stage` and `prepare_bad_rows` made must be there."""
    unreadable = {problem.file.number for problem in reading.problems}
    readable = [file for file in delivery.files if file.number not in unreadable]
    counts = _counts(con)
    for file in readable:
        own = counts.get(file.relative, NOTHING)
        _insert_file(
            con,
            delivery.feed,
            delivery.arrived_at,
            file,
            delivery.batch,
            "landed",
            own,
            None,
            reading.columns.get(file.number),
            reading.column_types.get(file.number),
        )
        landed.add(file.ds, own, delivery.batch)
    for problem in reading.problems:
        _book_unreadable(con, settings, delivery, problem)
        landed.add(problem.file.ds, (1, 0, 1, 0), None)
    if delivery.replaced:
        con.execute("delete from ops.drift where feed = ? and ds = ?", [delivery.feed.name, delivery.ds])
    for drift in reading.drifts:
        values = [delivery.feed.name, drift.file.ds, drift.file.relative, drift.kind, drift.column, drift.message, drift.file.content_hash]
        con.execute("insert into ops.drift values (?, ?, ?, ?, ?, ?, ?)", values)
    if readable or delivery.replaced:
        _book_rows(con, delivery, readable, any(own[3] for own in counts.values()))


def _counts(con: duckdb.DuckDBPyConnection) -> dict[str, Counts]:
    """Received, accepted, quarantined, duplicate by file."""
    fates = (("good", GOOD), ("bad", "landing_quarantine"), ("again", DUPLICATE))
    each = " union all ".join(f"select '{fate}' as fate, _file, count(*) as n from {relation} group by all" for fate, relation in fates)
    sums = ", ".join(f"coalesce(sum(n) filter (where fate = '{fate}'), 0)::bigint" for fate, _ in fates)
    rows = con.execute(f"select _file, sum(n)::bigint, {sums} from ({each}) group by 1").fetchall()
    return {path: (received, accepted, quarantined, duplicate) for path, received, accepted, quarantined, duplicate in rows}


def _book_rows(con: duckdb.DuckDBPyConnection, delivery: Delivery, readable: Sequence[SourceFile], has_duplicates: bool) -> None:
    feed = delivery.feed
    names, hashes = [file.relative for file in readable], [file.content_hash for file in readable]
    nights = pa.array([delivery.ds] * len(names), pa.date32())
    batches = pa.array([delivery.batch] * len(names), pa.string())
    known = {"path": pa.array(names, pa.string()), "content_hash": pa.array(hashes, pa.string()), "batch_id": batches, "ds": nights}
    con.register("landing_files", pa.table(known))
    con.execute(
        "insert into ops.quarantine select ?, ?, q._file, q._row, q.rule, q.reason, q.raw, ?, f.content_hash, ?, q.totals, q.currency "
        "from landing_quarantine q join landing_files f on f.path = q._file",
        [feed.name, delivery.ds, delivery.batch, delivery.arrived_at],
    )
    book_accepted(con, delivery)
    good = {WRITTEN: ["received"], GOOD: ["accepted"]} if has_duplicates else {GOOD: ["received", "accepted"]}
    totals = control_totals_sql(feed, {**good, BAD: ["received", "quarantined"], DUPLICATE: ["duplicate"]})
    if totals:
        con.execute(totals)
    con.unregister("landing_files")


def book_accepted(con: duckdb.DuckDBPyConnection, delivery: Delivery) -> None:
    """Write the delivery of the staged rows, and what was repaired in them."""
    feed = delivery.feed
    con.execute(
        f"insert into ops.repair select ?, ?, _file, split_part(change, ':', 1), split_part(change, ':', 2), count(*), ? from (select _file, "
        f"unnest(string_split(_repaired, ',')) as change from {GOOD} where _repaired is not null) group by all",
        [feed.name, delivery.ds, delivery.batch],
    )
    con.execute(
        f"insert into ops.delivery select ?, ?, ?, ?, 'staged', count(*), ?, null, ? from {GOOD}",
        [delivery.batch, feed.name, feed.entity.name, delivery.ds, delivery.arrived_at, list(delivery.replaced)],
    )


def _book_unreadable(con: duckdb.DuckDBPyConnection, settings: Settings, delivery: Delivery, problem: FileProblem) -> None:
    """An unreadable file counts as one quarantined row and is kept whole, in case the landing area is cleaned."""
    file, feed = problem.file, delivery.feed
    copy = settings.home / "quarantine" / feed.name / file.content_hash[:16] / file.path.name
    copy.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(file.path, copy)  # not its mode: others may read what is delivered, not what is kept
    _insert_file(con, feed, delivery.arrived_at, file, None, "unreadable", (1, 0, 1, 0), problem.message, None, None)
    con.execute(
        "insert into ops.quarantine values (?, ?, ?, 0, 'unreadable_file', ?, ?, null, ?, ?, null, null)",
        [feed.name, file.ds, file.relative, problem.message, f"the file is kept at {copy}", file.content_hash, delivery.arrived_at],
    )


def book_repeat(con: duckdb.DuckDBPyConnection, feed: Feed, repeat: Repeat, arrived_at: datetime, landed: Landed) -> None:
    """A file with known content: each of its rows is a duplicate."""
    known = con.execute(
        "select received, batch_id from ops.file where feed = ? and content_hash = ? and status <> 'repeated'", [feed.name, repeat.file.content_hash]
    ).fetchone()
    received, batch = known if known else (0, None)
    message = f"the same content as {repeat.known_as}: every row counts as a duplicate"
    counts = (received, 0, 0, received)
    _insert_file(con, feed, arrived_at, repeat.file, batch, "repeated", counts, message, None, None)
    con.execute(repeated_totals_sql(feed, repeat.file.relative, repeat.file.ds, repeat.file.content_hash, repeat.known_as))
    landed.add(repeat.file.ds, counts, batch)


def _insert_file(
    con: duckdb.DuckDBPyConnection,
    feed: Feed,
    arrived_at: datetime,
    file: SourceFile,
    batch: str | None,
    status: str,
    counts: Counts,
    message: str | None,
    columns: Sequence[str] | None,
    types: Mapping[str, str] | None,
) -> None:
    listed = list(columns) if columns else None
    con.execute(
        "insert into ops.file values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, map(?::varchar[], ?::varchar[]), ?, ?, ?)",
        [
            feed.name,
            file.relative,
            file.content_hash,
            file.ds,
            batch,
            status,
            *counts,
            message,
            listed,
            list(types or {}),
            list((types or {}).values()),
            file.size,
            file.mtime_ns,
            arrived_at,
        ],
    )
