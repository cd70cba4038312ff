"""Every kind of rule passes on valid rows and fails on invalid ones, with their count and a sample."""

from __future__ import annotations

from typing import Any

import duckdb
import pytest

from onedata.contracts.model import Rule
from onedata.contracts.rules import parse_rules
from onedata.quality.gx import CheckError, Gatekeeper, Subject
from onedata.quality.results import CheckResult

GOOD = [("A", 1, "x@y"), ("B", 2, "x@z"), ("C", None, None)]


@pytest.fixture(scope="module")
def keeper() -> Gatekeeper:
    """One gatekeeper for the module: making it costs more than all its checks."""
    return Gatekeeper(duckdb.connect())


def check(
    keeper: Gatekeeper, rows: list[tuple[Any, ...]], *items: dict[str, Any], column: str | None = None
) -> list[CheckResult]:
    con = keeper.con
    con.execute(
        "create schema if not exists dwd; create or replace table dwd.thing (id varchar, n integer, mail varchar)"
    )
    if rows:
        con.executemany("insert into dwd.thing values (?, ?, ?)", [list(row) for row in rows])
    return keeper.check("dwd", "thing", "dwd.thing", parse_rules(items, "thing.yml", column))


CASES = [
    ({"metric": "nullValues", "column": "id", "mustBe": 0}, (None, 1, None), "1", "id=None, n=1"),
    ({"metric": "nullValues", "columns": ["id", "n"], "mustBe": 0}, None, "1", "id=C, n=None"),
    (
        {"metric": "invalidValues", "column": "id", "arguments": {"validValues": ["A", "B", "C"]}, "mustBe": 0},
        ("D", 1, None),
        "1",
        "id=D",
    ),
    (
        {"metric": "invalidValues", "column": "n", "arguments": {"validValues": [1, 2]}, "mustBe": 0},
        ("D", 3, None),
        "1",
        "n=3",
    ),
    ({"metric": "invalidValues", "column": "n", "arguments": {"minimum": 1}, "mustBe": 0}, ("D", 0, None), "1", "n=0"),
    ({"metric": "invalidValues", "column": "n", "arguments": {"maximum": 2}, "mustBe": 0}, ("D", 3, None), "1", "n=3"),
    (
        {"metric": "invalidValues", "column": "n", "arguments": {"minimum": 1, "maximum": 2}, "mustBe": 0},
        ("D", -1, None),
        "1",
        "n=-1",
    ),
    (
        {"metric": "invalidValues", "column": "mail", "arguments": {"pattern": "^[^@]+@[a-z]{1,3}$"}, "mustBe": 0},
        ("D", 1, "x"),
        "1",
        "mail=x",
    ),
    (
        {"metric": "invalidValues", "column": "n", "arguments": {"minimum": 1, "validValues": [1, 2]}, "mustBe": 0},
        ("D", 3, None),
        "1",
        "n=3",
    ),
    ({"metric": "duplicateValues", "column": "id", "mustBe": 0}, ("A", 9, None), "1", "id=A, copies=2"),
    (
        {"metric": "duplicateValues", "arguments": {"properties": ["id", "n"]}, "mustBe": 0},
        ("A", 1, None),
        "1",
        "id=A, n=1, copies=2",
    ),
    ({"metric": "rowCount", "mustBe": 3}, ("D", 1, None), "4", "4 rows; 3 expected"),
    ({"metric": "rowCount", "mustBeLessThan": 4}, ("D", 1, None), "4", "4 rows"),
    ({"metric": "rowCount", "mustBeBetween": [1, 3]}, ("D", 1, None), "4", "4 rows; 1 to 3 expected"),
    ({"type": "sql", "query": "select id from {object} t where t.n > 2", "mustBe": 0}, ("D", 3, None), "1", "id=D"),
    (
        {"type": "sql", "query": "select id from {object} where regexp_matches(id, '^[A-Z][0-9]$')", "mustBe": 0},
        ("D2", 3, None),
        "1",
        "id=D2",
    ),
]


@pytest.mark.parametrize(("rule", "bad", "observed", "sample"), CASES)
def test_a_rule_passes_on_good_rows_and_fails_on_a_bad_one(
    keeper: Gatekeeper, rule: dict[str, Any], bad: tuple[Any, ...] | None, observed: str, sample: str
) -> None:
    good = [row for row in GOOD if bad is not None or None not in row[:2]]
    assert [result.passed for result in check(keeper, good, rule)] == [True]
    (result,) = check(keeper, [*GOOD, *([bad] if bad else [])], rule)
    assert (result.passed, result.blocks, result.observed) == (False, True, observed)
    assert sample in result.message


def test_too_few_rows_fail(keeper: Gatekeeper) -> None:
    (result,) = check(keeper, [], {"metric": "rowCount", "mustBeGreaterThan": 0})
    assert (result.passed, result.observed, result.message) == (False, "0", "0 rows; at least 1 expected")


def test_an_empty_table_breaks_no_row_rule(keeper: Gatekeeper) -> None:
    rules = [rule for rule, *_ in CASES if rule.get("metric") != "rowCount"]
    assert [result.passed for result in check(keeper, [], *rules)] == [True] * len(rules)


def test_a_missing_value_breaks_no_value_rule(keeper: Gatekeeper) -> None:
    rules = [rule for rule, *_ in CASES if rule.get("metric") in ("invalidValues", "duplicateValues")]
    rows = [(None, None, None), (None, None, None)]
    assert [result.passed for result in check(keeper, rows, *rules)] == [True] * len(rules)


def test_the_count_is_of_all_bad_rows_and_the_sample_of_the_first(keeper: Gatekeeper) -> None:
    (result,) = check(
        keeper,
        [("A", -n, None) for n in range(1, 41)],
        {"metric": "invalidValues", "column": "n", "arguments": {"minimum": 0}, "mustBe": 0},
    )
    assert result.observed == "40"
    assert "40 rows break it" in result.message
    assert result.message.count("n=-") == 5


def test_a_warning_fails_and_does_not_block(keeper: Gatekeeper) -> None:
    (result,) = check(keeper, [], {"metric": "rowCount", "mustBeGreaterThan": 0, "severity": "warning"})
    assert (result.passed, result.blocks, result.severity) == (False, False, "warning")


def test_rules_of_one_suite_are_told_apart(keeper: Gatekeeper) -> None:
    rules = [
        {"metric": "nullValues", "column": "id", "mustBe": 0, "name": f"r{n}", "severity": "warning"} for n in range(3)
    ]
    rules.append({"metric": "rowCount", "mustBe": 3, "name": "r3"})
    results = check(keeper, [("A", 1, None), (None, 1, None)], *rules)
    assert [(result.rule, result.passed) for result in results] == [
        ("r0", False),
        ("r1", False),
        ("r2", False),
        ("r3", False),
    ]


def test_the_rules_own_words_are_used(keeper: Gatekeeper) -> None:
    rule = {"metric": "nullValues", "column": "id", "mustBe": 0, "description": "everything has an id"}
    assert check(keeper, [(None, 1, None)], rule)[0].message.startswith("everything has an id: 1 rows break it")


@pytest.mark.parametrize(
    "rule",
    [
        Rule("broken", "nullValues", ("nowhere",), {}, 0, 0),
        Rule("broken", "duplicateValues", ("nowhere",), {}, 0, 0),
        Rule("broken", "invalidValues", ("nowhere",), {"minimum": 1}, 0, 0),
        Rule("broken", "invalidValues", ("nowhere",), {"pattern": "x"}, 0, 0),
        Rule("broken", "sql", (), {"query": "select * from {object} where"}, 0, 0),
        Rule("broken", "sql", (), {"query": "select nowhere from {object}"}, 0, 0),
    ],
)
def test_a_rule_that_cannot_be_evaluated_is_an_error_and_not_bad_data(keeper: Gatekeeper, rule: Rule) -> None:
    check(keeper, GOOD)
    with pytest.raises(CheckError, match="thing, rule broken: "):
        keeper.check("dwd", "thing", "dwd.thing", (rule,))


def test_subjects_that_are_checked_together_have_the_results_of_each_alone(keeper: Gatekeeper) -> None:
    items = ({"metric": "rowCount", "mustBeGreaterThan": 2}, {"metric": "nullValues", "column": "n", "mustBe": 0})
    rules = parse_rules(items, "thing.yml", None)
    check(keeper, [*GOOD, ("D", None, "secret")])
    full, few = "dwd.thing", "(select * from dwd.thing where n = 1)"
    subjects = [Subject("full", full, rules, ("mail",)), Subject("none", full, ()), Subject("few", few, rules)]
    before = keeper.spent.rules
    together = keeper.check_all("dwd", subjects)
    assert keeper.spent.rules == before + 4
    assert [(found.subject, found.passed, found.observed) for found in together] == [
        ("full", True, "4"),
        ("full", False, "2"),
        ("few", False, "1"),
        ("few", True, "0"),
    ]
    assert "secret" not in together[1].message
    assert together == [
        *keeper.check("dwd", "full", full, rules, hidden=("mail",)),
        *keeper.check("dwd", "few", few, rules),
    ]
    assert keeper.check_all("dwd", []) == []


def test_a_rule_that_cannot_be_evaluated_among_several_subjects_names_its_own(keeper: Gatekeeper) -> None:
    check(keeper, GOOD)
    wrong = Rule("broken", "nullValues", ("nowhere",), {}, 0, 0)
    right = Rule("ids", "nullValues", ("id",), {}, 0, 0)
    with pytest.raises(CheckError, match="wrong, rule broken: "):
        keeper.check_all("dwd", [Subject("right", "dwd.thing", [right]), Subject("wrong", "dwd.thing", [wrong])])


def test_a_rule_on_a_table_that_is_not_there_is_an_error(keeper: Gatekeeper) -> None:
    with pytest.raises((CheckError, duckdb.Error)):
        keeper.check("dwd", "gone", "dwd.gone", (Rule("any", "sql", (), {"query": "select * from {object}"}, 0, 0),))


@pytest.mark.parametrize(("bound", "bad_rows", "passes"), [(1, 1, True), (1, 2, False)])
def test_a_bound_above_zero_bears_that_many_bad_rows(
    keeper: Gatekeeper, bound: int, bad_rows: int, passes: bool
) -> None:
    rule = {"metric": "nullValues", "column": "id", "mustBeLessOrEqualTo": bound}
    assert check(keeper, [*GOOD, *[(None, 1, None)] * bad_rows], rule)[0].passed is passes
