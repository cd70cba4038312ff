"""Demand by weekday, month, campaign and peak day; and the local time of the two markets."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

from onedata.simulate.rates import EURO, rate_of

MARKETS = ("CN", "EU")
ZONES = {"CN": "Asia/Shanghai", "EU": "Europe/Berlin"}
COUNTRIES = {"CN": "China", "EU": "Germany"}
CURRENCIES = {"CN": "CNY", "EU": "EUR"}
PLANNED_EURO_IN_CNY = 7.8
"""The rate that European shelf prices are planned with."""

SECOND = 1_000_000
HOUR = 3_600 * SECOND
DAY = 24 * HOUR

_WEEKDAYS = (0.85, 0.85, 0.9, 0.95, 1.1, 1.25, 1.1)
_MONTHS = (1.05, 0.85, 0.92, 0.95, 1.0, 1.05, 0.92, 0.9, 1.0, 1.05, 1.2, 1.15)


@dataclass(frozen=True)
class Campaign:
    """A yearly promotion; ``factor`` multiplies demand, ``peak_factor`` does so on its peak day."""

    name: str
    first: tuple[int, int]
    last: tuple[int, int]
    peak: tuple[int, int]
    factor: float
    peak_factor: float


CAMPAIGNS = (
    Campaign("members-week", (1, 6), (1, 10), (1, 10), 1.2, 1.8),
    Campaign("spring-preview", (3, 1), (3, 8), (3, 8), 1.25, 1.9),
    Campaign("midyear-618", (6, 10), (6, 18), (6, 18), 1.4, 3.0),
    Campaign("back-to-school", (8, 24), (9, 2), (8, 29), 1.2, 1.6),
    Campaign("singles-day", (11, 1), (11, 11), (11, 11), 1.6, 4.5),
    Campaign("gifts", (12, 8), (12, 24), (12, 12), 1.3, 2.2),
)
ALWAYS_ON = "always-on"


@dataclass(frozen=True)
class Night:
    """One business day of the retailer and the night that delivers it.

    ``opens`` is 00:00 of the day in Shanghai, the shop's own day; ``offsets`` are the UTC offsets of the markets.
    Microseconds.
    """

    number: int
    day: date
    demand: float
    campaign: str
    is_peak: bool
    opens: int
    offsets: dict[str, int]

    @property
    def ds(self) -> str:
        """The day as written in file names."""
        return self.day.isoformat()

    @property
    def euro_in_cny(self) -> float:
        """The day's rate, by which the shop and the tills convert."""
        return float(rate_of(EURO, self.day))

    @property
    def delivered(self) -> float:
        """Time of delivery of the night's files: 02:00 in Shanghai on the next day, in seconds since 1970."""
        return (self.opens + DAY + 2 * HOUR) / SECOND

    def midnight(self, market: str) -> int:
        """00:00 of the day in a market's local time, microseconds UTC."""
        return self.opens + self.offsets["CN"] - self.offsets[market]


def night_of(start: date, number: int) -> Night:
    """The night ``number`` days after ``start``."""
    day = start + timedelta(days=number)
    campaign = next((each for each in CAMPAIGNS if each.first <= (day.month, day.day) <= each.last), None)
    peak = campaign is not None and (day.month, day.day) == campaign.peak
    lift = 1.0 if campaign is None else campaign.peak_factor if peak else campaign.factor
    offsets = {market: _offset(day, zone) for market, zone in ZONES.items()}
    opens = int(datetime(day.year, day.month, day.day, tzinfo=UTC).timestamp()) * SECOND - offsets["CN"]
    demand = _WEEKDAYS[day.weekday()] * _MONTHS[day.month - 1] * lift
    return Night(number, day, demand, campaign.name if campaign else ALWAYS_ON, peak, opens, offsets)


def _offset(day: date, zone: str) -> int:
    """A zone's UTC offset at noon: clocks change at night, when no store is open."""
    offset = datetime(day.year, day.month, day.day, 12, tzinfo=ZoneInfo(zone)).utcoffset()
    assert offset is not None
    return round(offset.total_seconds()) * SECOND
