"""What a night publishes: its tables with their comments, and only what this run has built and checked."""

from __future__ import annotations

import stat
from dataclasses import replace
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import duckdb
import pytest
from publishing import COST, PASSED, TABLE, accepted, built, publish, shown, silent, warehouse, whole
from small_retailer import NEXT, NIGHT, SmallRetailer

from onedata.quality.results import record
from onedata.settings import Settings
from onedata.warehouse.publications import QUALITY, PublishError, candidate_folder, current_publication
from onedata.warehouse.publish import (
    PublishedTable,
    build_candidate,
    candidate_path,
    publish_candidate,
    published_tables,
)
from onedata.warehouse.views import ONEID_VIEWS, OPS_VIEWS


def test_a_published_night_shows_its_tables_in_both_forms(con: duckdb.DuckDBPyConnection, settings: Settings) -> None:
    assert publish(con, settings).folder == settings.published / "publications" / "000001"
    assert shown(settings.published) == whole(NIGHT, 1)


def test_rows_are_counted_by_table(con: duckdb.DuckDBPyConnection, settings: Settings) -> None:
    assert build_candidate(con, settings, [TABLE], NIGHT, "r") == {"ads_thing": 1, "published_night": 1}


def test_building_a_candidate_leaves_what_is_published_alone(
    con: duckdb.DuckDBPyConnection,
    settings: Settings,
) -> None:
    publish(con, settings)
    built(con, settings, NEXT, 2)
    assert shown(settings.published) == whole(NIGHT, 1)


def test_nobody_else_reads_a_candidate_before_its_gate(con: duckdb.DuckDBPyConnection, settings: Settings) -> None:
    built(con, settings)
    assert stat.S_IMODE(candidate_folder(settings).stat().st_mode) == 0o700
    assert stat.S_IMODE(publish_candidate(con, settings, "r", COST, silent).folder.stat().st_mode) == 0o750


def test_no_published_file_can_be_written(con: duckdb.DuckDBPyConnection, settings: Settings) -> None:
    files = [path for path in publish(con, settings).folder.rglob("*") if path.is_file()]
    assert len(files) == 5
    assert {stat.S_IMODE(path.stat().st_mode) for path in files} == {0o440}


def test_every_table_and_column_has_its_comment(con: duckdb.DuckDBPyConnection, settings: Settings) -> None:
    manifest = {"nodes": {"m": node("thing", {"a": ("Worth.", None)}, description="Things. It's one row a thing.")}}
    build_candidate(con, settings, published_tables(manifest), NIGHT, "r")
    with duckdb.connect(str(candidate_path(settings)), read_only=True) as reader:
        tables = reader.execute("select table_name from duckdb_tables()").fetchall()
        bare = reader.execute(
            "select table_name, null from duckdb_tables() where not internal and coalesce(comment, '') = '' union all "
            "select table_name, column_name from duckdb_columns() where not internal and coalesce(comment, '') = ''"
        ).fetchall()
        text = reader.execute("select comment from duckdb_tables() where table_name = 'thing'").fetchone()
    assert {name for (name,) in tables} == {"thing", "published_night", *ONEID_VIEWS, *OPS_VIEWS}
    assert bare == []
    assert text == ("Things. It's one row a thing.",)


def node(
    name: str,
    columns: dict[str, tuple[str, str | None]],
    published: bool = True,
    description: str = "Things.",
) -> dict[str, Any]:
    """A model of dbt's manifest; each column has its description and classification."""
    described = {
        key: {"name": key, "description": text, "config": {"meta": {"classification": kind} if kind else {}}}
        for key, (text, kind) in columns.items()
    }
    config = {"meta": {"published": published}}
    return {
        "resource_type": "model",
        "name": name,
        "schema": "ads",
        "description": description,
        "columns": described,
        "config": config,
    }


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
    [
        (replace(TABLE, description=" "), "ads_thing has no description"),
        (replace(TABLE, columns={"a": ""}), "ads_thing.a has no description"),
    ],
)
def test_a_missing_description_is_named_and_nothing_is_published(
    con: duckdb.DuckDBPyConnection,
    settings: Settings,
    table: PublishedTable,
    name: str,
) -> None:
    publish(con, settings)
    with pytest.raises(PublishError, match=name):
        build_candidate(con, settings, [table], NEXT, "r2")
    assert shown(settings.published) == whole(NIGHT, 1)
    publish(con, settings, NEXT, 2, "r3")
    assert shown(settings.published) == whole(NEXT, 2)


def test_a_candidate_of_another_run_is_not_published(con: duckdb.DuckDBPyConnection, settings: Settings) -> None:
    built(con, settings, NIGHT, 1, "killed")
    record(con, "r", NIGHT, [PASSED])
    with pytest.raises(PublishError, match="no candidate that this run has built; run the whole night"):
        publish_candidate(con, settings, "r", COST, silent)
    assert not settings.published_database.exists()


@pytest.mark.parametrize(
    "results",
    [[], [PASSED, replace(PASSED, subject="dim_thing", passed=False)]],
    ids=["not checked", "closed"],
)
def test_a_candidate_that_has_not_passed_its_gate_is_not_published(
    con: duckdb.DuckDBPyConnection,
    settings: Settings,
    results: list[Any],
) -> None:
    built(con, settings, NIGHT, 1, "r")
    con.execute("delete from ops.gate")
    record(con, "r", NIGHT, results)
    with pytest.raises(PublishError, match=f"candidate of night {NIGHT} has not passed its gate"):
        publish_candidate(con, settings, "r", COST, silent)
    assert not settings.published_database.exists()


def test_a_candidate_without_pages_is_not_published(con: duckdb.DuckDBPyConnection, settings: Settings) -> None:
    build_candidate(con, settings, [TABLE], NIGHT, "r")
    record(con, "r", NIGHT, [PASSED])
    with pytest.raises(PublishError, match="has no quality; run the night again"):
        publish_candidate(con, settings, "r", COST, silent)
    assert not settings.published_database.exists()


def test_publishing_marks_the_accepted_deliveries_and_no_others(
    con: duckdb.DuckDBPyConnection,
    settings: Settings,
) -> None:
    for status in ("accepted", "staged", "refused"):
        con.execute(
            "insert into ops.delivery (batch_id, feed, entity, ds, status, rows, landed_at, applied_at, replaces) "
            "values (?, 'f', 'e', ?, ?, 1, now()::timestamp, null, [])",
            [status, NIGHT, status],
        )
    publish(con, settings)
    assert con.execute("select batch_id, status, applied_at is not null from ops.delivery order by 1").fetchall() == [
        ("accepted", "applied", True),
        ("refused", "refused", False),
        ("staged", "staged", False),
    ]


def test_the_ledger_knows_what_was_published_and_what_it_took(
    con: duckdb.DuckDBPyConnection,
    settings: Settings,
) -> None:
    before = datetime.now(UTC).replace(tzinfo=None)
    publish(con, settings, NIGHT, 1, "r1")
    publish(con, settings, NEXT, 2, "r2")
    rows = con.execute(
        "select night, run_id, publication, started_at, cpu_seconds, peak_memory_mb from ops.night order by 3",
    ).fetchall()
    assert rows == [(NIGHT, "r1", 1, COST.started_at, 1.5, 100.0), (NEXT, "r2", 2, COST.started_at, 1.5, 100.0)]
    assert con.execute("select min(finished_at) > ? from ops.night", [before]).fetchall() == [(True,)]
    assert con.execute("select count(*) from ops.publishing").fetchall() == [(0,)]


def test_a_ledger_without_numbers_gets_them(tmp_path: Path, settings: Settings) -> None:
    with duckdb.connect(str(tmp_path / "old.duckdb")) as old:
        old.execute(
            """
            create schema ops;
            create table ops.night (
                night date not null, run_id varchar not null, started_at timestamp not null,
                finished_at timestamp not null, cpu_seconds double not null, peak_memory_mb double not null
            )
            """
        )
        old.execute("insert into ops.night values (?, 'old', now(), now(), 1, 1)", [date(2026, 1, 4)])
    con = warehouse(tmp_path / "old.duckdb")
    publish(con, settings, NIGHT, 1, "new")
    assert con.execute("select run_id, publication from ops.night order by night").fetchall() == [
        ("old", None),
        ("new", 1),
    ]
    con.close()


def test_a_number_is_never_used_again_where_what_was_published_is_lost(
    con: duckdb.DuckDBPyConnection,
    settings: Settings,
) -> None:
    publish(con, settings, NIGHT, 1, "r1")
    settings.published.rename(settings.published.with_name("lost"))
    assert publish(con, settings, NIGHT, 1, "r2").number == 2


def test_a_number_is_never_used_again_where_the_ledger_is_lost(
    con: duckdb.DuckDBPyConnection,
    settings: Settings,
) -> None:
    publish(con, settings, NIGHT, 1, "r1")
    assert publish(warehouse(), settings, NIGHT, 1, "r2").number == 2


def test_what_another_ledger_published_applies_no_delivery_of_this_one(
    con: duckdb.DuckDBPyConnection,
    settings: Settings,
) -> None:
    from onedata.warehouse.publish import finish_publishing

    publish(con, settings, NIGHT, 1, "r1")
    restored = warehouse()
    accepted(restored, "not built yet", NIGHT)
    assert finish_publishing(restored, settings) is None
    assert restored.execute("select status from ops.delivery").fetchall() == [("accepted",)]
    assert restored.execute("select count(*) from ops.night").fetchall() == [(0,)]


def test_the_published_ledger_counts_the_quarantine_and_does_not_show_it(survey: SmallRetailer) -> None:
    survey.csv("A1,O1,5,fine,", "A2,O2,x,call ann@mail.cn,")
    survey.take()
    manifest = {"nodes": {"m": node("thing", {"a": ("Worth.", None)})}}
    build_candidate(survey.con, survey.settings, published_tables(manifest), NIGHT, "r")
    with duckdb.connect(str(candidate_path(survey.settings)), read_only=True) as reader:
        assert reader.execute("select path, rule, rows from ops_quarantine").fetchall() == [
            ("survey/2026-01-05.csv", "satisfaction_type", 1)
        ]
        content = str(
            [
                reader.execute(f"from {table}").fetchall()
                for (table,) in reader.execute("select table_name from duckdb_tables()").fetchall()
            ]
        )
    assert "ann@mail.cn" not in content


def test_the_manifest_tells_the_publication(con: duckdb.DuckDBPyConnection, settings: Settings) -> None:
    publish(con, settings, NIGHT, 1, "r1")
    found = current_publication(settings)
    assert found is not None
    assert (found.number, found.night, found.run_id, found.tables) == (
        1,
        NIGHT,
        "r1",
        {"ads_thing": 1, "published_night": 1},
    )
    assert found.built_at.tzinfo is not None
    assert (found.folder / QUALITY / "index.html").exists()
