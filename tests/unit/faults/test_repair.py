"""The command `onedata repair` with its output, and how other commands report damage."""

from __future__ import annotations

import os
import shutil
import sqlite3
from datetime import datetime
from pathlib import Path

import dagster as dg
import duckdb
import pytest
from small_retailer import NIGHT, contract, settings_in, small_retailer
from typer.testing import CliRunner, Result

from onedata.faults.repair import seen_at_once
from onedata.faults.storage import damaged_storage
from onedata.landing.vault_files import create_vault
from onedata.ledger.log import append
from onedata.quality.gx import Gatekeeper
from onedata.report import closed_gates, status_report
from onedata.settings import Settings
from onedata.warehouse import WarehouseDamaged, open_warehouse

HEADERS = 12_288


def typed(*arguments: str) -> Result:
    from onedata_assets.cli import main

    return CliRunner().invoke(main, list(arguments))


@pytest.fixture(scope="module")
def begun(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home with a night in lake and warehouse, Dagster's storage and a published database."""
    folder = tmp_path_factory.mktemp("begun")
    settings = settings_in(folder)
    with open_warehouse(settings) as con:
        survey = small_retailer(folder, con, Gatekeeper(con), contract(quarantineTolerance=1))
        survey.csv("A1,O1,5,,", "A2,O2,9,,")
        survey.take()
    begin_dagster(settings)
    settings.published.mkdir(exist_ok=True)
    with duckdb.connect(str(settings.published_database)) as con:
        con.execute("create table published_night as select date '2026-01-05' as night")
    return folder


@pytest.fixture
def home(begun: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    """A copy of it, and a command line that finds it."""
    shutil.copytree(begun, tmp_path, dirs_exist_ok=True)
    for name in ("home", "source", "contracts"):
        monkeypatch.setenv(f"ONEDATA_{name.upper()}", str(tmp_path / name))
    return settings_in(tmp_path)


def begin_dagster(settings: Settings) -> None:
    from onedata_assets.runner import prepare_instance

    prepare_instance(settings)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DAGSTER_HOME", str(settings.dagster_home))
        read_dagster()


def read_dagster() -> None:
    with dg.DagsterInstance.get() as instance:
        instance.get_runs()
        instance.all_instigator_state()
        instance.get_latest_materialization_event(dg.AssetKey("a"))


def test_a_sound_home_is_told_and_left_as_it_is(home: Settings) -> None:
    before = contents(home)
    told = typed("repair")
    assert told.exit_code == 0, told.output
    assert told.output.endswith("the home is sound\n")
    assert "NEEDS YOU" not in told.output
    assert contents(home) == before


def contents(home: Settings) -> dict[Path, bytes]:
    """Every file but what SQLite leaves beside a database that it reads."""
    return {
        path: path.read_bytes()
        for path in home.home.rglob("*")
        if path.is_file() and not path.name.endswith(("-wal", "-shm"))
    }


def test_without_a_home_it_says_so(home: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ONEDATA_HOME", str(home.home / "elsewhere"))
    told = typed("repair")
    assert (told.exit_code, "there is no data home" in told.output) == (2, True)


@pytest.mark.parametrize("name", ["history/runs.db", "history/runs/index.db", "schedules/schedules.db", "dagster.yaml"])
@pytest.mark.parametrize("kind", ["junk", "cut"])
def test_dagsters_damaged_files_are_moved_aside_and_a_new_instance_begins(home: Settings, name: str, kind: str) -> None:
    file = home.dagster_home / name
    junk = os.urandom(20_000) if kind == "junk" else file.read_bytes()[:5000].ljust(5000, b"\0")
    file.write_bytes(junk)
    for suffix in ("-wal", "-shm"):
        Path(f"{file}{suffix}").unlink(missing_ok=True)
    assert [damaged.file for damaged in damaged_storage(home)] == [file]
    told = typed("repair")
    assert told.exit_code == 0, told.output
    assert f"Dagster: {file} was damaged (" in told.output
    (moved,) = home.home.glob(f"aside/*/dagster/{name}")
    assert moved.read_bytes() == junk
    assert not file.exists()
    begin_dagster(home)
    assert damaged_storage(home) == []
    again = typed("repair")
    assert (again.exit_code, "was damaged" in again.output) == (0, False)


def test_storage_that_another_process_writes_is_not_damaged(home: Settings) -> None:
    with sqlite3.connect(home.dagster_home / "history" / "runs.db") as con:
        con.execute("begin exclusive")
        assert damaged_storage(home) == []


def flip(path: Path, place: int) -> None:
    content = bytearray(path.read_bytes())
    content[place] ^= 0xFF
    path.write_bytes(content)


def test_a_damaged_warehouse_is_told_with_its_way_out_and_left(home: Settings) -> None:
    flip(home.warehouse, 20)
    before = home.warehouse.read_bytes()
    told = typed("repair")
    assert told.exit_code == 1
    assert f"NEEDS YOU  warehouse: the warehouse file {home.warehouse} is damaged: the header at byte 0" in told.output
    assert "`onedata rebuild`" in told.output
    assert home.warehouse.read_bytes() == before


def test_a_warehouse_that_is_gone_while_the_lake_has_files_is_told(home: Settings) -> None:
    home.warehouse.unlink()
    told = typed("repair")
    assert told.exit_code == 1
    assert f"NEEDS YOU  warehouse: {home.warehouse} is gone, and the lake has files: `onedata rebuild`" in told.output


def test_a_lake_file_that_is_gone_is_told(home: Settings) -> None:
    (file,) = home.lake.glob("ods/*/source=survey/ds=*/*.parquet")
    file.unlink()
    told = typed("repair")
    assert told.exit_code == 1
    assert f"NEEDS YOU  lake: the lake file {file.parent}/" in told.output


def test_a_published_database_that_is_gone_or_damaged_is_told(home: Settings) -> None:
    flip(home.published_database, 4096 + 100)
    told = typed("repair")
    assert (
        told.exit_code,
        f"NEEDS YOU  published: {home.published_database} is damaged: the header at byte 4,096" in told.output,
    ) == (1, True)
    text, well = status_report(home)
    assert not well
    assert f"PUBLISHED DATABASE DAMAGED\n  {home.published_database} is damaged: the header at byte 4,096" in text
    home.published_database.unlink()
    (home.published / "nights").mkdir()
    assert f"published: {home.published_database} is gone" in typed("repair").output


def test_a_published_folder_that_is_gone_is_told_with_the_night_to_run(home: Settings) -> None:
    with duckdb.connect(str(home.warehouse)) as con:
        con.execute(
            "insert into ops.night by name select '1' as run_id, date '2026-01-05' as night, now()::timestamp "
            "as started_at, now()::timestamp as finished_at, 1 as cpu_seconds, 1 as peak_memory_mb"
        )
    shutil.rmtree(home.published)
    told = typed("repair")
    assert (
        told.exit_code,
        f"NEEDS YOU  published: {home.published_database} is gone: `onedata run --ds 2026-01-05`" in told.output,
    ) == (1, True)
    text, well = status_report(home)
    assert (
        well,
        text.startswith(f"PUBLISHED DATABASE GONE\n  {home.published_database}; `onedata run --ds 2026-01-05`"),
    ) == (False, True)


@pytest.mark.parametrize(
    ("name", "said"), [("vault.duckdb", "vault.duckdb is missing"), ("token.key", "token.key is gone")]
)
def test_a_vault_or_key_that_is_gone_needs_a_person(home: Settings, name: str, said: str) -> None:
    with duckdb.connect(str(home.warehouse)) as con:
        con.execute(
            "insert into oneid.identifier values (0, 'phone:x', 'phone', date '2026-01-05', date '2026-01-05', 'ok')"
        )
    if not (home.vault / name).exists():
        create_vault(home.vault)
    (home.vault / name).unlink()
    told = typed("repair")
    assert (told.exit_code, "NEEDS YOU  vault: " in told.output, said in told.output) == (1, True, True), told.output


def test_the_status_says_damaged_and_still_what_is_published(home: Settings) -> None:
    home.published_database.unlink()
    flip(home.warehouse, 4096 + 10)
    text, well = status_report(home)
    assert not well
    assert text.startswith(f"nothing is published yet below {home.published}")
    assert (
        f"DAMAGED\n  the warehouse file {home.warehouse} is damaged: the header at byte 4,096 does not match its "
        "checksum" in text
    )
    assert "RUNNING" not in text
    assert typed("status").exit_code == 1


def test_the_status_says_running_only_while_another_holds_the_lock(home: Settings) -> None:
    home.published_database.unlink()
    assert "RUNNING" not in status_report(home)[0]


def test_closed_gates_do_not_swallow_damage(home: Settings) -> None:
    flip(home.warehouse, 4096 + 10)
    with pytest.raises(WarehouseDamaged):
        closed_gates(home, "run-1")


@pytest.mark.parametrize(
    "command",
    [
        ("quarantine", "list"),
        ("quarantine", "show"),
        ("quarantine", "release"),
        ("contracts",),
        ("quality", "docs"),
        ("identity", "show", "loyalty:M1"),
    ],
)
def test_every_command_that_opens_the_warehouse_tells_its_damage(home: Settings, command: tuple[str, ...]) -> None:
    assert typed(*command).exit_code in (0, 2)
    flip(home.warehouse, 4096 + 10)
    told = typed(*command)
    assert told.exit_code == 2
    assert (
        f"onedata: the warehouse file {home.warehouse} is damaged: the header at byte 4,096 does not match its checksum"
        in told.output
    )
    assert isinstance(told.exception, SystemExit)


def test_a_block_that_a_command_meets_is_told(home: Settings) -> None:
    content = home.warehouse.read_bytes()
    for place in range(HEADERS + 5000, len(content), 262_144):
        flip(home.warehouse, place)
        told = typed("quarantine", "list")
        assert (told.exit_code, str(home.warehouse) in told.output) in ((2, True), (0, False)), told.output
        home.warehouse.write_bytes(content)
    assert f"survey/{NIGHT}.csv" in typed("quarantine", "list").output


LOST = [
    ("lake/ods/survey_response/source=survey/ds=*/*.parquet", "is gone: bring it back with", "is gone"),
    ("lake/ods/survey_response/source=survey/ds=*/_manifest/*.json", "is gone: the next run writes it again", ""),
    ("warehouse/onedata.duckdb", "is gone, and the lake has files: `onedata rebuild`", "is gone, and the lake has"),
]


@pytest.mark.parametrize(("path", "by_status", "by_repair"), LOST)
def test_a_lost_file_is_told_by_status_and_repair(home: Settings, path: str, by_status: str, by_repair: str) -> None:
    (file,) = home.home.glob(path)
    file.unlink()
    assert by_status in "\n".join(seen_at_once(home))
    repaired = typed("repair")
    assert by_repair in repaired.output
    assert not by_repair or repaired.exit_code == 1


def test_a_damaged_record_is_told_by_repair_and_kept_out_of_a_back_up(home: Settings, tmp_path: Path) -> None:
    (record,) = home.home.glob("lake/ods/survey_response/source=survey/ds=*/_manifest/*.record")
    content = bytearray(record.read_bytes())
    content[40] ^= 1
    record.write_bytes(content)
    repaired = typed("repair")
    assert (repaired.exit_code, f"{record} has other content than was written" in repaired.output) == (1, True)
    saved = typed("backup", str(tmp_path / "saved"))
    assert saved.exit_code != 0
    assert f"{record} has other content than was written" in saved.output
    assert not list((tmp_path / "saved" / "backups").glob("*.json"))


def test_a_decision_that_the_warehouse_does_not_know_is_told_by_all(home: Settings, tmp_path: Path) -> None:
    append(home.lake, "decision", datetime(2026, 1, 6), {"decision_id": 1, "reverted_at": None})
    assert "1 decisions of operators" in "".join(seen_at_once(home))
    for command in ("verify", "repair"):
        told = typed(command)
        assert (told.exit_code, "1 decisions of operators that the warehouse has never known" in told.output) == (
            1,
            True,
        ), (command, told.output)
    assert "No back-up was written" in typed("backup", str(tmp_path / "saved")).output


def test_a_lost_state_of_oneid_is_told_by_all(home: Settings, tmp_path: Path) -> None:
    with open_warehouse(home) as con:
        con.execute("create schema if not exists oneid; create or replace table oneid.person as select 'P1' as oneid")
    lost = "holds no state of OneID, though there are persons"
    assert lost in "".join(seen_at_once(home))
    for command in ("verify", "repair"):
        told = typed(command)
        assert (told.exit_code, lost in told.output) == (1, True), command
    assert "No back-up was written" in typed("backup", str(tmp_path / "saved")).output


def test_a_back_up_without_the_key_is_no_success(home: Settings, tmp_path: Path) -> None:
    create_vault(home.vault)
    assert typed("backup", str(tmp_path / "saved")).exit_code == 0
    (home.vault / "token.key").unlink()
    told = typed("backup", str(tmp_path / "saved"))
    assert (told.exit_code, "IS MISSING" in told.output) == (1, True)


def test_a_rebuild_names_the_manifest_that_is_lost(home: Settings) -> None:
    (manifest,) = home.home.glob("lake/ods/survey_response/source=survey/ds=*/_manifest/*.json")
    manifest.unlink()
    told = typed("rebuild")
    assert told.exit_code == 2
    assert f"{manifest} is not there (`onedata run` writes it again while the warehouse is there)" in told.output
