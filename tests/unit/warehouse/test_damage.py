"""Damage of a warehouse is reported as damage, whatever DuckDB's message: the cause is found by checking the file."""

from __future__ import annotations

import os
import re
import struct
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import replace
from pathlib import Path

import duckdb
import pytest
from small_retailer import settings_in
from support import another_user, fill_disk, let_others_pass, small_disk

from onedata.settings import Settings
from onedata.warehouse import (
    WarehouseBusy,
    WarehouseDamaged,
    WarehouseMissing,
    WarehouseUnreadable,
    open_warehouse,
    read_warehouse,
)
from onedata.warehouse.damage import examine
from onedata.warehouse.look import HEADER, HEADERS, WORD, checksum
from onedata.warehouse.open import STORAGE

BLOCK = 262_144
HOLD = (
    "import sys, duckdb; con = duckdb.connect(sys.argv[1], read_only=len(sys.argv) > 2); print('open', "
    "flush=True); sys.stdin.readline()"
)
# Ends as a killed process does: what was committed is in the log, not in the file.
KILLED = """
import os, sys, duckdb
con = duckdb.connect()
con.execute(f"attach '{sys.argv[1]}' as own (storage_version '{sys.argv[2]}'); use own")
con.execute("pragma disable_checkpoint_on_shutdown")
for number in range(3):
    con.execute(f"create table logged{number} as select range as a, md5(range::varchar) as b from range(3000)")
os._exit(0)
"""
Opening = Callable[[Settings], AbstractContextManager[duckdb.DuckDBPyConnection]]


def written(settings: Settings) -> AbstractContextManager[duckdb.DuckDBPyConnection]:
    return open_warehouse(settings, lambda _: None)


BOTH = pytest.mark.parametrize("opening", [written, read_warehouse], ids=["writing", "reading"])


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A warehouse file of twenty blocks, with an index, closed and whole."""
    path = tmp_path_factory.mktemp("whole") / "onedata.duckdb"
    with duckdb.connect(str(path)) as con:
        con.execute("create table kept as select range as a, md5(range::varchar) as b from range(200000)")
        con.execute(
            "create table keyed (k varchar primary key); insert into keyed select md5(range::varchar) from range(20000)"
        )
    assert path.stat().st_size > 12 * BLOCK
    assert not Path(f"{path}.wal").exists()
    return path


@pytest.fixture(scope="module", params=["v0.10.0", STORAGE])
def killed(tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest) -> Path:
    """A warehouse, as homes of before have it or as onedata makes it, whose writer was killed: three tables stand in
    its log alone."""
    path = tmp_path_factory.mktemp("killed") / "onedata.duckdb"
    subprocess.run([sys.executable, "-c", KILLED, str(path), request.param], check=True)
    assert Path(f"{path}.wal").stat().st_size > 10_000
    return path


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """Waits long for another process, so that a test that waits for a damaged file does not end."""
    return replace(settings_in(tmp_path), lock_wait_seconds=3600.0)


def put(settings: Settings, database: bytes | None, log: bytes | None = None) -> Path:
    settings.warehouse.parent.mkdir(parents=True)
    for path, content in ((settings.warehouse, database), (Path(f"{settings.warehouse}.wal"), log)):
        if content is not None:
            path.write_bytes(content)
    return settings.warehouse


def flipped(content: bytes, *places: int) -> bytes:
    changed = bytearray(content)
    for place in places:
        changed[place] ^= 0xFF
    return bytes(changed)


def log_of(killed: Path) -> bytes:
    return Path(f"{killed}.wal").read_bytes()


def catalogue(content: bytes) -> int:
    """Where the block lies that holds the names of the tables: the newer of the two small headers names it in 56
    bits."""
    _, block = max(struct.unpack_from("<QQ", content, at + 8) for at in (HEADER, 2 * HEADER))
    return HEADERS + (block & (2**56 - 1)) * BLOCK


# How a file is damaged, what is said of it, and whether that is seen before anything is read.
DAMAGES: dict[str, tuple[Callable[[bytes], bytes], str, bool]] = {
    "empty": (lambda _: b"", "is empty", True),
    "one byte": (lambda content: content[:1], "is no DuckDB database: its first bytes are others", True),
    "junk": (
        lambda _: b"not a database, a block of junk" * 10_000,
        "is no DuckDB database: its first bytes are others",
        True,
    ),
    "random": (lambda content: os.urandom(len(content)), "is no DuckDB database: its first bytes are others", True),
    "zeros": (lambda content: bytes(len(content)), "is no DuckDB database: its first bytes are others", True),
    "within the headers": (
        lambda content: content[:5000],
        "is cut short: it has 5,000 bytes, and its headers alone have 12,288",
        True,
    ),
    "headers alone": (
        lambda content: content[:HEADERS],
        "is cut short: it has 12,288 bytes, and its header tells of {size:,}",
        True,
    ),
    "half": (
        lambda content: content[: len(content) // 2],
        "is cut short: it has {half:,} bytes, and its header tells of {size:,}",
        False,
    ),
    "one byte less": (lambda content: content[:-1], "", False),
    "one block less": (lambda content: content[:-BLOCK], "", False),
    "magic": (lambda content: flipped(content, 9), "is no DuckDB database: its first bytes are others", True),
    "version": (
        lambda content: flipped(content, 12),
        "is damaged: the header at byte 0 does not match its checksum",
        True,
    ),
    "first header": (
        lambda content: flipped(content, 3000),
        "is damaged: the header at byte 0 does not match its checksum",
        True,
    ),
    "first header's checksum": (
        lambda content: flipped(content, 2),
        "is damaged: the header at byte 0 does not match its checksum",
        True,
    ),
    "second header": (
        lambda content: flipped(content, HEADER + 20),
        "is damaged: the header at byte 4,096 does not match its checksum",
        True,
    ),
    "third header": (
        lambda content: flipped(content, 2 * HEADER + 20),
        "is damaged: the header at byte 8,192 does not match its checksum",
        True,
    ),
    "DuckDB's own tables": (
        lambda content: flipped(content, catalogue(content) + 100),
        "is damaged: the block at byte ",
        True,
    ),
}


@BOTH
@pytest.mark.parametrize("damage", DAMAGES)
def test_each_damage_is_told_with_the_file_what_is_wrong_and_the_way_out(
    settings: Settings, whole: Path, damage: str, opening: Opening
) -> None:
    content = whole.read_bytes()
    change, what, at_once = DAMAGES[damage]
    warehouse = put(settings, change(content))
    before = warehouse.read_bytes()
    opened = []
    with pytest.raises(WarehouseDamaged) as caught, opening(settings) as con:
        opened.append(True)
        use_all(con)
    assert str(caught.value).startswith(f"the warehouse file {warehouse} is ")
    assert what.format(size=len(content), half=len(content) // 2) in str(caught.value)
    assert "`onedata rebuild` rebuilds it from the lake" in str(caught.value)
    assert warehouse.read_bytes() == before
    assert not (at_once and opened)


def test_free_blocks_that_duckdb_cut_off_are_no_damage(settings: Settings) -> None:
    # DuckDB shortens its file without writing down that it did: a header that tells of more is no sign of damage.
    with written(settings) as con:
        con.execute(
            "create table small as select 1 as a; create table large as select range as a, md5(range::varchar) as b "
            "from range(300000); checkpoint"
        )
    for sql in (
        "drop table large; checkpoint",
        "insert into small values (2); checkpoint",
        "insert into small values (3); checkpoint",
    ):
        with written(settings) as con:
            con.execute(sql)
        content = settings.warehouse.read_bytes()
        told = max(struct.unpack_from("<QQQQ", content, at + 8) for at in (HEADER, 2 * HEADER))[3]
        assert examine(settings.warehouse, write=True, deep=True).kind == "sound"
        if len(content) < HEADERS + told * BLOCK:
            break
    else:
        pytest.fail("DuckDB cut off no free block: this test shows nothing")


@BOTH
def test_a_block_of_a_table_is_read_only_when_asked_for_and_is_told_then(
    settings: Settings, whole: Path, opening: Opening
) -> None:
    # DuckDB does not read a table's blocks when it opens the file: that a byte is flipped there shows in the middle of
    # a night.
    content = whole.read_bytes()
    warehouse = put(settings, flipped(content, HEADERS + 1000))
    with pytest.raises(WarehouseDamaged) as caught, opening(settings) as con:
        assert con.execute("select 1").fetchall() == [(1,)]
        con.execute("select max(a), max(b) from kept").fetchall()
    assert str(caught.value).startswith(
        f"the warehouse file {warehouse} is damaged: the block at byte {HEADERS:,} does not match its checksum. Nothing"
    )


def test_every_block_with_a_flipped_byte_is_found_by_reading_all(settings: Settings, whole: Path) -> None:
    content = whole.read_bytes()
    warehouse = put(settings, content)
    found = {}
    for at in range(HEADERS, len(content), 2 * BLOCK):
        warehouse.write_bytes(flipped(content, at + 5000))
        looked = examine(warehouse, deep=True)
        found[at] = (looked.kind in ("damaged", "doubtful"), looked.what)
    assert found == {at: (True, f"is damaged: the block at byte {at:,} does not match its checksum") for at in found}
    assert len(found) > 5


def test_a_whole_file_is_sound_however_deep_one_looks(whole: Path, killed: Path, settings: Settings) -> None:
    assert (examine(whole).kind, examine(whole, write=True).kind, examine(whole, deep=True).kind) == (
        "sound",
        "sound",
        "sound",
    )
    put(settings, killed.read_bytes(), log_of(killed))
    assert examine(settings.warehouse, deep=True).kind == "sound"
    with read_warehouse(settings) as con:
        assert con.execute("select count(*) from logged2").fetchall() == [(3000,)]


def test_the_error_of_a_query_that_is_wrong_stays_what_it_is(settings: Settings, whole: Path) -> None:
    put(settings, whole.read_bytes())
    with pytest.raises(duckdb.IOException, match="No files found"), read_warehouse(settings) as con:
        con.execute("from read_parquet('gone.parquet')")


def test_a_file_of_a_newer_duckdb_is_told_as_such(settings: Settings, whole: Path) -> None:
    content = bytearray(whole.read_bytes())
    content[12:20] = WORD.pack(999)
    content[52:60] = b"v9.9.9\0\0"
    content[:8] = WORD.pack(checksum(bytes(content[8:HEADER])))
    put(settings, bytes(content))
    with pytest.raises(duckdb.IOException, match="created with an newer version"):  # the header is made as DuckDB would
        duckdb.connect(str(settings.warehouse))
    with (
        pytest.raises(
            WarehouseUnreadable,
            match=r"was written by a newer DuckDB \(v9.9.9, storage version 999\): run the onedata that wrote it",
        ),
        written(settings),
    ):
        pass


def test_a_bad_block_that_is_free_is_no_damage_until_a_statement_meets_it(settings: Settings, whole: Path) -> None:
    # A disk that was full leaves a block written half; nothing reads it before it is written anew.
    with duckdb.connect(str(put(settings, whole.read_bytes()))) as con:
        con.execute("create table last as select 1 as a; drop table kept; checkpoint")
        used = {place for (place,) in con.execute("select block_id from pragma_storage_info('keyed')").fetchall()}
    content = settings.warehouse.read_bytes()
    free = next(
        number
        for number in range(len(content) // BLOCK - 1, 0, -1)
        if number not in used and HEADERS + number * BLOCK != catalogue(content)
    )
    settings.warehouse.write_bytes(flipped(content, HEADERS + free * BLOCK + 99))
    assert (examine(settings.warehouse, deep=True).kind, examine(settings.warehouse, deep=True).blocks) == (
        "doubtful",
        (HEADERS + free * BLOCK,),
    )
    with pytest.raises(duckdb.IOException, match="No files found"), written(settings) as con:
        con.execute(f"from read_parquet('{settings.home}/gone.parquet')")


@pytest.mark.parametrize("version", ["v0.10.0", "v1.2.0", "latest"])
def test_files_of_every_storage_version_that_duckdb_writes_are_sound(tmp_path: Path, version: str) -> None:
    with duckdb.connect() as con:
        con.execute(
            f"attach '{tmp_path}/other' as other (storage_version '{version}'); create table other.t as "
            "select 1 as a; detach other"
        )
    assert examine(tmp_path / "other", deep=True).kind == "sound"


def test_before_the_first_night_there_is_nothing_to_read(settings: Settings) -> None:
    with pytest.raises(WarehouseMissing, match=f"no night has run yet below {settings.home}"), read_warehouse(settings):
        pass
    assert not settings.home.exists()


def test_a_folder_in_its_place_is_told(settings: Settings) -> None:
    settings.warehouse.mkdir(parents=True)
    for opening in (written, read_warehouse):
        with (
            pytest.raises(WarehouseDamaged, match="is no file: a folder or a device is in its place"),
            opening(settings),
        ):
            pass


# The write-ahead log: what DuckDB would silently drop, with rows that were committed.


@BOTH
@pytest.mark.parametrize("junk", [b"junk" * 500, bytes(5000)], ids=["text", "zeros"])
def test_junk_in_place_of_the_log_is_refused(settings: Settings, killed: Path, opening: Opening, junk: bytes) -> None:
    put(settings, killed.read_bytes(), junk)
    with pytest.raises(WarehouseDamaged) as caught, opening(settings):
        pass
    log = Path(f"{settings.warehouse}.wal")
    assert str(caught.value).startswith(
        f"the warehouse log {log} is damaged: it does not begin as a write-ahead log of DuckDB does"
    )
    assert log.read_bytes() == junk


def test_no_flipped_byte_of_the_log_loses_a_commit_in_silence(settings: Settings, killed: Path) -> None:
    log = log_of(killed)
    database = killed.read_bytes()
    places = [*range(0, 60, 4), 5, 6, 7, 9, *range(100, len(log) - 30, len(log) // 4), len(log) - 20, len(log) - 1]
    warehouse = put(settings, database)
    silent = []
    for place in places:
        warehouse.write_bytes(database)
        Path(f"{warehouse}.wal").write_bytes(flipped(log, place))
        try:
            with read_warehouse(settings) as con:
                there = con.execute("select count(*) from duckdb_tables()").fetchone()
            # The last commit alone may go: with the size in its end mark flipped it is what a crash leaves of one that
            # was not finished.
            if there != (3,) and place < len(log) - 21:
                silent.append((place, there))
        except WarehouseDamaged as error:
            assert f"{warehouse}" in str(error)
    assert silent == []


def test_a_log_torn_by_a_crash_is_taken_as_far_as_it_was_committed(settings: Settings, killed: Path) -> None:
    # A log that was cut cannot be told from one that a crash tore: the commits it held whole are there, and what the
    # ledger then lacks is found by the night, which refuses lake files that the ledger does not know.
    put(settings, killed.read_bytes(), log_of(killed)[:-5])
    with written(settings) as con:
        assert con.execute("select table_name from duckdb_tables() order by 1").fetchall() == [
            ("logged0",),
            ("logged1",),
        ]


def test_the_log_of_an_older_copy_is_not_applied_to_a_newer_file(settings: Settings) -> None:
    # A file that is brought back beside a log that is not its own: a storage version before STORAGE applies it, and
    # rows are there twice.
    with written(settings):
        pass
    log = Path(f"{settings.warehouse}.wal")
    subprocess.run([sys.executable, "-c", KILLED, str(settings.warehouse), STORAGE], check=True)
    older = log.read_bytes()
    with written(settings) as con:
        con.execute("checkpoint")
    log.write_bytes(older)
    for opening in (written, read_warehouse):
        with (
            pytest.raises(WarehouseDamaged, match="the WAL checkpoint iteration does not match the database file"),
            opening(settings),
        ):
            pass
    log.unlink()
    with read_warehouse(settings) as con:
        assert con.execute("select count(*) from logged0").fetchall() == [(3000,)]


def test_a_log_without_its_database_is_kept_and_told(settings: Settings, killed: Path) -> None:
    put(settings, None, log_of(killed))
    for opening in (written, read_warehouse):
        with (
            pytest.raises(
                WarehouseDamaged, match=r"is gone, and its write-ahead log .*onedata.duckdb.wal is still there"
            ),
            opening(settings),
        ):
            pass
    assert Path(f"{settings.warehouse}.wal").read_bytes() == log_of(killed)
    assert not settings.warehouse.exists()


# Held by another process: busy, whatever else is the matter.


def use_all(con: duckdb.DuckDBPyConnection) -> None:
    """Reads every column of every table, and looks up by the index."""
    for table in ("kept", "keyed"):
        con.execute(f"select max(hash(t)) from {table} t").fetchall()
    for number in range(0, 20_000, 10):
        assert con.execute("select count(*) from keyed where k = md5(?::varchar)", [number]).fetchall() == [(1,)]


@contextmanager
def held(warehouse: Path, *reading: str) -> Iterator[int]:
    with subprocess.Popen(
        [sys.executable, "-c", HOLD, str(warehouse), *reading], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "open\n"
        yield process.pid
        process.kill()


@BOTH
@pytest.mark.parametrize("folder", ["home", "lock", "a block of flats"])
def test_held_is_told_by_the_lock_and_not_by_words(tmp_path: Path, whole: Path, opening: Opening, folder: str) -> None:
    settings = replace(settings_in(tmp_path), home=tmp_path / folder)
    put(settings, whole.read_bytes())
    told = re.escape(str(settings.warehouse)) + " is being written by process "
    with held(settings.warehouse) as holder, pytest.raises(WarehouseBusy, match=f"{told}{holder}"), opening(settings):
        pass
    with opening(settings) as con:
        assert con.execute("select count(*) from kept").fetchall() == [(200_000,)]


def test_held_by_a_reader_keeps_a_writer_out_and_not_a_reader(tmp_path: Path, whole: Path) -> None:
    settings = settings_in(tmp_path)
    put(settings, whole.read_bytes())
    with held(settings.warehouse, "read") as holder:
        with pytest.raises(WarehouseBusy, match=f"is being read by process {holder}; waited 0 s"), written(settings):
            pass
        with read_warehouse(settings) as con:
            assert con.execute("select count(*) from kept").fetchall() == [(200_000,)]


def test_a_damaged_file_that_is_held_is_busy_until_it_is_let_go(tmp_path: Path, whole: Path) -> None:
    settings = settings_in(tmp_path)
    content = whole.read_bytes()
    put(settings, content)
    with held(settings.warehouse) as holder:
        with settings.warehouse.open("r+b") as stream:
            stream.write(b"a block of junk, a block of junk")
        with pytest.raises(WarehouseBusy, match=f"process {holder}"), written(settings):
            pass
    with pytest.raises(WarehouseDamaged, match="is no DuckDB database"), written(settings):
        pass


def test_looking_does_not_drop_the_lock_of_whoever_holds_the_file(settings: Settings, whole: Path) -> None:
    put(settings, whole.read_bytes())
    with written(settings):
        assert (examine(settings.warehouse).kind, examine(settings.warehouse, deep=True).holder) == (
            "held",
            os.getpid(),
        )
        intruder = subprocess.run(
            [sys.executable, "-c", f"import duckdb; duckdb.connect({str(settings.warehouse)!r})"],
            capture_output=True,
            text=True,
            check=False,
        )
    assert intruder.returncode == 1
    assert "Conflicting lock" in intruder.stderr


# Refused by the operating system.

OPEN_AS = """
import sys
from dataclasses import replace
from pathlib import Path
from onedata.errors import OnedataError
from onedata.settings import Settings
from onedata.warehouse import open_warehouse, read_warehouse
settings = replace(Settings(), home=Path(sys.argv[1]))
try:
    with (open_warehouse if sys.argv[2] == "write" else read_warehouse)(settings) as con:
        print(con.execute("select count(*) from kept").fetchone()[0])
except OnedataError as error:
    print(type(error).__name__, error)
"""


def as_nobody(home: Path, how: str) -> str:
    """What opening says to a user who owns nothing."""
    command, environment = another_user()
    done = subprocess.run(
        [*command, "-c", OPEN_AS, str(home), how], env=environment, capture_output=True, text=True, check=False
    )
    assert done.stderr == ""
    return done.stdout


@pytest.fixture
def open_home(tmp_path: Path, whole: Path) -> Iterator[Path]:
    """A home that every user can reach, with the warehouse."""
    let_others_pass(tmp_path)
    home = tmp_path / "home"
    put(replace(Settings(), home=home), whole.read_bytes())
    home.chmod(0o755)
    yield home
    (home / "warehouse").chmod(0o755)


def test_without_the_right_to_read_it_says_who_owns_it(open_home: Path) -> None:
    warehouse = open_home / "warehouse" / "onedata.duckdb"
    (open_home / "warehouse").chmod(0o777 if os.geteuid() == 0 else 0o755)
    warehouse.chmod(0o600 if os.geteuid() == 0 else 0)
    for how in ("read", "write"):
        told = as_nobody(open_home, how)
        assert told.startswith("WarehouseUnreadable the warehouse cannot be used: user ")
        assert f"has no right to {warehouse} ({warehouse} belongs to user {os.geteuid()}, mode " in told


def test_without_the_right_to_write_it_can_be_read(open_home: Path) -> None:
    warehouse = open_home / "warehouse" / "onedata.duckdb"
    (open_home / "warehouse").chmod(0o777 if os.geteuid() == 0 else 0o755)
    warehouse.chmod(0o444)
    assert as_nobody(open_home, "read") == "200000\n"
    assert f"has no right to {warehouse} ({warehouse} belongs to user {os.geteuid()}, mode 444)" in as_nobody(
        open_home, "write"
    )


def test_without_the_right_to_its_folder_it_says_so(open_home: Path) -> None:
    folder = open_home / "warehouse"
    (folder / "onedata.duckdb").chmod(0o666)
    folder.chmod(0o555)
    assert as_nobody(open_home, "read") == "200000\n"
    assert f"has no right to {folder} ({folder} belongs to user {os.geteuid()}, mode 555)" in as_nobody(
        open_home, "write"
    )
    folder.chmod(0o700 if os.geteuid() == 0 else 0)
    assert f"has no right to {folder / 'onedata.duckdb'} " in as_nobody(open_home, "read")


def test_a_full_disk_is_told_before_anything_is_written(tmp_path: Path, whole: Path) -> None:
    with small_disk(tmp_path / "disk", 64) as folder:
        settings = replace(settings_in(tmp_path), home=folder / "home")
        put(settings, whole.read_bytes())
        filler = fill_disk(folder, 1024 * 1024)
        with (
            pytest.raises(
                WarehouseUnreadable,
                match=rf"no space is left on the disk of {settings.warehouse.parent} \(1 MB free\): free some",
            ),
            written(settings),
        ):
            pass
        with read_warehouse(settings) as con:
            assert con.execute("select count(*) from kept").fetchall() == [(200_000,)]
        filler.unlink()
        with written(settings) as con:
            assert con.execute("select count(*) from kept").fetchall() == [(200_000,)]


def test_a_disk_that_is_mounted_read_only_is_told(tmp_path: Path, whole: Path) -> None:
    with small_disk(tmp_path / "disk", 64) as folder:
        settings = replace(settings_in(tmp_path), home=folder / "home")
        put(settings, whole.read_bytes())
        subprocess.run(["mount", "-o", "remount,ro", str(folder)], check=True)
        with (
            pytest.raises(
                WarehouseUnreadable, match=f"{settings.warehouse.parent} is on a disk that is mounted read-only"
            ),
            written(settings),
        ):
            pass
        with read_warehouse(settings) as con:
            assert con.execute("select count(*) from kept").fetchall() == [(200_000,)]


def test_a_new_warehouse_is_there_whole_or_not_at_all(settings: Settings) -> None:
    with written(settings) as con:
        con.execute("create table t as select 1 as a")
    assert sorted(path.name for path in settings.warehouse.parent.iterdir()) == ["onedata.duckdb"]
    with read_warehouse(settings) as con:
        assert con.execute("from t").fetchall() == [(1,)]
