"""The words of a reason: what the pass over all rows collects, and what is made of it. Worked out by hand."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from pathlib import Path

import duckdb
import pytest
from small_retailer import SmallRetailer, contract

from onedata.contracts import load_entities, load_feeds
from onedata.landing.reasons import Check, causes_sql, reason_sql
from onedata.landing.rows import typed_rows
from onedata.masking import CARD, E_MAIL, PHONE
from onedata.readers import SourceFile
from onedata.readers.base import Part

CONTRACTS = Path(__file__).parents[3] / "data_contracts"
CHECKS = [
    Check("x_type", "starts_with(x, 'bad')", "x: ", "x", " is not a whole number"),
    Check("x_long", "length(x) > 9", "x: its value", None, " is 'too' \"long\""),
    Check("x_known", "contains(lower(x), 'paid')", "x: ", "x", " is wrong", ("Bad Paid",)),
    Check("x_required", "x is null", "x: ", "x", " is required"),
]


@pytest.mark.parametrize(
    ("value", "unparsed", "reason"),
    [
        ("bad", None, 'x: "aaa" is not a whole number'),
        ("Bad paid", None, 'x: "Bad paid" is wrong'),
        ("paid Ann", None, 'x: "aaaa Aaa" is wrong'),
        ('bad "é"\\x01{},', None, 'x: "aaa "a"\\a99{}," is not a whole number; x: its value is \'too\' "long"'),
        ("bad ann@shop.example", None, f"x: {E_MAIL} is not a whole number; x: its value is 'too' \"long\""),
        (None, None, "x: nothing is required"),
        ("bad", "near ann@shop.example", f"near {E_MAIL}"),
        ("good", None, ""),
    ],
)
def test_a_reason_says_every_rule_that_is_broken_and_hides_values(
    value: str | None, unparsed: str | None, reason: str
) -> None:
    with duckdb.connect() as con:
        kept = f"json_object('unparsed', u, 'causes', {causes_sql(CHECKS)})::varchar"
        sql = f"select {reason_sql('kept')} from (select {kept} as kept from (select ?::varchar as x, ?::varchar as u))"
        assert con.execute(sql, [value, unparsed]).fetchall() == [(reason,)]


def test_a_row_without_checks_has_no_reason() -> None:
    with duckdb.connect() as con:
        kept = f"json_object('unparsed', null, 'causes', {causes_sql([])})::varchar"
        assert con.execute(f"select {reason_sql(kept)}").fetchall() == [("",)]


def test_the_pass_over_all_rows_makes_no_words(tmp_path: Path) -> None:
    # An invalid row in a vector made DuckDB compile the patterns of masking for it: as dear as its 2,000 rows.
    feed = load_feeds(CONTRACTS, load_entities(CONTRACTS / "canonical"))[0]
    file = SourceFile(1, tmp_path / "rows.csv", "rows.csv", date(2026, 1, 5), 0, 0, "1")
    sql = typed_rows(feed, Part(file, "select 1 as _row", broken="'broken'"))
    assert not any(label in sql for label in (E_MAIL, PHONE, CARD))


@pytest.mark.parametrize(
    ("record", "reason"),
    [
        ("A1,O1", "missing columns: 2 fields where 5 are expected; is it cut off?"),
        (
            "A1,O1,5,a,b,c,d",
            "too many columns: more fields than the 5 expected; does a value hold a delimiter and no quotes?",
        ),
        (
            'A1,O1,5,"Tea"x,',
            "unquoted value: a value begins with a quote and does not end with one before the next delimiter",
        ),
    ],
)
def test_a_record_that_duckdb_rejects_is_told_in_a_sentence(
    retail: Callable[..., SmallRetailer], record: str, reason: str
) -> None:
    survey = retail(contract(quarantineTolerance=1))
    survey.csv(record, "A2,O2,5,fine,")
    survey.take()
    assert survey.quarantine("reason") == [(reason,)]
