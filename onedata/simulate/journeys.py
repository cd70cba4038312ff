"""Customer journeys: people see, decide and buy, over days and channels.

Model: each touch of a journey, and the intent to buy without any touch, independently causes the purchase with some
probability. As hazards h = -ln(1 - p) they add up: a journey converts with 1 - exp(-sum of h), and the probability that
each is the cause is its share of the sum (competing risks; Kalbfleisch & Prentice 2002, ch. 8). The ground truth
therefore knows the result of a perfect attribution.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import polars as pl

from onedata.simulate.calendar import DAY, HOUR, MARKETS, SECOND, Night, night_of
from onedata.simulate.draws import Bools, Floats, Ints, by_weight
from onedata.simulate.people import SEGMENTS as SHARES
from onedata.simulate.state import State

ONLINE, STORE, SOCIAL = range(3)
CHANNELS = ("online", "store", "social", "marketplace")
SEGMENTS = tuple(name for name, *_ in SHARES)


@dataclass(frozen=True)
class TouchKind:
    """``effect``: the probability that this touch alone causes the purchase; ``weights``: how often it occurs, by
    segment."""

    name: str
    effect: float
    weights: tuple[float, float, float]
    needs_social: bool = False


TOUCHES = (
    TouchKind("social_view", 0.06, (3, 2, 3), needs_social=True),
    TouchKind("social_click", 0.22, (2, 0.5, 2), needs_social=True),
    TouchKind("live_watch", 0.28, (1, 0.3, 1), needs_social=True),
    TouchKind("search", 0.14, (3, 0.8, 2)),
    TouchKind("email", 0.18, (1.5, 0, 1.5)),
    TouchKind("referral", 0.30, (0.5, 0.2, 0.5)),
    TouchKind("direct", 0.08, (2.5, 0.4, 2)),
    TouchKind("store_visit", 0.16, (0, 2, 2)),
)
BASE = len(TOUCHES)
"""The kind of a cause that is no touch: the wish to buy there was before."""
REFERRAL = [kind.name for kind in TOUCHES].index("referral")
NOBODY = -1
BASE_EFFECT = (0.12, 0.45, 0.22)
TOUCH_COUNTS = ((0, 0.35, 0.35, 0.2, 0.1), (0.55, 0.3, 0.15, 0, 0), (0.1, 0.3, 0.3, 0.2, 0.1))
MOST_TOUCHES = 4
SAME_DAY = 0.5
MOST_DAYS_BETWEEN = 3
IMPULSE = 0.6
"""Share of the last steps to the purchase that follow on the same day, where all days are equally busy."""


def conversion(segment: int, has_social: bool) -> float:
    """The mean share of journeys that end in a purchase."""
    weights = np.array(_weights(segment, has_social))
    survival = float(np.sum(weights * (1 - np.array([kind.effect for kind in TOUCHES]))) / weights.sum())
    none = sum(share * survival**count for count, share in enumerate(TOUCH_COUNTS[segment]))
    return 1 - (1 - BASE_EFFECT[segment]) * none


def start_journeys(state: State, night: Night, segment: Ints, market: Ints, wanted: Floats) -> None:
    """Begin the night's journeys and put their touches, purchases and true paths on the agenda.

    Args:
        state: the agenda to fill.
        night: the night they begin.
        segment: each person's position in ``SEGMENTS``.
        market: each person's position in ``MARKETS``.
        wanted: the mean number of journeys each person begins this night.
    """
    draws, number = state.world.draws, night.number
    people = state.world.people.frame
    count = np.floor(wanted + draws.uniform("journeys", len(wanted), number)).astype(np.int64)
    person = np.repeat(np.arange(len(wanted)), count)
    size = len(person)
    social = people["has_social"].to_numpy()[person]
    kinds = _kinds(state, night, segment[person], social)
    touch_day, touch_u = _days(state, night, kinds)
    touch_us = night.opens + touch_day * DAY + _shop_clock(touch_u, market[person][:, None])
    hazards = np.append(-np.log1p([-kind.effect for kind in TOUCHES]), 0.0)[kinds]
    base = -np.log1p(-np.array(BASE_EFFECT))[segment[person]]
    total = base + hazards.sum(axis=1)
    buys = draws.uniform("buys", size, number) < -np.expm1(-total)
    cause = by_row(draws.uniform("cause", size, number), np.column_stack([base, hazards]))
    channel = _channel(state, night, segment[person], social)
    last_day, last_u = touch_day.max(axis=1), touch_u[:, -1]
    day, at = _purchase(
        state, night, channel, market[person], people["home_store"].to_numpy()[person], last_day, last_u
    )
    journey = state.numbers("journey", size)
    product = by_weight(draws.uniform("wish", size, number), state.world.wanted(night.day.month))
    end = night.number + np.where(buys, day, last_day)
    referral = (kinds == REFERRAL).any(axis=1)
    sharer = _sharer(state, night, size)
    referrer = np.where(referral & (sharer != person), sharer, NOBODY)
    last_kind = np.max(np.where(kinds >= 0, np.arange(MOST_TOUCHES) * len(TOUCHES) + kinds, -1), axis=1)
    rows = pl.DataFrame(
        {
            "journey_no": journey,
            "person_no": person,
            "product_no": product,
            "channel": channel,
            "at_us": at,
            "touch": np.where(last_kind >= 0, last_kind % len(TOUCHES), NOBODY),
            "referrer": referrer,
        }
    )
    state.agenda.put("purchase", end[buys], rows.filter(pl.Series(buys)))
    which, position = np.nonzero(kinds >= 0)
    touches = pl.DataFrame(
        {
            "journey_no": journey[which],
            "touch_no": position + 1,
            "person_no": person[which],
            "kind": kinds[which, position],
            "at_us": touch_us[which, position],
            "product_no": product[which],
            "referrer": np.where(kinds[which, position] == REFERRAL, referrer[which], NOBODY),
            "weight": np.round(hazards[which, position] / total[which], 6),
            "is_cause": buys[which] & (cause[which] == position + 1),
            "converts": buys[which],
        }
    )
    state.agenda.put("touch", night.number + touch_day[which, position], touches)
    # The intent to buy without any touch is a cause too; it comes first in the true path, at the journey's beginning.
    wish = pl.DataFrame(
        {
            "journey_no": journey,
            "touch_no": np.zeros(size, dtype=np.int64),
            "person_no": person,
            "kind": np.full(size, BASE),
            "at_us": touch_us[:, 0],
            "product_no": product,
            "referrer": np.full(size, NOBODY),
            "weight": np.round(base / total, 6),
            "is_cause": buys & (cause == 0),
            "converts": buys,
        }
    )
    state.agenda.put("path", np.append(end, end[which]), pl.concat([wish, touches]))


def by_row(uniform: Floats, weights: Floats) -> Ints:
    """For each row of ``weights`` the column that its number in [0, 1) selects."""
    edges = np.cumsum(weights, axis=1)
    found: Ints = np.minimum((uniform[:, None] * edges[:, -1:] >= edges).sum(axis=1), weights.shape[1] - 1)
    return found


def _sharer(state: State, night: Night, size: int) -> Ints:
    """A recent sharer for each journey."""
    chosen = state.world.draws.below("referrer", size, max(1, len(state.sharers)), night.number)
    return state.sharers[chosen] if len(state.sharers) else np.full(size, NOBODY)


def _weights(segment: int, has_social: bool) -> list[float]:
    return [0.0 if kind.needs_social and not has_social else kind.weights[segment] for kind in TOUCHES]


def _kinds(state: State, night: Night, segment: Ints, social: Bools) -> npt.NDArray[np.int64]:
    """[journey, touch] -> position in ``TOUCHES``, -1 for none; the touches come first."""
    draws, number, size = state.world.draws, night.number, len(segment)
    count = draws.uniform("touches", size, number)
    which = draws.uniform("touch kind", size * MOST_TOUCHES, number).reshape(size, MOST_TOUCHES)
    kinds = np.full((size, MOST_TOUCHES), -1)
    for one in range(len(SEGMENTS)):
        for has_social in (False, True):
            mine = (segment == one) & (social == has_social)
            drawn = by_weight(which[mine].ravel(), np.array(_weights(one, has_social))).reshape(-1, MOST_TOUCHES)
            wanted = by_weight(count[mine], np.array(TOUCH_COUNTS[one]))
            kinds[mine] = np.where(np.arange(MOST_TOUCHES) < wanted[:, None], drawn, -1)
    return kinds


def _days(state: State, night: Night, kinds: npt.NDArray[np.int64]) -> tuple[npt.NDArray[np.int64], Floats]:
    """[journey, touch] -> days after ``night`` and fraction of the day (0 to 1, increasing within a day).

    The first touch is on the night itself; positions without a touch repeat the last one.
    """
    draws, number = state.world.draws, night.number
    gaps, parts = (draws.uniform(name, kinds.size, number).reshape(kinds.shape) for name in ("touch gap", "touch time"))
    days = np.zeros(kinds.shape, dtype=np.int64)
    gone = np.zeros(kinds.shape)
    gone[:, 0] = parts[:, 0] * 0.8
    for position in range(1, kinds.shape[1]):
        there = kinds[:, position] >= 0
        gap = np.where(
            gaps[:, position] < SAME_DAY,
            0,
            1 + np.floor((gaps[:, position] - SAME_DAY) / (1 - SAME_DAY) * MOST_DAYS_BETWEEN),
        ).astype(np.int64)
        days[:, position] = days[:, position - 1] + np.where(there, gap, 0)
        later = gone[:, position - 1] + parts[:, position] * (0.95 - gone[:, position - 1])
        gone[:, position] = np.where(~there, gone[:, position - 1], np.where(gap == 0, later, parts[:, position] * 0.8))
    return days, gone


def _channel(state: State, night: Night, segment: Ints, social: Bools) -> Ints:
    """The channel of the purchase: a third of people with a social account buy there instead of online."""
    draws, number = state.world.draws, night.number
    in_store = (segment == SEGMENTS.index("store")) | (
        (segment == SEGMENTS.index("omni")) & draws.chance("buys in store", len(segment), 0.45, number)
    )
    in_app = social & draws.chance("buys in app", len(segment), 0.33, number)
    return np.where(in_store, STORE, np.where(in_app, SOCIAL, ONLINE))


def _purchase(
    state: State, night: Night, channel: Ints, market: Ints, home_store: Ints, last_day: Ints, last_u: Floats
) -> tuple[Ints, Ints]:
    """The day (after ``night``) and moment of the purchase: never before the last touch, in a store only during opening
    hours."""
    draws, number, size = state.world.draws, night.number, len(channel)
    gap_u, part = draws.uniform("purchase gap", size, number), draws.uniform("purchase time", size, number)
    # People who can wait buy on a busy day: otherwise the delays would smooth weekdays and peak days out.
    usual = np.array([IMPULSE] + [(1 - IMPULSE) / MOST_DAYS_BETWEEN] * MOST_DAYS_BETWEEN)
    busy = np.array(
        [
            night_of(state.world.settings.start, number + ahead).demand
            for ahead in range(MOST_TOUCHES * MOST_DAYS_BETWEEN + 1)
        ]
    )
    gap = by_row(gap_u, usual * busy[last_day[:, None] + np.arange(len(usual))])
    day = last_day + gap
    online = _shop_clock(np.where(gap == 0, last_u + part * (0.999 - last_u), part), market)
    last = np.where(gap == 0, _shop_clock(last_u, market), 0)
    place = state.world.market_of_node[home_store]
    # A visit follows the last touch by at least five minutes; if the store is closed by then, it is on the next day.
    shifted = np.maximum(store_clock(part, place, night, day), last + 300 * SECOND)
    late = shifted > store_clock(np.full(size, 0.9999), place, night, day)
    in_store = np.where(late, store_clock(part, place, night, day + 1), shifted)
    in_shop = channel == STORE
    day = day + (in_shop & late)
    return day, night.opens + day * DAY + np.where(in_shop, in_store, online)


def _shop_clock(part: Floats, market: Ints) -> Ints:
    """Convert a fraction of the day (0 to 1) to microseconds after midnight in Shanghai, by the market's online hours.

    China buys most in the evening. The shop's day ends at midnight in Shanghai, so Europe's evening is its first hours.
    """
    china = np.interp(part, *_CHINA_ONLINE) * 3_600
    europe = np.where(part < 0.45, part / 0.45 * 25_000, 50_400 + (part - 0.45) / 0.55 * 35_800)
    found: Ints = np.floor(np.where(market == MARKETS.index("EU"), europe, china) * SECOND).astype(np.int64)
    return found


# Cumulative share of China's daily visits by hour.
_CHINA_ONLINE = (
    [0, 0.03, 0.06, 0.14, 0.24, 0.36, 0.52, 0.70, 0.86, 0.95, 1],
    [0, 1, 7, 9, 11.5, 14, 18, 20, 22, 23, 23.99],
)


def store_clock(part: Floats, market: Ints, night: Night, after: Ints | int = 0) -> Ints:
    """The same for stores, open from 10:00 to 22:00 in China and to 20:00 in Europe, even after midnight in Shanghai.

    ``after``: days from ``night`` to each visit: Europe may have changed its clocks by then.
    """
    offsets = [night_of(night.day, days).offsets for days in range(int(np.max(after, initial=0)) + 1)]
    ahead = np.array([[there["CN"] - there[name] for name in MARKETS] for there in offsets])[after, market]
    hours = np.array([12, 10])[market]
    found: Ints = np.floor((10 + part * hours) * HOUR).astype(np.int64) + ahead
    return found
