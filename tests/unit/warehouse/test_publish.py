"""Publishing: whole, swapped in by rename, commented, read-only, repeatable."""

from __future__ import annotations

import stat
from collections.abc import Callable
from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import duckdb
import pytest
from small_retailer import NEXT, NIGHT, SmallRetailer, settings_in

from onedata.identity.tables import create_tables
from onedata.landing import create_ledger
from onedata.quality.reconcile import create_reconciliation
from onedata.settings import Settings
from onedata.warehouse.publish import (
    PublishedTable,
    PublishError,
    build_candidate,
    candidate_path,
    published_tables,
    serve_night,
    swap_in,
)
from onedata.warehouse.views import ONEID_VIEWS, OPS_VIEWS

TABLE = PublishedTable("ads_thing", "select a from ads.thing", "Things. It's one row a thing.", {"a": "What it's worth, in CNY."})


@pytest.fixture
def con() -> duckdb.DuckDBPyConnection:
    """A warehouse with one served table of one row."""
    connection = duckdb.connect()
    create_ledger(connection)
    create_reconciliation(connection)
    create_tables(connection)
    connection.execute("create schema ads; create table ads.thing as select 1 as a, 'secret' as s")
    return connection


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return replace(settings_in(tmp_path), published_nights_kept=2)


def publish(con: duckdb.DuckDBPyConnection, settings: Settings, night: date = NIGHT, value: int = 1) -> Path:
    con.execute("update ads.thing set a = ?", [value])
    build_candidate(con, settings, [TABLE], night)
    return swap_in(con, settings, night)


def served(settings: Settings) -> tuple[Any, ...]:
    """What the analyst sees: the night, the value, and the value in Parquet."""
    with duckdb.connect(str(settings.published_database), read_only=True) as reader:
        night, value = reader.execute("select night, a from published_night, ads_thing").fetchall()[0]
    (parquet,) = duckdb.execute("from read_parquet(?)", [str(settings.published / "parquet" / "ads_thing.parquet")]).fetchall()
    return night, value, parquet[0]


def test_a_published_night_shows_its_tables_in_both_forms(con: duckdb.DuckDBPyConnection, settings: Settings) -> None:
    own = publish(con, settings)
    assert own == settings.published / "nights" / "onedata-2026-01-05.duckdb"
    assert served(settings) == (NIGHT, 1, 1)


def test_rows_are_counted_by_table(con: duckdb.DuckDBPyConnection, settings: Settings) -> None:
    assert build_candidate(con, settings, [TABLE], NIGHT) == {"ads_thing": 1}


def test_building_a_candidate_leaves_what_is_published_alone(con: duckdb.DuckDBPyConnection, settings: Settings) -> None:
    publish(con, settings)
    con.execute("update ads.thing set a = 2")
    build_candidate(con, settings, [TABLE], NEXT)
    assert served(settings) == (NIGHT, 1, 1)


def test_a_reader_with_the_old_night_open_keeps_it(con: duckdb.DuckDBPyConnection, settings: Settings) -> None:
    publish(con, settings)
    with duckdb.connect(str(settings.published_database), read_only=True) as reader:
        publish(con, settings, NEXT, 2)
        assert reader.execute("select night, a from published_night, ads_thing").fetchall() == [(NIGHT, 1)]
    assert served(settings) == (NEXT, 2, 2)


def test_the_same_night_is_published_anew(con: duckdb.DuckDBPyConnection, settings: Settings) -> None:
    publish(con, settings)
    publish(con, settings, NIGHT, 7)
    assert served(settings) == (NIGHT, 7, 7)


def test_the_published_file_cannot_be_written(con: duckdb.DuckDBPyConnection, settings: Settings) -> None:
    own = publish(con, settings)
    for path in (own, settings.published_database):
        assert stat.S_IMODE(path.stat().st_mode) == 0o440


def test_every_table_and_column_has_its_comment(con: duckdb.DuckDBPyConnection, settings: Settings) -> None:
    manifest = {"nodes": {"m": node("thing", {"a": ("Worth.", None)}, description="Things. It's one row a thing.")}}
    build_candidate(con, settings, published_tables(manifest), NIGHT)
    swap_in(con, settings, NIGHT)
    with duckdb.connect(str(settings.published_database), read_only=True) as reader:
        tables = reader.execute("select table_name from duckdb_tables()").fetchall()
        bare = reader.execute(
            "select table_name, null from duckdb_tables() where not internal and coalesce(comment, '') = '' union all "
            "select table_name, column_name from duckdb_columns() where not internal and coalesce(comment, '') = ''"
        ).fetchall()
        text = reader.execute("select comment from duckdb_tables() where table_name = 'thing'").fetchone()
    assert {name for (name,) in tables} == {"thing", "published_night", *ONEID_VIEWS, *OPS_VIEWS}
    assert bare == []
    assert text == ("Things. It's one row a thing.",)


def node(name: str, columns: dict[str, tuple[str, str | None]], published: bool = True, description: str = "Things.") -> dict[str, Any]:
    """A model of dbt's manifest; each column has its description and classification."""
    described = {key: {"name": key, "description": text, "config": {"meta": {"classification": kind} if kind else {}}} for key, (text, kind) in columns.items()}
    config = {"meta": {"published": published}}
    return {"resource_type": "model", "name": name, "schema": "ads", "description": description, "columns": described, "config": config}


def test_only_public_columns_of_published_models_are_taken() -> None:
    columns = {"a": ("Worth.", "public"), "b": ("Plain.", None), "s": ("Secret.", "sensitive"), "c": ("Core.", "core")}
    manifest = {"nodes": {"m": node("thing", columns), "n": node("other", columns, published=False)}}
    tables = published_tables(manifest)
    assert [table.name for table in tables] == ["thing", *ONEID_VIEWS, *OPS_VIEWS]
    assert tables[0].source == 'select "a", "b" from ads.thing'


def test_no_model_marked_is_an_error() -> None:
    with pytest.raises(PublishError, match="no model says `published: true`"):
        published_tables({"nodes": {"n": node("other", {"a": ("Worth.", None)}, published=False)}})


@pytest.mark.parametrize(
    ("table", "name"),
    [(replace(TABLE, description=" "), "ads_thing has no description"), (replace(TABLE, columns={"a": ""}), "ads_thing.a has no description")],
)
def test_a_missing_description_is_named_and_nothing_is_published(con: duckdb.DuckDBPyConnection, settings: Settings, table: PublishedTable, name: str) -> None:
    publish(con, settings)
    with pytest.raises(PublishError, match=name):
        build_candidate(con, settings, [table], NEXT)
    assert served(settings) == (NIGHT, 1, 1)
    assert publish(con, settings, NEXT, 2).exists()


def test_the_last_nights_are_kept_and_older_ones_go(con: duckdb.DuckDBPyConnection, settings: Settings) -> None:
    for number in range(4):
        publish(con, settings, NIGHT + timedelta(days=number), number)
    assert sorted(path.name for path in (settings.published / "nights").iterdir()) == [
        "onedata-2026-01-07.duckdb",
        "onedata-2026-01-08.duckdb",
        "parquet-2026-01-07",
        "parquet-2026-01-08",
    ]
    assert served(settings) == (date(2026, 1, 8), 3, 3)


def test_an_older_night_run_again_is_not_pruned_while_it_is_served(con: duckdb.DuckDBPyConnection, settings: Settings) -> None:
    for number in range(1, 4):
        publish(con, settings, NIGHT + timedelta(days=number), number)
    publish(con, settings, NIGHT, 9)
    assert served(settings) == (NIGHT, 9, 9)


def test_a_kept_night_can_be_served_again_in_both_forms(con: duckdb.DuckDBPyConnection, settings: Settings) -> None:
    publish(con, settings, NIGHT, 1)
    publish(con, settings, NEXT, 2)
    serve_night(settings, NIGHT)
    assert served(settings) == (NIGHT, 1, 1)
    serve_night(settings, NEXT)
    assert served(settings) == (NEXT, 2, 2)


def test_a_night_that_is_not_kept_is_named_with_those_that_are(con: duckdb.DuckDBPyConnection, settings: Settings) -> None:
    publish(con, settings, NIGHT)
    with pytest.raises(PublishError, match=r"night 2020-01-01 is not kept .* kept are: 2026-01-05"):
        serve_night(settings, date(2020, 1, 1))


def test_publishing_marks_the_accepted_deliveries_and_no_others(con: duckdb.DuckDBPyConnection, settings: Settings) -> None:
    for status in ("accepted", "staged", "refused"):
        con.execute("insert into ops.delivery values (?, 'f', 'e', ?, ?, 1, now()::timestamp, null, [])", [status, NIGHT, status])
    publish(con, settings)
    assert con.execute("select batch_id, status, applied_at is not null from ops.delivery order by 1").fetchall() == [
        ("accepted", "applied", True),
        ("refused", "refused", False),
        ("staged", "staged", False),
    ]


def swap_killed_at(step: int, con: duckdb.DuckDBPyConnection, settings: Settings, night: date, monkeypatch: pytest.MonkeyPatch) -> None:
    """Swap the candidate in, and die at the rename of that number."""
    rename: Callable[[Path, Path], Path] = Path.replace
    calls = []

    def killed(self: Path, target: Path) -> Path:
        calls.append(self)
        if len(calls) == step:
            raise KeyboardInterrupt
        return rename(self, target)

    monkeypatch.setattr(Path, "replace", killed)
    with pytest.raises(KeyboardInterrupt):
        swap_in(con, settings, night)
    monkeypatch.undo()


@pytest.mark.parametrize("step", range(1, 5))
def test_a_swap_killed_at_any_rename_is_whole_and_can_be_repeated(
    con: duckdb.DuckDBPyConnection, settings: Settings, monkeypatch: pytest.MonkeyPatch, step: int
) -> None:
    publish(con, settings)
    con.execute("insert into ops.delivery values ('b', 'f', 'e', ?, 'accepted', 1, now()::timestamp, null, [])", [NEXT])
    con.execute("update ads.thing set a = 2")
    build_candidate(con, settings, [TABLE], NEXT)
    swap_killed_at(step, con, settings, NEXT, monkeypatch)
    with duckdb.connect(str(settings.published_database), read_only=True) as reader:
        assert reader.execute("select night, a from published_night, ads_thing").fetchall() in ([(NIGHT, 1)], [(NEXT, 2)])
    assert con.execute("select status from ops.delivery").fetchall() == [("accepted",)]
    publish(con, settings, NEXT, 2)
    assert served(settings) == (NEXT, 2, 2)
    assert con.execute("select status from ops.delivery").fetchall() == [("applied",)]


@pytest.mark.parametrize("step", range(1, 5))
def test_the_same_night_killed_in_its_swap_leaves_parquet_and_database_readable(
    con: duckdb.DuckDBPyConnection, settings: Settings, monkeypatch: pytest.MonkeyPatch, step: int
) -> None:
    publish(con, settings)
    build_candidate(con, settings, [TABLE], NIGHT)
    swap_killed_at(step, con, settings, NIGHT, monkeypatch)
    assert served(settings) == (NIGHT, 1, 1)


def test_the_published_ledger_counts_the_quarantine_and_does_not_show_it(survey: SmallRetailer) -> None:
    survey.csv("A1,O1,5,fine,", "A2,O2,x,call ann@mail.cn,")
    survey.take()
    manifest = {"nodes": {"m": node("thing", {"a": ("Worth.", None)})}}
    build_candidate(survey.con, survey.settings, published_tables(manifest), NIGHT)
    with duckdb.connect(str(candidate_path(survey.settings)), read_only=True) as reader:
        assert reader.execute("select path, rule, rows from ops_quarantine").fetchall() == [("survey/2026-01-05.csv", "satisfaction_type", 1)]
        content = str([reader.execute(f"from {table}").fetchall() for (table,) in reader.execute("select table_name from duckdb_tables()").fetchall()])
    assert "ann@mail.cn" not in content
