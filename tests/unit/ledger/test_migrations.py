"""A data home of an earlier onedata is migrated, after a copy is made; one of a later onedata is refused."""

from __future__ import annotations

from pathlib import Path

import duckdb
import pytest
from small_retailer import HEADER, NEXT, SmallRetailer, contract, small_retailer

from onedata.ledger import apply, check_lake
from onedata.ledger.manifest import read_manifests
from onedata.ledger.migrations import STEPS, HomeFormatError, format_of
from onedata.ledger.schema import FORMAT
from onedata.quality.gx import Gatekeeper
from onedata.rebuild import rebuild
from onedata.warehouse import open_warehouse

SURVEY = contract(quarantineTolerance=1)


@pytest.fixture
def old(survey: SmallRetailer) -> SmallRetailer:
    """A home as format 1 left it: a delivery a night, a repeat in the delivery that it repeats, drift without one, and
    no manifests."""
    survey.csv("A1,O1,5,fine,,x", "A2,O2,9,,,x", header=HEADER + ",mood")
    survey.csv("A1,O1,5,fine,,x", "A2,O2,9,,,x", night=NEXT, header=HEADER + ",mood")
    survey.csv("A3,O3,4,,", night=NEXT.replace(day=7))
    survey.take(NEXT.replace(day=7))
    apply(survey.con)
    survey.con.execute(
        """
        update ops.file f set batch_id = (select g.batch_id from ops.file g where g.content_hash = f.content_hash
            and g.status = 'landed')
        where status = 'repeated';
        delete from ops.delivery where rows = 0;
        drop view ops.batch; drop view ops.pending_batch;
        drop table ops.lake_file; drop table ops.clock; drop table ops.format;
        alter table ops.drift alter batch_id drop not null; alter table ops.drift drop column batch_id;
        create table d as select * exclude (accepted_at) from ops.delivery; drop table ops.delivery;
        create table ops.delivery (batch_id varchar primary key, feed varchar not null, entity varchar not null,
            ds date not null,
            status varchar not null, rows bigint not null, landed_at timestamp not null, applied_at timestamp,
            replaces varchar[] not null);
        insert into ops.delivery by name from d; drop table d;
        """
    )
    for path in (survey.settings.lake / "ods").rglob("_manifest/*"):
        path.unlink()
    assert format_of(survey.con) == 1
    survey.con.close()
    return survey


def test_a_home_of_format_1_is_migrated_after_a_copy(old: SmallRetailer, tmp_path: Path) -> None:
    before = old.settings.warehouse.read_bytes()
    with open_warehouse(old.settings) as con:
        new = small_retailer(tmp_path, con, Gatekeeper(con), SURVEY)
        assert format_of(con) == FORMAT
        assert check_lake(con, new.settings) == []
        assert new.files() == [
            ("survey/2026-01-05.csv", "landed", 2, 1, 1, 0),
            ("survey/2026-01-06.csv", "repeated", 2, 0, 0, 2),
            ("survey/2026-01-07.csv", "landed", 1, 1, 0, 0),
        ]
        assert con.execute(
            "select f.path, d.ds::varchar, d.rows from ops.file f join ops.delivery d using (batch_id) order by 1"
        ).fetchall() == [
            ("survey/2026-01-05.csv", "2026-01-05", 1),
            ("survey/2026-01-06.csv", "2026-01-06", 0),
            ("survey/2026-01-07.csv", "2026-01-07", 1),
        ]
        assert new.drifts() != []
        assert new.rows("response_id", order="1") == [("A1",), ("A3",)]
        assert new.take(NEXT.replace(day=7)).landed.files == 0
    (copy,) = (new.settings.home / "aside").rglob("onedata.format-1.duckdb")
    assert copy.read_bytes() == before


def test_a_migrated_home_can_be_rebuilt_from_its_lake(old: SmallRetailer, tmp_path: Path) -> None:
    with open_warehouse(old.settings) as con:
        new = small_retailer(tmp_path, con, Gatekeeper(con), SURVEY)
        files, quarantine = new.files(), new.quarantine()
    assert len(list(read_manifests(old.settings.lake))) == 3
    rebuild(old.retailer, False, print)
    with open_warehouse(old.settings) as con:
        again = SmallRetailer(old.retailer, con, Gatekeeper(con))
        assert (again.files(), again.quarantine()) == (files, quarantine)


def test_a_killed_migration_is_done_again(old: SmallRetailer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def killed(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("onedata.ledger.migrations.write_manifest", killed)
    with open_warehouse(old.settings) as con, pytest.raises(KeyboardInterrupt):
        small_retailer(tmp_path, con, Gatekeeper(con), SURVEY)
    monkeypatch.undo()
    with open_warehouse(old.settings) as con:
        assert format_of(con) == 1
        small_retailer(tmp_path, con, Gatekeeper(con), SURVEY)
        assert format_of(con) == FORMAT


def test_a_home_of_a_later_onedata_is_refused_and_left_as_it_is(survey: SmallRetailer, tmp_path: Path) -> None:
    survey.con.execute("update ops.format set format = ?", [FORMAT + 1])
    with pytest.raises(HomeFormatError, match=rf"has format {FORMAT + 1}, made by a later onedata.*onedata rebuild"):
        small_retailer(tmp_path, survey.con, survey.gatekeeper, SURVEY)
    assert format_of(survey.con) == FORMAT + 1


def test_no_room_for_the_copy_is_told_before_anything_is_changed(
    old: SmallRetailer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from collections import namedtuple

    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr("shutil.disk_usage", lambda _: usage(1, 1, 0))
    with open_warehouse(old.settings) as con, pytest.raises(HomeFormatError, match=r"takes .* MB, and 0 MB are free"):
        small_retailer(tmp_path, con, Gatekeeper(con), SURVEY)


def test_the_steps_are_numbered_without_a_gap() -> None:
    assert sorted(STEPS) == list(range(2, FORMAT + 1))


def test_a_new_home_has_the_format_of_today(tmp_path: Path) -> None:
    from small_retailer import settings_in

    with open_warehouse(settings_in(tmp_path)) as con:
        assert format_of(con) is None
        small_retailer(tmp_path, con, Gatekeeper(con), SURVEY)
        assert format_of(con) == FORMAT
    with duckdb.connect(str(settings_in(tmp_path).warehouse), read_only=True) as con:
        assert con.execute("from ops.format").fetchall() == [(FORMAT,)]
