"""How the lake is held against the ledger and what leaves it, on deliveries and files written by hand."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from importlib import import_module
from pathlib import Path

import duckdb
import pytest
from small_retailer import NEXT, NIGHT, settings_in

from onedata.ledger import UnknownLakeFiles, check_lake, recover
from onedata.ledger.manifest import LakeFile, read_manifests
from onedata.ledger.moves import Booking, book
from onedata.ledger.recover import (
    LakeDamaged,
    Loss,
    compare,
    lake_contents,
    leave_lake,
    move_orphans,
    prune_orphans,
    refuse_without_warehouse,
    unknown_told,
)
from onedata.settings import Settings

MODULE = import_module("onedata.ledger.recover")
"""The module, whose name in `onedata.ledger` is that of its function."""
THEN, AT = datetime(2026, 1, 6), datetime(2026, 1, 7)
EVERY = ("staged", "passed", "refused", "accepted", "applied", "replaced")
SHUFFLED = (5, 3, 1, 9, 0, 7, 2, 8, 4, 6)


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return settings_in(tmp_path)


def partition(settings: Settings, feed: str = "f", ds: date = NIGHT) -> Path:
    return settings.lake / "ods" / "e" / f"source={feed}" / f"ds={ds}"


def put(file: Path, content: str = "rows") -> Path:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(content)
    return file


def delivered(
    con: duckdb.DuckDBPyConnection,
    settings: Settings,
    batch: str,
    status: str = "applied",
    ds: date = NIGHT,
    feed: str = "f",
    files: int = 1,
) -> list[Path]:
    """A delivery in a state, with files, manifest and record in the lake; their paths."""
    book(con, Booking(batch, feed, "e", ds, 1, THEN))
    con.execute("update ops.delivery set status = ?, accepted_at = ? where batch_id = ?", [status, AT, batch])
    folder = partition(settings, feed, ds)
    names = [f"{batch}-{number}.parquet" for number in range(files)]
    for name in names:
        con.execute("insert into ops.lake_file values (?, ?, 'e', ?, ?, 1, 4, 'sha')", [batch, feed, ds, name])
    listed = (*names, f"_manifest/{batch}.json", f"_manifest/{batch}.record")
    return [put(folder / name) for name in listed]


def names(files: Sequence[Path]) -> list[str]:
    return sorted(file.name for file in files)


def test_files_are_judged_by_the_state_of_their_delivery(ledger: duckdb.DuckDBPyConnection, settings: Settings) -> None:
    for status in EVERY:
        delivered(ledger, settings, status, status)
    folder = partition(settings)
    put(folder / "applied-1.parquet")  # not in the ledger, though its delivery is
    put(folder / "strange-0.parquet")
    put(folder / "_manifest" / "strange.json")
    found = compare(ledger, settings)
    assert names(found.unknown) == ["applied-1.parquet", "strange-0.parquet", "strange.json"]
    assert names(found.orphans) == sorted(
        f"{status}{ending}"
        for status in ("staged", "passed", "refused", "replaced")
        for ending in ("-0.parquet", ".json", ".record")
    )
    assert (found.damaged, found.unwritten) == ([], [])


def test_files_that_are_gone_or_cut_are_told_with_feed_and_night(
    ledger: duckdb.DuckDBPyConnection, settings: Settings
) -> None:
    gone = delivered(ledger, settings, "a", "accepted", NEXT)[0]
    cut = delivered(ledger, settings, "b", feed="g")[0]
    delivered(ledger, settings, "c")
    delivered(ledger, settings, "d", "replaced")[0].unlink()  # it left the lake as it should
    gone.unlink()
    put(cut, "r")
    assert sorted(compare(ledger, settings).damaged, key=str) == sorted(
        [Loss(gone, "is gone", "f", "2026-01-06"), Loss(cut, "has 1 bytes and had 4", "g", "2026-01-05")], key=str
    )


def test_deliveries_of_the_lake_without_manifest_or_record_are_told_in_order(
    ledger: duckdb.DuckDBPyConnection, settings: Settings
) -> None:
    for number in SHUFFLED:
        _, manifest, record = delivered(ledger, settings, f"b{number}", "applied" if number % 2 else "accepted")
        (manifest if number < 5 else record).unlink()
    delivered(ledger, settings, "whole")
    for status in ("staged", "passed", "refused", "replaced"):
        for file in delivered(ledger, settings, status, status):
            file.unlink()
    # A data file of another ending is no record.
    put(partition(settings) / "b0-1.parquet.json")
    assert compare(ledger, settings).unwritten == [f"b{number}" for number in range(10)]


def test_a_manifest_is_written_again_with_what_the_ledger_knows(
    ledger: duckdb.DuckDBPyConnection, settings: Settings
) -> None:
    delivered(ledger, settings, "b", files=2)
    delivered(ledger, settings, "other", ds=NEXT)
    delivered(ledger, settings, "old", ds=NEXT)
    ledger.execute("update ops.delivery set accepted_at = null where batch_id = 'old'")  # of an earlier onedata
    for file in settings.lake.rglob("_manifest/*"):
        file.unlink()
    assert check_lake(ledger, settings) == [
        f"the manifest of delivery {batch} was gone from {partition(settings, 'f', ds)}, "
        "and was written again from the ledger"
        for batch, ds in (("b", NIGHT), ("old", NEXT), ("other", NEXT))
    ]
    found = {one.batch: (one.ds, one.accepted_at, one.files) for one in read_manifests(settings.lake)}

    def entries(batch: str, count: int) -> tuple[LakeFile, ...]:
        return tuple(LakeFile(f"{batch}-{number}.parquet", 1, 4, "sha") for number in range(count))

    assert found == {
        "b": (NIGHT, AT, entries("b", 2)),
        "other": (NEXT, AT, entries("other", 1)),
        "old": (NEXT, THEN, entries("old", 1)),
    }


@pytest.mark.parametrize(("count", "more"), [(1, ""), (3, ""), (4, "\nand 1 more"), (1005, "\nand 1,002 more")])
def test_three_lost_files_are_told_and_the_number_of_the_others(
    ledger: duckdb.DuckDBPyConnection,
    settings: Settings,
    count: int,
    more: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    lost = [Loss(Path(f"x{number}"), "is gone", "f", "2026-01-05") for number in range(count)]
    state = replace(compare(ledger, settings), damaged=lost)
    monkeypatch.setattr(MODULE, "compare", lambda *_: state)
    with pytest.raises(LakeDamaged) as caught:
        check_lake(ledger, settings)
    assert str(caught.value) == "\n".join(str(loss) for loss in lost[:3]) + more


def test_what_is_lost_of_nights_that_are_loaded_again_is_no_obstacle(
    ledger: duckdb.DuckDBPyConnection, settings: Settings
) -> None:
    delivered(ledger, settings, "b")[0].unlink()
    assert check_lake(ledger, settings, [NIGHT, NEXT]) == []
    with pytest.raises(LakeDamaged, match="is gone"):
        check_lake(ledger, settings, [NEXT])


def test_a_run_deletes_what_was_moved_aside_long_ago(ledger: duckdb.DuckDBPyConnection, settings: Settings) -> None:
    old = aside(settings, "20200101T000000")
    new = aside(settings, f"{datetime.now(UTC):%Y%m%dT%H%M%S}")
    assert check_lake(ledger, settings) == []
    assert (old.exists(), new.exists()) == (False, True)


@pytest.mark.parametrize(
    ("there", "refused"), [((), True), (("x.duckdb",), False), (("x.duckdb.wal",), False), (("x.wal",), True)]
)
def test_files_without_a_warehouse_are_refused_but_not_with_its_write_ahead_log(
    settings: Settings, there: Sequence[str], refused: bool
) -> None:
    settings.warehouse.parent.mkdir(parents=True, exist_ok=True)
    refuse_without_warehouse(settings)  # an empty lake is a new one
    file = put(partition(settings) / "b-0.parquet")
    for name in there:
        put(settings.warehouse.with_name(name.replace("x.duckdb", settings.warehouse.name)))
    if not refused:
        refuse_without_warehouse(settings)
        return
    with pytest.raises(UnknownLakeFiles) as caught:
        refuse_without_warehouse(settings)
    assert str(caught.value) == (
        "the lake holds 1 files of deliveries that the ledger has never known: the warehouse "
        f"{settings.warehouse} is gone. Put the right warehouse back, or rebuild it from the lake: "
        f"`onedata rebuild`. Nothing was changed. The files are {file}."
    )


def test_files_that_the_ledger_does_not_know_are_named_up_to_three(settings: Settings) -> None:
    put(settings.warehouse)
    files = [Path(name) for name in "abcd"]
    assert "is new, an older copy, or another one's." in unknown_told(settings, files)
    assert unknown_told(settings, files[:3]).endswith("The files are a, b, c.")
    assert unknown_told(settings, files).endswith("The files are a, b, c and others.")


def test_the_files_of_the_lake_are_in_order_and_none_is_left_out(settings: Settings) -> None:
    folder = partition(settings)
    for number in SHUFFLED:
        put(folder / f"b-{number}.parquet")
        put(folder / f"c-{number}.parquet.new")
        put(folder / "_manifest" / f"m{number}.json")
    put(folder / "_manifest" / "m5.record")
    for left_out in (".b-0.parquet", "note.txt", "_manifest/.m.json", "_manifest/note.txt"):
        put(folder / left_out)
    (folder / "folder.parquet").mkdir()
    put(settings.lake / "ods" / "e" / "source=_schema" / "ds=1970-01-01" / "empty.parquet")
    assert [file.relative_to(folder).as_posix() for file in lake_contents(settings.lake)] == [
        *(f"b-{number}.parquet" for number in range(10)),
        *(f"c-{number}.parquet.new" for number in range(10)),
        *(f"_manifest/m{number}.json" for number in range(6)),
        "_manifest/m5.record",
        *(f"_manifest/m{number}.json" for number in range(6, 10)),
    ]


def test_recovery_deletes_the_feeds_unfinished_deliveries_and_clears_what_was_replaced(
    ledger: duckdb.DuckDBPyConnection, settings: Settings
) -> None:
    for status in EVERY:
        delivered(ledger, settings, status, status)
    delivered(ledger, settings, "other", "staged", feed="g")
    put(settings.staged / "f" / "staged" / "staged-1.parquet")
    waiting = put(settings.staged / "g" / "other" / "other-1.parquet")
    assert recover(ledger, settings, "f", "e") == 3
    left = [batch for (batch,) in ledger.execute("select batch_id from ops.delivery order by 1").fetchall()]
    assert left == ["accepted", "applied", "other", "replaced"]
    assert {file.name.partition("-")[0].partition(".")[0] for file in lake_contents(settings.lake)} == {
        "accepted",
        "applied",
        "other",
    }
    assert (waiting.exists(), (settings.staged / "f").exists()) == (True, False)
    assert recover(ledger, settings, "f", "e") == 0  # nothing is staged: there is no folder to clear


def test_only_the_files_of_the_deliveries_leave_and_a_folder_is_no_file(settings: Settings) -> None:
    folder = partition(settings)
    mine = [put(folder / "b-0.parquet"), put(folder / "_manifest" / "b.json")]
    other = put(folder / "c-0.parquet")
    (folder / "b-1.parquet").mkdir()
    (said,) = leave_lake(settings, "e", "f", ["b"])
    assert said.startswith("2 files of unfinished or replaced deliveries (b) were moved out of the lake to ")
    assert [file.exists() for file in (*mine, other, folder / "b-1.parquet")] == [False, False, True, True]
    assert leave_lake(settings, "e", "f", ["b"]) == []


def test_manifests_are_moved_first_and_all_that_moved_is_listed(settings: Settings) -> None:
    folder = partition(settings)
    files = [
        put(folder / name)
        for name in (
            "b-0.parquet",
            "a-0.parquet",
            "c.json",
            "_manifest/b.record",
            "_manifest/b.json",
            "_manifest/a.json",
        )
    ]
    (said,) = move_orphans(settings, files)
    assert said.startswith("6 files of unfinished or replaced deliveries ")
    (aside_folder,) = (settings.lake / ".orphans").iterdir()
    below = "ods/e/source=f/ds=2026-01-05"
    moved = [
        f"{below}/{name}"
        for name in (
            "_manifest/a.json",
            "_manifest/b.json",
            "_manifest/b.record",
            "a-0.parquet",
            "b-0.parquet",
            "c.json",
        )
    ]
    assert (aside_folder / "moved.json").read_text() == json.dumps({"moved": moved}, indent=1) + "\n"
    assert [file for file in files if file.exists()] == []


@pytest.mark.parametrize(
    ("batches", "told"), [("cab", "(a, b, c)"), ("dcab", "(a, b, c, ...)"), ("edcab", "(a, b, c, ...)"), ("a", "(a)")]
)
def test_three_deliveries_are_named_in_order(settings: Settings, batches: str, told: str) -> None:
    (said,) = move_orphans(settings, [put(partition(settings) / f"{batch}-0.parquet") for batch in batches])
    assert told in said


def test_what_moves_in_the_same_second_has_a_folder_of_its_own(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Standing(datetime):
        @classmethod
        def now(cls, tz: object = None) -> Standing:  # noqa: ARG003
            return cls(2026, 1, 7, 8, 9, 10)

    monkeypatch.setattr(MODULE, "datetime", Standing)
    for number in range(4):
        move_orphans(settings, [put(partition(settings) / f"b-{number}.parquet")])
    base = settings.lake / ".orphans"
    assert {folder.name: names(list(folder.rglob("*.parquet"))) for folder in base.iterdir()} == {
        "20260107T080910": ["b-0.parquet"],
        "20260107T080910-1": ["b-1.parquet"],
        "20260107T080910-2": ["b-2.parquet"],
        "20260107T080910-3": ["b-3.parquet"],
    }


def aside(settings: Settings, name: str, *files: str) -> Path:
    """A folder of moved files, all of them in its list."""
    folder = settings.lake / ".orphans" / name
    listed = [*files, "ods/e/x.parquet"]
    for file in listed:
        put(folder / file)
    put(folder / "moved.json", json.dumps({"moved": listed}))
    return folder


KEPT = timedelta(days=30)
"""The settings' `orphans_kept_days`."""


def test_a_folder_is_kept_for_its_days_to_the_second(settings: Settings) -> None:
    moved = datetime(2026, 1, 7, 8, 9, 10, tzinfo=UTC)
    first, second = aside(settings, "20260107T080910"), aside(settings, "20260107T080911-2")
    prune_orphans(settings, moved + KEPT)
    assert first.exists()
    prune_orphans(settings, moved + KEPT + timedelta(seconds=1))
    assert (first.exists(), second.exists()) == (False, True)
    prune_orphans(settings, moved + KEPT + timedelta(seconds=2))
    assert not second.exists()


def test_a_folder_of_another_name_is_not_onedatas(settings: Settings) -> None:
    kept = [aside(settings, name) for name in ("20200101T000000-", "20200101", "20200101T000000.old")]
    prune_orphans(settings, datetime(2026, 1, 7, tzinfo=UTC))
    assert [folder for folder in kept if not (folder / "moved.json").exists()] == []


def test_a_list_that_is_damaged_keeps_its_files_and_the_next_folders_go(settings: Settings) -> None:
    folders = [aside(settings, f"20200101T00000{number}") for number in range(5)]
    (folders[2] / "moved.json").write_text("{")
    prune_orphans(settings, datetime(2026, 1, 7, tzinfo=UTC))
    assert [folder.exists() for folder in folders] == [False, False, True, False, False]
    assert names([file for file in folders[2].rglob("*") if file.is_file()]) == ["moved.json", "x.parquet"]


def test_folders_that_hold_somebody_elses_files_stay_with_them(settings: Settings) -> None:
    folder = aside(settings, "20200101T000000", "ods/deep/deeper/y.parquet", "ods/kept/z.parquet")
    note = put(folder / "ods" / "kept" / "note.txt")
    prune_orphans(settings, datetime(2026, 1, 7, tzinfo=UTC))
    assert sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*")) == [
        "ods",
        "ods/kept",
        "ods/kept/note.txt",
    ]
    assert note.exists()
