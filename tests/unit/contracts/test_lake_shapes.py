"""A lake with files of an earlier entity version: read by name, new columns NULL, changed types cast."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import duckdb
import jinja2
import pytest
from small_retailer import canonical, identifier_policy
from support import REPOSITORY

from onedata.contracts import Column, Entity
from onedata.contracts.derive import derived_files, ensure_lake, lake_columns
from onedata.ledger import create_ledger

MACRO = REPOSITORY / "dbt_project" / "macros" / "lake.sql"
CLOSED = Column("closed_at", "timestamp", "When it was closed.", "public")


@pytest.fixture
def con() -> Iterator[duckdb.DuckDBPyConnection]:
    with duckdb.connect() as connection:
        yield connection


def survey(**types: Any) -> Entity:
    """The entity with other types for some columns."""
    entity = canonical()["survey_response"]
    return replace(
        entity, columns=tuple(replace(item, type=types.get(item.name, item.type)) for item in entity.columns)
    )


def deliver(con: duckdb.DuckDBPyConnection, lake: Path, entity: Entity, ds: str, **values: str) -> None:
    """One row of the entity as it was on that night; `values` are SQL."""
    ensure_lake(con, lake, {entity.name: entity})
    file = lake / "ods" / entity.name / "source=survey" / f"ds={ds}" / "batch.parquet"
    file.parent.mkdir(parents=True)
    columns = ", ".join(f"{values.get(name, 'null')}::{kind} as {name}" for name, kind in lake_columns(entity).items())
    con.execute(f"copy (select {columns}) to '{file}' (format parquet)")
    create_ledger(con)
    con.execute(
        "insert into ops.delivery (batch_id, feed, entity, ds, status, rows, landed_at, replaces) "
        "values (?, 'survey', ?, ?, 'accepted', 1, now()::timestamp, [])",
        [f"batch-{ds}", entity.name, ds],
    )
    con.execute(
        "insert into ops.lake_file values (?, 'survey', ?, ?, 'batch.parquet', 1, 1, '')",
        [f"batch-{ds}", entity.name, ds],
    )


def ods(con: duckdb.DuckDBPyConnection, lake: Path, entity: Entity, columns: str) -> list[tuple[Any, ...]]:
    """What the derived ODS model reads, through the project's own macro."""
    create_ledger(con)
    of_dbt = {
        "env_var": lambda _: str(lake),
        "execute": True,
        "run_query": lambda sql: SimpleNamespace(rows=con.execute(sql).fetchall()),
    }
    macro = jinja2.Environment(autoescape=False).from_string(MACRO.read_text(encoding="utf-8"), of_dbt)
    relation = str(macro.module.duckdb__lake(entity.name))
    model = derived_files({entity.name: entity}, identifier_policy())[f"models/ods/ods_{entity.name}.sql"]
    query = jinja2.Template(model).render(lake=lambda _: relation)
    return con.execute(f"select {columns} from ({query.split(chr(10), 1)[1]}) order by ds").fetchall()


def test_a_new_column_is_null_in_older_files(con: duckdb.DuckDBPyConnection, tmp_path: Path) -> None:
    old = survey()
    new = replace(old, columns=(*old.columns, CLOSED))
    deliver(con, tmp_path, old, "2026-01-05", response_id="'r1'", satisfaction="5")
    deliver(con, tmp_path, new, "2026-01-06", response_id="'r2'", closed_at="'2026-01-06'")
    assert ods(con, tmp_path, new, "response_id, satisfaction, closed_at::varchar") == [
        ("r1", 5, None),
        ("r2", None, "2026-01-06 00:00:00"),
    ]


def test_a_new_column_is_there_before_the_first_row_with_it(con: duckdb.DuckDBPyConnection, tmp_path: Path) -> None:
    old = survey()
    new = replace(old, columns=(CLOSED, *old.columns))
    deliver(con, tmp_path, old, "2026-01-05", response_id="'r1'")
    ensure_lake(con, tmp_path, {new.name: new})
    assert ods(con, tmp_path, new, "response_id, closed_at") == [("r1", None)]


def test_a_column_that_is_gone_is_read_no_more(con: duckdb.DuckDBPyConnection, tmp_path: Path) -> None:
    old = survey()
    new = replace(old, columns=tuple(item for item in old.columns if item.name != "title"))
    deliver(con, tmp_path, old, "2026-01-05", response_id="'r1'", title="'x'")
    deliver(con, tmp_path, new, "2026-01-06", response_id="'r2'")
    assert ods(con, tmp_path, new, "response_id, ds::varchar") == [("r1", "2026-01-05"), ("r2", "2026-01-06")]


@pytest.mark.parametrize(
    ("old", "new", "value", "found"),
    [
        ("integer", "decimal", "5", ("5.0000", "DECIMAL(18,4)")),
        ("integer", "text", "5", ("5", "VARCHAR")),
        ("decimal", "text", "5.5", ("5.5000", "VARCHAR")),
        ("date", "timestamp", "'2026-01-05'", ("2026-01-05 00:00:00", "TIMESTAMP")),
        ("boolean", "text", "true", ("true", "VARCHAR")),
        ("text", "integer", "'5'", ("5", "BIGINT")),
    ],
)
def test_a_column_has_its_new_type_in_older_files_too(
    con: duckdb.DuckDBPyConnection, tmp_path: Path, old: str, new: str, value: str, found: tuple[str, str]
) -> None:
    deliver(con, tmp_path, survey(satisfaction=old), "2026-01-05", satisfaction=value)
    deliver(con, tmp_path, survey(satisfaction=new), "2026-01-06")
    first, second = ods(con, tmp_path, survey(satisfaction=new), "satisfaction::varchar, typeof(satisfaction)")
    assert first == found
    assert second == (None, found[1])


def test_a_value_that_the_new_type_cannot_hold_is_never_dropped_in_silence(
    con: duckdb.DuckDBPyConnection, tmp_path: Path
) -> None:
    deliver(con, tmp_path, survey(satisfaction="text"), "2026-01-05", satisfaction="'very good'")
    with pytest.raises(duckdb.ConversionException, match="very good"):
        ods(con, tmp_path, survey(), "satisfaction")


def test_the_empty_file_is_written_once_while_the_entity_stays(con: duckdb.DuckDBPyConnection, tmp_path: Path) -> None:
    ensure_lake(con, tmp_path, canonical())
    written = {file: file.stat().st_mtime_ns for file in tmp_path.rglob("*.parquet")}
    ensure_lake(con, tmp_path, canonical())
    assert {file: file.stat().st_mtime_ns for file in tmp_path.rglob("*.parquet")} == written
