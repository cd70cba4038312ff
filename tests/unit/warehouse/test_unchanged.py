"""Models that a night leaves as they are, told by a real ledger and a manifest of three models."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import duckdb
import pytest

from onedata.ledger.schema import create_ledger
from onedata.warehouse.unchanged import note_views, unchanged_models

LAKE = Path("/home/lake")
Manifest = dict[str, Any]


def model(schema: str, name: str, kind: str, code: str, *reads: str) -> dict[str, Any]:
    depends = {"nodes": [f"model.onedata.{read}" for read in reads]}
    common = {"resource_type": "model", "schema": schema, "name": name, "raw_code": code}
    return common | {"config": {"materialized": kind}, "depends_on": depends}


@pytest.fixture
def manifest() -> Manifest:
    nodes = [
        model("ods", "ods_refund", "view", "select 1"),
        model("ods", "ods_payment", "view", "select 2"),
        model("dwd", "dwd_refund", "incremental", "{{ pending_only() }}", "ods_refund"),
        model("dwd", "dwd_both", "incremental", "{{ pending_only() }}", "ods_refund", "ods_payment"),
        model("dwd", "dwd_payment", "incremental", "{{ pending_only() }}", "ods_payment"),
        model("dwd", "dwd_whole", "table", "{{ pending_only() }}", "ods_payment"),
        model("dwd", "dwd_ever", "incremental", "select 3", "ods_payment"),
        model("dwd", "dwd_not_there", "incremental", "{{ pending_only() }}", "ods_payment"),
        {"resource_type": "test", "schema": "dwd", "name": "dwd_payment", "raw_code": ""},
    ]
    macros = {"macro.onedata.duckdb__lake": {"macro_sql": "read_parquet()"}, "macro.onedata.other": {"macro_sql": "x"}}
    return {"nodes": {str(number): node for number, node in enumerate(nodes)}, "macros": macros}


@pytest.fixture
def con() -> Iterator[duckdb.DuckDBPyConnection]:
    """A ledger with a file each of a refund, whose batch is pending, and a payment, whose batch is applied."""
    with duckdb.connect() as con:
        con.execute("create schema ods; create schema dwd; create schema ops")
        create_ledger(con)
        for entity, status in (("refund", "accepted"), ("payment", "applied")):
            con.execute(
                "insert into ops.delivery values ($1, $1, $1, '2026-01-05', $2, 1, now()::timestamp, null, null, [])",
                [entity, status],
            )
            con.execute("insert into ops.lake_file values ($1, $1, $1, '2026-01-05', 'a.parquet', 1, 1, 'x')", [entity])
            con.execute(f"create view ods.ods_{entity} as select 1 as one")
        for name in ("refund", "both", "payment", "whole", "ever"):
            con.execute(f"create table dwd.dwd_{name} (one integer)")
        yield con


def left(con: duckdb.DuckDBPyConnection, manifest: Manifest, layer: str, lake: Path = LAKE) -> list[str]:
    return [str(node["name"]) for node in unchanged_models(con, manifest, layer, lake)]


def test_an_incremental_model_waits_for_a_pending_batch_of_an_entity_that_it_reads(
    con: duckdb.DuckDBPyConnection, manifest: Manifest
) -> None:
    assert left(con, manifest, "dwd") == ["dwd_payment"]
    con.execute("update ops.delivery set status = 'applied'")
    assert left(con, manifest, "dwd") == ["dwd_both", "dwd_payment", "dwd_refund"]


def test_a_view_of_the_lake_is_left_if_it_was_built_and_noted(
    con: duckdb.DuckDBPyConnection, manifest: Manifest
) -> None:
    assert left(con, manifest, "ods") == []
    note_views(con, manifest, ["ods_payment"], LAKE)
    assert left(con, manifest, "ods") == ["ods_payment"]


@pytest.mark.parametrize(
    "change",
    [
        "insert into ops.lake_file values ('payment', 'payment', 'payment', '2026-01-05', 'b.parquet', 1, 1, 'x')",
        "delete from ops.lake_file where entity = 'payment'",
        "update ops.delivery set status = 'replaced' where entity = 'payment'",
        "create or replace view ods.ods_payment as select 1 as one",
        "drop view ods.ods_payment",
    ],
)
def test_a_view_is_built_anew_if_its_files_or_it_changed(
    con: duckdb.DuckDBPyConnection, manifest: Manifest, change: str
) -> None:
    note_views(con, manifest, ["ods_refund", "ods_payment"], LAKE)
    con.execute(change)
    assert left(con, manifest, "ods") == ["ods_refund"]


def test_a_view_is_built_anew_if_its_model_the_macro_or_the_folder_changed(
    con: duckdb.DuckDBPyConnection, manifest: Manifest
) -> None:
    note_views(con, manifest, ["ods_refund", "ods_payment"], LAKE)
    assert left(con, manifest, "ods", Path("/moved/lake")) == []
    manifest["nodes"]["1"]["raw_code"] = "select 4"
    assert left(con, manifest, "ods") == ["ods_refund"]
    manifest["macros"]["macro.onedata.duckdb__lake"]["macro_sql"] = "read_delta()"
    assert left(con, manifest, "ods") == []
