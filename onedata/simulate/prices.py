"""Prices of a night: list prices that change occasionally, and promotions in all channels or only some."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import polars as pl

from onedata.simulate.calendar import ALWAYS_ON, CURRENCIES, MARKETS, Night
from onedata.simulate.draws import Bools, Ints
from onedata.simulate.journeys import CHANNELS, ONLINE, SOCIAL, STORE
from onedata.simulate.state import State
from onedata.simulate.world import euro_cents

RE_PRICED = 1 / 60
IN_CAMPAIGN = 0.25
ONE_DAY_OFFER = 0.03


@dataclass(frozen=True)
class Prices:
    """The night's prices in cents of the market's currency: ``listed`` [market, product], ``shelf`` [channel, market,
    product].

    ``percent`` [channel, product] is the promotion's; ``changed`` marks products with a new list price.
    """

    listed: npt.NDArray[np.int64]
    shelf: npt.NDArray[np.int64]
    percent: npt.NDArray[np.int64]
    changed: Bools
    euro_in_cny: float


def set_prices(state: State, night: Night) -> Prices:
    """Change some list prices (from the second night on) and compute the price of each channel."""
    draws, number, count = state.world.draws, night.number, len(state.list_price)
    changed = draws.chance("re-priced", count, RE_PRICED if number else 0.0, number)
    moved = (
        np.floor(state.list_price * (0.85 + 0.3 * draws.uniform("new price", count, number)) / 100).astype(np.int64)
        * 100
        + 90
    )
    state.list_price = np.where(changed, moved, state.list_price)
    percent = _promotions(state, night)
    listed = np.stack([state.list_price, euro_cents(state.list_price)])
    shelf = listed[None, :, :] * (100 - percent[:, None, :]) // 100
    return Prices(listed, shelf, percent, changed, night.euro_in_cny)


def price_rows(state: State, night: Night, prices: Prices) -> pl.DataFrame:
    """One row per product, market and channel: ``sku, market, channel, list_price, price`` (cents), ``currency,
    promotion``."""
    sku = state.world.products["sku"]
    parts = [
        pl.DataFrame(
            {"sku": sku, "list_price": prices.listed[m], "price": prices.shelf[c, m], "percent": prices.percent[c]},
        ).with_columns(
            pl.lit(market).alias("market"),
            pl.lit(CHANNELS[c]).alias("channel"),
            pl.lit(CURRENCIES[market]).alias("currency"),
        )
        for m, market in enumerate(MARKETS)
        for c in (ONLINE, STORE, SOCIAL)
    ]
    named = pl.when(pl.col("percent") > 0).then(
        pl.lit(night.campaign if night.campaign != ALWAYS_ON else "one-day-offer")
    )
    return pl.concat(parts).with_columns(named.alias("promotion"), pl.lit(night.ds).alias("price_date"))


def _promotions(state: State, night: Night) -> npt.NDArray[np.int64]:
    """[channel, product] -> percent off."""
    draws, count = state.world.draws, len(state.list_price)
    percent = np.zeros((len(CHANNELS), count), dtype=np.int64)
    if night.campaign != ALWAYS_ON:
        # A campaign keeps its goods and prices while it runs.
        name = f"{night.campaign} {night.day.year}"
        chosen = draws.chance(f"{name} goods", count, IN_CAMPAIGN)
        off = 10 + 5 * draws.below(f"{name} percent", count, 5)
        reach = draws.choose(f"{name} reach", count, [0.6, 0.25, 0.15])
        _offer(percent, chosen & (reach != 2), off, (ONLINE, SOCIAL))
        _offer(percent, chosen & (reach != 1), off, (STORE,))
    today = draws.chance("offer of the day", count, ONE_DAY_OFFER, night.number)
    _offer(percent, today, 5 + draws.below("offer percent", count, 11, night.number), (ONLINE,))
    return percent


def _offer(percent: npt.NDArray[np.int64], chosen: Bools, off: Ints, channels: tuple[int, ...]) -> None:
    for channel in channels:
        percent[channel] = np.where(chosen, np.maximum(percent[channel], off), percent[channel])
