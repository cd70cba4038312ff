"""Exchange rates land with all their digits, by the shipped contract and from a retailer's own file."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import replace
from datetime import date, timedelta
from decimal import Decimal
from pathlib import Path

import duckdb
import pytest
from small_retailer import NEXT, NIGHT, SmallRetailer, Taken, canonical, identifier_policy, settings_in
from support import REPOSITORY

from onedata.contracts import ContractError, load_entities, load_feeds
from onedata.quality.gx import Gatekeeper
from onedata.retailer import Retailer, prepare_warehouse
from onedata.settings import load_settings
from onedata.sources import SourceMissing

FEED = "finance_exchange_rates"
OWN = "own_exchange_rates"
HEADER = "date,currency,reporting_currency,rate\n"
Load = Callable[..., SmallRetailer]


@pytest.fixture
def world(tmp_path: Path, con: duckdb.DuckDBPyConnection, gatekeeper: Gatekeeper) -> SmallRetailer:
    """A retailer with the shipped contracts, and a file of its own."""
    settings = replace(
        settings_in(tmp_path), contracts=REPOSITORY / "data_contracts", exchange_rates=tmp_path / "exchange_rates.csv"
    )
    settings.source.mkdir()
    feeds = load_feeds(
        settings.contracts, canonical(), own=[REPOSITORY / "data_contracts" / "own" / "exchange_rates.odcs.yaml"]
    )
    retailer = Retailer(settings, canonical(), identifier_policy(), [f for f in feeds if f.name in (FEED, OWN)])
    prepare_warehouse(con, retailer)
    return SmallRetailer(retailer, con, gatekeeper)


def save(world: SmallRetailer, *rows: str, head: str = HEADER) -> Path:
    assert world.settings.exchange_rates is not None
    world.settings.exchange_rates.write_text(head + "".join(f"{row}\n" for row in rows), encoding="utf-8")
    return world.settings.exchange_rates


def last_save(world: SmallRetailer) -> list[tuple[object, ...]]:
    """What the newest statement of the own file says."""
    rows = world.rows("rate_date, currency, reporting_currency, rate, updated_at", OWN, "rate_date, currency")
    return [row[:-1] for row in rows if row[-1] == max(row[-1] for row in rows)]


def test_the_shipped_contract_takes_eight_decimals_and_refuses_what_is_no_rate(world: SmallRetailer) -> None:
    said = f",{NIGHT}T09:15:00+08:00"
    rates = ("EUR,CNY,2026-01-05,7.12345678", "HKD,CNY,2026-01-02,0.00000001", "USD,CNY,2026-01-05,0")
    more = ("GBP,CNY,2026-01-05,9.123456789", "usd,CNY,2026-01-05,7")
    world.put(
        f"finance/rates/rates_{NIGHT}.csv",
        "currency,reporting_currency,rate_date,rate,updated_at\n" + "".join(f"{r}{said}\n" for r in rates + more),
    )
    world.land(name=FEED)
    assert world.quarantine("row, rule") == [(3, "rate_range"), (4, "rate_type"), (5, "currency_in_range")]
    assert world.quarantine("reason")[0] == ('rate: "0" is below 0.00000001, the least of rate',)
    staged = world.con.execute(
        f"select currency, rate_date, rate from read_parquet('{world.settings.staged}/**/*.parquet') order by 1"
    ).fetchall()
    assert staged == [
        ("EUR", date(2026, 1, 5), Decimal("7.12345678")),
        ("HKD", date(2026, 1, 2), Decimal("0.00000001")),
    ]


def test_each_save_of_the_own_file_lands_whole(world: SmallRetailer) -> None:
    save(world, "2026-01-02,USD,CNY,7.1", "2026-01-05,USD,CNY,7.2")
    assert _counts(world.take(NIGHT, OWN)) == (2, 2)
    save(world, "2026-01-05,USD,CNY,7.2")
    assert _counts(world.take(NEXT, OWN)) == (1, 1)
    assert last_save(world) == [(date(2026, 1, 5), "USD", "CNY", Decimal("7.2"))]


def test_a_file_that_is_saved_as_it_was_before_holds_again_in_the_same_night(world: SmallRetailer) -> None:
    for rate in ("7.1", "71", "7.1"):
        os.utime(save(world, f"2026-01-05,USD,CNY,{rate}"), (1_000, 1_000 + len(world.files())))
        world.take(NIGHT, OWN)
    assert last_save(world) == [(date(2026, 1, 5), "USD", "CNY", Decimal("7.1"))]
    assert len(world.files()) == 3


def test_a_file_that_was_not_saved_is_not_taken_again(world: SmallRetailer) -> None:
    save(world, "2026-01-05,USD,CNY,7.1")
    world.take(NIGHT, OWN)
    assert world.take(NEXT, OWN).landed.files == 0


def test_comments_blank_lines_and_the_ways_of_windows_are_read_over(world: SmallRetailer) -> None:
    rows = ("2026-01-05,USD,CNY,7.1\r", "# of the bank", "", "2026-01-06,USD,CNY,7.2\r")
    save(world, *rows, head=f"\ufeff# rates\n\n{HEADER}")
    assert _counts(world.take(NIGHT, OWN)) == (2, 2)
    assert [row[-1] for row in last_save(world)] == [Decimal("7.1"), Decimal("7.2")]


def test_a_file_without_rates_is_a_good_one(world: SmallRetailer) -> None:
    save(world)
    assert world.take(NIGHT, OWN).closed == {}


def test_rates_long_before_and_after_the_night_are_taken(world: SmallRetailer) -> None:
    """History is loaded years later, from a file that goes on to today."""
    save(world, "1999-01-04,USD,CNY,8.28", "2026-01-05,USD,CNY,7.1", "2029-12-31,USD,CNY,7.3")
    night = NIGHT - timedelta(days=5_000)
    assert _counts(world.take(night, OWN)) == (3, 3)


@pytest.mark.parametrize(
    ("rows", "rule"),
    [
        (["2026-01-05,USD,CNY,7.1", "2026-01-06,USD,CNY,-7"], "quarantine_tolerance"),
        (["2026-01-05,USD,CNY,"], "quarantine_tolerance"),
        (["05.01.2026,USD,CNY,7.1"], "quarantine_tolerance"),
        (["2026-01-05,USD,CNY,7.1", "2026-01-05,USD,CNY,7.2"], "currency_reporting_currency_rate_date_duplicateValues"),
    ],
)
def test_a_wrong_row_closes_the_gate(world: SmallRetailer, rows: list[str], rule: str) -> None:
    save(world, *rows)
    taken = world.take(NIGHT, OWN)
    assert rule in taken.closed
    assert taken.accepted == []


def test_a_file_that_is_named_and_missing_is_told(world: SmallRetailer) -> None:
    with pytest.raises(SourceMissing, match=r"exchange_rates\.csv is no file"):
        world.land(NIGHT, OWN)


def test_the_file_beside_the_settings_is_the_setting(tmp_path: Path) -> None:
    (tmp_path / "onedata.toml").write_text('home = "data"\n')
    assert load_settings(tmp_path / "onedata.toml", {}).exchange_rates is None
    (tmp_path / "exchange_rates.csv").write_text(HEADER)
    assert load_settings(tmp_path / "onedata.toml", {}).exchange_rates == tmp_path / "exchange_rates.csv"


def test_a_limit_of_a_day_is_a_day(tmp_path: Path) -> None:
    text = (REPOSITORY / "data_contracts" / "canonical" / "exchange_rate.yaml").read_text()
    (tmp_path / "exchange_rate.yaml").write_text(text.replace("'2100-01-01'", "soon", 1))
    with pytest.raises(ContractError, match="maximum of a date is a day in quotes"):
        load_entities(tmp_path)


def _counts(taken: Taken) -> tuple[int, int]:
    assert taken.closed == {}
    return taken.counts[:2]
