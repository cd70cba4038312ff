"""What the migration of a home of format 1 does to each table, on rows written by hand; and when it is not done."""

from __future__ import annotations

import shutil
import subprocess
from collections import namedtuple
from collections.abc import Iterator
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any
from unittest.mock import Mock

import duckdb
import pytest
from small_retailer import NEXT, NIGHT, settings_in

from onedata.ledger import create_ledger, migrations, tick
from onedata.ledger.manifest import read_manifests
from onedata.ledger.migrations import HomeFormatError, format_of, migrate
from onedata.settings import Settings

THEN, AT = datetime(2026, 1, 6), datetime(2026, 1, 7)
FAR = datetime(2999, 1, 1)
"""Later than the machine's clock, so that the ledger's own is seen."""
BACK = """
drop view ops.batch; drop view ops.pending_batch; drop view ops.unread_document;
drop table ops.lake_file; drop table ops.clock; drop table ops.format;
alter table ops.file alter batch_id drop not null;
alter table ops.quarantine alter batch_id drop not null;
alter table ops.drift drop column batch_id;
create or replace table ops.delivery (batch_id varchar primary key, feed varchar not null, entity varchar not null,
    ds date not null, status varchar not null, rows bigint not null, landed_at timestamp not null,
    applied_at timestamp, replaces varchar[] not null);
"""
"""From the tables of today to those of format 1."""
Usage = namedtuple("Usage", "total used free")


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    settings = settings_in(tmp_path)
    settings.warehouse.parent.mkdir(parents=True, exist_ok=True)
    return settings


@pytest.fixture
def old(settings: Settings) -> Iterator[duckdb.DuckDBPyConnection]:
    """A ledger of format 1 without rows."""
    with duckdb.connect(str(settings.warehouse)) as con:
        create_ledger(con)
        con.execute(BACK)
        yield con


def delivered(
    con: duckdb.DuckDBPyConnection, batch: str, status: str, feed: str = "f", ds: date = NIGHT, at: datetime = THEN
) -> None:
    values = [batch, feed, f"e-{feed}", ds, status, at]
    con.execute("insert into ops.delivery values (?, ?, ?, ?, ?, 1, ?, null, [])", values)


def file_of(
    con: duckdb.DuckDBPyConnection,
    batch: str | None,
    path: str,
    status: str = "landed",
    *,
    feed: str = "f",
    ds: date = NIGHT,
    content: str = "h",
    at: datetime = THEN,
) -> None:
    con.execute(
        "insert into ops.file values (?, ?, ?, ?, ?, ?, 1, 1, 0, 0, null, null, map([]::varchar[], []::varchar[]), 1, "
        "1, ?)",
        [feed, path, content, ds, batch, status, at],
    )


def rows(con: duckdb.DuckDBPyConnection, query: str) -> list[tuple[Any, ...]]:
    return con.execute(f"{query} order by all").fetchall()


def put(settings: Settings, name: str, feed: str = "f", ds: date = NIGHT) -> None:
    """A file of one row in the lake."""
    folder = settings.lake / "ods" / f"e-{feed}" / f"source={feed}" / f"ds={ds}"
    folder.mkdir(parents=True, exist_ok=True)
    duckdb.execute(f"copy (select 1 as x) to '{folder / name}' (format parquet)")


def test_deliveries_of_the_lake_were_accepted_as_they_landed(
    old: duckdb.DuckDBPyConnection, settings: Settings
) -> None:
    for status in ("staged", "passed", "refused", "accepted", "applied", "replaced"):
        delivered(old, status, status)
    (said,) = migrate(old, settings)
    assert said.startswith("the data home had format 1 and has format 2 now; the warehouse as it was is at ")
    assert format_of(old) == 2
    assert rows(old, "select batch_id, accepted_at from ops.delivery where accepted_at is not null") == [
        ("accepted", THEN),
        ("applied", THEN),
    ]
    assert migrate(old, settings) == []


def test_rows_that_belong_to_no_delivery_are_forgotten(old: duckdb.DuckDBPyConnection, settings: Settings) -> None:
    delivered(old, "a", "applied")
    for batch, path in (("a", "a.csv"), (None, "unreadable.csv")):
        file_of(old, batch, path)
        old.execute(
            "insert into ops.quarantine (feed, ds, path, row, rule, reason, batch_id, content_hash, quarantined_at) "
            "values ('f', ?, ?, 1, 'type', 'odd', ?, 'h', ?)",
            [NIGHT, path, batch, THEN],
        )
    migrate(old, settings)
    assert rows(old, "select path, batch_id from ops.file") == [("a.csv", "a")]
    assert rows(old, "select path, batch_id from ops.quarantine") == [("a.csv", "a")]


def test_drift_is_of_the_delivery_that_its_file_landed_with(old: duckdb.DuckDBPyConnection, settings: Settings) -> None:
    delivered(old, "a", "applied")
    file_of(old, "a", "a.csv")
    file_of(old, "a", "again.csv", "repeated", ds=NEXT)
    for feed, path, content in (
        ("f", "a.csv", "h"),
        ("g", "a.csv", "h"),
        ("f", "b.csv", "h"),
        ("f", "a.csv", "i"),
        ("f", "again.csv", "h"),
    ):
        values = [feed, NIGHT, path, content]
        old.execute("insert into ops.drift values (?, ?, ?, 'new', 'k', 'is new', ?)", values)
    migrate(old, settings)
    assert rows(old, "select feed, path, content_hash, batch_id from ops.drift") == [("f", "a.csv", "h", "a")]


def test_repeats_get_a_delivery_of_their_own_by_feed_and_night(
    old: duckdb.DuckDBPyConnection, settings: Settings
) -> None:
    delivered(old, "a", "applied")
    delivered(old, "b", "applied", "g")
    file_of(old, "a", "a.csv")
    file_of(old, "b", "b.csv", feed="g")
    for path, feed, ds, at in (
        ("r1.csv", "f", NEXT, AT),
        ("r2.csv", "f", NEXT, FAR),
        ("r3.csv", "f", NIGHT, THEN),
        ("r4.csv", "g", NEXT, THEN),
    ):
        file_of(old, "a", path, "repeated", feed=feed, ds=ds, at=at)
    totals = (
        ("f", "r1.csv", "h", NEXT),
        ("g", "r1.csv", "h", NEXT),
        ("f", "r9.csv", "h", NEXT),
        ("f", "r1.csv", "i", NEXT),
        ("f", "r1.csv", "h", NIGHT),
        ("f", "a.csv", "h", NIGHT),
    )
    for feed, path, content, ds in totals:
        values = [feed, path, content, ds]
        old.execute("insert into ops.control_total values (?, ?, ?, 'a', ?, 'amount', 'CNY', 1, 1, 0, 0)", values)
    migrate(old, settings)
    query = "select batch_id, feed, entity, ds, status, rows, landed_at, accepted_at, applied_at, replaces"
    assert rows(old, f"{query} from ops.delivery where rows <> 1") == [
        ("f-20260105-repeats", "f", "e-f", NIGHT, "applied", 0, THEN, THEN, THEN, []),
        ("f-20260106-repeats", "f", "e-f", NEXT, "applied", 0, FAR, FAR, FAR, []),
        ("g-20260106-repeats", "g", "e-g", NEXT, "applied", 0, THEN, THEN, THEN, []),
    ]
    assert rows(old, "select path, batch_id from ops.file") == [
        ("a.csv", "a"),
        ("b.csv", "b"),
        ("r1.csv", "f-20260106-repeats"),
        ("r2.csv", "f-20260106-repeats"),
        ("r3.csv", "f-20260105-repeats"),
        ("r4.csv", "g-20260106-repeats"),
    ]
    moved = rows(old, "select feed, path, content_hash, ds from ops.control_total where batch_id <> 'a'")
    assert moved == [("f", "r1.csv", "h", NEXT)]
    assert rows(old, "select distinct batch_id from ops.control_total") == [("a",), ("f-20260106-repeats",)]


def test_each_delivery_of_the_lake_gets_its_files_and_a_manifest(
    old: duckdb.DuckDBPyConnection, settings: Settings
) -> None:
    for batch, status in (("a", "applied"), ("b", "accepted"), ("c", "replaced"), ("d", "staged")):
        delivered(old, batch, status)
    for number in (5, 3, 1, 9, 0, 7, 2, 8, 4, 6):
        put(settings, f"a-{number}.parquet")
    for batch in "bcd":
        put(settings, f"{batch}-0.parquet")
    migrate(old, settings)
    found = list(read_manifests(settings.lake))
    assert [(one.batch, one.accepted_at, [file.name for file in one.files]) for one in found] == [
        ("a", THEN, [f"a-{number}.parquet" for number in range(10)]),
        ("b", THEN, ["b-0.parquet"]),
    ]
    (entry,) = found[1].files
    assert rows(old, "from ops.lake_file where batch_id = 'b'") == [
        ("b", "f", "e-f", NIGHT, "b-0.parquet", 1, entry.bytes, entry.sha256)
    ]
    names = rows(old, "select batch_id, name from ops.lake_file")
    assert names == [*(("a", f"a-{number}.parquet") for number in range(10)), ("b", "b-0.parquet")]


@pytest.mark.parametrize(("landed", "checked"), [(0, 2), (2, 0), (1, 1)])
def test_the_clock_goes_on_after_what_the_ledger_has_seen(
    old: duckdb.DuckDBPyConnection, settings: Settings, landed: int, checked: int
) -> None:
    unit = timedelta(microseconds=1)
    delivered(old, "a", "staged", at=FAR + landed * unit)
    gate = "insert into ops.gate values ('r', ?, 'ods', 's', 'rule', 'error', true, '', '', ?, '', '')"
    old.execute(gate, [NIGHT, FAR + checked * unit])
    migrate(old, settings)
    assert tick(old) == FAR + (max(landed, checked) + 1) * unit


def test_a_ledger_without_deliveries_is_migrated(old: duckdb.DuckDBPyConnection, settings: Settings) -> None:
    migrate(old, settings)
    assert format_of(old) == 2
    assert tick(old) < FAR


def test_the_copy_has_what_was_written_last(old: duckdb.DuckDBPyConnection, settings: Settings) -> None:
    old.execute("checkpoint")
    delivered(old, "a", "staged")
    migrate(old, settings)
    (copy,) = (settings.home / "aside").rglob("onedata.format-1.duckdb")
    with duckdb.connect(str(copy), read_only=True) as con:
        assert rows(con, "select batch_id from ops.delivery") == [("a",)]


def test_a_copy_that_fails_ends_the_migration(
    old: duckdb.DuckDBPyConnection, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(migrations, "COPY", "raise SystemExit(3)")
    with pytest.raises(subprocess.CalledProcessError):
        migrate(old, settings)
    assert format_of(old) == 1


@pytest.mark.parametrize(("short", "done"), [(0, True), (1, False)])
def test_the_copy_may_take_half_of_the_room_that_is_free(
    old: duckdb.DuckDBPyConnection, settings: Settings, monkeypatch: pytest.MonkeyPatch, short: int, done: bool
) -> None:
    def free(_: Path) -> Usage:
        return Usage(0, 0, 2 * settings.warehouse.stat().st_size - short)

    monkeypatch.setattr(shutil, "disk_usage", free)
    if done:
        migrate(old, settings)
    else:
        with pytest.raises(HomeFormatError, match=r"has format 1 and must be brought to 2; the copy .* Make room"):
            migrate(old, settings)
    assert format_of(old) == (2 if done else 1)
    assert (settings.home / "aside").exists() == done


def test_tables_that_are_missing_are_made_and_no_copy_is(settings: Settings) -> None:
    with duckdb.connect(str(settings.warehouse)) as con:
        assert migrate(con, settings) == []
        con.execute("drop table ops.trend")
        assert migrate(con, settings) == []
        assert rows(con, "select feed from ops.trend") == []
        assert format_of(con) == 2
    assert not (settings.home / "aside").exists()


def test_a_format_is_that_of_the_own_ledger(settings: Settings, tmp_path: Path) -> None:
    with duckdb.connect(str(tmp_path / "other.duckdb")) as con:
        create_ledger(con)
    with duckdb.connect(str(settings.warehouse)) as con:
        con.execute(f"attach '{tmp_path / 'other.duckdb'}' as other; create table delivery (x integer)")
        assert format_of(con) is None
        create_ledger(con)
        assert format_of(con) == 2
        con.execute("delete from ops.format")
        assert format_of(con) == 1
        con.execute("drop table ops.format; create table format (format integer)")
        assert format_of(con) == 1
        con.execute("create schema if not exists ops; create table ops.format as select 3 as format")
        with pytest.raises(
            HomeFormatError, match="has format 3, made by a later onedata; this one knows formats up to 2"
        ):
            migrate(con, settings)


def test_a_step_that_is_killed_has_changed_nothing(
    old: duckdb.DuckDBPyConnection, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    delivered(old, "a", "applied")
    with monkeypatch.context() as killed:
        killed.setattr(migrations, "write_manifest", Mock(side_effect=KeyboardInterrupt))
        with pytest.raises(KeyboardInterrupt):
            migrate(old, settings)
    assert format_of(old) == 1
    assert len(rows(old, "from ops.delivery")[0]) == 9  # the columns of format 1
    migrate(old, settings)
    assert format_of(old) == 2
