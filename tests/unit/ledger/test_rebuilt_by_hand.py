"""The ledger that is rebuilt from manifests and records of deliveries that are written by hand, and what it refuses."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any

import duckdb
import pytest
from small_retailer import NEXT, NIGHT, settings_in

from onedata.ledger import create_ledger, tick
from onedata.ledger.log import append
from onedata.ledger.manifest import LakeFile, digest, write_manifest
from onedata.ledger.moves import Booking, FileEntry, book, book_file
from onedata.ledger.rebuild import Rebuilt, rebuild_ledger
from onedata.ledger.recover import LakeDamaged, lake_contents
from onedata.sealed import seal, unseal
from onedata.settings import Settings

THEN, AT = datetime(2026, 1, 6), datetime(2026, 1, 7)
FAR = datetime(2999, 1, 1)
"""Later than the machine's clock, so that the ledger's own is seen."""
MICROSECOND = timedelta(microseconds=1)


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return settings_in(tmp_path)


@pytest.fixture
def lost() -> Iterator[duckdb.DuckDBPyConnection]:
    """The ledger that wrote the manifests."""
    with duckdb.connect() as con:
        create_ledger(con)
        yield con


def partition(settings: Settings, ds: date = NIGHT) -> Path:
    return settings.lake / "ods" / "e" / "source=f" / f"ds={ds}"


def put(file: Path, content: str = "rows") -> Path:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(content)
    return file


def booked(
    con: duckdb.DuckDBPyConnection, batch: str, ds: date = NIGHT, replaces: Sequence[str] = (), message: str = "odd"
) -> None:
    book(con, Booking(batch, "f", "e", ds, 1, THEN, replaces))
    file = FileEntry(f"{batch}.csv", f"h-{batch}", ds, "landed", (10, 8, 2, 0), 7, 8, message)
    book_file(con, "f", batch, file, THEN)


def written(
    con: duckdb.DuckDBPyConnection,
    settings: Settings,
    batch: str,
    at: datetime = AT,
    ds: date = NIGHT,
    replaces: Sequence[str] = (),
    files: int = 1,
) -> None:
    """An accepted delivery with its files, record and manifest in the lake."""
    if not con.execute("select 1 from ops.delivery where batch_id = ?", [batch]).fetchone():
        booked(con, batch, ds, replaces)
    paths = [put(partition(settings, ds) / f"{batch}-{number}.parquet") for number in range(files)]
    write_manifest(con, partition(settings, ds), batch, at, [LakeFile(path.name, 1, 4, digest(path)) for path in paths])


def files_in(settings: Settings) -> list[str]:
    return sorted(file.name for file in lake_contents(settings.lake))


def of(batch: str) -> list[str]:
    return [f"{batch}-0.parquet", f"{batch}.json", f"{batch}.record"]


def test_deliveries_are_accepted_and_what_they_replaced_is_taken_out_by_then(
    lost: duckdb.DuckDBPyConnection, ledger: duckdb.DuckDBPyConnection, settings: Settings
) -> None:
    written(lost, settings, "old", THEN)
    lost.execute("update ops.delivery set status = 'applied', accepted_at = ?, applied_at = ?", [THEN, THEN])
    written(lost, settings, "new", replaces=["old"])
    written(lost, settings, "next", ds=NEXT, files=2)
    # Killed before its files left the lake: nothing is wrong with them, and they leave now.
    assert rebuild_ledger(ledger, settings) == Rebuilt(2, [])
    assert files_in(settings) == sorted([*of("new"), *of("next"), "next-1.parquet"])
    query = "select batch_id, status, accepted_at, applied_at from ops.delivery order by 1"
    assert ledger.execute(query).fetchall() == [
        ("new", "accepted", AT, None),
        ("next", "accepted", AT, None),
        ("old", "replaced", THEN, AT),
    ]
    query = "select batch_id, feed, entity, ds, name, rows, bytes from ops.lake_file order by name"
    assert ledger.execute(query).fetchall() == [
        ("new", "f", "e", NIGHT, "new-0.parquet", 1, 4),
        ("next", "f", "e", NEXT, "next-0.parquet", 1, 4),
        ("next", "f", "e", NEXT, "next-1.parquet", 1, 4),
    ]
    assert ledger.execute("select path from ops.file order by 1").fetchall() == [("new.csv",), ("next.csv",)]
    assert ledger.execute("select 1 from duckdb_views() where view_name = 'record'").fetchall() == []


def test_a_file_of_other_content_is_refused_and_left_out_where_a_person_says_so(
    lost: duckdb.DuckDBPyConnection, ledger: duckdb.DuckDBPyConnection, settings: Settings
) -> None:
    written(lost, settings, "a")
    written(lost, settings, "b", files=1)
    changed = put(partition(settings) / "a-0.parquet", "swor")
    told = f"{changed} has other content than was written (SHA-256)"
    with pytest.raises(LakeDamaged) as caught:
        rebuild_ledger(ledger, settings)
    assert str(caught.value) == (
        f"1 files of the lake are not as they were written: {told}. Nothing was changed. Restore them from a back-up "
        "(`onedata repair --from BACKUP`), or go on without those deliveries: `onedata rebuild --leave-out` moves them "
        "aside, and the next run takes their files from the source, where they are still there."
    )
    assert files_in(settings) == sorted([*of("a"), *of("b")])
    assert rebuild_ledger(ledger, settings, leave_out=True) == Rebuilt(1, [told])
    assert files_in(settings) == of("b")
    assert ledger.execute("select batch_id from ops.delivery").fetchall() == [("b",)]


@pytest.mark.parametrize("is_there", [False, True])
def test_files_without_a_manifest_are_told_by_delivery(
    lost: duckdb.DuckDBPyConnection, ledger: duckdb.DuckDBPyConnection, settings: Settings, is_there: bool
) -> None:
    written(lost, settings, "a")
    folder = partition(settings)
    for batch in ("x", "y"):
        put(folder / f"{batch}-0.parquet")
        put(folder / "_manifest" / f"{batch}.record")
    if is_there:
        put(settings.warehouse)
    way = " (`onedata run` writes it again while the warehouse is there)" if is_there else ""
    told = [
        f"{folder / '_manifest' / f'{batch}.json'} is not there{way}, and names 2 files, among them "
        f"{folder / f'{batch}-0.parquet'}"
        for batch in ("x", "y")
    ]
    with pytest.raises(LakeDamaged, match=r"^2 files of the lake"):
        rebuild_ledger(ledger, settings)
    assert rebuild_ledger(ledger, settings, leave_out=True) == Rebuilt(1, told)
    assert files_in(settings) == of("a")


def rewritten(con: duckdb.DuckDBPyConnection, settings: Settings, batch: str, columns: str) -> None:
    """The delivery's record with other columns, as another onedata would have written it."""
    folder = partition(settings) / "_manifest"
    record, manifest = folder / f"{batch}.record", folder / f"{batch}.json"
    con.execute(f"create or replace temp table kept as from read_parquet('{record}', hive_partitioning = false)")
    con.execute(f"copy (select {columns} from kept) to '{record}' (format parquet)")
    content = unseal(manifest.read_text())
    content["record"] |= {"bytes": record.stat().st_size, "sha256": digest(record)}
    manifest.write_text(seal(content))


def test_records_of_an_earlier_onedata_may_lack_columns(
    lost: duckdb.DuckDBPyConnection, ledger: duckdb.DuckDBPyConnection, settings: Settings
) -> None:
    written(lost, settings, "first", THEN)
    written(lost, settings, "second", AT)
    rewritten(lost, settings, "first", "* exclude (message, document, size_bytes), 9 as size_bytes")
    rewritten(lost, settings, "second", "* exclude (document)")
    rebuild_ledger(ledger, settings)
    assert ledger.execute("select batch_id, message, size_bytes from ops.file order by 1").fetchall() == [
        ("first", None, 9),
        ("second", "odd", 7),
    ]


def test_what_a_feed_needs_besides_its_rows_is_that_of_the_newest_record(
    lost: duckdb.DuckDBPyConnection, ledger: duckdb.DuckDBPyConnection, settings: Settings
) -> None:
    """The trend of a night that a release has judged again, a contract that was used twice, an extract of another day
    than the night it is of."""

    def state(batch: str, value: int, used: datetime) -> None:
        for table in ("trend", "contract", "watermark"):
            lost.execute(f"delete from ops.{table}")
        for ds in (NIGHT, NEXT):
            trend = ["f", ds, value * ds.day]
            lost.execute("insert into ops.trend values (?, ?, '', 'rows', ?, 1, 1, 1, 1, true)", trend)
        lost.execute("insert into ops.contract values ('f', '1.0.0', 'print', '{}', ?, ?)", [used, used])
        extract = [f"h-{batch}", NEXT, THEN]
        lost.execute("insert into ops.watermark values ('f', ?, 'm', ?, 'p', ?)", extract)

    for batch, value, at, ds in (("b", 2, AT, NIGHT), ("a", 1, THEN, NIGHT), ("c", 3, FAR, NEXT)):
        state(batch, value, at)
        written(lost, settings, batch, at, ds)
    rebuild_ledger(ledger, settings)
    assert ledger.execute("select ds, value from ops.trend order by 1").fetchall() == [(NIGHT, 10), (NEXT, 18)]
    assert ledger.execute("select version, first_used_at, last_used_at from ops.contract").fetchall() == [
        ("1.0.0", THEN, FAR)
    ]
    assert ledger.execute("select content_hash, ds from ops.watermark order by 1").fetchall() == [
        ("h-a", NEXT),
        ("h-b", NEXT),
        ("h-c", NEXT),
    ]


def test_rows_that_were_released_are_no_longer_quarantined(
    lost: duckdb.DuckDBPyConnection, ledger: duckdb.DuckDBPyConnection, settings: Settings
) -> None:
    booked(lost, "landed")
    for row in (1, 2):
        lost.execute(
            "insert into ops.quarantine (feed, ds, path, row, rule, reason, batch_id, content_hash, quarantined_at) "
            "values ('f', ?, 'landed.csv', ?, 'type', 'odd', 'landed', 'h-landed', ?)",
            [NIGHT, row, THEN],
        )
    written(lost, settings, "landed", THEN)
    lost.execute("delete from ops.quarantine where row = 1")
    lost.execute(
        "insert into ops.released (batch_id, feed, ds, path, content_hash, row, fate, rule, reason, released_at) "
        "values ('release', 'f', ?, 'landed.csv', 'h-landed', 1, 'accepted', 'type', 'odd', ?)",
        [NIGHT, AT],
    )
    written(lost, settings, "release", AT)
    rebuild_ledger(ledger, settings)
    assert ledger.execute("select row from ops.quarantine").fetchall() == [(2,)]
    query = "select accepted, quarantined from ops.file where path = 'landed.csv'"
    assert ledger.execute(query).fetchall() == [(9, 1)]


def test_deliveries_without_files_are_rebuilt_too(
    lost: duckdb.DuckDBPyConnection, ledger: duckdb.DuckDBPyConnection, settings: Settings
) -> None:
    written(lost, settings, "repeats", files=0)
    assert rebuild_ledger(ledger, settings) == Rebuilt(1, [])
    assert ledger.execute("select batch_id from ops.delivery").fetchall() == [("repeats",)]


def test_an_empty_lake_has_no_deliveries(ledger: duckdb.DuckDBPyConnection, settings: Settings) -> None:
    assert rebuild_ledger(ledger, settings) == Rebuilt(0, [])


def test_the_clock_goes_on_after_the_last_acceptance(
    lost: duckdb.DuckDBPyConnection, ledger: duckdb.DuckDBPyConnection, settings: Settings
) -> None:
    for batch, at in (("a", FAR), ("b", FAR + 2 * MICROSECOND), ("c", FAR + MICROSECOND)):
        written(lost, settings, batch, at)
    rebuild_ledger(ledger, settings)
    assert tick(ledger) == FAR + 3 * MICROSECOND


@pytest.mark.parametrize(
    ("touched", "archives", "last"), [((1, 2), (3, 4), 4), ((3, 4), (1, 2), 4), ((), (1, 2), 2), ((1, 2), (), 2)]
)
def test_the_clock_goes_on_after_the_last_entry_of_the_log(
    ledger: duckdb.DuckDBPyConnection,
    settings: Settings,
    touched: Sequence[int],
    archives: Sequence[int],
    last: int,
) -> None:
    files: Any = [{"path": "p", "content_hash": "h", "size_bytes": 1, "mtime_ns": 2}]
    for number in touched:
        append(settings.lake, "touched", FAR + number * MICROSECOND, {"feed": "f", "files": files})
    for number in archives:
        archive = {"feed": "f", "path": "x.zip", "size_bytes": number, "mtime_ns": 2, "members": 3}
        append(settings.lake, "archive", FAR + number * MICROSECOND, archive)
    rebuild_ledger(ledger, settings)
    assert tick(ledger) == FAR + (last + 1) * MICROSECOND
    known = [("f", "x.zip", max(archives), 2, 3)] if archives else []
    assert ledger.execute("from ops.archive").fetchall() == known


def test_a_touched_file_has_the_size_and_time_that_the_log_knows(
    lost: duckdb.DuckDBPyConnection, ledger: duckdb.DuckDBPyConnection, settings: Settings
) -> None:
    written(lost, settings, "a")
    files = [{"path": "a.csv", "content_hash": "h-a", "size_bytes": 70, "mtime_ns": 80}]
    append(settings.lake, "touched", AT, {"feed": "f", "files": files})
    rebuild_ledger(ledger, settings)
    assert ledger.execute("select size_bytes, mtime_ns from ops.file").fetchall() == [(70, 80)]
