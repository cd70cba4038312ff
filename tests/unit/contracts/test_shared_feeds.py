"""Feeds that may contradict one another are found by their contracts."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from small_retailer import canonical, contract, write_contracts

from onedata.contracts import load_feeds
from onedata.contracts.shared import undecided_feeds

KEY = ("response_id", "order_id")


def survey(name: str, *columns: str, **feed: Any) -> dict[str, Any]:
    properties = [{"name": column, "physicalName": column} for column in (*KEY, *columns)]
    return contract(name, properties=properties, path=f"{name}/{{ds}}.csv", **feed)


def undecided(folder: Path, *contracts: dict[str, Any]) -> list[tuple[str, str, list[str]]]:
    return undecided_feeds(load_feeds(write_contracts(folder, *contracts), canonical()))


def test_feeds_that_map_the_same_column_are_named(tmp_path: Path) -> None:
    found = undecided(tmp_path, survey("a", "channel"), survey("b", "channel"), survey("c", "comment"))
    assert found == [("survey_response", "desk", ["a", "b"])]


def test_a_priority_decides(tmp_path: Path) -> None:
    assert undecided(tmp_path, survey("a", "channel"), survey("b", "channel", priority=1)) == []


def test_the_key_alone_contradicts_nothing(tmp_path: Path) -> None:
    assert undecided(tmp_path, survey("a", "channel"), survey("b", "comment")) == []


def test_feeds_of_two_systems_are_apart(tmp_path: Path) -> None:
    assert undecided(tmp_path, survey("a", "channel"), survey("b", "channel") | {"dataProduct": "other"}) == []
