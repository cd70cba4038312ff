"""A rule has one wording: on its feed's page, at the gate, in Data Docs and as a quarantine reason."""

from __future__ import annotations

from typing import Any

import pytest
from small_retailer import ANSWERS, NIGHT, contract

from onedata.contracts.rules import parse_rules
from onedata.contracts.words import asserted, in_words
from onedata.pages.data_docs import build_data_docs
from onedata.pages.feeds import feed_pages
from onedata.quality import record

VALUES = {"metric": "invalidValues", "arguments": {"validValues": ["fine", "poor"]}, "mustBe": 0}
QUERY = "select order_id from {object} group by order_id having count(*) > 9"
RULES = [
    ({"metric": "nullValues", "column": "a", "mustBe": 0}, "a not empty"),
    ({"metric": "nullValues", "column": "a", "mustBeLessThan": 6}, "a not empty, but for at most 5 rows"),
    ({"metric": "nullValues", "column": "a", "mustBeLessOrEqualTo": 1}, "a not empty, but for at most 1 row"),
    ({"metric": "duplicateValues", "arguments": {"properties": ["a", "b"]}, "mustBe": 0}, "a, b unique"),
    (
        {"metric": "invalidValues", "column": "a", "arguments": {"minimum": 1, "maximum": 5}, "mustBe": 0},
        "a at least `1`, at most `5`",
    ),
    ({"metric": "invalidValues", "column": "a", "arguments": {"pattern": "^x$"}, "mustBe": 0}, "a matches `^x$`"),
    (VALUES | {"column": "a"}, "a one of fine, poor"),
    ({"metric": "rowCount", "mustBeGreaterThan": 0}, "at least 1 row"),
    ({"metric": "rowCount", "mustBe": 3}, "3 rows"),
    ({"metric": "rowCount", "mustBeBetween": [1, 3]}, "1 to 3 rows"),
    ({"type": "sql", "query": "select\n  a from {object}", "mustBe": 0}, "no row of `select a from {object}`"),
    ({"metric": "nullValues", "column": "a", "mustBe": 0, "description": "Every a is known."}, "Every a is known."),
]


@pytest.mark.parametrize(("content", "words"), RULES)
def test_a_rule_in_words(content: dict[str, Any], words: str) -> None:
    (rule,) = parse_rules([content], "here")
    assert in_words(rule, code=True) == words
    assert in_words(rule) == words.replace("`", "")
    assert asserted(rule) == words.replace("`", "").removeprefix("a, b ").removeprefix("a ")


def test_page_gate_data_docs_and_quarantine_say_the_same(retail: Any) -> None:
    survey = retail(
        contract(
            properties=[item | ({"quality": [VALUES]} if item["name"] == "comment" else {}) for item in ANSWERS],
            quality=[
                {"metric": "rowCount", "mustBeGreaterThan": 2, "severity": "warning"},
                {"metric": "duplicateValues", "arguments": {"properties": ["order_id"]}, "mustBe": 0},
                {"type": "sql", "name": "few_answers", "query": QUERY, "mustBe": 0},
            ],
            quarantineTolerance=1,
        )
    )
    survey.csv("A1,O1,9,fine,", "A2,O2,5,other,", "A3,O3,5,fine,", "A4,O3,4,fine,")
    taken = survey.take()

    page = feed_pages(survey.retailer.feeds)["survey.md"].replace("`", "")
    for words in (
        "at least 1, at most 5",
        "one of fine, poor",
        "at least 3 rows",
        "order_id unique",
        f"no row of {QUERY}",
    ):
        assert f"| {words} |" in page

    said = {result.rule: result.description for result in taken.results}
    assert said["satisfaction_in_range"] == "satisfaction at least 1, at most 5"
    assert said["comment_invalidValues"] == "comment one of fine, poor"
    assert said["rowCount"] == "at least 3 rows"
    # The gate judges the keys of each delivery by itself.
    assert said["order_id_duplicateValues"] == "order_id unique in a delivery"
    assert said["few_answers"] == f"no row of {QUERY}"
    assert taken.closed["order_id_duplicateValues"].startswith("order_id unique in a delivery: 1 rows break it")
    assert taken.warned == {"rowCount": "2 rows; at least 3 expected"}

    reasons = [reason for (reason,) in survey.quarantine("reason")]
    assert reasons[0].endswith("(at least 1, at most 5)")
    assert reasons[1].endswith("(one of fine, poor)")

    record(survey.con, "r1", NIGHT, taken.results)
    docs = build_data_docs(survey.con, survey.settings.home / "docs", 1).parent / str(NIGHT) / "contract.html"
    text = " ".join(docs.read_text(encoding="utf-8").replace("&gt;", ">").split())
    for rule in (
        "satisfaction_in_range",
        "comment_invalidValues",
        "rowCount",
        "order_id_duplicateValues",
        "few_answers",
    ):
        assert f"{rule}: {said[rule]}" in text
