"""Mutate one operator at a time of the models' SQL and their macros, and check whether a unit test detects it.

.venv/bin/python benchmarks/mutants_sql.py [--models 'dws_*,latest_version'] [--sample 300 --seed 1] [--killed]

The dbt project is copied and its models are built on an empty warehouse; dbt runs every unit test once, unchanged, and
the SQL that it ran is kept. Each mutation is then made in that SQL and run by DuckDB: milliseconds each. A mutant that
no unit test detects is judged by the orders that tests/nights work out by hand (mutants_sql_orders.py), which takes a
second. What they do not see either survives, unless mutants_sql_equivalent.yaml lists it as equivalent. Exit code 1 if
one survives.
"""

import os
import random
import shutil
import tempfile
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from fnmatch import fnmatch
from functools import cache
from pathlib import Path
from typing import Annotated, Any

import duckdb
import typer
from dbt.cli.main import dbtRunner
from mutants_listed import Tally
from mutants_sql_orders import HandWorkedOrders
from mutants_sql_project import PROJECT, Mutant, Project, listed, read_project
from mutants_sql_sites import changed, holds, unmarked

from onedata.durable import make_folders
from onedata.ledger.migrations import migrate
from onedata.retailer import create_tables_of, load_retailer
from onedata.settings import Settings

SILENT = ("--quiet", "--log-level", "none", "--log-level-file", "none", "--no-write-json")


def unit_test_sql(project: Project, folder: Path) -> dict[str, str]:
    """The marked SQL of every unit test, by the test's name: what dbt ran on an empty warehouse below `folder`.

    Raises:
        RuntimeError: a model does not build, or an unchanged unit test fails.
    """
    copy = folder / "dbt_project"
    shutil.copytree(PROJECT, copy, ignore=shutil.ignore_patterns("target", "logs"))
    for name, text in project.texts.items():
        (copy / name).write_text(text, encoding="utf-8")
    settings = replace(Settings(), home=folder / "home", source=folder / "source")
    make_folders(settings.warehouse.parent)
    os.environ |= settings.environment() | {"DBT_PROJECT_DIR": str(copy), "DBT_PROFILES_DIR": str(copy)}
    with duckdb.connect(str(settings.warehouse)) as con:
        migrate(con, settings)
        create_tables_of(con, load_retailer(settings))
    _invoke(["build", "--exclude-resource-type", "unit_test", "--exclude-resource-type", "test"], {})
    found: dict[str, str] = {}
    _invoke(["test", "--select", "test_type:unit"], found)
    return found


def _invoke(arguments: Sequence[str], found: dict[str, str]) -> None:
    def keep(event: Any) -> None:
        if event.info.name == "SQLQuery" and "dbt_internal_unit_test_expected" in event.data.sql:
            found[event.data.node_info.unique_id] = event.data.sql

    outcome = dbtRunner(callbacks=[keep]).invoke([*SILENT, *arguments])
    if not outcome.success:
        failed = [
            item for item in getattr(outcome.result, "results", []) if str(item.status) not in ("pass", "success")
        ]
        told = "\n".join(f"{item.node.name}: {item.message}" for item in failed)
        raise RuntimeError(f"dbt {arguments[0]} failed with nothing changed: {told or outcome.exception}")


def is_seen(con: duckdb.DuckDBPyConnection, sql: str) -> bool:
    """Whether the model's result differs from the unit test's expectation.

    Raises:
        duckdb.Error: the SQL cannot be run.
    """
    rows: dict[str, Counter[tuple[Any, ...]]] = {"actual": Counter(), "expected": Counter()}
    for *values, which in con.execute(sql).fetchall():
        rows[which][tuple(str(value) if isinstance(value, list) else value for value in values)] += 1
    return rows["actual"] != rows["expected"]


def judge(
    con: duckdb.DuckDBPyConnection,
    mutant: Mutant,
    tests: Mapping[str, str],
    orders: Callable[[], HandWorkedOrders],
) -> str:
    """killed, broken (it does not run at all) or survived."""
    for sql in tests.values():
        if holds(sql, mutant.place):
            try:
                if is_seen(con, changed(sql, mutant.place, mutant.change.becomes)):
                    return "killed"
            except duckdb.Error:
                return "broken"
    hand_worked = orders()
    try:
        return "killed" if hand_worked.see(mutant.place, mutant.change.becomes) else "survived"
    except duckdb.Error:
        return "broken"


def _wanted(mutant: Mutant, models: str) -> bool:
    names = (Path(mutant.file).stem, mutant.layer)
    return any(fnmatch(name, pattern.strip()) for pattern in models.split(",") for name in names)


def main(
    models: Annotated[
        str, typer.Option(help="Models, macros or layers as comma-separated patterns: 'dws_*,latest_version' or 'ads'.")
    ] = "*",
    sample: Annotated[int, typer.Option(help="Number of mutants, drawn at random; 0 for all.", min=0)] = 0,
    seed: Annotated[int, typer.Option(help="Seed of the sample; the same seed draws the same mutants.")] = 1,
    killed: Annotated[bool, typer.Option("--killed", help="Also print killed and equivalent mutants.")] = False,
) -> None:
    """Mutate one operator at a time in the SQL of DIM, DWD, DWS, ADS and their macros, and print every mutant that no
    dbt unit test detects: file, line, change, the line.

    To kill a survivor, add a row to a unit test in the YAML beside the model. If the mutant cannot change any result,
    list it in benchmarks/mutants_sql_equivalent.yaml with the reason. The last line is JSON, with the counts by layer.
    """
    project = read_project(PROJECT)
    reasons = listed(project)
    chosen = [mutant for mutant in project.mutants if _wanted(mutant, models)]
    if not chosen:
        raise typer.BadParameter(f"no model, macro or layer is called {models}", param_hint="--models")
    if sample and sample < len(chosen):
        chosen = sorted(random.Random(seed).sample(chosen, sample), key=lambda mutant: mutant.place)
    with (
        tempfile.TemporaryDirectory(prefix="onedata-mutants-sql-") as folder,
        duckdb.connect(config={"threads": 1}) as con,
    ):
        # On a handful of rows the optimizer takes six times as long as the query.
        con.execute("pragma disable_optimizer")
        tests = unit_test_sql(project, Path(folder))

        @cache
        def orders() -> HandWorkedOrders:
            return HandWorkedOrders(Path(folder) / "orders", Path(folder) / "dbt_project", SILENT)

        tally = Tally(reasons, "broken", killed)
        for name, sql in tests.items():
            if is_seen(con, unmarked(sql)):
                raise RuntimeError(f"unit test {name} fails with nothing changed")
        for mutant in chosen:
            verdict = judge(con, mutant, tests, orders)
            tally.take(mutant.layer, mutant, f"dbt_project/{mutant.file}:{mutant.line}", verdict)
    tally.end("by_layer", unit_tests=len(tests))


if __name__ == "__main__":
    typer.run(main)
