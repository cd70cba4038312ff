"""Examine a DuckDB database file and print the finding as JSON. A script of its own: see `damage.examine`.

A process that holds the database must not open its file: closing any descriptor of it drops the process's POSIX lock
(fcntl(2)), after which a second writer gets in. Therefore this runs in a child process, imports nothing of onedata, and
is never called in the parent. It runs before every opening, so it imports slow modules (duckdb, numpy) only if it has
to read everything.

Layout of the file (DuckDB 1.5, src/storage/single_file_block_manager.cpp): three headers of 4096 bytes, then blocks.
Each begins with the checksum of the rest. Layout of the write-ahead log (src/storage/write_ahead_log.cpp): a version,
then entries of size, checksum and payload.
"""

import errno
import fcntl
import json
import mmap
import os
import re
import stat
import struct
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import BinaryIO

HEADER = 4096
HEADERS = 3 * HEADER
MAGIC = b"DUCK"
WORD = struct.Struct("<Q")
OWN_VERSION = 67  # of the files that onedata makes (`open.STORAGE`)
LOGS = (".wal", ".wal.checkpoint", ".wal.recovery")
# The log's first entry: field 100 = WAL_VERSION, field 101 = 2; of files since 1.4 also which file it belongs to (field
# 102, 16 numbers of one or two bytes) and after which of its checkpoints (field 103, a number); end.
LOG_BEGINS = re.compile(
    rb"\x64\x00\x62\x65\x00\x02(\x66\x00\x10([\x80-\xff]?[\x00-\x7f]){16}\x67\x00[\x80-\xff]{0,9}[\x00-\x7f])?\xff\xff",
    re.DOTALL,
)
SHORTEST_LOG = 64  # bytes: what is shorter may be the torn beginning of a first commit
# A commit in the log: size 5, any checksum, field 100 = WAL_FLUSH, end.
COMMIT = re.compile(rb"\x05\x00{7}.{8}\x64\x00\x64\xff\xff", re.DOTALL)


@dataclass(frozen=True)
class Found:
    """The finding.

    `kind` is sound, missing, held, damaged, newer, refused (by the operating system, with its `number`) or doubtful: a
    bad block that no table needs, so it is free or belongs to an index. `file` is the examined file, `what` the text
    that follows the file's name, `holder` the process that holds it (0: unknown), `writes` whether that process may
    write, and `blocks` the positions of blocks that do not match their checksum.
    """

    kind: str
    file: str
    what: str = ""
    number: int = 0
    holder: int = 0
    writes: bool = False
    blocks: tuple[int, ...] = ()


def look(database: Path, write: bool, deep: bool) -> Found:
    """The first cause found, in the order in which DuckDB would meet them; `deep` reads the whole file."""
    name = str(database)
    try:
        if not stat.S_ISREG(database.stat().st_mode):
            return Found("damaged", name, "is no file: a folder or a device is in its place")
        with os.fdopen(os.open(database, os.O_RDWR if write else os.O_RDONLY), "rb") as stream:
            return (
                _held(stream, name, write)
                or _contents(stream, name)
                or _logs(database)
                or (_deep(stream, name) if deep else Found("sound", name))
            )
    except FileNotFoundError:
        return _without(database)
    except OSError as error:
        return Found("refused", str(error.filename or name), number=error.errno or errno.EIO)


def _without(database: Path) -> Found:
    logs = [log for log in (Path(f"{database}{suffix}") for suffix in LOGS) if log.exists()]
    if logs:
        # DuckDB would create an empty database and remove the log.
        return Found("damaged", str(database), f"is gone, and its write-ahead log {logs[0]} is still there")
    return Found("missing", str(database))


def _held(stream: BinaryIO, name: str, write: bool) -> Found | None:
    """The process that holds a conflicting lock; if none does, nobody can write until the stream is closed.

    DuckDB locks the whole file: shared for reading, exclusive for writing.
    """
    kind = fcntl.F_WRLCK if write else fcntl.F_RDLCK
    layout = "@qqihh" if sys.platform == "darwin" else "@hhqqi"
    asked = (
        struct.pack(layout, 0, 0, 0, kind, os.SEEK_SET)
        if sys.platform == "darwin"
        else struct.pack(layout, kind, os.SEEK_SET, 0, 0, 0)
    )
    answer = struct.unpack(layout, fcntl.fcntl(stream, fcntl.F_GETLK, asked))
    found, holder = (answer[3], answer[2]) if sys.platform == "darwin" else (answer[0], answer[4])
    if found != fcntl.F_UNLCK:
        return Found("held", name, holder=max(0, holder), writes=found == fcntl.F_WRLCK)
    try:
        fcntl.lockf(stream, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except (
        BlockingIOError,
        PermissionError,
    ):  # taken between the two; POSIX lets a system choose between the two errors
        return Found("held", name, writes=True)
    return None


def _contents(stream: BinaryIO, name: str) -> Found | None:
    """Whether the headers are intact, and of a version that this DuckDB reads."""
    size = os.fstat(stream.fileno()).st_size
    headers = stream.read(HEADERS)
    if not size:
        return Found("damaged", name, "is empty")
    if headers[8:12] != MAGIC:
        return Found("damaged", name, "is no DuckDB database: its first bytes are others")
    if size < HEADERS:
        return Found("damaged", name, f"is cut short: it has {size:,} bytes, and its headers alone have {HEADERS:,}")
    for at in range(0, HEADERS, HEADER):
        if not _is_whole(headers[at : at + HEADER]):
            return Found("damaged", name, f"is damaged: the header at byte {at:,} does not match its checksum")
    version = WORD.unpack_from(headers, 12)[0]
    if version > OWN_VERSION and version > _newest_version():
        return Found("newer", name, f"was written by a newer DuckDB ({_library(headers)}, storage version {version})")
    return None


def _is_whole(header: bytes) -> bool:
    stored: int = WORD.unpack_from(header)[0]
    return stored == checksum(header[8:])


def checksum(content: bytes) -> int:
    """DuckDB's checksum of whole words (src/common/checksum.cpp): each times a constant, all by exclusive or, from
    5381."""
    result = 5381
    for (word,) in WORD.iter_unpack(content):
        result ^= (word * 0xBF58476D1CE4E5B9) & 0xFFFFFFFFFFFFFFFF
    return result


def _library(headers: bytes) -> str:
    return headers[52:84].split(b"\0", 1)[0].decode("ascii", "replace") or "unknown version"


def _newest_version() -> int:
    """The newest storage version that this DuckDB writes, seen in a file it makes."""
    import duckdb

    with tempfile.TemporaryDirectory(prefix="onedata-look-") as folder, duckdb.connect() as con:
        con.execute(
            f"attach '{folder}/new' as new (storage_version 'latest'); create table new.t (a int); checkpoint new; "
            "detach new"
        )
        return int(WORD.unpack_from(Path(folder, "new").read_bytes(), 12)[0])


def _logs(database: Path) -> Found | None:
    """Whether the write-ahead log can be read to its end.

    DuckDB treats a log with an unknown header as empty, and an entry that exceeds the end as the torn entry of a crash:
    both silently drop everything committed after it. The entry is really torn only if no commit follows.
    """
    log = Path(f"{database}.wal")
    if not log.exists() or not log.stat().st_size:
        return None
    with log.open("rb") as stream, mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ) as content:
        begins = LOG_BEGINS.match(content)
        at = 0 if begins is None else _runs_over(content, begins.end())
        if at is None or (at == 0 and len(content) < SHORTEST_LOG) or (at and not COMMIT.search(content, at)):
            return None
    what = (
        f"the entry at byte {at:,} is longer than the log, and commits follow it"
        if at
        else "it does not begin as a write-ahead log of DuckDB does"
    )
    return Found("damaged", str(log), f"is damaged: {what}")


def _runs_over(content: mmap.mmap, at: int) -> int | None:
    """Position of the first entry that exceeds the end of the log; None if all end within it."""
    size = len(content)
    while at < size:
        end = at + 16 + WORD.unpack_from(content, at)[0] if at + 16 <= size else size + 1
        if end > size:
            return at
        at = end
    return None


def _deep(stream: BinaryIO, name: str) -> Found:
    """Whether every block matches its checksum, and DuckDB reads every column of every table."""
    import duckdb

    bad = tuple(_bad_blocks(stream))
    told = f"is damaged: the block at byte {bad[0]:,} does not match its checksum" if bad else ""
    try:
        with duckdb.connect(name, read_only=True, config={"threads": 2, "memory_limit": "1GB"}) as con:
            tables = con.execute(
                "select schema_name, table_name from duckdb_tables() where database_name = current_database()"
            ).fetchall()
            for schema, table in tables:
                con.execute(f'select max(hash(t)) from "{schema}"."{table}" t').fetchall()
    except (
        duckdb.IOException,
        duckdb.InternalException,
        duckdb.FatalException,
        duckdb.SerializationException,
    ) as error:
        return Found("damaged", name, told or _cut(stream) or f"is damaged: {_first_line(str(error))}", blocks=bad)
    return Found("doubtful" if bad else "sound", name, told, blocks=bad)


def _bad_blocks(stream: BinaryIO) -> Iterator[int]:
    """Positions of the blocks that do not match their checksum."""
    import numpy as np

    _, block = _blocks(stream)
    factor = np.uint64(0xBF58476D1CE4E5B9)
    stream.seek(HEADERS)
    while len(content := stream.read(block)) == block:
        words = np.frombuffer(content, dtype="<u8")
        if int(np.bitwise_xor.reduce(words[1:] * factor)) ^ 5381 != int(words[0]):
            yield stream.tell() - block


def _cut(stream: BinaryIO) -> str:
    """Whether the file is shorter than its header says. By itself this is no damage: DuckDB truncates free blocks at
    the end."""
    blocks, block = _blocks(stream)
    size = os.fstat(stream.fileno()).st_size
    return (
        f"is cut short: it has {size:,} bytes, and its header tells of {HEADERS + blocks * block:,}"
        if size < HEADERS + blocks * block
        else ""
    )


def _blocks(stream: BinaryIO) -> tuple[int, int]:
    """Number of blocks by the newer of the two small headers, and the size of one."""
    stream.seek(HEADER)
    headers = [stream.read(HEADER) for _ in range(2)]
    last = max(headers, key=lambda header: int(WORD.unpack_from(header, 8)[0]))
    return WORD.unpack_from(last, 32)[0], WORD.unpack_from(last, 40)[0]


def _first_line(text: str) -> str:
    return text.strip().splitlines()[0][:300]


if __name__ == "__main__":
    sys.path += json.loads(sys.argv[2])
    sys.stdout.write(json.dumps(asdict(look(Path(sys.argv[1]), "write" in sys.argv[3:], "deep" in sys.argv[3:]))))
