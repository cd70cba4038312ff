"""A retailer's own column or entity that rows of the lake have does not vanish without a word."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path

import duckdb
import pytest
from small_retailer import canonical

from onedata.contracts import Column, Entity
from onedata.contracts.derive import lake_columns
from onedata.ledger import create_ledger
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


def deliver(con: duckdb.DuckDBPyConnection, settings: Settings, entity: Entity, card: str) -> None:
    """One row; `card` is SQL."""
    hold_own_columns(con, settings, {entity.name: entity})
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
            r"column card of survey_response any more, and rows of the lake have it: put it",
        ),
        (WITH_VISIT, "visit", "entity visit any more, and the lake has rows of it: put its file back into .*canonical"),
    ],
)
def test_what_rows_have_is_not_given_up(
    con: duckdb.DuckDBPyConnection, settings: Settings, before: Mapping[str, Entity], entity: str, message: str
) -> None:
    deliver(con, settings, before[entity], "'x'")
    with pytest.raises(OwnColumnGone, match=message):
        hold_own_columns(con, settings, SHIPPED)
    with pytest.raises(OwnColumnGone):  # the refusal is not forgotten
        hold_own_columns(con, settings, SHIPPED)
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
