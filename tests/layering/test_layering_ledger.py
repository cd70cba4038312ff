"""Only `onedata/ledger` writes the ledger's tables."""

from pathlib import Path

import duckdb
import pytest
from ledger_writers import TABLES, writes, writes_of
from support import REPOSITORY

from onedata.ledger import create_ledger

LEDGER = REPOSITORY / "onedata" / "ledger"
TELL_OF_RUNS = {"built", "cost", "gate", "night", "publishing"}
"""Tables of create_ledger that others write: what was checked, what it took, and which nights were published."""
FOLDERS = ("onedata", "assets", "benchmarks", "dbt_project")
ELSEWHERE = {"onedata/identity/verify.py": ["create table rebuilt.{}.{}"]}
"""Copies the tables into a database of its own in a temp folder, to rebuild OneID there."""
KINDS = (".py", ".sql", ".yml", ".yaml", ".sh", ".toml")
SOURCES = sorted(
    path
    for folder in FOLDERS
    for path in (REPOSITORY / folder).rglob("*")
    if path.suffix in KINDS and LEDGER not in path.parents and not {"target", "logs"} & set(path.parts)
)


def test_no_other_module_writes_the_ledger() -> None:
    assert len(SOURCES) > 200
    found = {path.relative_to(REPOSITORY).as_posix(): writes_of(path) for path in SOURCES}
    assert {name: statements for name, statements in found.items() if statements} == ELSEWHERE


def test_the_ledger_room_does_write_them() -> None:
    """The scan sees the statements that are there."""
    text = " ".join(statement for path in LEDGER.glob("*.py") for statement in writes_of(path))
    assert "insert into ops.delivery" in text
    assert "insert into ops.{}" in text
    assert [table for table in TABLES if f"ops.{table}" not in text] == []


def test_every_table_of_the_ledger_is_in_the_list() -> None:
    with duckdb.connect() as con:
        create_ledger(con)
        rows = con.execute("select table_name from information_schema.tables where table_schema = 'ops'").fetchall()
    assert {name for (name,) in rows} == {*TABLES, *TELL_OF_RUNS}


@pytest.mark.parametrize(
    "planted",
    [
        "con.execute(\"update ops.delivery set status = 'applied'\")",
        'con.execute("INSERT OR REPLACE INTO ops.archive values (1)")',
        'con.execute(f"delete from ops.{table} where batch_id = ?", [batch])',
        'con.execute(f"insert into {schema}.{table} by name {query}")',
        'con.execute(f"delete from {schema}.lake_file")',
        'con.execute("delete from " "ops.quarantine q using ops.released r")',
        'con.execute("insert into " + "ops." + table)',
        'con.execute("merge into ops.file using x on true when matched then delete")',
        "con.execute(\"copy ops.file from 'x.parquet'\")",
        'con.execute("truncate ops.drift")',
        'con.execute("drop table if exists ops.clock")',
        'con.execute("alter table ops.trend add column x integer")',
        'con.execute("create or replace view ops.batch as select 1")',
        'con.execute("create table if not exists warehouse.ops.watermark (x integer)")',
        'con.execute(\'update "ops"."delivery" set rows = 0\')',
        'con.execute("use ops")',
        'con.append("ops.file", frame)',
        'con.table("ops.profile").insert([1])',
    ],
)
def test_a_statement_that_is_planted_is_found(planted: str) -> None:
    assert writes(f"def night(con, table, schema, query, batch, frame):\n    {planted}\n", is_python=True) != []


@pytest.mark.parametrize(
    "harmless",
    [
        'con.execute("select * from ops.delivery")',
        'con.execute("insert into ops.gate values (1)")',
        'con.execute("insert into ops.reconciliation select 1")',
        'con.execute(f"create table {target} as select * from ops.file")',
        'con.execute("insert into oneid.run select max(ds) from ops.batch")',
        "con.execute(\"copy (select * from ops.file) to 'x.parquet'\")",
    ],
)
def test_a_statement_that_reads_is_left_alone(harmless: str) -> None:
    assert writes(f"def night(con, target):\n    {harmless}\n", is_python=True) == []


def test_text_of_other_kinds_is_read_too(tmp_path: Path) -> None:
    model = tmp_path / "model.sql"
    model.write_text("{{ config(post_hook='update ops.delivery set rows = 0') }} select 1")
    assert writes_of(model) == ["update ops.delivery"]
