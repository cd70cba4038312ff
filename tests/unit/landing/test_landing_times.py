"""Timestamps: with an offset, in the feed's own zone, across a clock change. Stored in UTC."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from small_retailer import ANSWERS, SmallRetailer, contract

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
