"""A night killed between two steps and rerun gives the same result as an undisturbed one."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from small_retailer import NEXT, NIGHT, SmallRetailer, assert_balanced, contract, settings_in, small_retailer

from onedata.ledger import check_lake, recover
from onedata.ledger.paths import partition_folder, staged_files
from onedata.ledger.promote import promote
from onedata.quality.gates import contract_gate
from onedata.quality.gx import Gatekeeper
from onedata.warehouse import open_warehouse

Kill = Callable[[SmallRetailer], None]


def deliver(survey: SmallRetailer) -> None:
    survey.csv("A1,O1,5,fine,", "A2,O2,9,,", "A2,O2,4,,")
    survey.csv("A1,O1,5,fine,", "A3,O3,4,,", night=NEXT)


def outcome(survey: SmallRetailer) -> tuple[object, ...]:
    """Ledger, quarantine and lake without the clock."""
    deliveries = survey.con.execute(
        "select * exclude (landed_at, accepted_at, applied_at) from ops.delivery order by 1"
    ).fetchall()
    lake = sorted(
        str(path.relative_to(survey.settings.lake))
        for path in (survey.settings.lake / "ods").rglob("[!.]*")
        if path.is_file()
    )
    staged = sorted(str(path) for path in survey.settings.staged.rglob("*.parquet*"))
    return (
        survey.rows("* exclude (_arrived_at)"),
        survey.files("* exclude (arrived_at, mtime_ns)"),
        survey.quarantine(),
        deliveries,
        lake,
        staged,
    )


def killed_after_staging(survey: SmallRetailer) -> None:
    survey.land(NEXT)


def killed_after_the_gate(survey: SmallRetailer) -> None:
    survey.land(NEXT)
    contract_gate(survey.con, survey.gatekeeper, survey.settings, survey.feed(), NEXT)


def killed_before_the_ledger_commits(survey: SmallRetailer) -> None:
    """The staged files are written, the ledger's transaction is not."""
    survey.con.begin()
    survey.con.rollback()
    for name in ("survey-20260105-abcdefabcdef", "survey-20260105-abcdefabcdef.work"):
        folder = survey.settings.staged / "survey" / name
        folder.mkdir(parents=True)
        (folder / "survey-20260105-abcdefabcdef-0.parquet").write_bytes(b"half a file")


def places(survey: SmallRetailer) -> list[tuple[Path, Path]]:
    """Every delivery's staged files, each with its place in the lake."""
    deliveries = survey.con.execute("select feed, entity, ds, batch_id from ops.delivery order by batch_id").fetchall()
    return [
        (file, partition_folder(survey.settings, entity, feed, ds) / file.name)
        for feed, entity, ds, batch in deliveries
        for file in staged_files(survey.settings, feed, batch)
    ]


def killed_between_rename_and_ledger(survey: SmallRetailer) -> None:
    """Every passed file lies in the lake, no delivery is marked accepted."""
    killed_after_the_gate(survey)
    for staged, lake in places(survey):
        lake.parent.mkdir(parents=True, exist_ok=True)
        staged.rename(lake)


def killed_between_two_promotions(survey: SmallRetailer) -> None:
    """One delivery is accepted, the other's file is renamed only."""
    killed_after_the_gate(survey)
    first = survey.con.execute("select min(batch_id) from ops.delivery").fetchall()[0][0]
    survey.con.execute("update ops.delivery set status = 'staged' where batch_id <> ?", [first])
    promote(survey.con, survey.settings)
    survey.con.execute("update ops.delivery set status = 'passed' where batch_id <> ?", [first])
    for staged, lake in places(survey):
        lake.parent.mkdir(parents=True, exist_ok=True)
        staged.rename(lake)


def killed_between_manifest_and_ledger(survey: SmallRetailer) -> None:
    """Files and manifests are in the lake, no delivery is marked accepted."""
    killed_after_the_gate(survey)
    promote(survey.con, survey.settings)
    survey.con.execute("update ops.delivery set status = 'passed', accepted_at = null; delete from ops.lake_file")


def killed_while_a_manifest_was_written(survey: SmallRetailer) -> None:
    """The record is there, the manifest is half a file under its temporary name."""
    killed_between_manifest_and_ledger(survey)
    for manifest in survey.settings.lake.rglob("_manifest/*.json"):
        manifest.rename(manifest.with_name(f".{manifest.name}.1.new"))


def never_killed(survey: SmallRetailer) -> None:
    assert survey.files() == []


KILLS = (
    never_killed,
    killed_after_staging,
    killed_after_the_gate,
    killed_before_the_ledger_commits,
    killed_between_rename_and_ledger,
    killed_between_two_promotions,
    killed_between_manifest_and_ledger,
    killed_while_a_manifest_was_written,
)


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> tuple[object, ...]:
    folder = tmp_path_factory.mktemp("undisturbed")
    with open_warehouse(settings_in(folder)) as con:
        survey = small_retailer(folder, con, Gatekeeper(con), contract(quarantineTolerance=0.5))
        deliver(survey)
        assert survey.take(NEXT).closed == {}
        return outcome(survey)


@pytest.mark.parametrize("kill", KILLS)
def test_a_killed_night_run_again_ends_like_an_undisturbed_one(
    tmp_path: Path, undisturbed: tuple[object, ...], kill: Kill
) -> None:
    with open_warehouse(settings_in(tmp_path)) as con:
        survey = small_retailer(tmp_path, con, Gatekeeper(con), contract(quarantineTolerance=0.5))
        deliver(survey)
        kill(survey)
    # A new process finds only what is on disk.
    with open_warehouse(settings_in(tmp_path)) as con:
        survey = small_retailer(tmp_path, con, Gatekeeper(con), contract(quarantineTolerance=0.5))
        assert survey.take(NEXT).closed == {}
        assert outcome(survey) == undisturbed
        assert check_lake(survey.con, survey.settings) == []


def test_a_killed_landing_does_not_lose_the_night_after(survey: SmallRetailer) -> None:
    survey.csv("A1,O1,5,fine,")
    survey.land(NIGHT)
    survey.csv("A2,O2,4,,", night=NEXT)
    assert survey.take(NEXT).counts == (2, 2, 0, 0)


def test_an_accepted_delivery_is_never_forgotten(survey: SmallRetailer) -> None:
    survey.csv("A1,O1,5,fine,")
    survey.take()
    assert recover(survey.con, survey.settings, "survey", "survey_response") == 0
    assert len(survey.rows()) == 1


def test_recovery_tells_how_many_deliveries_it_forgot(survey: SmallRetailer) -> None:
    deliver(survey)
    survey.land(NEXT)
    assert recover(survey.con, survey.settings, "survey", "survey_response") == 2
    assert (survey.files(), survey.quarantine()) == ([], [])


def test_one_feeds_recovery_leaves_another_feed_alone(survey: SmallRetailer) -> None:
    deliver(survey)
    survey.land(NEXT)
    assert recover(survey.con, survey.settings, "other", "survey_response") == 0
    assert len(survey.files()) == 2


def test_promotion_twice_changes_nothing(survey: SmallRetailer) -> None:
    survey.csv("A1,O1,5,fine,")
    assert survey.take().accepted != []
    assert promote(survey.con, survey.settings) == []
    assert_balanced(survey)


def test_a_delivery_that_no_gate_has_passed_is_not_promoted(survey: SmallRetailer) -> None:
    survey.csv("A1,O1,5,fine,")
    survey.land()
    assert promote(survey.con, survey.settings) == []
    assert survey.rows() == []


def test_the_same_files_land_under_the_same_id(survey: SmallRetailer) -> None:
    survey.csv("A1,O1,5,fine,")
    assert survey.land().batches == survey.land().batches != []
