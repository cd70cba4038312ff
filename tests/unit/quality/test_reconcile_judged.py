"""What is recorded of a balance, and how it is judged and shown: on balances written by hand."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from decimal import Decimal
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import duckdb
import pytest
from small_retailer import NEXT, NIGHT, canonical, settings_in

from onedata.ledger import create_ledger
from onedata.quality import CheckResult
from onedata.quality.reconcile import (
    MOST_SHOWN,
    Scope,
    create_reconciliation,
    drawn,
    figure,
    reconcile,
    reconciled_models,
)

Balance = tuple[str, str, date | None, str | None, str, str, str, str, str]
"""Model, subject, night, file, measure, unit, in, out, excluded (SQL of a map)."""
NOTHING = "map {}"


@pytest.fixture
def con() -> Iterator[duckdb.DuckDBPyConnection]:
    with duckdb.connect() as opened:
        create_ledger(opened)
        create_reconciliation(opened)
        yield opened


def scope(**changed: Any) -> Scope:
    return Scope(**({"settings": settings_in(Path("nowhere")), "feeds": (), "entities": {}, "manifest": {}} | changed))


def sql(balance: Balance) -> str:
    model, subject, ds, path, measure, unit, total_in, total_out, excluded = balance
    night = f"date '{ds}'" if ds else "null::date"
    file = f"'{path}'" if path else "null::varchar"
    return (
        f"select 'dws' as layer, '{model}' as model, '{subject}' as subject, {night} as ds, {file} as path, "
        f"'{measure}' as measure, '{unit}' as unit, {total_in}::decimal(38, 4) as total_in, "
        f"{total_out}::decimal(38, 4) as total_out, {excluded}::map(varchar, decimal(38, 4)) as excluded"
    )


def judged(
    con: duckdb.DuckDBPyConnection, monkeypatch: pytest.MonkeyPatch, *balances: Balance, run: str = "r"
) -> dict[str, list[CheckResult]]:
    monkeypatch.setattr("onedata.quality.reconcile._balances", lambda *_: [sql(one) for one in balances])
    return reconcile(con, scope(), "dws", NEXT, run)


CLOSED: Balance = ("m", "s", NIGHT, "b.csv", "rows", "rows", "5", "3", "map {'quarantined': 2}")
OPEN: Balance = ("m", "s", NIGHT, "a.csv", "rows", "rows", "10", "7", "map {'quarantined': 1, 'duplicate': 1}")
CENT: Balance = ("m", "s", NIGHT, None, "amount", "CNY", "1000.50", "1000.51", NOTHING)


def test_balances_that_close_are_told_by_their_number(
    con: duckdb.DuckDBPyConnection, monkeypatch: pytest.MonkeyPatch
) -> None:
    money: Balance = ("m", "s", None, None, "amount", "CNY", "0.01", "0.01", NOTHING)
    found = judged(con, monkeypatch, CLOSED, CLOSED, money, ("n", "t", *CLOSED[2:]))
    assert found == {
        "m": [
            CheckResult("dws", "s", "rows_reconciled", "error", True, "", "2 balances close"),
            CheckResult("dws", "s", "money_reconciled", "error", True, "", "1 balances close"),
        ],
        "n": [CheckResult("dws", "t", "rows_reconciled", "error", True, "", "1 balances close")],
    }
    recorded = con.execute("select distinct run_id, night, difference from ops.reconciliation").fetchall()
    assert recorded == [("r", NEXT, 0)]


def test_a_balance_that_does_not_close_is_told_with_its_place_and_parts(
    con: duckdb.DuckDBPyConnection, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = judged(con, monkeypatch, CLOSED, OPEN, CENT)["m"]
    assert [(one.rule, one.passed, one.blocks, one.observed) for one in found] == [
        ("rows_reconciled", False, True, "1"),
        ("money_reconciled", False, True, "-0.01"),
    ]
    assert [one.message for one in found] == [
        "layer dws, night 2026-01-06: rows in a.csv for 2026-01-05: 10 in, 7 out, 1 quarantined, 1 duplicate excluded: "
        "difference 1",
        "layer dws, night 2026-01-06: amount CNY for 2026-01-05: 1,000.50 in, 1,000.51 out, nothing excluded: "
        "difference -0.01",
    ]


def test_the_three_largest_differences_are_told_whatever_their_sign(
    con: duckdb.DuckDBPyConnection, monkeypatch: pytest.MonkeyPatch
) -> None:
    balances = [("m", "s", NIGHT, f"{out}.csv", "rows", "rows", "10", out, NOTHING) for out in ("9", "14", "7", "8")]
    (found,) = judged(con, monkeypatch, *balances)["m"]
    assert found.observed == "-4"
    assert [part.partition(" in ")[2].partition(" for ")[0] for part in found.message.split("; ")] == [
        "14.csv",
        "7.csv",
        "8.csv",
    ]


def test_each_run_is_judged_by_its_own_balances(
    con: duckdb.DuckDBPyConnection, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert not judged(con, monkeypatch, OPEN)["m"][0].passed
    assert judged(con, monkeypatch, CLOSED, run="later")["m"][0].passed


def test_balances_of_a_layer_are_recorded_all_or_none(
    con: duckdb.DuckDBPyConnection, monkeypatch: pytest.MonkeyPatch
) -> None:
    queries = [sql(CLOSED), "select 1 from no_such_table"]
    monkeypatch.setattr("onedata.quality.reconcile._balances", lambda *_: queries)
    with pytest.raises(duckdb.Error):
        reconcile(con, scope(), "dws", NEXT, "r")
    assert con.execute("select count(*) from ops.reconciliation").fetchone() == (0,)


def test_a_person_is_shown_what_does_not_close_first(
    con: duckdb.DuckDBPyConnection, monkeypatch: pytest.MonkeyPatch
) -> None:
    def of(subject: str, ds: date, out: str) -> Balance:
        return ("m", subject, ds, None, "rows", "rows", "10", out, NOTHING)

    other: Balance = ("n", *OPEN[1:])
    judged(con, monkeypatch, OPEN, run="earlier")
    judged(
        con, monkeypatch, of("b", NIGHT, "10"), of("a", NIGHT, "10"), of("a", NEXT, "10"), of("c", NIGHT, "13"), other
    )
    assert drawn(con, "m", "r") == [
        ("c", NIGHT, None, "rows", "rows", "10", "13", "nothing", "-3"),
        ("a", NEXT, None, "rows", "rows", "10", "10", "nothing", "0"),
        ("a", NIGHT, None, "rows", "rows", "10", "10", "nothing", "0"),
        ("b", NIGHT, None, "rows", "rows", "10", "10", "nothing", "0"),
    ]
    judged(con, monkeypatch, *[of(str(number), NIGHT, "10") for number in range(45)], run="many")
    assert len(drawn(con, "m", "many")) == MOST_SHOWN == 40


@pytest.mark.parametrize(
    ("amount", "text"),
    [("0", "0"), ("1234", "1,234"), ("-0.5", "-0.50"), ("0.0001", "0.0001"), ("100", "100"), ("10.1050", "10.1050")],
)
def test_a_count_is_whole_and_money_has_two_decimals_or_four(amount: str, text: str) -> None:
    assert figure(Decimal(amount)) == text


def test_the_models_of_a_layer_are_those_that_balances_are_drawn_at() -> None:
    feeds = [SimpleNamespace(entity=canonical()[name]) for name in ("survey_response", "payment", "payment")]
    assert reconciled_models(scope(feeds=feeds), "ods") == ["ods_payment", "ods_survey_response"]
    assert reconciled_models(scope(), "ads") == ["ads_channel_day", "ads_customer_360", "ads_kpi"]
    manifest = {"nodes": {}}
    assert (
        reconciled_models(scope(manifest=manifest), "dim") == reconciled_models(scope(manifest=manifest), "dwd") == []
    )


def test_the_models_of_a_layer_are_in_the_order_of_their_names(monkeypatch: pytest.MonkeyPatch) -> None:
    feeds = [SimpleNamespace(entity=entity) for entity in canonical().values()]
    assert len(feeds) > 10
    assert reconciled_models(scope(feeds=feeds), "ods") == sorted(f"ods_{name}" for name in canonical())
    names = [f"ads_{letter}" for letter in "ckafbjdhgiec"]
    declared = [SimpleNamespace(model=name) for name in names]
    monkeypatch.setattr("onedata.quality.reconcile.declared_balances", lambda _: declared)
    assert reconciled_models(scope(), "ads") == [f"ads_{letter}" for letter in "abcdefghijk"]
