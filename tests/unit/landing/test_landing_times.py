"""Timestamps: with an offset, in the feed's own zone, across a clock change. Stored in UTC."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from small_retailer import ANSWERS, SmallRetailer, canonical, contract

from onedata.contracts import load_feeds
from onedata.settings import Settings

Retail = Callable[..., SmallRetailer]


def landed(retail: Retail, texts: list[str], timezone: str = "UTC") -> list[str | None]:
    survey = retail(contract(timezone=timezone, quarantineTolerance=1))
    survey.csv(*[f"A{number},O,5,,{text}" for number, text in enumerate(texts)])
    survey.take()
    accepted = dict(survey.rows("response_id, answered_at::varchar"))
    return [accepted.get(f"A{number}") for number in range(len(texts))]


@pytest.mark.parametrize("timezone", ["UTC", "Asia/Shanghai", "America/Sao_Paulo"])
def test_an_offset_decides_whatever_the_feeds_zone(retail: Retail, timezone: str) -> None:
    utc = {
        "2026-01-05T10:00:00Z": "2026-01-05 10:00:00",
        "2026-01-05T10:00:00+08:00": "2026-01-05 02:00:00",
        "2026-01-05 10:00:00-05:30": "2026-01-05 15:30:00",
        "2026-01-05 10:00:00+08": "2026-01-05 02:00:00",
        "2026-01-05T10:00:00+0800": "2026-01-05 02:00:00",
        "2026-01-05T10:00:00.123456Z": "2026-01-05 10:00:00.123456",
    }
    assert dict(zip(utc, landed(retail, list(utc), timezone), strict=True)) == utc


def test_without_an_offset_the_feeds_zone_decides(retail: Retail) -> None:
    texts = ["2026-01-05T10:00:00", "2026-01-05 07:59:59.5", "2026-01-05"]
    assert landed(retail, texts, "Asia/Shanghai") == [
        "2026-01-05 02:00:00",
        "2026-01-04 23:59:59.5",
        "2026-01-04 16:00:00",
    ]


def test_without_a_zone_in_the_contract_it_is_utc(retail: Retail) -> None:
    assert landed(retail, ["2026-01-05T10:00:00", "2026-01-05"]) == ["2026-01-05 10:00:00", "2026-01-05 00:00:00"]


def test_summer_time_is_followed(retail: Retail) -> None:
    texts = [
        "2026-03-29T00:59:59",
        "2026-03-29T02:00:00",
        "2026-07-01T12:00:00",
        "2026-10-25T00:59:59",
        "2026-10-25T02:00:00",
    ]
    assert landed(retail, texts, "Europe/London") == [
        "2026-03-29 00:59:59",
        "2026-03-29 01:00:00",
        "2026-07-01 11:00:00",
        "2026-10-24 23:59:59",
        "2026-10-25 02:00:00",
    ]


@pytest.mark.parametrize("timezone", ["UTC", "Asia/Shanghai"])
def test_what_is_no_time_is_quarantined(retail: Retail, timezone: str) -> None:
    texts = ["soon", "2026-02-30T10:00:00", "2026-01-05T25:00:00", "05/01/2026", "20260105"]
    assert landed(retail, texts, timezone) == [None] * len(texts)


def test_microseconds_since_1970_go_by_transform_logic(retail: Retail) -> None:
    properties = [
        *ANSWERS[:4],
        {"name": "answered_at", "physicalName": "answered", "transformLogic": "make_timestamp({value}::bigint)"},
    ]
    survey = retail(contract(properties=properties, timezone="UTC"))
    survey.csv("A1,O1,5,,1767607200000000")
    assert survey.take().counts == (1, 1, 0, 0)
    assert survey.rows("answered_at::varchar") == [("2026-01-05 10:00:00",)]


DAYS = {
    # Local midnight, and one second before it, in UTC.
    "Asia/Shanghai": {
        "2026-01-05T15:59:59Z": "2026-01-05",
        "2026-01-05T16:00:00Z": "2026-01-06",
        "2026-01-05T23:59:59": "2026-01-05",
        "2026-01-06T00:00:00": "2026-01-06",
        "2026-01-05T20:00:00+01:00": "2026-01-06",
    },
    "America/Los_Angeles": {
        "2026-01-06T07:59:59Z": "2026-01-05",
        "2026-01-06T08:00:00Z": "2026-01-06",
        # Summer time began on 2026-03-08: the offset is an hour less.
        "2026-03-07T07:59:59Z": "2026-03-06",
        "2026-03-10T06:59:59Z": "2026-03-09",
        "2026-03-10T07:00:00Z": "2026-03-10",
    },
    "UTC": {"2026-01-05T23:59:59.999999Z": "2026-01-05", "2026-01-06T00:00:00Z": "2026-01-06"},
}


@pytest.mark.parametrize("timezone", DAYS)
def test_the_day_that_no_property_maps_is_the_instants_in_the_feeds_zone(retail: Retail, timezone: str) -> None:
    survey = retail(contract(timezone=timezone, quarantineTolerance=1))
    survey.csv(*[f"A{number},O,5,,{text}" for number, text in enumerate(DAYS[timezone])])
    survey.take()
    days = dict(survey.rows("response_id, business_date::varchar"))
    assert [days[f"A{number}"] for number in range(len(days))] == list(DAYS[timezone].values())
    assert survey.rows("distinct position('business_date' in _mapped)") == [(0,)]


def test_an_empty_day_is_filled_from_the_instant_and_a_given_one_stands(retail: Retail) -> None:
    properties = [*ANSWERS, {"name": "business_date", "physicalName": "note"}]
    properties = [item for item in properties if item["name"] != "comment"]
    survey = retail(contract(timezone="Asia/Shanghai", properties=properties, quarantineTolerance=1))
    survey.csv(
        "A1,O,5,2026-01-02,2026-01-05T16:00:00Z", "A2,O,5,,2026-01-05T16:00:00Z", "A3,O,5,soon,2026-01-05T16:00:00Z"
    )
    assert survey.take().counts == (3, 2, 1, 0)
    assert survey.rows("response_id, business_date::varchar") == [("A1", "2026-01-02"), ("A2", "2026-01-06")]


def test_a_shipped_feed_takes_the_day_as_written_but_of_a_time_in_utc_that_of_its_zone(retail: Retail) -> None:
    feeds = load_feeds(Settings().contracts, canonical())
    logic = next(item.logic for feed in feeds if feed.name == "shop_orders" for item in feed.fields if item.day_of)
    assert logic is not None
    days = {
        "2026-01-05T18:30:00Z": "2026-01-06",
        "2026-01-05T18:30:00+00:00": "2026-01-06",
        "2026-01-06T02:30:00": "2026-01-06",
        "2026-01-06T02:30:00+08:00": "2026-01-06",
        "2026-01-05T19:30:00+01:00": "2026-01-05",
    }
    day = {"name": "business_date", "transformLogic": logic.replace("created_at", "answered")}
    survey = retail(contract(timezone="Asia/Shanghai", properties=[*ANSWERS, day]))
    survey.csv(*[f"A{number},O,5,,{text}" for number, text in enumerate(days)])
    survey.take()
    assert [day for _, day in sorted(survey.rows("response_id, business_date::varchar"))] == list(days.values())


def test_a_day_that_the_contract_itself_requires_is_not_filled(retail: Retail) -> None:
    day = {"name": "business_date", "physicalName": "note", "required": True}
    properties = [item for item in ANSWERS if item["name"] != "comment"]
    survey = retail(contract(properties=[*properties, day], quarantineTolerance=1))
    survey.csv("A1,O,5,,2026-01-05T16:00:00Z", "A2,O,5,2026-01-05,2026-01-05T16:00:00Z")
    assert survey.take().counts == (2, 1, 1, 0)
    assert survey.rows("response_id") == [("A2",)]
