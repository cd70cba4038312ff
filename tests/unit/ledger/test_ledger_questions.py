"""What the ledger answers, and what it notes beside the deliveries: by a few rows written by hand."""

from __future__ import annotations

import hashlib
import shutil
from datetime import date, datetime, timedelta
from pathlib import Path

import duckdb
import pytest
from small_retailer import NEXT, NIGHT, settings_in

from onedata.ledger import create_ledger, tick, told
from onedata.ledger.applied import forget_applied, move_applied, note_applied, set_applied
from onedata.ledger.clock import set_clock
from onedata.ledger.lake import KeyRange, lake_files
from onedata.ledger.log import LogDamaged, append, entries, log_folder, read_entry
from onedata.ledger.manifest import read_manifests
from onedata.ledger.moves import Booking, FileEntry, book, book_file, has_replaced, new_id, pending_night
from onedata.ledger.paths import staged_files
from onedata.ledger.promote import promote
from onedata.ledger.seen import (
    Archive,
    Touched,
    Watermark,
    forget_watermark,
    note_archive,
    note_touched,
    note_watermark,
    set_archive,
    set_touched,
)
from onedata.ledger.states import LedgerError, Status, sql_list
from onedata.ledger.trends import add_trends, forget_trends
from onedata.settings import Settings

AT = datetime(2026, 1, 7)
LATER = NEXT + timedelta(days=1)
EVERY = ("staged", "passed", "refused", "accepted", "applied", "replaced")


def delivered(
    con: duckdb.DuckDBPyConnection, batch: str, status: str, ds: date = NIGHT, feed: str = "f", rows: int = 1
) -> None:
    """A delivery in a state, with one file of four numbers that tell themselves apart."""
    book(con, Booking(batch, feed, "e", ds, rows, AT))
    con.execute("update ops.delivery set status = ? where batch_id = ?", [status, batch])
    counts = (rows + 60, rows, 50, 10)
    book_file(con, feed, batch, FileEntry(f"{batch}.csv", f"h-{batch}", ds, "landed", counts, 7, 8), AT)


def applied(con: duckdb.DuckDBPyConnection) -> list[tuple[str, str]]:
    return con.execute("select batch_id, stage from ops.applied order by all").fetchall()


def test_a_stage_notes_what_is_in_the_lake_once(ledger: duckdb.DuckDBPyConnection) -> None:
    for status in EVERY:
        delivered(ledger, status, status)
    set_applied(ledger, "other", ["applied", "gone"])
    set_applied(ledger, "oneid", ["applied"])
    note_applied(ledger, "oneid")
    note_applied(ledger, "oneid")
    assert applied(ledger) == [("accepted", "oneid"), ("applied", "oneid"), ("applied", "other"), ("gone", "other")]


def test_what_one_stage_noted_is_moved_and_forgotten_alone(ledger: duckdb.DuckDBPyConnection) -> None:
    set_applied(ledger, "oneid", ["a", "b"])
    set_applied(ledger, "other", ["c"])
    move_applied(ledger, "oneid", "next")
    assert applied(ledger) == [("a", "next"), ("b", "next"), ("c", "other")]
    forget_applied(ledger, "next")
    assert applied(ledger) == [("c", "other")]


def test_nights_are_told_by_what_became_of_their_deliveries(ledger: duckdb.DuckDBPyConnection) -> None:
    assert told.last_delivered(ledger) is None and told.last_published(ledger) is None
    assert told.accepted_nights(ledger) == [] and told.waiting_nights(ledger) == set()
    assert pending_night(ledger, NIGHT) == NIGHT
    delivered(ledger, "b", "accepted", NEXT)
    delivered(ledger, "a", "accepted", NIGHT)
    delivered(ledger, "a2", "accepted", NIGHT)
    delivered(ledger, "c", "staged", LATER)
    delivered(ledger, "d", "applied", NIGHT - timedelta(days=9))
    ledger.execute("update ops.delivery set applied_at = ? where batch_id = 'd'", [AT])
    for number, night in enumerate((NIGHT, NEXT)):
        ledger.execute("insert into ops.night values (?, ?, ?, ?, 0, 0, ?)", [night, "r", AT, AT, number])
    assert told.last_delivered(ledger) == LATER
    assert told.last_published(ledger) == NEXT
    assert told.accepted_nights(ledger) == [NIGHT, NEXT]
    assert told.waiting_nights(ledger) == {NIGHT, NEXT, LATER}
    assert [pending_night(ledger, night) for night in (NIGHT, NEXT, LATER)] == [NEXT, NEXT, LATER]


def test_rows_that_were_published_and_replaced_are_to_be_taken_out(ledger: duckdb.DuckDBPyConnection) -> None:
    delivered(ledger, "a", "accepted")
    delivered(ledger, "b", "replaced")
    ledger.execute("update ops.delivery set applied_at = ? where batch_id = 'b'", [AT])
    assert has_replaced(ledger) is False
    ledger.execute("update ops.delivery set applied_at = null where batch_id = 'b'")
    assert has_replaced(ledger) is True


def test_files_that_were_published_are_told_and_their_archives(ledger: duckdb.DuckDBPyConnection) -> None:
    for status in EVERY:
        delivered(ledger, status, status)
    assert told.published_files(ledger, "!") == {("f", "applied.csv", 7, 8)}
    ledger.execute("update ops.file set path = 'box.zip!' || path")
    assert told.published_files(ledger, "!") == {("f", "box.zip!applied.csv", 7, 8), ("f", "box.zip", 7, 8)}


def test_a_feeds_files_of_some_nights_are_counted(ledger: duckdb.DuckDBPyConnection) -> None:
    assert told.counted(ledger, "f", NIGHT, NEXT) == told.Counted(0, 0, 0, 0, 0)
    for batch, ds, feed, rows in (
        ("a", NIGHT, "f", 100),
        ("b", NEXT, "f", 1000),
        ("c", LATER, "f", 5),
        ("d", NIGHT - timedelta(days=1), "f", 5),
        ("e", NIGHT, "g", 5),
    ):
        delivered(ledger, batch, "applied", ds, feed, rows)
    assert told.counted(ledger, "f", NIGHT, NEXT) == told.Counted(2, 1220, 1100, 100, 20)
    assert told.counted(ledger, "f", NIGHT, NIGHT) == told.Counted(1, 160, 100, 50, 10)
    a = ("a.csv", NIGHT, "landed", 160, 100, 50, 10)
    b = ("b.csv", NEXT, "landed", 1060, 1000, 50, 10)
    assert told.files_of_nights(ledger, "f", NIGHT, NEXT, 9) == [b, a]
    assert told.files_of_nights(ledger, "f", NIGHT, NEXT, 1) == [b]
    assert told.files_of_nights(ledger, "f", NIGHT, NIGHT, 9) == [a]


def test_quarantined_rows_are_told_by_file_and_rule_the_most_first(ledger: duckdb.DuckDBPyConnection) -> None:
    def put(feed: str, ds: date, path: str, rule: str, *rows: int) -> None:
        for row in rows:
            ledger.execute(
                "insert into ops.quarantine (feed, ds, path, row, rule, reason, batch_id, content_hash, quarantined_at)"
                " values (?, ?, ?, ?, ?, ?, 'b', 'h', ?)",
                [feed, ds, path, row, rule, f"bad {rule}", AT],
            )

    put("f", NIGHT, "a.csv", "type", 9)
    put("f", NIGHT, "a.csv", "bound", 7)
    put("f", NEXT, "b.csv", "type", 5, 3, 4)
    put("f", LATER, "c.csv", "type", 1)
    put("f", NIGHT, "z.csv", "age", 2)
    put("g", NIGHT, "d.csv", "type", 1)
    lines = [
        ("b.csv", "type", 3, 3, "bad type"),
        ("a.csv", "bound", 1, 7, "bad bound"),
        ("a.csv", "type", 1, 9, "bad type"),
        ("z.csv", "age", 1, 2, "bad age"),
    ]
    assert told.quarantine_of_nights(ledger, "f", NIGHT, NEXT, 9) == lines
    assert told.quarantine_of_nights(ledger, "f", NIGHT, NEXT, 2) == lines[:2]
    assert told.quarantine_of_nights(ledger, "f", NIGHT, NIGHT, 9) == lines[1:]


def test_a_touched_file_is_known_by_feed_path_and_content(ledger: duckdb.DuckDBPyConnection) -> None:
    for batch, feed in (("a", "f"), ("b", "f"), ("c", "g")):
        delivered(ledger, batch, "applied", feed=feed)
    ledger.execute("update ops.file set path = 'x.csv'")
    ledger.execute("update ops.file set content_hash = 'h' where batch_id <> 'b'")
    set_touched(ledger, "f", [Touched("x.csv", "h", 70, 80), Touched("y.csv", "h", 700, 800)])
    sizes = ledger.execute("select batch_id, size_bytes, mtime_ns from ops.file order by 1").fetchall()
    assert sizes == [("a", 70, 80), ("b", 7, 8), ("c", 7, 8)]


def test_touched_files_and_archives_are_noted_in_the_ledger_and_in_the_log(
    ledger: duckdb.DuckDBPyConnection, tmp_path: Path
) -> None:
    settings = settings_in(tmp_path)
    delivered(ledger, "a", "applied")
    note_touched(ledger, settings, "f", [Touched("a.csv", "h-a", 70, 80)])
    note_archive(ledger, settings, Archive("f", "x.zip", 1, 2, 3))
    assert ledger.execute("select size_bytes, mtime_ns from ops.file").fetchall() == [(70, 80)]
    assert ledger.execute("from ops.archive").fetchall() == [("f", "x.zip", 1, 2, 3)]
    touched = {"path": "a.csv", "content_hash": "h-a", "size_bytes": 70, "mtime_ns": 80}
    archive = {"feed": "f", "path": "x.zip", "size_bytes": 1, "mtime_ns": 2, "members": 3}
    assert [entry.content for entry in entries(settings.lake, "touched")] == [{"feed": "f", "files": [touched]}]
    assert [entry.content for entry in entries(settings.lake, "archive")] == [archive]


def test_an_archive_is_known_as_it_was_unpacked_last(ledger: duckdb.DuckDBPyConnection) -> None:
    set_archive(ledger, Archive("f", "x.zip", 1, 2, 3))
    set_archive(ledger, Archive("f", "x.zip", 4, 5, 6))
    assert ledger.execute("from ops.archive").fetchall() == [("f", "x.zip", 4, 5, 6)]


def test_only_the_extract_that_never_landed_is_forgotten(ledger: duckdb.DuckDBPyConnection) -> None:
    marks = [Watermark(feed, content, "m", NIGHT, "p", AT) for feed, content in (("f", "a"), ("f", "b"), ("g", "a"))]
    for mark in (*marks, marks[0]):
        note_watermark(ledger, mark)
    forget_watermark(ledger, "f", "a")
    assert ledger.execute("select feed, content_hash, mark, ds, path from ops.watermark order by all").fetchall() == [
        ("f", "b", "m", NIGHT, "p"),
        ("g", "a", "m", NIGHT, "p"),
    ]


def test_trends_are_added_by_the_names_of_their_columns(ledger: duckdb.DuckDBPyConnection) -> None:
    add_trends(
        ledger,
        "select true as holds, 5 as nights, 4 as high, 2 as low, 3 as middle, $value as value, 'rows' as metric, "
        "'' as column_name, date '2026-01-05' as ds, 'f' as feed",
        {"value": 3.5},
    )
    assert ledger.execute("from ops.trend").fetchall() == [("f", NIGHT, "", "rows", 3.5, 3, 2, 4, 5, True)]


def test_trends_of_a_feeds_nights_are_forgotten(ledger: duckdb.DuckDBPyConnection) -> None:
    for feed, ds in (("f", NIGHT), ("f", NEXT), ("f", LATER), ("g", NIGHT)):
        ledger.execute("insert into ops.trend values (?, ?, '', 'rows', 1, 1, 1, 1, 1, true)", [feed, ds])
    forget_trends(ledger, "f", [NIGHT, NEXT])
    assert ledger.execute("select feed, ds from ops.trend order by all").fetchall() == [("f", LATER), ("g", NIGHT)]


def test_the_id_of_a_delivery_follows_from_its_content_and_how_often_it_was_accepted(
    ledger: duckdb.DuckDBPyConnection,
) -> None:
    first = new_id(ledger, "f", NIGHT, ["x", "y"])
    assert first == f"f-20260105-{hashlib.sha256(b'f|2026-01-05|x|y').hexdigest()[:12]}"
    others = {
        new_id(ledger, *given)
        for given in (
            ("f", NIGHT, ["x", "z"]),
            ("f", NIGHT, ["y", "x"]),
            ("f", NIGHT, ["xy"]),
            ("f", NEXT, ["x", "y"]),
            ("g", NIGHT, ["x", "y"]),
            ("f", NIGHT, ["x", "y"], "release-"),
        )
    }
    assert len(others | {first}) == 7
    assert new_id(ledger, "f", NIGHT, ["x", "y"], "release-").startswith("f-20260105-release-")
    seen = [first]
    for status in EVERY:
        batch = new_id(ledger, "f", NIGHT, ["x", "y"])
        assert batch == seen[-1]
        delivered(ledger, batch, status)
        again = new_id(ledger, "f", NIGHT, ["x", "y"])
        assert (again == batch) == (status in ("staged", "passed", "refused"))
        if again == batch:
            ledger.execute("delete from ops.delivery where batch_id = ?", [batch])
        else:
            seen.append(again)
    assert len(set(seen)) == 4
    assert seen[1] == f"f-20260105-{hashlib.sha256(b'f|2026-01-05|x|y|1').hexdigest()[:12]}"


def test_a_file_is_booked_as_it_was_found(ledger: duckdb.DuckDBPyConnection) -> None:
    found = FileEntry(
        "p.csv", "h", NIGHT, "landed", (10, 5, 3, 2), 7, 8, "odd", ["b", "a"], {"b": "integer", "a": "varchar"}
    )
    book_file(ledger, "f", "batch", found, AT)
    book_file(ledger, "f", "bare", FileEntry("q.csv", "i", NEXT, "unreadable", (1, 0, 1, 0), 9, 6), AT)
    assert ledger.execute("from ops.file order by path").fetchall() == [
        ("f", "p.csv", "h", NIGHT, "batch", "landed", 10, 5, 3, 2, "odd", ["b", "a"], found.types, 7, 8, AT),
        ("f", "q.csv", "i", NEXT, "bare", "unreadable", 1, 0, 1, 0, None, None, {}, 9, 6, AT),
    ]


def test_states_stand_in_sql_in_one_order() -> None:
    assert sql_list({Status.STAGED, Status.APPLIED, Status.PASSED}) == "('applied', 'passed', 'staged')"


def test_a_clock_is_set_forward_and_never_back(ledger: duckdb.DuckDBPyConnection) -> None:
    ahead = datetime(2999, 1, 1)
    set_clock(ledger, ahead)
    assert tick(ledger) == ahead + timedelta(microseconds=1)
    set_clock(ledger, AT)
    create_ledger(ledger)
    assert tick(ledger) == ahead + timedelta(microseconds=2)


def test_files_of_the_lake_are_those_of_the_feeds_deliveries_that_count(
    ledger: duckdb.DuckDBPyConnection, tmp_path: Path
) -> None:
    settings = settings_in(tmp_path)
    for status in EVERY:
        delivered(ledger, status, status)
    delivered(ledger, "applied2", "applied", NEXT)
    delivered(ledger, "other", "applied", feed="g")
    ledger.execute("insert into ops.lake_file select batch_id, feed, entity, ds, batch_id, 1, 1, '' from ops.delivery")
    ledger.execute("insert into ops.lake_file select * replace ('a' as name) from ops.lake_file where name = 'applied'")
    folder = settings.lake / "ods" / "e" / "source=f"
    accepted, first, second, next_night = (
        folder / "ds=2026-01-05" / "accepted",
        folder / "ds=2026-01-05" / "a",
        folder / "ds=2026-01-05" / "applied",
        folder / "ds=2026-01-06" / "applied2",
    )
    assert lake_files(ledger, settings, "f") == [first, accepted, second, next_night]
    assert lake_files(ledger, settings, "f", ["accepted", "applied2"]) == [first, second]
    assert lake_files(ledger, settings, "g", ["accepted"]) == [
        settings.lake / "ods" / "e" / "source=g" / "ds=2026-01-05" / "other"
    ]


def test_deliveries_without_a_row_or_a_file_are_no_part_of_the_data(ledger: duckdb.DuckDBPyConnection) -> None:
    for status in EVERY:
        for rows in (0, 1):
            delivered(ledger, f"{status}{rows}", status, rows=rows)
        delivered(ledger, f"{status}-file", status, rows=0)
        ledger.execute("insert into ops.lake_file values (?, 'f', 'e', ?, 'x', 0, 9, '')", [f"{status}-file", NIGHT])
    batches = [batch for (batch,) in ledger.execute("select batch_id from ops.batch order by 1").fetchall()]
    assert batches == ["accepted-file", "accepted1", "applied-file", "applied1"]
    pending = [batch for (batch,) in ledger.execute("select batch_id from ops.pending_batch order by 1").fetchall()]
    assert pending == ["accepted-file", "accepted1"]


def test_a_ledger_is_made_once_and_another_databases_is_not_its_own(tmp_path: Path) -> None:
    with duckdb.connect(str(tmp_path / "other.duckdb")) as con:
        create_ledger(con)
    with duckdb.connect(str(tmp_path / "own.duckdb")) as con:
        con.execute(f"attach '{tmp_path / 'other.duckdb'}' as other")
        con.execute("create table delivery (x integer); create schema ops; create table ops.gone (x integer)")
        create_ledger(con)
        assert con.execute("from ops.format").fetchall() == [(2,)]  # written out: another format needs a migration
        # What is there is left as it is: a home of an earlier format is brought up by its steps, not by this.
        con.execute("update ops.format set format = 1")
        delivered(con, "b", "staged")
        create_ledger(con)
        assert con.execute("from ops.format").fetchall() == [(1,)]
        assert con.execute("select batch_id from ops.delivery").fetchall() == [("b",)]


def test_the_log_beside_the_lake_is_read_in_the_order_of_its_times(tmp_path: Path) -> None:
    assert list(entries(tmp_path, "touched")) == []
    append(tmp_path, "touched", AT + timedelta(microseconds=1), {"x": 2})
    append(tmp_path, "touched", AT, {"x": 1})
    append(tmp_path, "archive", AT, {"x": 3})
    assert [(entry.at, entry.content) for entry in entries(tmp_path, "touched")] == [
        (AT, {"x": 1}),
        (AT + timedelta(microseconds=1), {"x": 2}),
    ]


@pytest.mark.parametrize("content", ["{", "{}", '{"at": "yesterday"}'])
def test_a_damaged_entry_of_the_log_is_told_by_its_file(tmp_path: Path, content: str) -> None:
    append(tmp_path, "touched", AT, {"x": 1})
    (file,) = log_folder(tmp_path, "touched").iterdir()
    file.write_text(content, encoding="utf-8")
    with pytest.raises(LogDamaged, match=f"{file.name} is damaged"):
        read_entry(file)


def test_staged_files_are_in_the_order_of_their_names(tmp_path: Path) -> None:
    settings = settings_in(tmp_path)
    folder = settings.staged / "f" / "b"
    folder.mkdir(parents=True)
    names = [f"b-{number:02}.parquet" for number in range(40)]
    # In no order, since a folder lists its files by age, either way, or by nothing.
    for name in (*names[::3], *names[2::3], *names[1::3], "b-0.json"):
        (folder / name).touch()
    assert staged_files(settings, "f", "b") == [folder / name for name in names]


def staged(con: duckdb.DuckDBPyConnection, settings: Settings, batch: str, rows: int = 1) -> None:
    """A delivery that has passed its gate, its rows in the staging folder."""
    delivered(con, batch, "passed", rows=rows)
    if rows:
        folder = settings.staged / "f" / batch
        folder.mkdir(parents=True)
        con.execute(f"copy (select unnest(range({rows})) as x) to '{folder / f'{batch}-0.parquet'}' (format parquet)")


def lake_names(settings: Settings) -> list[str]:
    folder = settings.lake / "ods" / "e" / "source=f" / "ds=2026-01-05"
    return sorted(file.relative_to(folder).as_posix() for file in folder.rglob("*") if file.is_file())


def test_a_passed_delivery_whose_rows_are_nowhere_is_not_accepted(
    ledger: duckdb.DuckDBPyConnection, tmp_path: Path
) -> None:
    settings = settings_in(tmp_path)
    delivered(ledger, "a", "passed", rows=1)
    with pytest.raises(FileNotFoundError, match="delivery a passed its gate, and its rows are neither in"):
        promote(ledger, settings)
    assert ledger.execute("select status from ops.delivery").fetchall() == [("passed",)]


def test_passed_deliveries_enter_the_lake_and_those_they_replace_leave_it(
    ledger: duckdb.DuckDBPyConnection, tmp_path: Path
) -> None:
    settings = settings_in(tmp_path)
    staged(ledger, settings, "old", 2)
    assert promote(ledger, settings) == ["old"]
    assert lake_names(settings) == ["_manifest/old.json", "_manifest/old.record", "old-0.parquet"]
    staged(ledger, settings, "other", 3)
    staged(ledger, settings, "new", 4)
    delivered(ledger, "empty", "passed", rows=0)
    delivered(ledger, "refused", "refused")
    ledger.execute("update ops.delivery set replaces = ['old'] where batch_id = 'new'")
    assert promote(ledger, settings) == ["empty", "new", "other"]
    assert lake_names(settings) == [
        "_manifest/empty.json",
        "_manifest/empty.record",
        "_manifest/new.json",
        "_manifest/new.record",
        "_manifest/other.json",
        "_manifest/other.record",
        "new-0.parquet",
        "other-0.parquet",
    ]
    query = "select batch_id, name, rows from ops.lake_file order by 1"
    assert ledger.execute(query).fetchall() == [("new", "new-0.parquet", 4), ("other", "other-0.parquet", 3)]
    assert list(settings.staged.rglob("*.parquet")) == []
    assert promote(ledger, settings) == []


def test_files_and_folder_are_synced_before_the_ledger_says_accepted(
    ledger: duckdb.DuckDBPyConnection, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What the system calls of whole nights show (`test_durable_order`), in one process and in a moment."""
    settings, seen = settings_in(tmp_path), list[tuple[str, str, str]]()

    def note(name: str, path: Path) -> None:
        (status,) = ledger.execute("select status from ops.delivery").fetchone() or ("",)
        seen.append((name, path.name, str(status)))

    monkeypatch.setattr("onedata.ledger.promote.sync_file", lambda path: note("file", path))
    monkeypatch.setattr("onedata.ledger.promote.sync_folder", lambda path: note("folder", path))
    staged(ledger, settings, "a")
    promote(ledger, settings)
    assert seen == [("file", "a-0.parquet", "passed"), ("folder", "ds=2026-01-05", "passed")]


def test_a_file_of_the_same_name_in_the_lake_is_not_overwritten(
    ledger: duckdb.DuckDBPyConnection, tmp_path: Path
) -> None:
    settings = settings_in(tmp_path)
    staged(ledger, settings, "a")
    strange = settings.lake / "ods" / "e" / "source=f" / "ds=2026-01-05" / "a-0.parquet"
    strange.parent.mkdir(parents=True)
    strange.write_bytes(b"somebody's")
    with pytest.raises(LedgerError, match=r"a-0\.parquet .*is not overwritten"):
        promote(ledger, settings)
    assert strange.read_bytes() == b"somebody's"
    assert ledger.execute("select status from ops.delivery").fetchall() == [("passed",)]


def test_the_files_of_a_delivery_are_named_in_order(ledger: duckdb.DuckDBPyConnection, tmp_path: Path) -> None:
    settings = settings_in(tmp_path)
    staged(ledger, settings, "a")
    folder = settings.staged / "f" / "a"
    for number in (*range(1, 30, 3), *range(3, 30, 3), *range(2, 30, 3)):
        shutil.copyfile(folder / "a-0.parquet", folder / f"a-{number}.parquet")
    promote(ledger, settings)
    (manifest,) = read_manifests(settings.lake)
    assert [file.name for file in manifest.files] == sorted(f"a-{number}.parquet" for number in range(30))
    assert {(file.rows, file.bytes) for file in manifest.files} == {
        (1, (manifest.partition / "a-0.parquet").stat().st_size)
    }


def test_deliveries_whose_keys_lie_elsewhere_are_left_out_by_any_of_their_columns(
    ledger: duckdb.DuckDBPyConnection, tmp_path: Path
) -> None:
    """Looked for are ids from 3 to 5 of the 5th and 6th January; ranges that touch them by one value count."""
    settings = settings_in(tmp_path)
    day = ("2026-01-05", "2026-01-06")
    for batch, ids, days in (
        ("in", ("4", "4"), day),
        ("to-first", ("1", "3"), ("2026-01-01", "2026-01-05")),
        ("from-last", ("5", "9"), ("2026-01-06", "2026-01-09")),
        ("ids-before", ("1", "2"), day),
        ("ids-after", ("10", "12"), day),  # later as a number, earlier as a text
        ("days-before", ("4", "4"), ("2026-01-01", "2026-01-04")),
        ("days-after", ("4", "4"), ("2026-01-07", "2026-01-09")),
    ):
        delivered(ledger, batch, "applied")
        for column, (least, greatest) in (("id", ids), ("day", days)):
            ledger.execute("insert into ops.key_range values (?, 'f', ?, ?, ?)", [batch, column, least, greatest])
    delivered(ledger, "unknown", "applied")
    delivered(ledger, "of-another", "applied")
    ledger.execute("insert into ops.key_range values ('of-another', 'g', 'id', '1', '2')")
    ledger.execute("insert into ops.key_range values ('unknown', 'f', 'other', '1', '2')")
    ledger.execute("insert into ops.lake_file select batch_id, feed, entity, ds, batch_id, 1, 1, '' from ops.delivery")
    keys = [KeyRange("id", "bigint", "3", "5"), KeyRange("day", "date", *day)]
    found = [file.name for file in lake_files(ledger, settings, "f", keys=keys)]
    assert found == ["from-last", "in", "of-another", "to-first", "unknown"]
    found = [file.name for file in lake_files(ledger, settings, "f", ["in"], keys[1:])]
    assert found == ["from-last", "ids-after", "ids-before", "of-another", "to-first", "unknown"]


def test_documents_that_were_not_read_are_those_of_deliveries_that_count(ledger: duckdb.DuckDBPyConnection) -> None:
    for status in EVERY:
        delivered(ledger, status, status)
        for row, document in ((1, "{'source_system': 'shop', 'order_id': '7', 'policy': 'hold'}"), (2, "null")):
            ledger.execute(
                "insert into ops.quarantine (feed, ds, path, row, rule, reason, batch_id, content_hash, "
                "quarantined_at, totals, currency, document) values ('f', ?, 'p', ?, 'type', 'odd', ?, 'h', ?, "
                f"map {{'amount': 2.5}}, 'CNY', {document})",
                [NIGHT, row, status, AT],
            )
    assert (
        ledger.execute(
            "select entity, feed, ds, row, source_system, order_id, policy, amount, net_amount, currency "
            "from ops.unread_document"
        ).fetchall()
        == [("e", "f", NIGHT, 1, "shop", "7", "hold", 2.5, None, "CNY")] * 2
    )
