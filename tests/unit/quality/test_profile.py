"""A delivery's profile, which covers only accepted deliveries, however nights are grouped into runs."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, timedelta
from typing import Any

import pytest
from small_retailer import ANSWERS, NIGHT, SmallRetailer, contract

from onedata.quality import profile
from onedata.quality.gates import contract_gate

Retail = Callable[..., SmallRetailer]


def profiles(world: SmallRetailer, metric: str = "", column: str | None = None) -> list[tuple[Any, ...]]:
    return world.con.execute(
        "select ds, column_name, metric, bucket, value from ops.profile where metric like ? || '%' "
        "and column_name = coalesce(?, column_name) order by all",
        [metric, column],
    ).fetchall()


def answers(count: int, night: date = NIGHT) -> list[str]:
    return [f"{night}-{n},O{n},{1 + n % 5},fine,{night}T10:00:00" for n in range(count)]


def test_rows_and_what_was_received_are_kept(survey: SmallRetailer) -> None:
    survey.csv(*answers(8), "bad,O1,9,fine,")
    survey.take()
    assert profiles(survey, "r") == [(NIGHT, "", "received", "", 9.0), (NIGHT, "", "rows", "", 8.0)]


def test_shares_of_missing_and_different_values_are_kept(survey: SmallRetailer) -> None:
    survey.csv("A1,O1,5,,", "A2,O1,5,fine,", "A3,O2,4,fine,", "A4,O2,4,bad,")
    survey.take()
    shares = {
        (column, metric): value
        for _, column, metric, _, value in profiles(survey)
        if metric in ("null_share", "distinct_share")
    }
    assert shares == {
        ("response_id", "null_share"): 0.0,
        ("order_id", "null_share"): 0.0,
        ("satisfaction", "null_share"): 0.0,
        ("comment", "null_share"): 0.25,
        ("answered_at", "null_share"): 1.0,
        ("business_date", "null_share"): 1.0,
        ("response_id", "distinct_share"): 1.0,
        ("order_id", "distinct_share"): 0.5,
        ("satisfaction", "distinct_share"): 0.5,
        ("comment", "distinct_share"): 2 / 3,
    }


def test_numbers_have_quantiles_and_size_classes(survey: SmallRetailer) -> None:
    survey.csv(*[f"A{n},O,{n % 2 * 3 + 1},," for n in range(40)])
    survey.take()
    found = {(metric, bucket): value for _, _, metric, bucket, value in profiles(survey, column="satisfaction")}
    assert (found["p25", ""], found["p75", ""]) == (1.0, 4.0)
    assert (found["share", "1"], found["share", "4"]) == (0.5, 0.5)


def test_times_are_hours_before_the_end_of_the_night(survey: SmallRetailer) -> None:
    survey.csv(*[f"A{n},O,1,,{NIGHT}T18:00:00Z" for n in range(10)])
    survey.take()
    assert {
        (metric, bucket, value)
        for _, _, metric, bucket, value in profiles(survey, column="answered_at")
        if metric in ("p50", "share")
    } == {
        ("p50", "", 6.0),
        ("share", "5.657", 1.0),
    }


@pytest.mark.parametrize("day", ["5881580-07-10", "infinity", "-infinity", "0001-01-01", "5877642-06-25 (BC)"])
def test_a_day_that_no_calendar_of_pythons_knows_is_quarantined(retail: Retail, day: str) -> None:
    prices = {
        name: {"name": name, "physicalName": name}
        for name in ("price_date", "product_id", "market", "channel", "price", "currency")
    }
    survey = retail(contract(entity="price", properties=list(prices.values())))
    survey.put("survey/2026-01-05.csv", f"{','.join(prices)}\n{day},S1,CN,online,1,CNY\n")
    assert survey.take().counts == (1, 0, 1, 0)


def test_values_of_a_text_are_listed_where_few_come_often(survey: SmallRetailer) -> None:
    survey.csv(*[f"A{n},{'O1' if n % 4 else 'O2'},1,," for n in range(40)])
    survey.take()
    assert profiles(survey, "share", "order_id") == [
        (NIGHT, "order_id", "share", "O1", 0.75),
        (NIGHT, "order_id", "share", "O2", 0.25),
    ]
    assert profiles(survey, "share", "response_id") == []


def test_values_of_columns_that_are_not_public_are_never_listed(retail: Retail) -> None:
    columns = [{"name": name, "physicalName": name} for name in ("customer_id", "email", "full_name")]
    world = retail(contract("people", entity="customer", path="people_{ds}.csv", properties=columns))
    world.put(
        f"people_{NIGHT}.csv", "customer_id,email,full_name\n" + "".join(f"C{n},a@b.cn,Ann Li\n" for n in range(40))
    )
    world.take()
    assert {metric for _, _, metric, _, _ in profiles(world) if metric not in ("rows", "received", "sample_rows")} == {
        "null_share",
        "distinct_share",
    }


def test_an_empty_delivery_has_a_profile_of_its_volume(survey: SmallRetailer) -> None:
    survey.csv()
    survey.take()
    assert profiles(survey) == [(NIGHT, "", "received", "", 0.0), (NIGHT, "", "rows", "", 0.0)]


def test_a_refused_delivery_leaves_no_profile(retail: Retail) -> None:
    world = retail(contract(quarantineTolerance=0.1))
    world.csv(*answers(5), "bad,O1,9,,")
    assert world.take().closed
    assert profiles(world) == []


def test_a_delivery_killed_after_its_gate_is_forgotten_with_its_profile(survey: SmallRetailer) -> None:
    file = survey.csv(*answers(5))
    survey.land()
    contract_gate(survey.con, survey.gatekeeper, survey.settings, survey.feed(), NIGHT)
    assert profiles(survey, "rows") == [(NIGHT, "", "rows", "", 5.0)]
    file.unlink()
    survey.land()
    assert profiles(survey) == []


def test_a_mended_file_replaces_the_profile_of_the_refused_one(retail: Retail) -> None:
    world = retail(contract(quarantineTolerance=0.1))
    world.csv(*answers(5), "bad,O1,9,,")
    world.take()
    world.csv(*answers(6))
    world.take()
    assert profiles(world, "rows") == [(NIGHT, "", "rows", "", 6.0)]


def test_nights_in_one_run_have_the_profiles_of_nights_run_one_by_one(survey: SmallRetailer) -> None:
    nights = [NIGHT + timedelta(days=day) for day in range(4)]
    for number, night in enumerate(nights):
        survey.csv(*answers(20 + number, night), night=night)
    for night in nights:
        survey.take(night)
    one_by_one = profiles(survey)
    survey.con.execute("update ops.delivery set status = 'staged'")
    survey.take(nights[-1])
    assert {row[0] for row in one_by_one} == set(nights)
    assert profiles(survey) == one_by_one


def test_a_large_delivery_is_sampled_in_blocks_from_beginning_to_end(
    survey: SmallRetailer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(profile, "SAMPLE_ROWS", 50)
    survey.csv(*[f"A{n:04},O,{1 + n // 200},,{NIGHT}T10:00:00" for n in range(1000)])
    survey.take()
    found = {(metric, bucket): value for _, _, metric, bucket, value in profiles(survey)}
    assert (found["rows", ""], found["sample_rows", ""]) == (1000.0, 50.0)
    assert [value for _, _, _, _, value in profiles(survey, "share", "satisfaction")] == pytest.approx(
        [0.2, 0.2, 0.2, 0.4]
    )


def test_every_column_of_the_contract_is_profiled(survey: SmallRetailer) -> None:
    survey.csv(*answers(5))
    survey.take()
    # The day that landing fills in is profiled too.
    assert {row[1] for row in profiles(survey, "null_share")} == {item["name"] for item in ANSWERS} | {"business_date"}
