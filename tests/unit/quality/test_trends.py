"""A night that deviates from previous nights is reported; known noise is not."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import duckdb
import pytest
from small_retailer import NIGHT, SmallRetailer, canonical, contract, write_contracts

from onedata.contracts import ContractError, load_feeds
from onedata.contracts.model import Feed, Trends
from onedata.ledger import create_ledger
from onedata.quality.results import CheckResult
from onedata.quality.trends import FEWEST_NIGHTS, bars, judge_trends, trend_lines

Retail = Callable[..., SmallRetailer]

Shares = Mapping[str, float]
USUAL = (400, 420, 390, 405, 380, 410, 400, 395, 430, 400)


def feed(folder: Path, **properties: Any) -> Feed:
    (only,) = load_feeds(write_contracts(folder, contract(**properties)), canonical())
    return only


class History:
    """A feed's profiles, written as `profile_delivery` writes them."""

    def __init__(self, feed: Feed) -> None:
        self.feed = feed
        self.con = duckdb.connect()
        create_ledger(self.con)

    def night(
        self,
        day: int,
        rows: int,
        nulls: float = 0.0,
        different: float = 1.0,
        shares: Shares | None = None,
        status: str = "applied",
    ) -> date:
        ds, batch = NIGHT + timedelta(days=day), f"b{day}-{status}-{rows}"
        self.con.execute(
            "insert into ops.delivery (batch_id, feed, entity, ds, status, rows, landed_at, applied_at, replaces) "
            "values (?, ?, 'e', ?, ?, ?, now()::timestamp, null, [])",
            [batch, self.feed.name, ds, status, rows],
        )
        values = [("", "received", "", rows), ("", "rows", "", rows), ("", "sample_rows", "", rows)]
        values += [("comment", "null_share", "", nulls), ("comment", "distinct_share", "", different)]
        values += [
            ("satisfaction", "share", bucket, value) for bucket, value in (shares or {"1": 0.2, "4": 0.8}).items()
        ]
        self.con.executemany(
            "insert into ops.profile values (?, ?, ?, ?, ?, ?, ?)",
            [[self.feed.name, ds, batch, *value] for value in values],
        )
        return ds

    def usual(self, nights: int = 10) -> History:
        for day in range(nights):
            self.night(
                day,
                USUAL[day % 10],
                nulls=0.1 + day % 3 / 100,
                different=0.9,
                shares={"1": 0.2 + day % 3 / 100, "4": 0.8 - day % 3 / 100},
            )
        return self

    def judge(self, *nights: date) -> dict[str, CheckResult]:
        return {result.rule: result for result in judge_trends(self.con, self.feed, nights)}


@pytest.fixture
def history(tmp_path: Path) -> History:
    return History(feed(tmp_path)).usual()


def outside(results: Mapping[str, CheckResult]) -> set[str]:
    return {rule for rule, result in results.items() if not result.passed}


def test_a_night_like_those_before_holds_every_trend(history: History) -> None:
    results = history.judge(history.night(10, 415, nulls=0.12, different=0.88, shares={"1": 0.22, "4": 0.78}))
    assert set(results) == {
        "trend_received",
        "trend_rows",
        "trend_null_share",
        "trend_distinct_share",
        "trend_distribution",
    }
    assert outside(results) == set()


@pytest.mark.parametrize(
    ("night", "rule", "words"),
    [
        ({"rows": 90}, "trend_rows", "rows 90, expected 200 to 800 (median of 10 nights 400)"),
        ({"rows": 1600}, "trend_received", "rows received 1600, expected 200 to 800"),
        ({"nulls": 0.5}, "trend_null_share", "column comment: null share 0.5, expected 0.021 to 0.199"),
        ({"different": 0.3}, "trend_distinct_share", "column comment: distinct share 0.3, expected 0.695 to 1"),
        (
            {"shares": {"1": 0.8, "4": 0.2}},
            "trend_distribution",
            "column satisfaction: distance of the distribution 0.5",
        ),
        (
            {"shares": {"99": 1.0}},
            "trend_distribution",
            "column satisfaction: distance of the distribution 1, expected 0 to 0.",
        ),
    ],
)
def test_a_night_unlike_those_before_warns_with_column_value_and_band(
    history: History, night: dict[str, Any], rule: str, words: str
) -> None:
    results = history.judge(
        history.night(10, **{"rows": 400, "nulls": 0.1, "different": 0.9, "shares": {"1": 0.2, "4": 0.8}} | night)
    )
    assert rule in outside(results)
    assert words in results[rule].message
    assert not results[rule].blocks


def test_what_was_observed_and_expected_are_told_apart(history: History) -> None:
    result = history.judge(history.night(10, 90))["trend_rows"]
    assert (result.observed, result.expected) == ("90", "200 to 800")


def test_too_few_nights_are_not_judged(tmp_path: Path) -> None:
    history = History(feed(tmp_path)).usual(FEWEST_NIGHTS - 1)
    results = history.judge(history.night(FEWEST_NIGHTS - 1, 5))
    assert {rule: result.passed for rule, result in results.items()} == {"trends": True}
    assert "not judged yet" in results["trends"].message


def test_just_enough_nights_are_judged(tmp_path: Path) -> None:
    history = History(feed(tmp_path)).usual(FEWEST_NIGHTS)
    assert "trend_rows" in outside(history.judge(history.night(FEWEST_NIGHTS, 5)))


def test_nights_longer_ago_than_28_days_do_not_count(history: History) -> None:
    assert set(history.judge(history.night(40, 5))) == {"trends"}


def test_nights_after_it_do_not_count(history: History) -> None:
    early = history.night(-1, 5)
    assert set(history.judge(early)) == {"trends"}


def test_a_refused_night_is_nothing_to_compare_with(tmp_path: Path) -> None:
    history = History(feed(tmp_path)).usual(FEWEST_NIGHTS - 1)
    history.night(FEWEST_NIGHTS - 1, 400, status="refused")
    assert set(history.judge(history.night(FEWEST_NIGHTS, 5))) == {"trends"}


def test_a_tiny_feed_may_double_or_stay_away(tmp_path: Path) -> None:
    history = History(feed(tmp_path))
    for day in range(10):
        history.night(day, 3)
    assert outside(history.judge(history.night(10, 8, nulls=1.0, different=0.1, shares={"9": 1.0}))) == set()
    assert outside(history.judge(history.night(11, 0))) == set()


def test_a_column_that_is_nearly_empty_may_repeat_its_few_values(tmp_path: Path) -> None:
    history = History(feed(tmp_path))
    for day in range(10):
        history.night(day, 1000, nulls=0.997)
    assert outside(history.judge(history.night(10, 1000, nulls=0.998, different=0.5))) == set()


def test_a_feed_delivered_whole_each_night_may_grow_a_little(tmp_path: Path) -> None:
    history = History(feed(tmp_path))
    for day in range(10):
        history.night(day, 1000)
    assert outside(history.judge(history.night(10, 1020, nulls=0.01))) == set()


def test_a_feed_that_swings_by_weekday_is_judged_by_its_own_swing(tmp_path: Path) -> None:
    history = History(feed(tmp_path))
    for day in range(14):
        history.night(day, 100 if day % 2 else 1000)
    assert outside(history.judge(history.night(14, 1200))) == set()


def test_nights_of_one_run_are_each_judged_against_the_nights_before_them(tmp_path: Path) -> None:
    nights = [(day, USUAL[day] if day != 8 else 2000) for day in range(10)]
    together = History(feed(tmp_path))
    days = [together.night(day, rows, status="staged") for day, rows in nights]
    together.judge(*days)
    apart = History(feed(tmp_path))
    for day, rows in nights:
        apart.judge(apart.night(day, rows))
    question = (
        "select ds, column_name, metric, round(value, 9), round(low, 9), round(high, 9), nights, holds "
        "from ops.trend order by all"
    )
    judged = together.con.execute(question).fetchall()
    assert [row[0] for row in judged if row[2] == "rows" and not row[-1]] == [days[8]]
    assert judged == apart.con.execute(question).fetchall()


def test_deliveries_of_one_night_are_judged_together(history: History) -> None:
    history.night(10, 300, nulls=0.1, different=0.9)
    assert outside(history.judge(history.night(10, 110, nulls=0.1, different=0.9))) == set()


def test_judging_again_replaces_what_was_judged(history: History) -> None:
    night = history.night(10, 400)
    history.judge(night)
    before = history.con.execute("select count(*) from ops.trend").fetchone()
    history.judge(night)
    assert history.con.execute("select count(*) from ops.trend").fetchone() == before


def test_a_person_sees_the_night_with_bars_deviations_first(history: History) -> None:
    night = history.night(10, 1600, nulls=0.1, different=0.9, shares={"1": 0.2, "4": 0.8})
    history.judge(night)
    lines = trend_lines(history.con, "survey", night)
    assert lines[0][:5] == ("", "received", "1600", "200 to 800", "NO")
    assert lines[0][5] == "▃▃▂▃▂▃▃▂▃▃█"
    assert {line[4] for line in lines[2:]} == {"yes"}


def test_bars_go_from_nothing_to_the_largest() -> None:
    assert bars([0, 1, 2]) == "▁▅█"
    assert bars([0, 0]) == "▁▁"
    assert bars([]) == ""


@pytest.mark.parametrize(
    ("value", "trends"),
    [
        (None, Trends("warning", 1.0)),
        ("off", None),
        (False, None),
        ({"severity": "error"}, Trends("error", 1.0)),
        ({"severity": "error", "tolerance": 2}, Trends("error", 2.0)),
    ],
)
def test_a_contract_says_what_a_deviation_does(tmp_path: Path, value: Any, trends: Trends | None) -> None:
    assert feed(tmp_path, **({} if value is None else {"trends": value})).trends == trends


@pytest.mark.parametrize(
    ("value", "words"),
    [
        ("loose", "trends: write off, or"),
        ({"tolerance": 0}, "trends: tolerance is a factor above 0"),
        ({"tolerance": "wide"}, "trends: tolerance is a factor above 0"),
        ({"severity": "fatal"}, "trends: severity 'fatal' is not known"),
        ({"width": 2}, "trends: write off, or"),
    ],
)
def test_a_contract_that_says_it_wrongly_is_refused(tmp_path: Path, value: Any, words: str) -> None:
    with pytest.raises(ContractError, match=words):
        feed(tmp_path, trends=value)


def test_a_tolerance_widens_every_band(tmp_path: Path) -> None:
    history = History(feed(tmp_path, trends={"tolerance": 4})).usual()
    assert (
        outside(history.judge(history.night(10, 1600, nulls=0.4, different=0.9, shares={"1": 0.7, "4": 0.3}))) == set()
    )


def test_where_trends_are_off_nothing_is_judged(tmp_path: Path) -> None:
    history = History(feed(tmp_path, trends="off")).usual()
    assert history.judge(history.night(10, 5)) == {}


def landed_nights(world: SmallRetailer, rows: Sequence[int]) -> date:
    for day, count in enumerate(rows):
        night = NIGHT + timedelta(days=day)
        world.csv(*[f"{night}-{n},O{n},{1 + n % 5},fine,{night}T10:00:00" for n in range(count)], night=night)
    return NIGHT + timedelta(days=len(rows) - 1)


def test_a_trend_of_severity_error_refuses_the_night_and_leaves_no_profile_of_it(retail: Retail) -> None:
    world = retail(contract(trends={"severity": "error"}))
    last = landed_nights(world, [40, 42, 41, 40, 39, 40, 41, 43])
    assert world.take(last).closed == {}
    night = last + timedelta(days=1)
    world.csv(*[f"{night}-{n},O{n},3,fine," for n in range(400)], night=night)
    closed = world.take(night).closed
    assert "trend_rows" in closed
    assert "widen `trends` in the contract or switch it off" in closed["trend_rows"]
    assert world.con.execute("select count(*) from ops.profile where ds = ?", [night]).fetchone() == (0,)


def test_a_row_count_holds_in_every_night_of_a_run(retail: Retail) -> None:
    world = retail(contract(quality=[{"metric": "rowCount", "mustBeBetween": [10, 50]}]))
    assert world.take(landed_nights(world, [40, 42, 41])).closed == {}


def test_one_night_of_a_run_with_too_few_rows_is_told_with_its_rows(retail: Retail) -> None:
    world = retail(contract(quality=[{"metric": "rowCount", "mustBeBetween": [10, 50]}]))
    assert world.take(landed_nights(world, [40, 3, 41])).closed == {"rowCount": "3 rows; 10 to 50 expected"}


def test_amounts_that_jump_by_a_hundred_land_and_fail_the_trend(retail: Retail) -> None:
    """Cents for units: every row is right in itself, and the night as a whole is not."""
    properties = [
        {"name": name, "physicalName": name} for name in ("order_id", "payment_id", "method", "amount", "currency")
    ]
    retailer = retail(contract("payments", entity="payment", path="payments/{ds}.csv", properties=properties))
    told = {}
    for day in range(9):
        night, factor = NIGHT + timedelta(days=day), 100 if day == 8 else 1
        rows = [f"O{day}-{n},1,card,{factor * (n * 37 % 90 + 10.5 + day / 10):.2f},EUR" for n in range(60)]
        header = "order_id,payment_id,method,amount,currency"
        retailer.put(f"payments/{night}.csv", "\n".join([header, *rows]) + "\n")
        taken = retailer.take(night)
        assert taken.counts == (60, 60, 0, 0)
        told[night] = taken.warned.get("trend_distribution", "")
    assert "column amount: distance of the distribution" in told.pop(night)
    assert set(told.values()) == {""}
