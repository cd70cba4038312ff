"""A retailer's own column or entity that rows of the lake have does not vanish without a word."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType

import duckdb
import pytest
from small_retailer import canonical

from onedata.contracts import Column, Entity
from onedata.contracts.derive import lake_columns
from onedata.ledger import create_ledger
from onedata.ledger.log import entries
from onedata.ledger.own_columns import OwnColumnGone, hold_own_columns
from onedata.settings import Settings

CARD = Column("card", "text", "A card.", "public", added=True)
VISIT = Entity("visit", "Visits", "a visit", "me", ("card",), None, (replace(CARD, added=False),), own=True)
SHIPPED = {"survey_response": canonical()["survey_response"]}
WITH_CARD = {
    "survey_response": replace(SHIPPED["survey_response"], columns=(*SHIPPED["survey_response"].columns, CARD))
}
WITH_VISIT = SHIPPED | {"visit": VISIT}


@pytest.fixture
def con() -> Iterator[duckdb.DuckDBPyConnection]:
    with duckdb.connect() as connection:
        create_ledger(connection)
        yield connection


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return replace(Settings(), home=tmp_path / "a [home]", own_entities=tmp_path / "canonical")


def deliver(
    con: duckdb.DuckDBPyConnection,
    settings: Settings,
    entity: Entity,
    card: str,
    others: Mapping[str, Entity] = MappingProxyType({}),
) -> None:
    """One row; `card` is SQL."""
    hold_own_columns(con, settings, {**others, entity.name: entity})
    folder = settings.lake / "ods" / entity.name / "source=desk" / "ds=2026-01-05"
    folder.mkdir(parents=True)
    columns = lake_columns(entity) | {"card": "varchar"}
    row = ", ".join(f"{card if name == 'card' else 'null'}::{kind} as {name}" for name, kind in columns.items())
    con.execute(f"copy (select {row}) to '{folder / 'b.parquet'}' (format parquet)")
    con.execute("insert into ops.lake_file values ('b', 'desk', ?, '2026-01-05', 'b.parquet', 1, 1, '')", [entity.name])


@pytest.mark.parametrize(
    ("before", "entity", "message"),
    [
        (
            WITH_CARD,
            "survey_response",
            "no file defines the column card of survey_response any more, and rows of the lake have it: put it back "
            "into a file of {folder}. No contract needs to map it",
        ),
        (
            WITH_VISIT,
            "visit",
            "no file defines the entity visit any more, and the lake has rows of it: put its file back into {folder}. "
            "No contract needs to fill it",
        ),
    ],
)
def test_what_rows_have_is_not_given_up(
    con: duckdb.DuckDBPyConnection, settings: Settings, before: Mapping[str, Entity], entity: str, message: str
) -> None:
    deliver(con, settings, before[entity], "'x'")
    with pytest.raises(OwnColumnGone) as caught:
        hold_own_columns(con, settings, SHIPPED)
    assert str(caught.value) == message.format(folder=settings.own_entities)
    with pytest.raises(OwnColumnGone, match="the folder canonical beside the settings"):  # it is not forgotten
        hold_own_columns(con, replace(settings, own_entities=None), SHIPPED)
    hold_own_columns(con, settings, before)


def test_a_column_without_values_and_an_entity_without_rows_may_go(
    con: duckdb.DuckDBPyConnection, settings: Settings
) -> None:
    deliver(con, settings, WITH_CARD["survey_response"], "null")
    hold_own_columns(con, settings, WITH_CARD | WITH_VISIT)
    hold_own_columns(con, settings, SHIPPED)


def test_a_column_that_onedata_ships_in_its_place_is_no_loss(
    con: duckdb.DuckDBPyConnection, settings: Settings
) -> None:
    deliver(con, settings, WITH_CARD["survey_response"], "'x'")
    survey = WITH_CARD["survey_response"]
    shipped = replace(survey, columns=tuple(replace(column, added=False) for column in survey.columns))
    hold_own_columns(con, settings, {survey.name: shipped})


def noted(settings: Settings) -> list[dict[str, list[str]]]:
    """What the log says of own columns, entry by entry."""
    return [entry.content["columns"] for entry in entries(settings.lake, "own_columns")]


def test_own_columns_are_noted_as_they_change_and_by_the_names_of_their_entities(
    con: duckdb.DuckDBPyConnection, settings: Settings
) -> None:
    hold_own_columns(con, settings, SHIPPED)
    assert noted(settings) == []  # of none there is nothing to note
    both = dict(reversed((WITH_CARD | {"visit": VISIT}).items()))
    for entities in (WITH_CARD, WITH_CARD, both, both, SHIPPED):
        hold_own_columns(con, settings, entities)
    assert [list(columns.items()) for columns in noted(settings)] == [
        [("survey_response", ["card"])],
        [("survey_response", ["card"]), ("visit", ["card"])],
        [],
    ]


def test_rows_of_another_entity_and_files_from_before_the_column_do_not_keep_it(
    con: duckdb.DuckDBPyConnection, settings: Settings
) -> None:
    """The entity's own file has the column without a value, an older one has not even the column."""
    deliver(con, settings, VISIT, "'x'")
    hold_own_columns(con, settings, WITH_CARD | {"visit": VISIT})
    deliver(con, settings, WITH_CARD["survey_response"], "null", {"visit": VISIT})
    folder = settings.lake / "ods" / "survey_response" / "source=desk" / "ds=2026-01-05"
    con.execute(f"copy (select 1 as response_id) to '{folder / 'a.parquet'}' (format parquet)")
    con.execute(
        "insert into ops.lake_file values ('a', 'desk', 'survey_response', '2026-01-05', 'a.parquet', 1, 1, '')"
    )
    hold_own_columns(con, settings, WITH_VISIT)
    assert list(noted(settings)[-1]) == ["visit"]


def test_one_value_in_one_of_many_files_keeps_the_column(con: duckdb.DuckDBPyConnection, settings: Settings) -> None:
    deliver(con, settings, WITH_CARD["survey_response"], "null")
    folder = settings.lake / "ods" / "survey_response" / "source=desk" / "ds=2026-01-05"
    con.execute(f"copy (from (values ('x'), (null)) t(card)) to '{folder / 'c.parquet'}' (format parquet)")
    con.execute(
        "insert into ops.lake_file values ('c', 'desk', 'survey_response', '2026-01-05', 'c.parquet', 2, 1, '')"
    )
    with pytest.raises(OwnColumnGone):
        hold_own_columns(con, settings, SHIPPED)
