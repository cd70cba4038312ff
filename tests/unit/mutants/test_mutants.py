"""The mutation lane changes what it says, and tells a change that a test sees from one that none does."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import mutants
import mutants_server
import pytest
from mutants_listed import files_in, reasons_in
from mutants_map import Map, files_of_tests
from mutants_sites import changes
from support import REPOSITORY

STATES = "onedata/ledger/states.py"
MOVES = "tests/unit/ledger/test_ledger_moves.py"


def changed(text: str) -> set[str]:
    return {text[: change.start] + change.becomes + text[change.end :] for change in changes(text)}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("x = a < b", {"x = a <= b"}),
        ("x = a not in b", {"x = a in b"}),
        ("x = (a) and b or c", {"x = (a) or b or c", "x = (a) and b and c"}),
        ("x = not a", {"x = a"}),
        ("x = a + 1", {"x = a - 1", "x = a + 2"}),
        ("x = True", {"x = False"}),
        ("if a:\n    f(b)", {"if False:\n    f(b)", "if True:\n    f(b)", "if a:\n    pass"}),
        ("x = [a for a in b if c]", {"x = [a for a in b if True]"}),
        ("with f(a):\n    b", {"if True:\n    b"}),
        ("x = max(a)", {"x = min(a)"}),
        ("x = a.startswith(b)", {"x = a.endswith(b)"}),
        ("raise f(a)", {"pass"}),
        ("a.b = c", {"pass"}),
        ("def f() -> int | None:\n    return a", {"def f() -> int | None:\n    return None"}),
        ("é = 'ü'; x = a > b", {"é = 'ü'; x = a >= b"}),
        (
            "x = 'select a from b where c > 0'",
            {f"x = 'select a from b where c {end}'" for end in (">= 0", "> 1", "> -1")},
        ),
        ("x = f'update b set c = {d} where e = ?'", {"x = f'update b set c = {d} where e <> ?'"}),
    ],
)
def test_one_operator_condition_or_statement_is_changed(text: str, expected: set[str]) -> None:
    assert changed(text) == expected


@pytest.mark.parametrize(
    "text",
    [
        '"""Whoever reads > 1 of this: and, or."""',
        "x: int | None",
        "def f(a: list[int] | None) -> int:\n    return a",
        "x = row[0]",
        "assert row is not None",
        "x = 'the file is not there, and 3 others'",
        "x = \"create table if not exists t (a integer not null); comment on table t is 'a'\"",
        "x = zip(a, b, strict=True)",
    ],
)
def test_what_is_no_operator_stays(text: str) -> None:
    assert changed(text) == set()


def test_a_change_is_known_by_its_line_and_its_number_among_equal_ones() -> None:
    found = mutants.mutants_of(STATES)
    lines = (REPOSITORY / STATES).read_text(encoding="utf-8").splitlines()
    assert all(lines[mutant.line - 1].strip() == mutant.text for mutant in found)
    assert len({mutant.key for mutant in found}) == len(found) > 5


def test_what_is_listed_as_equivalent_is_a_change_of_today() -> None:
    found = [mutant for file in sorted(files_in(mutants.LISTED)) for mutant in mutants.mutants_of(file)]
    assert reasons_in(mutants.LISTED, found)


def test_an_entry_that_fits_no_change_is_refused(tmp_path: Path) -> None:
    listed = tmp_path / "listed.yaml"
    listed.write_text(
        json.dumps([{"file": STATES, "reason": "none", "mutants": [{"line": "x = 1", "change": "1 -> 2"}]}])
    )
    with pytest.raises(ValueError, match="fits 0 mutants"):
        reasons_in(listed, mutants.mutants_of(STATES))


def test_a_mutant_is_judged_by_the_tests_that_run_its_line(tmp_path: Path) -> None:
    known = Map(tmp_path / "map.json")
    here = f"{MOVES}::here"
    tests = {
        here: {"seconds": 2.0, "lines": {STATES: [7, 9]}},
        f"{MOVES}::quick": {"seconds": 1.0, "lines": {STATES: [9]}},
        f"{MOVES}::other": {"seconds": 1.0, "lines": {STATES: [8]}},
    }
    known.files = {file: {"tests": {}} for file in files_of_tests([STATES])}
    known.files[MOVES] = {"tests": tests}
    assert known.judges(STATES, range(9, 10)) == [(f"{MOVES}::quick", 1.0), (here, 2.0)]
    assert known.judges(STATES, range(7, 9)) == [(f"{MOVES}::other", 1.0), (here, 2.0)]
    # Of a line that only imports run, every test of the module judges.
    assert len(known.judges(STATES, range(1, 2))) == 3


def test_a_mutant_is_killed_by_a_test_that_sees_it_and_survives_one_that_does_not() -> None:
    text = (REPOSITORY / STATES).read_text(encoding="utf-8")
    start = text.index('"staged"')
    mutant = {"file": STATES, "start": start, "end": start + 8, "becomes": '"begun"', "seconds": 100}
    asked = [
        mutant | {"tests": [f"{MOVES}::test_the_states_are_those_of_the_table"]},
        mutant | {"tests": [f"{MOVES}::test_removing_nothing_removes_nothing"], "becomes": '"staged" '},
    ]
    lines = "\n".join(["[]", *map(json.dumps, asked)]) + "\n"
    done = subprocess.run(
        [sys.executable, mutants_server.__file__], input=lines, capture_output=True, text=True, check=True
    )
    verdicts = [json.loads(line) for line in done.stdout.splitlines()]
    assert [(item["verdict"], item["test"].partition("::")[2]) for item in verdicts] == [
        ("killed", "test_the_states_are_those_of_the_table"),
        ("survived", ""),
    ]
    assert (REPOSITORY / STATES).read_text(encoding="utf-8") == text
