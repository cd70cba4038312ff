"""Write one delivery's valid and invalid rows, in one pass over the source.

Method: DuckDB writes both into two folders of one COPY, so nothing is read or written twice. A large text file is read
in pieces, one per thread.
"""

import re
import shutil
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, replace
from datetime import date, datetime
from pathlib import Path
from typing import NamedTuple

import duckdb

from onedata.contracts.identifiers import IdentifierPolicy
from onedata.contracts.model import Column, Feed, Field
from onedata.landing.other_encoding import in_chinese
from onedata.landing.rows import OF_EDITION, OF_FILE, typed_rows
from onedata.landing.vault import open_vault, tokenise
from onedata.ledger.paths import file_name
from onedata.readers import FileProblem, Reading, SourceFile
from onedata.readers.base import Part, Piece
from onedata.readers.csv import mixed_line_ends
from onedata.readers.pieces import PROTOCOL, PieceFiles
from onedata.settings import Settings
from onedata.sql import quote_text

ROWS_AT_ONCE = 20_000
# Distinct values of a row group up to which a column is written as a dictionary; further ones cost a tenth of the pass
# and make the file no smaller.
DICTIONARY = 1_000
# Folders of `work`. DuckDB compares the value of each row: a number is cheaper than a text.
GOOD_ROWS, BAD_ROWS = "_bad=0", "_bad=1"
# If DuckDB's message contains half a character of the file, Python cannot decode it.
_REFUSALS = (duckdb.Error, UnicodeDecodeError)
# Formats that DuckDB reads with all of its threads: records of the others are numbered by one thread.
_PARALLEL = ("parquet", "xlsx")
FILES_AT_ONCE, KINDS_AT_ONCE = 16, 4  # in one statement


@dataclass(frozen=True)
class Repeat:
    """A file whose content is known under another path (or earlier in the same night)."""

    file: SourceFile
    known_as: str


@dataclass(frozen=True)
class Delivery:
    """The rows of one feed for one night that land together.

    `replaced` are the deliveries that it replaces. It is `followed` if another night of the feed lands after it in the
    same run. `repeats` are files that contain only duplicates.
    """

    feed: Feed
    ds: date
    batch: str
    files: Sequence[SourceFile]
    arrived_at: datetime
    replaced: Sequence[str] = ()
    followed: bool = False
    repeats: Sequence[Repeat] = ()


def write(
    con: duckdb.DuckDBPyConnection,
    settings: Settings,
    policy: IdentifierPolicy,
    delivery: Delivery,
    reading: Reading,
    work: Path,
) -> None:
    """Write valid and invalid rows to their folders; a file that DuckDB cannot read to its end, or that turns out to be
    in another encoding, becomes a problem and does not affect other files."""
    shutil.rmtree(work, ignore_errors=True)
    work.mkdir(parents=True, mode=0o700)
    if not reading.parts:
        reading.rejects_table = None
        return
    try:
        _configure(con)
        if _copy_pieces(con, delivery, reading.parts, work):
            # Every line was a record.
            reading.rejects_table = None
        else:
            _copy(con, settings, policy, delivery, reading.parts, work)
        broken = in_chinese(con, delivery.feed, reading, work / BAD_ROWS)
    except _REFUSALS:
        broken = _unreadable(con, delivery.feed, reading)
        if not broken:
            raise
    finally:
        con.execute("reset disabled_optimizers; reset partitioned_write_flush_threshold")
    if broken:
        unreadable = {problem.file.number for problem in broken}
        reading.problems += broken
        reading.parts = [part for part in reading.parts if part.file.number not in unreadable]
        if table := reading.rejects_table:
            con.execute(f"drop table if exists {table}; drop table if exists {table}_scans")
        write(con, settings, policy, delivery, reading, work)


def _unreadable(con: duckdb.DuckDBPyConnection, feed: Feed, reading: Reading) -> list[FileProblem]:
    """The files that DuckDB cannot read to their end, each with DuckDB's message."""
    broken = []
    for part in reading.parts:
        try:
            # Every value is read: a count alone is answered by a Parquet file's footer.
            con.execute(f"select bit_xor(hash(r)) from ({part.query}) r").fetchall()
        except _REFUSALS as error:
            text = (
                error.object.decode("utf-8", "backslashreplace")
                if isinstance(error, UnicodeDecodeError)
                else str(error)
            )
            why = f"{text.splitlines()[0]}. Ask for it again."
            if feed.location.format == "csv":
                why = mixed_line_ends(part.file.path, feed.location.options.get("quote", '"')) or why
            broken.append(FileProblem(part.file, f"the file cannot be read as {feed.location.format}: {why}"))
    return broken


def _configure(con: duckdb.DuckDBPyConnection) -> None:
    # If DuckDB moves a cast out of a TRY to compute it once, a failing cast stops the whole file (DuckDB 1.5.5).
    con.execute("set disabled_optimizers = 'common_subexpressions'")
    # Smaller steps keep the rows of both folders in the CPU cache: an eighth less CPU, and less memory.
    con.execute(f"set partitioned_write_flush_threshold = {ROWS_AT_ONCE}")


def _copy_pieces(con: duckdb.DuckDBPyConnection, delivery: Delivery, parts: Sequence[Part], work: Path) -> bool:
    """Write the rows with several threads, each of which reads a piece of a file. Returns whether that was possible.

    It is not possible if a file cannot be split, or has a piece with fewer records than lines; if all rows are needed
    together; or if raw identifiers go through a temp table, which belongs to one connection.
    """
    threads = _threads(con)
    if threads < 2 or delivery.feed.content_key or delivery.feed.condition or _core(delivery.feed):
        return False
    cut = [(part, part.cut(threads)) for part in parts]
    if not all(pieces for _, pieces in cut):
        return False
    pieces = [(part, piece) for part, found in cut for piece in found]
    con.register_filesystem(PieceFiles())
    cursors = [con.cursor() for _ in pieces]
    try:
        with _one_thread(con), ThreadPoolExecutor(threads) as pool:
            statements = [_of_piece(delivery, *piece, work, number) for number, piece in enumerate(pieces)]
            try:
                written = list(pool.map(_run, cursors, statements))
            except BaseException:
                pool.shutdown(wait=False, cancel_futures=True)
                for cursor in cursors:
                    cursor.interrupt()
                raise
        whole = written == [piece.rows for _, piece in pieces]
    except _REFUSALS:
        # Reading the whole file gives the error message.
        whole = False
    finally:
        for cursor in cursors:
            cursor.close()
        con.unregister_filesystem(PROTOCOL)
    if not whole:
        shutil.rmtree(work)
        work.mkdir(mode=0o700)
    return whole


class _OfPiece(NamedTuple):
    """How a piece is written: the COPY, one that is tried before (or none), and what either may leave."""

    strict: str
    careful: str
    folder: Path
    files: str


def _of_piece(delivery: Delivery, part: Part, piece: Piece, work: Path, number: int) -> _OfPiece:
    def statement(part: Part, query: str) -> str:
        rows = _rows_alike(delivery.feed, [replace(part, query=query)], is_only=True)
        return _copy_sql(delivery, rows, work, f"{number}_{{i}}")

    strict = statement(part.strict, piece.strict) if part.strict and piece.strict else ""
    return _OfPiece(strict, statement(part, piece.query), work, f"*/{file_name(delivery.batch, f'{number}_*')}.parquet")


def _run(con: duckdb.DuckDBPyConnection, piece: _OfPiece) -> int:
    """Number of rows that a COPY wrote, on a separate connection with its own settings."""
    con.execute("set timezone = 'UTC'")
    _configure(con)
    if piece.strict:
        try:
            return _written(con, piece.strict)
        except duckdb.InterruptException:
            raise
        except _REFUSALS:
            for file in piece.folder.glob(piece.files):
                file.unlink()
    return _written(con, piece.careful)


def _written(con: duckdb.DuckDBPyConnection, statement: str) -> int:
    row = con.execute(statement).fetchone()
    assert row is not None
    return int(row[0])


def _threads(con: duckdb.DuckDBPyConnection) -> int:
    row = con.execute("select current_setting('threads')").fetchone()
    assert row is not None
    return int(row[0])


@contextmanager
def _one_thread(con: duckdb.DuckDBPyConnection) -> Iterator[None]:
    """Run without DuckDB's other threads: while one of them does all the work, Python's thread busy-waits and uses as
    much CPU again (DuckDB 1.5.5)."""
    threads = _threads(con)
    con.execute("set threads = 1")
    try:
        yield
    finally:
        con.execute(f"set threads = {threads}")


def _core(feed: Feed) -> list[Column]:
    return [item.column for item in feed.fields if item.column.classification == "core"]


def row_statements(feed: Feed, parts: Sequence[Part]) -> list[str]:
    """SQL of all rows of the parts, some at a time. Parts that are read alike share the SQL of the contract, which is
    long: DuckDB plans it, and holds the vectors of all its columns, as often as it stands in a statement."""
    alike: dict[tuple[object, ...], list[Part]] = {}
    for part in parts:
        read = (part.raw, part.place, part.broken, part.extra, tuple(sorted(part.types.items())))
        alike.setdefault(read, []).append(part)
    groups = [group[at : at + FILES_AT_ONCE] for group in alike.values() for at in range(0, len(group), FILES_AT_ONCE)]
    some: list[list[list[Part]]] = [[]]
    for group in groups:
        files = sum(map(len, some[-1])) + len(group)
        if some[-1] and (files > FILES_AT_ONCE or len(some[-1]) == KINDS_AT_ONCE):
            some.append([])
        some[-1].append(group)
    return [
        " union all by name ".join(_rows_alike(feed, group, len(parts) == 1) for group in together) for together in some
    ]


def _rows_alike(feed: Feed, parts: Sequence[Part], is_only: bool) -> str:
    first = parts[0]
    if len(parts) == 1:
        names = f"{_constant(first.file.relative, is_only)} as _file, {first.file.edition}::bigint as _edition"
        return f"select {names}, * from ({typed_rows(feed, first)})"
    query = " union all by name ".join(
        f"select {quote_text(part.file.relative)} as {OF_FILE}, {part.file.edition}::bigint as {OF_EDITION}, * "
        f"from ({part.query})"
        for part in parts
    )
    return typed_rows(feed, replace(first, query=query), is_of_files=True)


def _constant(text: str, is_only: bool = True) -> str:
    """SQL of a text that is the same in every row. As an enum it is written as text, but not copied and hashed for
    every row."""
    return f"{quote_text(text)}::enum({quote_text(text)})" if is_only else quote_text(text)


def _copy(
    con: duckdb.DuckDBPyConnection,
    settings: Settings,
    policy: IdentifierPolicy,
    delivery: Delivery,
    parts: Sequence[Part],
    work: Path,
) -> None:
    """The one pass over the source, which also replaces raw identifiers by tokens.

    A feed with raw identifiers goes through a temp table, so that each distinct value is hashed once and no raw value
    is written to a file. Many files are read a few at a time: DuckDB holds the vectors of all of a statement at once.
    """
    feed = delivery.feed
    some = row_statements(feed, parts)
    reading = nullcontext() if feed.location.format in _PARALLEL else _one_thread(con)
    core = _core(feed)
    if not core:
        with reading:
            for number, rows in enumerate(some):
                con.execute(_copy_sql(delivery, rows, work, f"{number}_{{i}}" if len(some) > 1 else "{i}"))
        return
    with reading:
        con.execute(f"create or replace temp table landing_typed as {some[0]}")
        for rows in some[1:]:
            con.execute(f"insert into landing_typed by name {rows}")
    with open_vault(con, settings.vault):
        region = feed.region or settings.default_region
        tokens = {column.name: tokenise(con, "landing_typed", column, policy, region) for column in core}
    joins = " ".join(f"left join {table} on {table}.value = r.{name}" for name, table in tokens.items())
    con.execute(_copy_sql(delivery, "from landing_typed", work, "{i}", joins))


def _copy_sql(delivery: Delivery, rows: str, work: Path, number: str, joins: str = "") -> str:
    name = quote_text(file_name(delivery.batch, number))
    return (
        f"copy (select {_output(delivery)}, (case when r._rule is null then 0 else 1 end)::utinyint as _bad "
        f"from ({rows}) r {joins}) to {quote_text(str(work))} (format parquet, partition_by (_bad), "
        f"dictionary_size_limit {DICTIONARY}, overwrite_or_ignore, filename_pattern {name})"
    )


def _output(delivery: Delivery) -> str:
    """The columns of an ODS file: the canonical columns that the feed maps, then lineage. Readers give NULL for the
    others (`ods_rows`): a column of nothing but NULL costs as much to write as one of short texts."""
    feed = delivery.feed
    mapped = {item.column.name: item for item in feed.fields}
    columns = []
    for column in feed.entity.columns:
        if column.name not in mapped:
            continue
        if column.classification == "core":
            columns.append(f"landing_token_{column.name}.token as {column.name}")
        elif literal := _literal(mapped[column.name]):
            columns.append(f"{_constant(literal)} as {column.name}")
        else:
            columns.append(f"r.{column.name}")
    lineage = [
        f"{_constant(feed.system)} as source_system",
        f"{_constant(feed.name)} as _feed",
        "r._file",
        "r._edition",
        "r._row",
        f"timestamp '{delivery.arrived_at.isoformat(sep=' ')}' as _arrived_at",
        f"{_constant(delivery.batch)} as _batch",
        f"{_mapped(feed)} as _mapped",
        *([f"{feed.priority}::bigint as _priority"] if feed.priority else []),
        "r._repaired",
        "r._extra",
    ]
    return ", ".join(columns + lineage)


def _mapped(feed: Feed) -> str:
    """SQL of the columns that a row speaks of: those that the feed maps, without one whose value was void."""
    names = [item.column.name for item in feed.fields if not item.is_filled]
    if not any(item.on_invalid == "void" for item in feed.fields):
        return _constant(",".join(names))
    whole = quote_text(",".join(names))
    rest = f"list_filter({names}, lambda c: not contains(',' || r._repaired || ',', ',' || c || ':void,'))"
    return f"case when contains(r._repaired, ':void') then array_to_string({rest}, ',') else {whole} end"


def _literal(item: Field) -> str | None:
    """The text that a transformLogic gives every row, if it is a literal and nothing else."""
    if item.logic is None or item.column.type != "text" or item.repairs or item.on_invalid == "void":
        return None
    found = re.fullmatch(r"\s*'([^'{}]*)'\s*", item.logic)
    return found[1].strip(" ") or None if found else None
