"""A contract that changes while it has rows: what lands, what the gate reports, what is stored."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from small_retailer import ANSWERS, NEXT, NIGHT, SmallRetailer, canonical, contract, write_contracts

from onedata.contracts import load_feeds
from onedata.quality.gates import contract_gate

Retail = Callable[..., SmallRetailer]
ROW = "r1,o1,5,fine,2026-01-05T10:00:00"
NEXT_ROW = "r2,o2,4,good,2026-01-06T10:00:00"
DROPPED = ANSWERS[:-1]
TITLED = [*ANSWERS, {"name": "title", "physicalName": "note"}]


def under(world: SmallRetailer, properties: Any, version: str) -> SmallRetailer:
    """The same retailer after its contract was edited."""
    content = contract(properties=properties) | {"version": version}
    feeds = load_feeds(write_contracts(world.settings.contracts, content), canonical())
    return replace(world, retailer=replace(world.retailer, feeds=feeds))


def contracts(world: SmallRetailer) -> list[Any]:
    return world.con.execute("select version from ops.contract order by last_used_at desc").fetchall()


@pytest.fixture
def landed(retail: Retail) -> SmallRetailer:
    """A night has landed under 1.0.0, and the next one is delivered."""
    world = retail(contract())
    world.csv(ROW)
    assert world.take().counts == (1, 1, 0, 0)
    world.csv(NEXT_ROW, night=NEXT)
    return world


def test_the_contract_that_rows_landed_by_is_remembered(landed: SmallRetailer) -> None:
    assert contracts(landed) == [("1.0.0",)]


def test_a_refused_change_closes_the_gate_with_the_difference_and_lands_nothing(landed: SmallRetailer) -> None:
    taken = under(landed, DROPPED, "1.1.0").take(NEXT)
    assert list(taken.closed) == ["contract_version"]
    assert "breaking: column answered_at: from answered -> dropped" in taken.closed["contract_version"]
    assert taken.landed.files == 0
    assert [result.rule for result in taken.results] == [
        "contract_version"
    ]  # nothing else can be said of files that were not looked at
    assert [path for path, *_ in landed.files()] == [f"survey/{NIGHT}.csv"]
    assert contracts(landed) == [("1.0.0",)]


def test_after_a_refusal_the_mended_contract_lands_what_waited(landed: SmallRetailer) -> None:
    under(landed, DROPPED, "1.1.0").take(NEXT)
    taken = under(landed, ANSWERS, "1.0.0").take(NEXT)
    assert (taken.counts, taken.closed, taken.warned) == ((1, 1, 0, 0), {}, {})


def test_with_a_new_major_version_it_lands_and_the_night_is_told_once(landed: SmallRetailer) -> None:
    changed = under(landed, DROPPED, "2.0.0")
    taken = changed.take(NEXT)
    assert taken.counts == (1, 1, 0, 0)
    assert "it is NULL in rows that land from now on" in taken.warned["contract_version"]
    assert contracts(landed) == [("2.0.0",), ("1.0.0",)]
    assert changed.rows("response_id, answered_at is null") == [("r1", False), ("r2", True)]
    assert "contract_version" not in changed.take(NEXT).warned


def test_a_contract_under_which_nothing_has_landed_yet_may_still_change(landed: SmallRetailer) -> None:
    waiting = under(landed, TITLED, "1.1.0")
    landed.put(f"survey/{NEXT}.csv", "")
    assert waiting.take(NEXT).closed.keys() == {"readable_files"}
    assert contracts(landed) == [("1.0.0",)]


@pytest.mark.parametrize(("required", "closed"), [(False, []), (True, [("title_required", "1")])])
def test_rows_that_were_staged_before_a_column_was_mapped_are_judged_without_it(
    landed: SmallRetailer, required: bool, closed: list[tuple[str, str]]
) -> None:
    # The file holds the columns that were mapped when it was written.
    landed.land(NEXT)
    feed = under(landed, [*TITLED[:-1], {**TITLED[-1], "required": required}], "1.1.0").feed()
    results = contract_gate(landed.con, landed.gatekeeper, landed.settings, feed, NEXT)
    assert [(result.rule, result.observed) for result in results if result.blocks] == closed


def test_rows_that_landed_before_and_after_a_column_was_mapped_are_compared(landed: SmallRetailer) -> None:
    titled = under(landed, TITLED, "1.1.0")
    landed.csv(ROW, "r3,o3,4,good,2026-01-06T10:00:00", night=NEXT)
    # r1 says more than it did: a new version, not a duplicate.
    assert titled.take(NEXT).counts == (2, 2, 0, 0)
    assert titled.rows("response_id, title", order="_arrived_at, response_id") == [
        ("r1", None),
        ("r1", "fine"),
        ("r3", "good"),
    ]
    landed.csv("r3,o3,4,good,2026-01-06T10:00:00", night=NEXT.replace(day=7))
    assert titled.take(NEXT.replace(day=7)).counts == (1, 0, 0, 1)


def test_two_versions_that_alternate_land_each_and_stay_two(landed: SmallRetailer) -> None:
    assert under(landed, TITLED, "1.1.0").take(NEXT).closed == {}
    for day, (properties, version) in enumerate([(ANSWERS, "1.0.0"), (TITLED, "1.1.0"), (ANSWERS, "1.0.0")], 7):
        landed.put(
            f"survey/2026-01-0{day}.csv", f"id,order,score,note,answered\nr{day},o1,5,fine,2026-01-05T10:00:00\n"
        )
        taken = under(landed, properties, version).take(NEXT.replace(day=day))
        assert (taken.counts, taken.closed) == ((1, 1, 0, 0), {})
        assert "goes back to a contract that was used before" in taken.warned["contract_version"]
    assert contracts(landed) == [("1.0.0",), ("1.1.0",)]


def test_another_feed_is_not_stopped(retail: Retail) -> None:
    world = retail(contract(), contract("other", path="other/{ds}.csv"))
    world.csv(ROW)
    assert world.take(name="survey").closed == {}
    feeds = load_feeds(write_contracts(world.settings.contracts, contract(properties=DROPPED)), canonical())
    changed = replace(world, retailer=replace(world.retailer, feeds=feeds))
    changed.put(f"other/{NIGHT}.csv", f"id,order,score,note,answered\n{ROW}\n")
    assert changed.take(name="survey").closed.keys() == {"contract_version"}
    assert changed.take(name="other").counts == (1, 1, 0, 0)
