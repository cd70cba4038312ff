"""docs/architecture.md names every package, and only files that exist."""

import re

from support import REPOSITORY
from test_layering_code import ORDER

TEXT = (REPOSITORY / "docs" / "architecture.md").read_text(encoding="utf-8")
ROOMS, PLACES = TEXT.split("## Where is it?")


def test_every_file_that_is_named_is_there() -> None:
    named = set(re.findall(r"`((?:onedata|assets|tests|data_contracts)/[\w/.]+)`", TEXT))
    assert len(named) > 15
    assert sorted(name for name in named if not (REPOSITORY / name).exists()) == []


def test_the_rooms_are_those_of_the_order_and_stand_in_it() -> None:
    rows = [row.split("|")[1] for row in ROOMS.splitlines() if row.startswith("| `")]
    rooms = [re.findall(r"`(\w+)`", row) for row in rows]
    assert {room for row in rooms for room in row} == ORDER.keys()
    levels = [max(ORDER[room] for room in row) for row in rooms if row]
    assert levels == sorted(levels)
    assert all(len({ORDER[room] for room in row}) == 1 for row in rooms if row)


def test_the_questions_of_a_newcomer_are_answered() -> None:
    for question in ("delivery changes state", "contract is checked", "reader is added", "gate is, and what closes it"):
        assert question in PLACES
