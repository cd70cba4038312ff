"""Land one feed's new files: read, type, judge, count, tokenise, stage. One transaction of the ledger a landing."""

import shutil
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from pathlib import Path

import duckdb

from onedata.contracts.identifiers import IdentifierPolicy
from onedata.contracts.model import Column, Feed
from onedata.landing import files as arrivals
from onedata.landing.recover import recover
from onedata.landing.rows import is_row_identity, typed_rows
from onedata.landing.vault import keep, normalise_sql, open_vault, token_sql, usable_sql
from onedata.readers import READERS, Drift, FileProblem, Reading, SourceFile
from onedata.settings import Settings

LINEAGE = ("source_system", "_feed", "_file", "_row", "_arrived_at", "_batch", "_hash")


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


def land(con: duckdb.DuckDBPyConnection, settings: Settings, feed: Feed, policy: IdentifierPolicy, night: date) -> Landed:
    """Stage every file of `feed` for `night` or earlier that the ledger does not know.

    Args:
        con: The warehouse, with its ledger.
        settings: Source folder, staging area, lake and vault.
        feed: What to land.
        policy: Identifier values never to use.
        night: The night that runs; files for later nights wait.

    Raises:
        SourceMissing: there is no source folder.
        VaultError: the vault's key is missing or another.
    """
    recover(con, settings, feed.name, feed.entity.name)
    fresh, repeats = arrivals.take(con, settings.source, feed, night)
    if not fresh and not repeats:
        return Landed(feed.name)
    _clear(con)
    batches = _batches(feed, fresh)
    _register(con, fresh, batches)
    reading = READERS[feed.location.format](con, feed, fresh) if fresh else Reading(None)
    arrived_at = datetime.now(UTC).replace(tzinfo=None)
    if reading.query:
        con.execute(f"create temp table landing_rows as {typed_rows(feed, reading.query)}")
        _find_rejects(con, reading, fresh)
        _find_duplicates(con, settings, feed)
        _stage(con, settings, feed, policy, batches, arrived_at)
    con.begin()
    _write_ledger(con, settings, feed, reading, fresh, repeats, batches, arrived_at)
    con.commit()
    _keep_copies(settings, feed, reading.problems)
    landed = _summary(con, feed, [file.content_hash for file in fresh], [repeat.file.relative for repeat in repeats])
    _clear(con)
    return landed


def _batches(feed: Feed, files: Sequence[SourceFile]) -> dict[date, str]:
    """One delivery a night, so that any grouping of nights into runs makes the same ones."""
    by_night: dict[date, list[SourceFile]] = defaultdict(list)
    for file in files:
        by_night[file.ds].append(file)
    return {ds: arrivals.batch_id(feed, ds, members) for ds, members in by_night.items()}


def _clear(con: duckdb.DuckDBPyConnection) -> None:
    for name in ("landing_rows", "landing_files", "landing_rejects", "landing_duplicates", "landing_base"):
        con.execute(f"drop table if exists temp.{name}")
    con.execute("drop view if exists temp.landing_keyed")


def _register(con: duckdb.DuckDBPyConnection, files: Sequence[SourceFile], batches: dict[date, str]) -> None:
    con.execute(
        "create temp table landing_files (number integer, path varchar, full_path varchar, ds date, batch_id varchar, content_hash varchar)"
    )
    if files:
        rows = [[file.number, file.relative, str(file.path), file.ds, batches[file.ds], file.content_hash] for file in files]
        con.executemany("insert into landing_files values (?, ?, ?, ?, ?, ?)", rows)


def _find_rejects(con: duckdb.DuckDBPyConnection, reading: Reading, files: Sequence[SourceFile]) -> None:
    """Records the reader could not take apart, one row each: file number, line, reason, raw."""
    con.execute("create temp table landing_rejects (number integer, row bigint, reason varchar, raw varchar)")
    if reading.rejects_table is None:
        return
    con.execute(
        f"insert into landing_rejects select f.number, e.line, string_agg(distinct lower(e.error_type::varchar) || ': ' || e.error_message, '; '), "
        f"max(e.csv_line) from {reading.rejects_table} e join {reading.rejects_table}_scans s using (scan_id, file_id) "
        f"join landing_files f on f.full_path = s.file_path group by f.number, e.line"
    )
    undecodable = con.execute(
        f"select f.number, f.full_path, e.line, min(e.line_byte_position) from {reading.rejects_table} e join {reading.rejects_table}_scans s "
        "using (scan_id, file_id) join landing_files f on f.full_path = s.file_path where e.error_type = 'INVALID ENCODING' group by all"
    ).fetchall()
    for number, path, line, position in undecodable:
        raw = _raw_line(Path(path), position - 1)
        con.execute("update landing_rejects set raw = ? where number = ? and row = ?", [raw, number, line])


def _raw_line(path: Path, position: int) -> str:
    """The bytes of a line that is not in the contract's encoding, as text that can be turned back."""
    with path.open("rb") as stream:
        stream.seek(position)
        return stream.readline().rstrip(b"\r\n").decode("utf-8", "backslashreplace")


def _find_duplicates(con: duckdb.DuckDBPyConnection, settings: Settings, feed: Feed) -> None:
    """`landing_keyed`: the rows with their identity; `landing_duplicates`: rowids of good rows that were accepted before."""
    identity = next((item.column.name for item in feed.fields if is_row_identity(item)), None)
    con.execute("create temp table landing_base as select _file_number, min(rowid) - 1 as base from landing_rows group by 1")
    if identity:
        # Equal rows of one file are told apart by their occurrence; the same rows in another file get the same identities.
        con.execute(
            "create temp view landing_keyed as select *, md5_number_lower(" + identity + ") as _hash from (select rowid as _id, *, _content || '-' || "
            f"row_number() over (partition by _file_number, _content order by rowid) as {identity} from landing_rows)"
        )
    else:
        con.execute("create temp view landing_keyed as select rowid as _id, * from landing_rows")
    key = ", ".join([*feed.entity.key, "_hash"])
    con.execute(
        f"create temp table landing_duplicates as select _id from (select k._id, row_number() over (partition by {key} order by f.ds, f.path, k._id) as n "
        "from landing_keyed k join landing_files f on f.number = k._file_number where k._rule is null and k._hash in "
        "(select _hash from landing_keyed where _rule is null group by _hash having count(*) > 1)) where n > 1"
    )
    folder = settings.lake / "ods" / feed.entity.name / f"source={feed.name}"
    if any(folder.rglob("*.parquet")):
        match = " and ".join(f"h.{name} is not distinct from k.{name}" for name in (*feed.entity.key, "_hash"))
        con.execute(
            f"insert into landing_duplicates select k._id from landing_keyed k where k._rule is null and exists (select 1 from "
            f"(select {key} from read_parquet('{folder}/*/*.parquet') where _hash in (select _hash from landing_keyed)) h where {match}) "
            "and k._id not in (select _id from landing_duplicates)"
        )


def _stage(
    con: duckdb.DuckDBPyConnection,
    settings: Settings,
    feed: Feed,
    policy: IdentifierPolicy,
    batches: dict[date, str],
    arrived_at: datetime,
) -> None:
    """Write the good rows, tokens in the place of raw identifiers, to one Parquet file a night."""
    folder = settings.staged / feed.name
    folder.mkdir(parents=True, exist_ok=True)
    mapped = {item.column.name for item in feed.fields}
    core = [column for column in feed.entity.columns if column.classification == "core" and column.name in mapped]
    rows = "temp.landing_good"
    con.execute(
        f"create or replace temp view landing_good as select k.* replace (null as _raw), {_tokens(core, policy)} b.base, f.path, f.batch_id from landing_keyed k "
        "join landing_files f on f.number = k._file_number join landing_base b on b._file_number = k._file_number "
        "where k._rule is null and k._id not in (select _id from landing_duplicates)"
    )
    with open_vault(con, settings.vault):
        keep(con, rows, core)
        for batch in batches.values():
            file = folder / f"{batch}.parquet"
            con.execute(
                f"copy (select {_output(feed, mapped, arrived_at)} from {rows} where batch_id = '{batch}' order by _id) to '{file}.tmp' (format parquet)"
            )
            Path(f"{file}.tmp").replace(file)


def _tokens(core: Sequence[Column], policy: IdentifierPolicy) -> str:
    parts = []
    for column in core:
        value = normalise_sql(column, f"k.{column.name}")
        parts.append(f"case when {usable_sql(column, value, policy)} then {token_sql(value)} end as _token_{column.name}, ")
    return "".join(parts)


def _output(feed: Feed, mapped: set[str], arrived_at: datetime) -> str:
    """The columns of an ODS file: every canonical column of the entity, then lineage."""
    columns = []
    for column in feed.entity.columns:
        if column.name not in mapped:
            columns.append(f"null::{column.sql_type} as {column.name}")
        else:
            columns.append(f"_token_{column.name} as {column.name}" if column.classification == "core" else column.name)
    lineage = [
        f"'{feed.system}' as source_system",
        f"'{feed.name}' as _feed",
        "path as _file",
        "_id - base as _row",
        f"timestamp '{arrived_at.isoformat(sep=' ')}' as _arrived_at",
        "batch_id as _batch",
        "_hash",
    ]
    return ", ".join(columns + lineage)


def _write_ledger(
    con: duckdb.DuckDBPyConnection,
    settings: Settings,
    feed: Feed,
    reading: Reading,
    fresh: Sequence[SourceFile],
    repeats: Sequence[arrivals.Repeat],
    batches: dict[date, str],
    arrived_at: datetime,
) -> None:
    unreadable = {problem.file.number: problem for problem in reading.problems}
    readable = [file for file in fresh if file.number not in unreadable]
    counts = _counts(con) if reading.query else {}
    before = _columns_before(con, feed)
    drifts = list(reading.drifts)
    for file in readable:
        received, accepted, quarantined, duplicate = counts.get(file.number, (0, 0, 0, 0))
        columns = reading.columns.get(file.number)
        if columns and before and columns != before and sorted(columns) == sorted(before):
            drifts.append(Drift(file, "order", "", f"the columns stand in another order than before ({', '.join(columns)}); they are read by name"))
        before = columns or before
        _insert_file(con, feed, file, batches[file.ds], "landed", (received, accepted, quarantined, duplicate), None, columns, arrived_at)
    for problem in reading.problems:
        _insert_file(con, feed, problem.file, None, "unreadable", (1, 0, 1, 0), problem.message, None, arrived_at)
        con.execute(
            "insert into ops.quarantine values (?, ?, ?, 0, 'unreadable_file', ?, ?, null, ?, ?)",
            [feed.name, problem.file.ds, problem.file.relative, problem.message, str(_copy_path(settings, feed, problem.file)), problem.file.content_hash, arrived_at],
        )
    for repeat in repeats:
        rows = con.execute(
            "select received from ops.file where feed = ? and content_hash = ? and status <> 'repeated'", [feed.name, repeat.file.content_hash]
        ).fetchone()
        received = rows[0] if rows else 0
        message = f"the same content as {repeat.known_as}: every row counts as a duplicate"
        _insert_file(con, feed, repeat.file, _batch_of(con, feed, repeat.file), "repeated", (received, 0, 0, received), message, None, arrived_at)
    for drift in drifts:
        con.execute(
            "insert into ops.drift values (?, ?, ?, ?, ?, ?, ?)",
            [feed.name, drift.file.ds, drift.file.relative, drift.kind, drift.column, drift.message, drift.file.content_hash],
        )
    if reading.query:
        _insert_quarantine(con, feed, arrived_at)
    for ds, batch in batches.items():
        if any(file.ds == ds for file in readable):
            rows_accepted = sum(counts.get(file.number, (0, 0, 0, 0))[1] for file in readable if file.ds == ds)
            staged = settings.staged / feed.name / f"{batch}.parquet"
            lake = settings.lake / "ods" / feed.entity.name / f"source={feed.name}" / f"ds={ds}" / f"{batch}.parquet"
            con.execute(
                "insert into ops.delivery values (?, ?, ?, ?, 'staged', ?, ?, ?, ?, null)",
                [batch, feed.name, feed.entity.name, ds, rows_accepted, str(staged), str(lake), arrived_at],
            )


def _batch_of(con: duckdb.DuckDBPyConnection, feed: Feed, file: SourceFile) -> str | None:
    row = con.execute(
        "select max(batch_id) from ops.file where feed = ? and content_hash = ?", [feed.name, file.content_hash]
    ).fetchone()
    return row[0] if row else None


def _counts(con: duckdb.DuckDBPyConnection) -> dict[int, tuple[int, int, int, int]]:
    """Received, accepted, quarantined, duplicate by file number."""
    rows = con.execute(
        "select f.number, count(k._id) + any_value(coalesce(r.n, 0)), count(k._id) filter (where k._rule is null and d._id is null), "
        "count(k._id) filter (where k._rule is not null) + any_value(coalesce(r.n, 0)), count(d._id) "
        "from landing_files f left join landing_keyed k on k._file_number = f.number left join landing_duplicates d on d._id = k._id "
        "left join (select number, count(*) as n from landing_rejects group by 1) r on r.number = f.number group by f.number"
    ).fetchall()
    return {number: (received, accepted, quarantined, duplicate) for number, received, accepted, quarantined, duplicate in rows}


def _columns_before(con: duckdb.DuckDBPyConnection, feed: Feed) -> tuple[str, ...] | None:
    row = con.execute(
        "select columns from ops.file where feed = ? and columns is not null order by ds desc, arrived_at desc, path desc limit 1", [feed.name]
    ).fetchone()
    return tuple(row[0]) if row else None


def _insert_file(
    con: duckdb.DuckDBPyConnection,
    feed: Feed,
    file: SourceFile,
    batch: str | None,
    status: str,
    counts: tuple[int, int, int, int],
    message: str | None,
    columns: Sequence[str] | None,
    arrived_at: datetime,
) -> None:
    con.execute(
        "insert into ops.file values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        [feed.name, file.relative, file.content_hash, file.ds, batch, status, *counts, message, list(columns) if columns else None, file.size, file.mtime_ns, arrived_at],
    )


def _insert_quarantine(con: duckdb.DuckDBPyConnection, feed: Feed, arrived_at: datetime) -> None:
    con.execute(
        "insert into ops.quarantine select ?, f.ds, f.path, k._id - b.base, k._rule, k._reason, k._raw, f.batch_id, f.content_hash, ? "
        "from landing_keyed k join landing_files f on f.number = k._file_number join landing_base b on b._file_number = k._file_number "
        "where k._rule is not null",
        [feed.name, arrived_at],
    )
    con.execute(
        "insert into ops.quarantine select ?, f.ds, f.path, r.row, 'unreadable_record', r.reason, r.raw, f.batch_id, f.content_hash, ? "
        "from landing_rejects r join landing_files f on f.number = r.number",
        [feed.name, arrived_at],
    )


def _copy_path(settings: Settings, feed: Feed, file: SourceFile) -> Path:
    return settings.home / "quarantine" / feed.name / file.content_hash[:16] / file.path.name


def _keep_copies(settings: Settings, feed: Feed, problems: Sequence[FileProblem]) -> None:
    """An unreadable file is kept whole, in case the landing area is cleaned."""
    for problem in problems:
        target = _copy_path(settings, feed, problem.file)
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(problem.file.path, target)


def _summary(con: duckdb.DuckDBPyConnection, feed: Feed, hashes: Sequence[str], repeated: Sequence[str]) -> Landed:
    rows = con.execute(
        "select count(*), sum(received)::bigint, sum(accepted)::bigint, sum(quarantined)::bigint, sum(duplicate)::bigint, "
        "list_sort(list(distinct ds)), list_sort(list(distinct batch_id)) from ops.file where feed = ? "
        "and (content_hash in (select unnest(?::varchar[])) or (status = 'repeated' and path in (select unnest(?::varchar[]))))",
        [feed.name, list(hashes), list(repeated)],
    ).fetchone()
    assert rows is not None
    return Landed(feed.name, rows[0], rows[1], rows[2], rows[3], rows[4], rows[5], [batch for batch in rows[6] if batch])
