"""The built tables match the YAML: every column has a description."""

import os
from datetime import date
from typing import Any

from dbt.cli.main import dbtRunner
from support import Story, ask, environment_kept


def test_every_column_that_was_built_is_described(one_by_one: Story, manifest: dict[str, Any]) -> None:
    described = {
        (node["schema"], node["name"], name)
        for node in manifest["nodes"].values()
        if node["resource_type"] == "model"
        for name, column in node["columns"].items()
        if column["description"].strip()
    }
    built = set(
        ask(
            one_by_one.warehouse,
            "select schema_name, table_name, column_name from duckdb_columns() where schema_name in ('ods', 'dim', "
            "'dwd', 'dws', 'ads') and not internal",
        )
    )
    assert built
    assert sorted(built - described) == []


def test_every_column_that_is_described_was_built(one_by_one: Story, manifest: dict[str, Any]) -> None:
    built = set(
        ask(
            one_by_one.warehouse, "select schema_name, table_name, column_name from duckdb_columns() where not internal"
        )
    )
    described = {
        (node["schema"], node["name"], name)
        for node in manifest["nodes"].values()
        if node["resource_type"] == "model"
        for name in node["columns"]
    }
    assert sorted(described - built) == []


def test_the_unit_tests_of_the_models_pass(one_by_one: Story, manifest: dict[str, Any]) -> None:
    with environment_kept():
        os.environ |= one_by_one.settings.environment()
        outcome = dbtRunner().invoke(["--quiet", "test", "--select", "test_type:unit"])
    assert outcome.success, outcome.exception
    assert len(outcome.result.results) == len(manifest["unit_tests"]) > 0


def test_the_calendar_has_every_day_once(one_by_one: Story) -> None:
    first, last, days, rows = ask(
        one_by_one.warehouse,
        "select min(date_day), max(date_day), count(distinct date_day), count(*) from dim.dim_date",
    )[0]
    assert (first, last) == (date(1990, 1, 1), date(2050, 12, 31))
    # 61 years, of which every fourth from 1992 to 2048 has a day more.
    assert days == rows == 61 * 365 + 15
