"""Land one feed's new files: read, type, judge, count, tokenise, stage. One transaction of the ledger a landing."""

from collections import defaultdict
from collections.abc import Sequence
from datetime import UTC, date, datetime
from pathlib import Path

import duckdb

from onedata.contracts.identifiers import IdentifierPolicy
from onedata.contracts.model import Feed
from onedata.landing import files as arrivals
from onedata.landing.book import Arrival, Landed, book, landed_totals
from onedata.landing.places import lake_folder, staged_file
from onedata.landing.recover import recover
from onedata.landing.rows import is_row_identity, typed_rows
from onedata.landing.vault import open_vault, tokenise
from onedata.readers import READERS, Reading, SourceFile
from onedata.readers.base import escape_glob
from onedata.settings import Settings
from onedata.sql import quote_text, transaction


def land(con: duckdb.DuckDBPyConnection, settings: Settings, feed: Feed, policy: IdentifierPolicy, night: date) -> Landed:
    """Stage every file of `feed` for `night` or earlier that the ledger does not know.

    Args:
        con: The warehouse, with its ledger.
        settings: Source folder, staging area, lake and vault.
        feed: What to land.
        policy: Identifier values never to use.
        night: The night that runs; files for later nights wait.

    Raises:
        SourceError: the source is not there or cannot be reached.
        VaultError: the vault's key is missing or another.
    """
    recover(con, settings, feed.name, feed.entity.name)
    taken = arrivals.take(con, settings, feed, night)
    fresh, repeats = taken.fresh, taken.repeats
    if not fresh and not repeats and not taken.problems:
        return Landed(feed.name)
    _clear(con)
    batches = _batches(feed, fresh)
    _register(con, fresh, batches)
    reading = READERS[feed.location.format](con, feed, fresh) if fresh else Reading(None)
    reading.problems += taken.problems
    reading.drifts += taken.drifts
    files = [*fresh, *(problem.file for problem in taken.problems)]
    arrival = Arrival(feed, files, repeats, batches, reading, datetime.now(UTC).replace(tzinfo=None))
    if reading.query:
        con.execute(f"create temp table landing_rows as {typed_rows(feed, reading.query)}")
        broken_off = [problem.file.number for problem in reading.problems]
        con.execute("delete from landing_rows where _file_number in (select unnest(?::integer[]))", [broken_off])
        _find_rejects(con, reading)
        _find_duplicates(con, settings, feed)
        _stage(con, settings, policy, arrival)
    with transaction(con):
        book(con, settings, arrival)
    landed = landed_totals(con, arrival)
    _clear(con)
    arrivals.spool_of(settings, feed).clear()
    return landed


def _batches(feed: Feed, files: Sequence[SourceFile]) -> dict[date, str]:
    """One delivery a night, so that any grouping of nights into runs makes the same ones."""
    by_night: dict[date, list[SourceFile]] = defaultdict(list)
    for file in files:
        by_night[file.ds].append(file)
    return {ds: arrivals.batch_id(feed, ds, members) for ds, members in by_night.items()}


def _clear(con: duckdb.DuckDBPyConnection) -> None:
    """Drop the landing's temp tables: they hold raw identifiers."""
    for kind in ("view", "table"):
        names = con.execute(f"select {kind}_name from duckdb_{kind}s() where temporary and {kind}_name like 'landing_%'").fetchall()
        for (name,) in names:
            con.execute(f"drop {kind} temp.{name}")


def _register(con: duckdb.DuckDBPyConnection, files: Sequence[SourceFile], batches: dict[date, str]) -> None:
    con.execute("create temp table landing_files (number integer, path varchar, full_path varchar, ds date, batch_id varchar, content_hash varchar)")
    if files:
        rows = [[file.number, file.relative, str(file.path), file.ds, batches[file.ds], file.content_hash] for file in files]
        con.executemany("insert into landing_files values (?, ?, ?, ?, ?, ?)", rows)


def _find_rejects(con: duckdb.DuckDBPyConnection, reading: Reading) -> None:
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
            "create temp table landing_keyed as select *, md5_number_lower(" + identity + ") as _hash from (select rowid as _id, *, _content || '-' || "
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
    folder = lake_folder(settings, feed.entity.name, feed.name)
    history = f"{escape_glob(str(folder))}/*/*.parquet"
    if any(folder.rglob("*.parquet")):
        match = " and ".join(f"h.{name} is not distinct from k.{name}" for name in (*feed.entity.key, "_hash"))
        con.execute(
            f"insert into landing_duplicates select k._id from landing_keyed k where k._rule is null and exists (select 1 from "
            f"(select {key} from read_parquet({quote_text(history)}) where _hash in (select _hash from landing_keyed)) h where {match}) "
            "and k._id not in (select _id from landing_duplicates)"
        )


def _stage(con: duckdb.DuckDBPyConnection, settings: Settings, policy: IdentifierPolicy, arrival: Arrival) -> None:
    """Write the good rows, tokens in the place of raw identifiers, to one Parquet file a night."""
    feed = arrival.feed
    (settings.staged / feed.name).mkdir(parents=True, exist_ok=True)
    mapped = {item.column.name for item in feed.fields}
    core = [column for column in feed.entity.columns if column.classification == "core" and column.name in mapped]
    with open_vault(con, settings.vault):
        tokens = {column.name: tokenise(con, "landing_keyed", column, policy) for column in core}
    joins = " ".join(f"left join {table} on {table}.value = k.{name}" for name, table in tokens.items())
    for ds, batch in arrival.batches.items():
        file = staged_file(settings, feed.name, batch)
        # The rows stand in file order, so naming the files lets DuckDB skip the other nights' rows.
        numbers = ", ".join(str(member.number) for member in arrival.fresh if member.ds == ds)
        con.execute(
            f"copy (select {_output(feed, mapped, arrival.arrived_at)} from landing_keyed k join landing_files f on f.number = k._file_number "
            f"join landing_base b on b._file_number = k._file_number {joins} where k._file_number in ({numbers}) and k._rule is null "
            f"and k._id not in (select _id from landing_duplicates) order by k._id) to {quote_text(f'{file}.tmp')} (format parquet)"
        )
        Path(f"{file}.tmp").replace(file)


def _output(feed: Feed, mapped: set[str], arrived_at: datetime) -> str:
    """The columns of an ODS file: every canonical column of the entity, then lineage."""
    columns = []
    for column in feed.entity.columns:
        if column.name not in mapped:
            columns.append(f"null::{column.sql_type} as {column.name}")
        else:
            columns.append(f"landing_token_{column.name}.token as {column.name}" if column.classification == "core" else f"k.{column.name}")
    lineage = [
        f"'{feed.system}' as source_system",
        f"'{feed.name}' as _feed",
        "f.path as _file",
        "k._id - b.base as _row",
        f"timestamp '{arrived_at.isoformat(sep=' ')}' as _arrived_at",
        "f.batch_id as _batch",
        "k._hash",
    ]
    return ", ".join(columns + lineage)
