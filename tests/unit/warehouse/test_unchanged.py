"""What a night leaves as it is, told by a real ledger and a manifest of some nodes."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from pathlib import Path
from typing import Any

import duckdb
import pytest

from onedata.ledger.schema import create_ledger
from onedata.warehouse.unchanged import forget, note_built, plan_layer, settings_seen

Manifest = dict[str, Any]
SETTINGS = {"ONEDATA_LAKE": "/home/lake", "ONEDATA_CURRENCY": "CNY", "days": "30"}
PENDING = "{{ pending_only() }}"


def node(kind: str, layer: str, name: str, materialized: str, code: str, *reads: str) -> dict[str, Any]:
    told: dict[str, Any] = {"resource_type": kind, "name": name, "raw_code": code, "package_name": "onedata"}
    told |= {
        "columns": {"one": {}},
        "schema": layer if kind == "model" else "audit",
        "fqn": ["onedata", layer, name],
        "checksum": {},
    }
    macros = [f"macro.{macro}" for macro in ("lake", "rate") if macro in code]
    return told | {"config": {"materialized": materialized}, "depends_on": {"nodes": [*reads], "macros": macros}}


def macro(name: str, text: str, *calls: str) -> dict[str, Any]:
    depends = {"macros": [f"macro.{call}" for call in calls]}
    return {"unique_id": f"macro.{name}", "package_name": "onedata", "macro_sql": text, "depends_on": depends}


@pytest.fixture
def manifest() -> Manifest:
    nodes = {
        "ods_refund": node("model", "ods", "ods_refund", "view", "{{ lake() }}"),
        "ods_payment": node("model", "ods", "ods_payment", "view", "{{ lake() }}"),
        "dwd_refund": node("model", "dwd", "dwd_refund", "incremental", PENDING, "ods_refund"),
        "dwd_both": node("model", "dwd", "dwd_both", "incremental", PENDING, "ods_refund", "ods_payment"),
        "dwd_payment": node("model", "dwd", "dwd_payment", "incremental", PENDING, "ods_payment"),
        "dwd_ever": node("model", "dwd", "dwd_ever", "incremental", "select 3", "ods_payment"),
        "dws_sum": node("model", "dws", "dws_sum", "table", "{{ rate() }}", "dwd_payment", "source.person"),
        "dws_day": node("model", "dws", "dws_day", "table", "select 2", "dws_sum"),
        "dws_other": node("model", "dws", "dws_other", "table", "select 3", "dwd_refund"),
        "test_of_sum": node("test", "dws", "test_of_sum", "test", "select 4", "dws_sum"),
        "test_of_other": node("test", "dws", "test_of_other", "test", "select 5", "dws_other"),
        "ads_day": node("model", "ads", "ads_day", "table", "select 6", "dws_day"),
    }
    macros = {
        "macro.lake": macro("lake", "{{ env_var('ONEDATA_LAKE') }}"),
        "macro.rate": macro("rate", "{{ own_rate() }}", "own_rate"),
        "macro.onedata.materialization_table": macro("onedata.materialization_table", "replaced", "replaced"),
        "macro.replaced": macro("replaced", "create or replace"),
        "macro.own_rate": macro("own_rate", '{{ env_var("ONEDATA_CURRENCY", "CNY") }} {{ var(\'days\') }}'),
    }
    sources = {"source.person": {"schema": "oneid", "name": "person", "identifier": "person"}}
    return {"nodes": nodes, "macros": macros, "sources": sources}


@pytest.fixture
def con(manifest: Manifest) -> Iterator[duckdb.DuckDBPyConnection]:
    """After a night: a ledger with a file each of a refund and a payment, and every node built and noted."""
    with duckdb.connect() as con:
        for schema in ("ods", "dwd", "dws", "ads", "ops", "oneid"):
            con.execute(f"create schema {schema}")
        create_ledger(con)
        for entity in ("refund", "payment"):
            con.execute(
                "insert into ops.delivery values ($1, $1, $1, '2026-01-05', 'applied', 1, now()::timestamp, null, "
                "null, [])",
                [entity],
            )
            con.execute("insert into ops.lake_file values ($1, $1, $1, '2026-01-05', 'a.parquet', 1, 1, 'x')", [entity])
            con.execute(f"create view ods.ods_{entity} as select 1 as one")
        for layer, names in {"dwd": "refund both payment ever", "dws": "sum day other", "ads": "day"}.items():
            for name in names.split():
                con.execute(f"create table {layer}.{layer}_{name} as select 1 as one")
        con.execute("create table oneid.person as select 'p1' as oneid")
        for layer in ("ods", "dwd", "dws", "ads"):
            built(con, manifest, layer)
        yield con


def runs(con: duckdb.DuckDBPyConnection, manifest: Manifest, layer: str, settings: dict[str, str] = SETTINGS) -> Any:
    return sorted(plan_layer(con, manifest, layer, settings).run)


def built(con: duckdb.DuckDBPyConnection, manifest: Manifest, layer: str, but: Collection[str] = ()) -> None:
    """The layer's plan is run, without `but`."""
    plan = plan_layer(con, manifest, layer, SETTINGS)
    forget(con, plan)
    told = {name if name.startswith("test") else f"{layer}__{name}" for name in plan.run if name not in but}
    note_built(con, manifest, layer, plan, told)


def test_what_reads_nothing_new_is_left(con: duckdb.DuckDBPyConnection, manifest: Manifest) -> None:
    assert [runs(con, manifest, layer) for layer in ("ods", "dwd", "dws", "ads")] == [[], ["dwd_ever"], [], []]
    plan = plan_layer(con, manifest, "dws", SETTINGS)
    assert sorted(plan.left) == ["dws_day", "dws_other", "dws_sum"]
    assert sorted(plan.untested) == ["test_of_other", "test_of_sum"]


def test_a_full_refresh_leaves_nothing(con: duckdb.DuckDBPyConnection, manifest: Manifest) -> None:
    plan = plan_layer(con, manifest, "dws", SETTINGS, whole=True)
    assert (len(plan.run), plan.left, plan.untested) == (5, [], [])


def test_a_new_file_runs_what_comes_of_its_entity_and_no_other(
    con: duckdb.DuckDBPyConnection, manifest: Manifest
) -> None:
    con.execute("insert into ops.lake_file values ('payment', 'payment', 'payment', '2026-01-05', 'b', 1, 1, 'x')")
    assert runs(con, manifest, "ods") == ["ods_payment"]
    built(con, manifest, "ods")
    assert runs(con, manifest, "dwd") == ["dwd_both", "dwd_ever", "dwd_payment"]
    con.execute("insert into dwd.dwd_payment values (2)")
    built(con, manifest, "dwd")
    assert runs(con, manifest, "dws") == ["dws_day", "dws_sum", "test_of_sum"]
    con.execute("insert into dws.dws_day values (2)")
    built(con, manifest, "dws")
    assert runs(con, manifest, "ads") == ["ads_day"]


def test_a_small_table_that_comes_to_the_same_rows_changes_nothing_after_it(
    con: duckdb.DuckDBPyConnection, manifest: Manifest
) -> None:
    con.execute("insert into oneid.person values ('p2')")
    assert runs(con, manifest, "dws") == ["dws_day", "dws_sum", "test_of_sum"]
    con.execute("create or replace table dws.dws_day as select 1 as one")
    built(con, manifest, "dws")
    assert (runs(con, manifest, "dws"), runs(con, manifest, "ads")) == ([], [])


def test_a_pending_batch_runs_the_incremental_models_of_its_entity(
    con: duckdb.DuckDBPyConnection, manifest: Manifest
) -> None:
    con.execute("update ops.delivery set status = 'accepted' where entity = 'refund'")
    assert runs(con, manifest, "dwd") == ["dwd_both", "dwd_ever", "dwd_refund"]


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ("delete from ops.lake_file where entity = 'payment'", ["ods_payment"]),
        ("update ops.delivery set status = 'replaced' where entity = 'payment'", ["ods_payment"]),
        ("create or replace view ods.ods_payment as select 1 as one", ["ods_payment"]),
        ("drop view ods.ods_payment", ["ods_payment"]),
        ("create or replace table dws.dws_sum as select 1 as one", ["dws_day", "dws_sum", "test_of_sum"]),
        ("drop table dws.dws_other", ["dws_other", "test_of_other"]),
        ("delete from ops.built where node = 'dws_day'", ["dws_day"]),
        ("delete from ops.built where node = 'test_of_sum'", ["test_of_sum"]),
    ],
)
def test_what_is_not_as_it_was_noted_runs(
    con: duckdb.DuckDBPyConnection, manifest: Manifest, change: str, expected: list[str]
) -> None:
    con.execute(change)
    assert runs(con, manifest, "ods" if "ods" in expected[0] else "dws") == expected


def test_changed_code_or_a_changed_setting_runs_what_is_made_of_it(
    con: duckdb.DuckDBPyConnection, manifest: Manifest
) -> None:
    assert runs(con, manifest, "dws", SETTINGS | {"ONEDATA_LAKE": "/moved"}) == []
    assert runs(con, manifest, "ods", SETTINGS | {"ONEDATA_LAKE": "/moved"}) == ["ods_payment", "ods_refund"]
    for other in (SETTINGS | {"days": "31"}, SETTINGS | {"ONEDATA_CURRENCY": "EUR"}):
        assert runs(con, manifest, "dws", other) == ["dws_day", "dws_sum", "test_of_sum"]
    manifest["nodes"]["test_of_other"]["raw_code"] = "select 7"
    assert runs(con, manifest, "dws") == ["test_of_other"]
    manifest["macros"]["macro.own_rate"]["macro_sql"] = "2"
    assert runs(con, manifest, "dws") == ["dws_day", "dws_sum", "test_of_other", "test_of_sum"]


def test_the_settings_of_a_model_are_the_environments_and_the_projects(tmp_path: Path) -> None:
    (tmp_path / "dbt_project.yml").write_text("name: x\nvars: {days: 30}\n", encoding="utf-8")
    assert settings_seen(tmp_path, {"ONEDATA_LAKE": "/lake"}) == {"ONEDATA_LAKE": "/lake", "days": "30"}


def test_a_build_that_was_killed_runs_again_even_if_all_is_as_before(
    con: duckdb.DuckDBPyConnection, manifest: Manifest
) -> None:
    con.execute("insert into oneid.person values ('p2')")
    forget(con, plan_layer(con, manifest, "dws", SETTINGS))
    con.execute("delete from oneid.person where oneid = 'p2'")
    assert runs(con, manifest, "dws") == ["dws_day", "dws_sum", "test_of_sum"]


def outdated(con: duckdb.DuckDBPyConnection, manifest: Manifest, settings: dict[str, str] = SETTINGS) -> list[str]:
    return sorted(plan_layer(con, manifest, "dwd", settings).outdated)


def test_rows_that_other_sql_made_are_known_until_they_are_made_anew(
    con: duckdb.DuckDBPyConnection, manifest: Manifest
) -> None:
    manifest["nodes"]["dwd_payment"]["raw_code"] += " -- other"
    assert outdated(con, manifest) == ["dwd_payment"]
    assert runs(con, manifest, "dwd") == ["dwd_both", "dwd_ever", "dwd_payment", "dwd_refund"]
    forget(con, plan_layer(con, manifest, "dwd", SETTINGS))  # and killed
    assert outdated(con, manifest) == ["dwd_payment"]
    built(con, manifest, "dwd", but=["dwd_payment"])  # one of the others alone, from the UI
    assert outdated(con, manifest) == ["dwd_payment"]
    built(con, manifest, "dwd")
    assert outdated(con, manifest) == []


def test_a_table_of_which_nothing_is_noted_was_made_by_nobody_knows_what(
    con: duckdb.DuckDBPyConnection, manifest: Manifest
) -> None:
    con.execute("delete from ops.built")
    assert outdated(con, manifest) == ["dwd_both", "dwd_ever", "dwd_payment", "dwd_refund"]
    for (table,) in con.execute("select table_name from duckdb_tables() where schema_name = 'dwd'").fetchall():
        con.execute(f"drop table dwd.{table}")
    assert outdated(con, manifest) == []


def test_a_table_with_other_columns_than_its_yaml_describes_is_made_anew(
    con: duckdb.DuckDBPyConnection, manifest: Manifest
) -> None:
    manifest["nodes"]["dwd_payment"]["columns"] = {"one": {}, "two": {}}
    assert outdated(con, manifest) == ["dwd_payment"]


def test_the_views_that_an_incremental_model_reads_are_its_code_and_the_home_is_not(
    con: duckdb.DuckDBPyConnection, manifest: Manifest
) -> None:
    moved = SETTINGS | {"ONEDATA_LAKE": "/moved"}
    assert runs(con, manifest, "ods", moved) == ["ods_payment", "ods_refund"]
    assert outdated(con, manifest, moved) == []
    manifest["nodes"]["ods_payment"]["raw_code"] = "select upper(status) from {{ lake() }}"
    assert outdated(con, manifest) == ["dwd_both", "dwd_ever", "dwd_payment"]


@pytest.mark.parametrize("columns", ["1 as two", "1::bigint as one"])
def test_other_names_or_types_of_the_same_values_are_another_content(
    con: duckdb.DuckDBPyConnection, manifest: Manifest, columns: str
) -> None:
    con.execute("insert into oneid.person values ('p2')")
    con.execute(f"create or replace table dws.dws_day as select {columns}")
    built(con, manifest, "dws")
    assert runs(con, manifest, "ads") == ["ads_day"]


def test_the_same_rows_by_other_code_are_another_version(con: duckdb.DuckDBPyConnection, manifest: Manifest) -> None:
    manifest["nodes"]["dws_day"]["raw_code"] = "select 9"
    con.execute("create or replace table dws.dws_day as select 1 as one")
    built(con, manifest, "dws")
    assert runs(con, manifest, "ads") == ["ads_day"]


def test_how_tables_are_built_is_code_of_each_and_who_owns_them_is_not(
    con: duckdb.DuckDBPyConnection, manifest: Manifest
) -> None:
    manifest["nodes"]["dws_sum"]["config"]["meta"] = {"owner": "somebody"}
    assert runs(con, manifest, "dws") == []
    manifest["macros"]["macro.replaced"]["macro_sql"] = "drop, create"
    assert runs(con, manifest, "dws") == ["dws_day", "dws_other", "dws_sum", "test_of_other", "test_of_sum"]


def test_what_a_build_left_out_runs_again(con: duckdb.DuckDBPyConnection, manifest: Manifest) -> None:
    con.execute("insert into oneid.person values ('p2')")
    built(con, manifest, "dws", but=["dws_day", "test_of_sum"])
    assert runs(con, manifest, "dws") == ["dws_day", "test_of_sum"]
