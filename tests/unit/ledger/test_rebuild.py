"""The ledger rebuilt from the lake equals the lost one."""

from __future__ import annotations

import os
import subprocess
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any
from unittest.mock import Mock

import dagster as dg
import pytest
from small_retailer import ANSWERS, HEADER, NEXT, SmallRetailer, contract, settings_in, small_retailer
from tables import ROLES, TELLS_OF_RUNS, of_role

from onedata.contracts import load_feeds
from onedata.identity.keep import log_decisions
from onedata.landing import land
from onedata.landing.release import Selection, stage_release
from onedata.ledger import apply, check_lake
from onedata.ledger.log import LogDamaged
from onedata.ledger.manifest import ManifestError
from onedata.ledger.promote import promote
from onedata.ledger.recover import LakeDamaged, UnknownLakeFiles
from onedata.quality.gates import contract_gate
from onedata.quality.gx import Gatekeeper
from onedata.rebuild import NothingToRebuild, rebuild
from onedata.warehouse import WarehouseBusy, open_warehouse
from onedata_assets.resources import warehouse_resource

Retail = Callable[..., SmallRetailer]
MONEY = contract(
    "payments",
    entity="payment",
    path="pay/{ds}.csv",
    properties=[
        {"name": "order_id", "physicalName": "order"},
        {"name": "payment_id", "physicalName": "no"},
        {"name": "amount", "physicalName": "amount", "logicalType": "number", "logicalTypeOptions": {"maximum": 100}},
        {"name": "currency", "physicalName": "currency", "transformLogic": "{value}"},
    ],
    quarantineTolerance=1,
)
SURVEY = contract(quarantineTolerance=1)
LAST = NEXT.replace(day=7)


def ledger(survey: SmallRetailer) -> dict[str, list[tuple[Any, ...]]]:
    """Every table of the ledger that does not tell of runs, but for when a delivery was published."""
    found = {}
    for table in of_role("logged", "ops"):
        left_out = " exclude (applied_at, status)" if table == "delivery" else ""
        found[table] = survey.con.execute(f"select *{left_out} from ops.{table} order by all").fetchall()
    found["statuses"] = survey.con.execute(
        "select batch_id, status in ('accepted', 'applied') from ops.delivery order by 1"
    ).fetchall()
    return found


def eventful(survey: SmallRetailer, feeds: tuple[dict[str, Any], ...]) -> SmallRetailer:
    """Rows that are good, bad, repaired, repeated, released, still bad, replaced, with drift and money, of three
    nights."""
    first = (" A1 ,O1,5,fine,,new", "A2,O2,9,,,new", "A3,O3,x,,,new")
    survey.csv(*first, header=HEADER + ",mood")
    survey.csv("A4,O4,4,,,new", night=NEXT, header=HEADER + ",mood")
    survey.put("pay/2026-01-05.csv", "order,no,amount,currency\nO1,1,10.5000,CNY\nO2,2,250.25,CNY\nO3,3,100.01,EUR\n")
    for name in ("survey", "payments"):
        survey.take(NEXT, name)
    for night in (LAST, NEXT.replace(day=8)):  # a repeat
        survey.csv("A6,O6,9,,,new", "A7,O7,4,,,new", night=night, header=HEADER + ",mood")
        survey.take(night, "survey")
    apply(survey.con)
    wider = contract(
        quarantineTolerance=1,
        properties=[*ANSWERS[:2], ANSWERS[2] | {"logicalTypeOptions": {"minimum": 1, "maximum": 10}}, *ANSWERS[3:]],
    )
    survey = with_contracts(survey, wider | {"version": "1.1.0"}, feeds[1])
    stage_release(
        survey.con,
        survey.settings,
        survey.feed("survey"),
        survey.retailer.policy,
        Selection(path="survey/2026-01-05.csv"),
    )
    gate(survey, "survey")
    survey.csv("A5,O5,4,,", night=NEXT)
    land(survey.con, survey.settings, survey.feed("survey"), survey.retailer.policy, NEXT, [NEXT])
    gate(survey, "survey")
    return survey


def with_contracts(survey: SmallRetailer, *contents: dict[str, Any]) -> SmallRetailer:
    from dataclasses import replace

    from small_retailer import canonical, write_contracts

    feeds = load_feeds(write_contracts(survey.settings.contracts, *contents), canonical())
    return replace(survey, retailer=replace(survey.retailer, feeds=feeds))


def gate(survey: SmallRetailer, name: str) -> None:
    results = contract_gate(survey.con, survey.gatekeeper, survey.settings, survey.feed(name), NEXT)
    assert [result.rule for result in results if result.blocks] == []
    assert promote(survey.con, survey.settings)


def lose(survey: SmallRetailer) -> None:
    survey.con.close()
    survey.settings.warehouse.unlink()


def test_the_rebuilt_ledger_equals_the_lost_one(retail: Retail) -> None:
    survey = eventful(retail(SURVEY, MONEY), (SURVEY, MONEY))
    before, lake = ledger(survey), lake_of(survey)
    events = ("file", "quarantine", "repair", "drift", "control_total", "profile", "released", "lake_file", "contract")
    assert [table for table in events if not before[table]] == [], "the test's home must have rows in every table"
    assert [is_in_lake for _, is_in_lake in before["statuses"]].count(False) == 1  # the replaced one
    lose(survey)
    assert rebuild(survey.retailer, False, print) == LAST  # repeats alone bring no data
    with open_warehouse(survey.settings) as con:
        after = SmallRetailer(survey.retailer, con, Gatekeeper(con))
        assert ledger(after) == before
        assert check_lake(con, survey.settings) == []
    assert lake_of(survey) == lake


def lake_of(survey: SmallRetailer) -> dict[str, bytes]:
    base = survey.settings.lake
    return {str(path.relative_to(base)): path.read_bytes() for path in (base / "ods").rglob("*") if path.is_file()}


def test_touched_files_and_archives_are_known_to_a_rebuilt_ledger(retail: Retail) -> None:
    survey = retail(contract(path="survey/{ds}.csv*"))
    path = survey.csv("A1,O1,5,fine,")
    archive = survey.put("survey/2026-01-06.csv.zip", b"")
    with zipfile.ZipFile(archive, "w") as packed:
        packed.writestr("a.csv", f"{HEADER}\nA2,O2,4,,\n")
        packed.writestr("b.csv", f"{HEADER}\nA3,O3,4,,\n")
    survey.take(NEXT)
    os.utime(path, (1, 1))
    survey.take(NEXT)
    before = ledger(survey)
    assert len(before["archive"]) == 1
    assert 1_000_000_000 in [mtime for (mtime,) in survey.files("mtime_ns")]
    lose(survey)
    rebuild(survey.retailer, False, print)
    with open_warehouse(survey.settings) as con:
        assert ledger(SmallRetailer(survey.retailer, con, Gatekeeper(con))) == before


def test_a_rebuilt_ledger_takes_no_file_again_and_goes_on(retail: Retail) -> None:
    survey = eventful(retail(SURVEY, MONEY), (SURVEY, MONEY))
    lose(survey)
    rebuild(survey.retailer, False, print)
    with open_warehouse(survey.settings) as con:
        after = SmallRetailer(survey.retailer, con, Gatekeeper(con))
        before = ledger(after)
        assert after.take(NEXT.replace(day=8), "survey").landed.files == 0
        assert after.take(NEXT.replace(day=8), "payments").landed.files == 0
        assert ledger(after) == before


def test_a_ledger_is_rebuilt_twice_to_the_same(retail: Retail) -> None:
    survey = eventful(retail(SURVEY, MONEY), (SURVEY, MONEY))
    found = []
    survey.con.close()
    for _ in range(2):
        rebuild(survey.retailer, False, print)
        with open_warehouse(survey.settings) as con:
            found.append(ledger(SmallRetailer(survey.retailer, con, Gatekeeper(con))))
    assert found[0] == found[1]
    assert len(list((survey.settings.home / "aside").rglob("onedata.duckdb*"))) == 2


def test_a_rebuild_that_refuses_leaves_the_warehouse_that_is_there(survey: SmallRetailer) -> None:
    survey.csv("A1,O1,5,fine,")
    survey.take()
    survey.con.close()
    content = survey.settings.warehouse.read_bytes()
    (data,) = [path for path in survey.settings.lake.rglob("*.parquet") if "_schema" not in str(path)]
    data.write_bytes(data.read_bytes()[:-7] + b"changed")
    with pytest.raises(LakeDamaged, match=rf"{data} has other content than was written .* --leave-out"):
        rebuild(survey.retailer, False, print)
    assert survey.settings.warehouse.read_bytes() == content


@pytest.mark.parametrize("ending", [".parquet", ".record", ".json"])
def test_a_delivery_that_is_not_whole_is_left_out_only_when_asked_and_comes_again_from_the_source(
    survey: SmallRetailer, ending: str
) -> None:
    survey.csv("A1,O1,5,fine,")
    survey.csv("A2,O2,4,,", night=NEXT)
    survey.take(NEXT)
    lose(survey)
    lost = next(path for path in sorted((survey.settings.lake / "ods").rglob(f"survey*{ending}")))
    lost.unlink()
    with pytest.raises(LakeDamaged, match="survey-20260105"):
        rebuild(survey.retailer, False, print)
    said: list[str] = []
    rebuild(survey.retailer, True, said.append)
    assert any("left out" in text and "survey-20260105" in text for text in said)
    with open_warehouse(survey.settings) as con:
        after = SmallRetailer(survey.retailer, con, Gatekeeper(con))
        assert after.files("path") == [("survey/2026-01-06.csv",)]
        assert after.take(NEXT).counts == (1, 1, 0, 0)
        assert after.rows("response_id", order="1") == [("A1",), ("A2",)]


def test_a_manifest_that_is_no_json_is_named(survey: SmallRetailer) -> None:
    survey.csv("A1,O1,5,fine,")
    survey.take()
    (manifest,) = (survey.settings.lake / "ods").rglob("*.json")
    manifest.write_text(manifest.read_text()[:40])
    survey.con.close()
    with pytest.raises(ManifestError, match=str(manifest)):
        rebuild(survey.retailer, False, print)


def test_an_empty_lake_is_no_ledger(survey: SmallRetailer) -> None:
    survey.con.close()
    with pytest.raises(NothingToRebuild, match="onedata run"):
        rebuild(survey.retailer, False, print)


def test_a_killed_rebuild_changes_nothing_and_can_be_run_again(
    survey: SmallRetailer, monkeypatch: pytest.MonkeyPatch
) -> None:
    survey.csv("A1,O1,5,fine,")
    survey.take()
    before = ledger(survey)
    survey.con.close()
    content = survey.settings.warehouse.read_bytes()

    def killed(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("onedata.rebuild.restore_state", killed)
    with pytest.raises(KeyboardInterrupt):
        rebuild(survey.retailer, False, print)
    assert survey.settings.warehouse.read_bytes() == content
    monkeypatch.undo()
    rebuild(survey.retailer, False, print)
    with open_warehouse(survey.settings) as con:
        assert ledger(SmallRetailer(survey.retailer, con, Gatekeeper(con))) == before


def test_decisions_outlive_the_warehouse(survey: SmallRetailer) -> None:
    survey.csv("A1,O1,5,fine,")
    survey.take()
    decision = "(1, 'block', 'phone:x', null, 'our own hotline', 'ann', timestamp '2026-01-05 10:00:00', null)"
    survey.con.execute(f"insert into oneid.decision values {decision}")
    log_decisions(survey.con, survey.settings.lake)
    survey.con.execute("update oneid.decision set reverted_at = timestamp '2026-01-06 11:00:00'")
    log_decisions(survey.con, survey.settings.lake)
    log_decisions(survey.con, survey.settings.lake)
    before = survey.con.execute("from oneid.decision").fetchall()
    lose(survey)
    rebuild(survey.retailer, False, print)
    with open_warehouse(survey.settings) as con:
        assert con.execute("from oneid.decision").fetchall() == before
    assert len(list((survey.settings.lake / "_log" / "decision").iterdir())) == 2


def test_a_warehouse_that_does_not_know_a_decision_of_the_log_is_refused(survey: SmallRetailer, tmp_path: Path) -> None:
    from onedata.ledger.recover import ForeignLedger

    survey.con.execute("checkpoint")
    older = survey.settings.warehouse.read_bytes()
    survey.con.execute(
        "insert into oneid.decision values (1, 'block', 'phone:x', null, 'r', 'ann', timestamp '2026-01-05 10:00:00', "
        "null)"
    )
    log_decisions(survey.con, survey.settings.lake)
    survey.con.close()
    survey.settings.warehouse.write_bytes(older)
    with (
        open_warehouse(survey.settings) as con,
        pytest.raises(ForeignLedger, match=r"1 decisions of operators .*onedata rebuild"),
    ):
        small_retailer(tmp_path, con, Gatekeeper(con), SURVEY)


def test_every_table_is_derived_logged_or_tells_of_runs(tmp_path: Path) -> None:
    with open_warehouse(settings_in(tmp_path)) as con:
        small_retailer(tmp_path, con, Gatekeeper(con), SURVEY)
        there = {
            f"{schema}.{table}"
            for schema, table in con.execute(
                "select schema_name, table_name from duckdb_tables() where not temporary"
            ).fetchall()
        }
    assert there == {
        name
        for name in ROLES
        if not name.startswith(("dim.", "dwd.", "dws.", "ads.", "ref.")) and name != "oneid.review"
    }
    assert set(ROLES.values()) == {"derived", "logged", TELLS_OF_RUNS}


def test_a_lost_state_of_oneid_is_refused_where_nights_were_published(survey: SmallRetailer) -> None:
    survey.csv("A1,O1,5,fine,")
    survey.take()
    (survey.settings.published / "publications" / "000001").mkdir(parents=True)
    lose(survey)
    with pytest.raises(LogDamaged, match=r"_log/oneid holds no state of OneID.*--leave-out"):
        rebuild(survey.retailer, False, print)
    assert not survey.settings.warehouse.exists()
    rebuild(survey.retailer, True, print)


@pytest.mark.parametrize("spoilt", [b"", b"no database at all" * 5000, None], ids=["empty", "junk", "cut"])
def test_a_damaged_warehouse_is_moved_aside_as_it_is(survey: SmallRetailer, spoilt: bytes | None) -> None:
    survey.csv("A1,O1,5,fine,")
    survey.take()
    before = ledger(survey)
    survey.con.close()
    content = survey.settings.warehouse.read_bytes()[:-300_000] if spoilt is None else spoilt
    survey.settings.warehouse.write_bytes(content)
    rebuild(survey.retailer, False, print)
    (aside,) = (survey.settings.home / "aside").rglob("onedata.duckdb")
    assert aside.read_bytes() == content
    with open_warehouse(survey.settings) as con:
        assert ledger(SmallRetailer(survey.retailer, con, Gatekeeper(con))) == before


def test_a_warehouse_that_another_process_writes_is_not_rebuilt(survey: SmallRetailer) -> None:
    survey.csv("A1,O1,5,fine,")
    survey.take()
    survey.con.close()
    hold = "import sys, duckdb; con = duckdb.connect(sys.argv[1]); print('open', flush=True); sys.stdin.readline()"
    with subprocess.Popen(
        [sys.executable, "-c", hold, str(survey.settings.warehouse)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == b"open\n"
        with pytest.raises(WarehouseBusy, match=f"process {holder.pid}"):
            rebuild(survey.retailer, False, print)
        holder.kill()


def test_a_decision_that_the_log_lost_is_refused_and_left_out_only_where_a_person_says_so(
    survey: SmallRetailer,
) -> None:
    survey.csv("A1,O1,5,fine,")
    survey.take()
    for number in (1, 2, 3):
        values = f"({number}, 'block', 'phone:{number}', null, 'r', 'ann', timestamp '2026-01-05 10:00:00', null)"
        survey.con.execute(f"insert into oneid.decision values {values}")
        log_decisions(survey.con, survey.settings.lake)
    sorted((survey.settings.lake / "_log" / "decision").iterdir())[1].unlink()
    lose(survey)
    with pytest.raises(
        LogDamaged, match=r"_log/decision lacks decisions 2 of operators.*repair --from BACKUP.*--leave-out"
    ):
        rebuild(survey.retailer, False, print)
    assert not survey.settings.warehouse.exists()
    said: list[str] = []
    rebuild(survey.retailer, True, said.append)
    assert any("lacks decisions 2" in text for text in said)
    with open_warehouse(survey.settings) as con:
        assert con.execute("select decision_id from oneid.decision order by 1").fetchall() == [(1,), (3,)]


def test_a_run_begins_no_warehouse_beside_a_lake_that_has_files(survey: SmallRetailer) -> None:
    """The Dagster UI starts runs without the command line, so the run itself refuses first."""
    survey.csv("A1,O1,5,fine,")
    survey.take()
    lose(survey)
    resource = warehouse_resource(survey.retailer, Mock())
    with pytest.raises(
        UnknownLakeFiles,
        match=r"is gone\. Put the right warehouse back, or rebuild it from the lake: `onedata rebuild`",
    ):
        next(resource.resource_fn(dg.build_init_resource_context()))
    assert not survey.settings.warehouse.exists()
