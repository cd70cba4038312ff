"""Where a visit to the web shop came from, as the shop and the web analytics name it."""

from __future__ import annotations

import numpy as np
import polars as pl

from onedata.simulate.calendar import MARKETS
from onedata.simulate.catalogue import PLATFORMS
from onedata.simulate.draws import Ints
from onedata.simulate.journeys import TOUCHES
from onedata.simulate.voices import POSTS_KEPT

_OTHERS = {"search": ("search", "organic"), "email": ("newsletter", "email"), "referral": ("referral", "referral")}
ORIGINS = (
    ("(direct)", "(none)"),
    *((platform, "social") for market in MARKETS for platform in PLATFORMS[market]),
    *_OTHERS.values(),
)
"""Source and medium; the first is a visit that nobody sent."""
DIRECT = 0
_A_MARKET = len(PLATFORMS["CN"])
_ON_PLATFORM = -1


def _of_touch(name: str) -> int:
    if name == "social_click":
        return _ON_PLATFORM
    return ORIGINS.index(_OTHERS[name]) if name in _OTHERS else DIRECT


# By position in TOUCHES, and last (-1) for a visit without a touch.
_OF_TOUCH = np.array([*(_of_touch(kind.name) for kind in TOUCHES), DIRECT])


def origins(touch: Ints, market: Ints, product: Ints) -> Ints:
    """Positions in ``ORIGINS``, from the touch that brought the visitor (-1: none) and, for a click on a post, the
    platform it was on."""
    found = _OF_TOUCH[touch]
    return np.where(found == _ON_PLATFORM, _platform(market, product), found)


def platform_of(market: Ints, product: Ints) -> pl.Series:
    """The platform on which a market sees posts about a product."""
    return pl.Series("platform", [source for source, _ in ORIGINS]).gather(_platform(market, product))


def _platform(market: Ints, product: Ints) -> Ints:
    return DIRECT + 1 + market * _A_MARKET + product % POSTS_KEPT % _A_MARKET
