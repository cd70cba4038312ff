"""A lost warehouse is rebuilt from lake, manifests, log and vault, with the real command, without the source."""

import shutil
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import duckdb
import pytest
from support import NIGHTS, CommandLine, Outcome, Story, ask, onedata_command, rows, story
from tables import LOGGED, ROLES

from onedata.settings import Settings

APPLIED_AT = {"ops.delivery": ("applied_at",)}
LAYERS = ("dim", "dwd", "dws", "ads", "ref")


@dataclass(frozen=True)
class Rebuilt:
    """A home before its warehouse was lost, what a run said of it then, and the home after the rebuild."""

    before: Path
    published_before: Path
    refused: Outcome
    lake_before: dict[str, int]
    after: Story


@pytest.fixture(scope="session")
def rebuilt_from_lake(replaced: Story, tmp_path_factory: pytest.TempPathFactory) -> Rebuilt:
    """The home with the most history: nights, a repeat, corrections, a night taken anew."""
    folder = tmp_path_factory.mktemp("rebuilt")
    left_out = shutil.ignore_patterns("dagster", "dbt", "tmp", "spool", "staged")
    shutil.copytree(replaced.settings.home, folder / "home", symlinks=True, ignore=left_out)
    settings = replace(replaced.settings, home=folder / "home", source=folder / "no source")
    settings.warehouse.unlink()
    before = _lake(settings)
    refused = CommandLine(replace(settings, source=replaced.settings.source), "--ds", str(NIGHTS[-1])).finish()
    assert not settings.warehouse.exists(), "nothing stands where the right warehouse is to be put back"
    outcome = CommandLine(settings, command="rebuild").finish()
    assert outcome.succeeded, outcome.said
    return Rebuilt(replaced.warehouse, replaced.published, refused, before, story(settings, "rebuilt", outcome))


def _lake(settings: Settings) -> dict[str, int]:
    base = settings.lake / "ods"
    return {path.relative_to(base).as_posix(): path.stat().st_size for path in base.rglob("*") if path.is_file()}


def test_a_run_without_its_warehouse_refuses_and_names_the_way_out(rebuilt_from_lake: Rebuilt) -> None:
    assert not rebuilt_from_lake.refused.succeeded
    assert "has never known" in rebuilt_from_lake.refused.said
    assert "onedata rebuild" in rebuilt_from_lake.refused.said
    assert "Traceback" not in rebuilt_from_lake.refused.said


def test_the_lake_is_as_it_was(rebuilt_from_lake: Rebuilt) -> None:
    assert rebuilt_from_lake.lake_before
    assert _lake(rebuilt_from_lake.after.settings) == rebuilt_from_lake.lake_before


def test_every_table_that_does_not_tell_of_runs_is_equal(rebuilt_from_lake: Rebuilt) -> None:
    with duckdb.connect() as con:
        con.execute(
            f"attach '{rebuilt_from_lake.before}' as a (read_only); attach '{rebuilt_from_lake.after.warehouse}' as b "
            "(read_only)"
        )
        tables = {name: _tables(con, name) for name in ("a", "b")}
        assert tables["a"] == tables["b"]
        there = {name for name in tables["a"] if not name.startswith(LAYERS)}
        assert there == ROLES.keys()
        compared = [name for name in tables["a"] if ROLES.get(name, "derived") in ("derived", "logged")]
        assert {f"oneid.{table}" for table in LOGGED["oneid"]} <= set(compared)
        different = {name: found for name in compared if (found := _difference(con, name)) != (0, 0)}
    assert different == {}


def _tables(con: duckdb.DuckDBPyConnection, database: str) -> set[str]:
    return {
        name
        for (name,) in rows(
            con, f"select schema_name || '.' || table_name from duckdb_tables() where database_name = '{database}'"
        )
    }


def _difference(con: duckdb.DuckDBPyConnection, table: str) -> tuple[Any, ...]:
    left_out = f" exclude ({', '.join(APPLIED_AT[table])})" if table in APPLIED_AT else ""
    a, b = (f"select *{left_out} from {database}.{table}" for database in ("a", "b"))
    return tuple(rows(con, f"select count(*) from ({x} except all {y})")[0][0] for x, y in ((a, b), (b, a)))


def test_what_is_published_is_equal(rebuilt_from_lake: Rebuilt) -> None:
    with duckdb.connect() as con:
        con.execute(
            f"attach '{rebuilt_from_lake.published_before}' as a (read_only); attach "
            f"'{rebuilt_from_lake.after.published}' as b (read_only)"
        )
        names = [name.removeprefix("main.") for name in sorted(_tables(con, "a"))]
        of_runs = {"ops_cost", "ops_gate", "ops_reconciliation"}
        assert "ads_customer_360" in names
        assert {
            name: found for name in names if name not in of_runs and (found := _difference(con, name)) != (0, 0)
        } == {}


def test_the_ids_are_the_same(rebuilt_from_lake: Rebuilt) -> None:
    question = "select identity_key, oneid, valid_from, valid_to, run_id from oneid.oneid_map order by all"
    assert ask(rebuilt_from_lake.after.warehouse, question) == ask(rebuilt_from_lake.before, question) != []


def test_the_command_is_told_in_its_help() -> None:
    import subprocess

    said = subprocess.run(
        [str(onedata_command()), "rebuild", "--help"], capture_output=True, text=True, check=True
    ).stdout
    assert "--leave-out" in said
