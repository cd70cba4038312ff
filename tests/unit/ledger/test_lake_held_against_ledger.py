"""A run never deletes unknown lake files, and never continues without known ones."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from small_retailer import NEXT, NIGHT, SmallRetailer, contract, settings_in, small_retailer

from onedata.ledger import LedgerError, UnknownLakeFiles, check_lake, recover
from onedata.ledger.paths import batch_of
from onedata.ledger.promote import promote
from onedata.ledger.recover import LakeDamaged, compare, prune_orphans
from onedata.quality.gates import contract_gate
from onedata.quality.gx import Gatekeeper
from onedata.warehouse import open_warehouse


def two_nights(survey: SmallRetailer) -> list[Path]:
    """Two accepted deliveries; their files in the lake."""
    survey.csv("A1,O1,5,fine,", "A2,O2,9,,")
    survey.csv("A3,O3,4,,", night=NEXT)
    assert survey.take(NEXT).closed == {}
    return contents(survey)


def contents(survey: SmallRetailer) -> list[Path]:
    return sorted(
        path for path in (survey.settings.lake / "ods").rglob("*") if path.is_file() and "_schema" not in str(path)
    )


def unfinished(survey: SmallRetailer) -> Path:
    """The file in the lake of a delivery that was killed."""
    survey.csv("A1,O1,5,fine,")
    survey.land()
    (batch,) = survey.con.execute("select batch_id from ops.delivery").fetchall()[0]
    (staged,) = (survey.settings.staged / "survey" / batch).glob("*.parquet")
    target = survey.settings.lake / "ods" / "survey_response" / "source=survey" / "ds=2026-01-05" / staged.name
    target.parent.mkdir(parents=True)
    staged.rename(target)
    return target


def data_files(survey: SmallRetailer) -> list[Path]:
    return [path for path in contents(survey) if path.suffix == ".parquet"]


def test_a_lost_warehouse_stops_the_next_run_and_no_file_is_touched(survey: SmallRetailer, tmp_path: Path) -> None:
    before = {path: path.read_bytes() for path in two_nights(survey)}
    survey.con.close()
    survey.settings.warehouse.rename(tmp_path / "lost.duckdb")
    with (
        open_warehouse(survey.settings) as con,
        pytest.raises(
            UnknownLakeFiles, match=r"holds 6 files .* never known.* `onedata rebuild`\. Nothing was changed"
        ),
    ):
        small_retailer(tmp_path, con, Gatekeeper(con), contract(quarantineTolerance=0.5))
    assert {path: path.read_bytes() for path in contents(survey)} == before


def test_an_older_copy_of_the_warehouse_stops_the_next_run(survey: SmallRetailer, tmp_path: Path) -> None:
    survey.csv("A1,O1,5,fine,")
    survey.take()
    survey.con.execute("checkpoint")
    older = survey.settings.warehouse.read_bytes()
    survey.csv("A3,O3,4,,", night=NEXT)
    survey.take(NEXT)
    before = contents(survey)
    survey.con.close()
    survey.settings.warehouse.write_bytes(older)
    with open_warehouse(survey.settings) as con, pytest.raises(UnknownLakeFiles, match="an older copy"):
        small_retailer(tmp_path, con, Gatekeeper(con), contract(quarantineTolerance=0.5))
    assert contents(survey) == before


@pytest.mark.parametrize("name", ["survey-20260105-abcdefabcdef-0.parquet", "anything.parquet"])
def test_a_strange_file_in_a_partition_stops_the_run(survey: SmallRetailer, name: str) -> None:
    strange = two_nights(survey)[0].parents[1] / name
    strange.write_bytes(b"PAR1")
    with pytest.raises(UnknownLakeFiles, match=name):
        check_lake(survey.con, survey.settings)
    assert strange.exists()


def test_a_second_file_by_the_name_of_an_accepted_delivery_stops_the_run(survey: SmallRetailer) -> None:
    (first, *_) = (two_nights(survey), data_files(survey))[1]
    copy = first.with_name(first.name.replace("-0.parquet", "-1.parquet"))
    copy.write_bytes(first.read_bytes())
    with pytest.raises(UnknownLakeFiles, match=copy.name):
        check_lake(survey.con, survey.settings)


def test_a_file_of_the_lake_that_is_gone_stops_the_run(survey: SmallRetailer) -> None:
    two_nights(survey)
    gone = data_files(survey)[1]
    gone.unlink()
    with pytest.raises(LakeDamaged, match=rf"{gone} .* is gone.*--replace"):
        check_lake(survey.con, survey.settings)


def test_a_file_of_the_lake_that_was_cut_stops_the_run(survey: SmallRetailer) -> None:
    two_nights(survey)
    cut = data_files(survey)[0]
    size = cut.stat().st_size
    os.truncate(cut, size - 1)
    with pytest.raises(LakeDamaged, match=rf"{cut.name} .* has {size - 1:,} bytes and had {size:,}"):
        check_lake(survey.con, survey.settings)


@pytest.mark.parametrize("ending", [".json", ".record"])
def test_a_manifest_that_is_gone_is_written_again_from_the_ledger(survey: SmallRetailer, ending: str) -> None:
    from onedata.ledger.manifest import read_manifests

    two_nights(survey)
    before = [(item.batch, item.rows, item.accepted_at, item.files) for item in read_manifests(survey.settings.lake)]
    lost = next(path for path in contents(survey) if path.suffix == ending)
    lost.unlink()
    (said,) = check_lake(survey.con, survey.settings)
    assert "was written again from the ledger" in said
    assert [
        (item.batch, item.rows, item.accepted_at, item.files) for item in read_manifests(survey.settings.lake)
    ] == before
    assert check_lake(survey.con, survey.settings) == []


def test_what_an_unfinished_delivery_left_is_moved_aside_and_listed(survey: SmallRetailer) -> None:
    target = unfinished(survey)
    content = target.read_bytes()
    (said,) = check_lake(survey.con, survey.settings)
    assert batch_of(target) in said
    assert not target.exists()
    (kept,) = (survey.settings.lake / ".orphans").rglob("*.parquet")
    assert kept.read_bytes() == content
    assert survey.con.execute("select count(*) from ops.delivery").fetchall() == [(1,)]


def test_files_leave_the_lake_before_the_ledger_forgets(survey: SmallRetailer, monkeypatch: pytest.MonkeyPatch) -> None:
    """Killed as files are moved aside, the ledger still knows them: the next run does not take them for somebody's."""
    target = unfinished(survey)

    def killed(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("onedata.durable.replace_durably", killed)
    with pytest.raises(KeyboardInterrupt):
        recover(survey.con, survey.settings, "survey", "survey_response")
    monkeypatch.undo()
    assert target.exists()
    assert compare(survey.con, survey.settings).unknown == []
    assert survey.take().counts == (1, 1, 0, 0)


def test_what_was_moved_aside_is_kept_for_its_time_and_only_listed_files_go(survey: SmallRetailer) -> None:
    from datetime import UTC, datetime, timedelta

    test_what_an_unfinished_delivery_left_is_moved_aside_and_listed(survey)
    (folder,) = (survey.settings.lake / ".orphans").iterdir()
    (folder / "note-of-a-person.txt").write_text("look at this")
    now = datetime.now(UTC)
    prune_orphans(survey.settings, now + timedelta(days=29))
    assert list(folder.rglob("*.parquet"))
    prune_orphans(survey.settings, now + timedelta(days=31))
    assert [path.name for path in folder.iterdir()] == ["note-of-a-person.txt"]


def test_a_second_home_is_not_this_one(survey: SmallRetailer, tmp_path: Path) -> None:
    """An empty home is a new one: nothing to refuse."""
    with open_warehouse(settings_in(tmp_path / "other")) as con:
        other = small_retailer(tmp_path / "other", con, Gatekeeper(con), contract())
        assert check_lake(con, other.settings) == []
    assert check_lake(survey.con, survey.settings) == []


@pytest.mark.parametrize("content", ["", "[]", '{"moved": 1', "{}"])
def test_a_list_of_what_was_moved_aside_that_is_damaged_removes_nothing(survey: SmallRetailer, content: str) -> None:
    folder = survey.settings.lake / ".orphans" / "20200101T000000"
    folder.mkdir(parents=True)
    (folder / "x.parquet").write_text("rows")
    (folder / "moved.json").write_text(content)
    assert check_lake(survey.con, survey.settings) == []
    assert (folder / "x.parquet").exists()


def test_promotion_overwrites_no_file_of_the_lake(survey: SmallRetailer) -> None:
    survey.csv("A1,O1,5,fine,")
    survey.land()
    results = contract_gate(survey.con, survey.gatekeeper, survey.settings, survey.feed(), NIGHT)
    assert [result for result in results if result.blocks] == []
    (staged,) = survey.settings.staged.rglob("*.parquet")
    taken = survey.settings.lake / "ods" / "survey_response" / "source=survey" / "ds=2026-01-05" / staged.name
    taken.parent.mkdir(parents=True)
    taken.write_text("somebody's")
    with pytest.raises(LedgerError, match=f"{taken} already exists and is not overwritten"):
        promote(survey.con, survey.settings)
    assert (taken.read_text(), staged.exists()) == ("somebody's", True)
