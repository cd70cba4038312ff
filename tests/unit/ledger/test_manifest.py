"""What a delivery's manifest and record hold, on a ledger written by hand, and how its files are held against them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any

import duckdb
import pytest
from small_retailer import NEXT, NIGHT

from onedata.durable import replace_durably
from onedata.ledger import manifest
from onedata.ledger.manifest import (
    LakeFile,
    Manifest,
    ManifestError,
    damage,
    digest,
    file_damage,
    in_force,
    read_manifest,
    read_manifests,
    recorded_hash,
    write_manifest,
)
from onedata.ledger.moves import Booking, FileEntry, book, book_file
from onedata.sealed import seal

THEN, AT = datetime(2026, 1, 6), datetime(2026, 1, 7, 8, 9, 10, 11)
ENTRY = LakeFile("b-0.parquet", 3, 4, "abc")


def delivered(
    con: duckdb.DuckDBPyConnection,
    batch: str,
    status: str,
    feed: str = "f",
    ds: date = NIGHT,
    replaces: Sequence[str] = (),
) -> None:
    """A delivery with one file; unless it has only passed its gate, it was accepted and published."""
    book(con, Booking(batch, feed, "e", ds, 1, THEN, replaces))
    times = [None, None] if status == "passed" else [THEN, THEN]
    con.execute(
        "update ops.delivery set status = ?, accepted_at = ?, applied_at = ? where batch_id = ?",
        [status, *times, batch],
    )
    book_file(con, feed, batch, FileEntry(f"{batch}.csv", f"h-{batch}", ds, "landed", (1, 1, 0, 0), 7, 8), THEN)


def recorded(con: duckdb.DuckDBPyConnection, partition: Path, table: str, columns: str) -> list[tuple[Any, ...]]:
    """Rows of a table in the record of the delivery `new`."""
    return con.execute(
        f"select {columns} from read_parquet('{partition}/_manifest/new.record', hive_partitioning = false) "
        "where _table = ? order by all",
        [table],
    ).fetchall()


def test_a_record_has_the_delivery_and_those_of_its_night_that_it_replaces(
    ledger: duckdb.DuckDBPyConnection, tmp_path: Path
) -> None:
    delivered(ledger, "new", "passed", replaces=["old"])
    delivered(ledger, "old", "applied")
    delivered(ledger, "older", "replaced")
    delivered(ledger, "stays", "accepted")
    delivered(ledger, "other", "accepted", replaces=["stays"])
    delivered(ledger, "of-next-night", "replaced", ds=NEXT)
    delivered(ledger, "of-other-feed", "replaced", feed="g")
    write_manifest(ledger, tmp_path, "new", AT, [])
    assert recorded(ledger, tmp_path, "delivery", "batch_id, status, accepted_at, applied_at, _accepted_at") == [
        ("new", "accepted", AT, None, AT),
        ("old", "replaced", THEN, None, AT),
        ("older", "replaced", THEN, None, AT),
    ]


def test_a_record_has_the_rows_of_its_delivery_and_what_its_feed_and_night_need(
    ledger: duckdb.DuckDBPyConnection, tmp_path: Path
) -> None:
    for batch, status, feed in (("new", "passed", "f"), ("other", "accepted", "f"), ("third", "accepted", "g")):
        delivered(ledger, batch, status, feed)
        ledger.execute("insert into ops.lake_file values (?, ?, 'e', ?, 'x', 1, 2, 'sha')", [batch, feed, NIGHT])
        values = [feed, f"h-{batch}", NEXT, AT]
        ledger.execute("insert into ops.watermark values (?, ?, 'm', ?, 'p', ?)", values)
    for feed, version, day in (("f", "1.1.0", 2), ("f", "1.2.0", 3), ("f", "1.0.0", 1), ("g", "9.0.0", 9)):
        used = datetime(2026, 1, day)
        ledger.execute("insert into ops.contract values (?, ?, 'print', '{}', ?, ?)", [feed, version, used, used])
    for feed, ds in (("f", NIGHT), ("f", NEXT), ("g", NIGHT)):
        ledger.execute("insert into ops.trend values (?, ?, '', 'rows', 1, 1, 1, 1, 1, true)", [feed, ds])
    write_manifest(ledger, tmp_path, "new", AT, [])
    assert recorded(ledger, tmp_path, "file", "feed, batch_id, path") == [("f", "new", "new.csv")]
    assert recorded(ledger, tmp_path, "contract", "feed, version") == [("f", "1.2.0")]
    assert recorded(ledger, tmp_path, "watermark", "feed, content_hash, ds") == [("f", "h-new", NEXT)]
    assert recorded(ledger, tmp_path, "trend", "feed, ds") == [("f", NIGHT)]
    # The files of the lake are in the manifest itself.
    assert recorded(ledger, tmp_path, "lake_file", "batch_id") == []


def test_a_manifest_is_read_as_it_was_written(ledger: duckdb.DuckDBPyConnection, tmp_path: Path) -> None:
    delivered(ledger, "old", "applied")
    delivered(ledger, "new", "passed", replaces=["old"])
    write_manifest(ledger, tmp_path, "new", AT, [ENTRY])
    folder = tmp_path / "_manifest"
    record = folder / "new.record"
    found = read_manifest(folder / "new.json")
    assert replace(found, record=ENTRY) == Manifest("new", "f", "e", NIGHT, 1, AT, ("old",), (ENTRY,), ENTRY, folder)
    assert found.partition == tmp_path
    assert (found.record.name, found.record.bytes) == ("new.record", record.stat().st_size)
    assert found.record.sha256 == digest(record)
    assert '"format": 1,' in (folder / "new.json").read_text()  # written out: another format needs a reader of this one
    assert sorted(file.name for file in folder.iterdir()) == ["new.json", "new.record"]


def test_a_record_is_synced_before_it_has_its_name(
    ledger: duckdb.DuckDBPyConnection, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What the system calls of whole nights show (`test_durable_order`), in one process and in a moment."""
    seen = list[tuple[str, str]]()

    def renamed(source: Path, target: Path) -> None:
        seen.append((source.name, target.name))
        replace_durably(source, target)

    monkeypatch.setattr(manifest, "sync_file", lambda path: seen.append(("synced", path.name)))
    monkeypatch.setattr(manifest, "replace_durably", renamed)
    delivered(ledger, "new", "passed")
    write_manifest(ledger, tmp_path, "new", AT, [])
    assert seen == [("synced", ".new.record.new"), (".new.record.new", "new.record")]


def content(batch: str, **changed: Any) -> dict[str, Any]:
    """A manifest as JSON has it."""
    entry = {"name": "x", "rows": 1, "bytes": 2, "sha256": "sha"}
    return {
        "format": 1,
        "onedata": "9.9",
        "batch_id": batch,
        "feed": "f",
        "entity": "e",
        "ds": "2026-01-05",
        "rows": 1,
        "accepted_at": "2026-01-07T00:00:00",
        "replaces": [],
        "files": [entry],
        "record": entry,
    } | changed


def test_manifests_are_read_in_the_order_of_their_paths(tmp_path: Path) -> None:
    folder = tmp_path / "ods" / "e" / "source=f" / "ds=2026-01-05" / "_manifest"
    folder.mkdir(parents=True)
    for number in (5, 3, 1, 9, 0, 7, 2, 8, 4, 6):
        (folder / f"b{number}.json").write_text(seal(content(f"b{number}")))
    assert [found.batch for found in read_manifests(tmp_path)] == [f"b{number}" for number in range(10)]


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"format": 2}, r"m\.json is of a later onedata \(9\.9\); this one reads format 1\. Update onedata\."),
        ({"ds": "someday"}, r"m\.json is damaged \(ValueError: .*someday.*restore it from a back-up"),
        ({"files": 7}, r"m\.json is damaged \(TypeError: "),
    ],
)
def test_what_is_no_manifest_of_this_onedata_is_refused(tmp_path: Path, changed: dict[str, Any], message: str) -> None:
    file = tmp_path / "m.json"
    file.write_text(seal(content("b", **changed)))
    with pytest.raises(ManifestError, match=message):
        read_manifest(file)


def test_the_hash_of_a_record_is_known_where_its_manifest_is(tmp_path: Path) -> None:
    (tmp_path / "b.json").write_text(seal(content("b")))
    assert recorded_hash(tmp_path / "b.record") == "sha"
    assert recorded_hash(tmp_path / "b.parquet") is None
    assert recorded_hash(tmp_path / "other.record") is None


def accepted(batch: str, at: datetime = AT, *replaces: str) -> Manifest:
    return Manifest(batch, "f", "e", NIGHT, 1, at, replaces, (), ENTRY, Path("nowhere"))


def test_in_force_is_what_no_other_manifest_replaces_in_order_of_acceptance() -> None:
    early, late = AT, AT + timedelta(microseconds=1)
    found = [accepted("d", late, "b"), accepted("c", late), accepted("b", early), accepted("e", early)]
    assert [one.batch for one in in_force(found)] == ["e", "c", "d"]


def test_a_file_that_is_not_as_it_was_written_is_told_by_what_is_wrong(tmp_path: Path) -> None:
    path = tmp_path / "x"
    path.write_text("rows")
    entry = LakeFile("x", 1, 4, digest(path))
    assert file_damage(path, entry) is None and file_damage(path, entry, thorough=True) is None
    path.write_text("swor")  # of the same size: only its content tells
    assert file_damage(path, entry) is None
    assert file_damage(path, entry, thorough=True) == f"{path} has other content than was written (SHA-256)"
    path.write_text("more rows")
    assert file_damage(path, entry) == f"{path} has 9 bytes and had 4"
    path.unlink()
    assert file_damage(path, entry) == f"{path} is gone"


def test_the_damage_of_a_delivery_is_that_of_its_files_and_its_record(tmp_path: Path) -> None:
    folder = tmp_path / "_manifest"
    folder.mkdir()
    for path in (tmp_path / "a", tmp_path / "b", folder / "r"):
        path.write_text("rows")
    entry = LakeFile("a", 1, 4, digest(tmp_path / "a"))
    one = replace(
        accepted("x"), files=(entry, replace(entry, name="b")), record=replace(entry, name="r"), folder=folder
    )
    assert damage(one) == damage(one, thorough=True) == []
    (tmp_path / "b").write_text("swor")
    (folder / "r").unlink()
    assert damage(one) == [f"{folder / 'r'} is gone"]
    assert damage(one, thorough=True) == [
        f"{tmp_path / 'b'} has other content than was written (SHA-256)",
        f"{folder / 'r'} is gone",
    ]
