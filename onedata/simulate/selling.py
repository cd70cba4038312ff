"""From demand to sales: baskets, the stock that serves them, and sales lost to stock-outs."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import polars as pl

from onedata.simulate.calendar import MARKETS, Night
from onedata.simulate.draws import Bools, Ints, by_weight, exponential
from onedata.simulate.journeys import STORE
from onedata.simulate.prices import Prices
from onedata.simulate.state import State, Stock, asked_before

SHIP, PICKUP, FROM_STORE = range(3)
METHODS = ("ship", "pickup", "ship_from_store")
PICKUP_SHARE = 0.2
FROM_STORE_SHARE = 0.15
ENDLESS_AISLE = 0.3
"""Share of what a store lacks that its staff order from the warehouse for the customer."""
COUPON = 0.15


@dataclass(frozen=True)
class Sales:
    """The night's demand and its outcome.

    ``orders``: one row per order of the shop: ``order_no, journey_no, person_no, channel, method, origin, store, at_us,
        touch, referrer``.
    ``tickets``: one row per purchase at a till: ``sale_no, journey_no, person_no, store, at_us``.
    ``order_lines``, ``ticket_lines``: ``order_no`` or ``sale_no``, ``line_no, product_no, quantity, unit, discount``
        (cents of the document's currency).
    ``demand``: one row per demanded line: ``node_no, product_no, quantity, served, saved`` (by endless aisle).
    ``lost``: journeys that ended without a sale.
    """

    orders: pl.DataFrame
    order_lines: pl.DataFrame
    tickets: pl.DataFrame
    ticket_lines: pl.DataFrame
    demand: pl.DataFrame
    lost: pl.Series


def sell(state: State, night: Night, wishes: pl.DataFrame, prices: Prices) -> Sales:
    """Serve the night's purchases (``journey_no, person_no, product_no, channel, at_us``) in time order.

    A till takes from its store's shelf at once; an order reserves at the node that will ship it.
    """
    wishes = wishes.sort("at_us", "journey_no")
    purchase = _methods(state, night, wishes)
    lines = _baskets(state, night, purchase)
    served = serve(state.stock, *(lines[name].to_numpy() for name in ("node", "product_no", "quantity")))
    lines = lines.with_columns(pl.Series("served", served))
    in_store = purchase["channel"].to_numpy() == STORE
    saved = _endless_aisle(state, night, lines, in_store)
    lines = lines.with_columns(pl.Series("saved", saved))
    _take(state.stock, lines, in_store)
    demand = lines.select(pl.col("node").alias("node_no"), "product_no", "quantity", "served", "saved")
    state.stock.daily = 0.9 * state.stock.daily + 0.1 * _sum_by_cell(state, demand)
    return _documents(state, prices, purchase, lines, demand)


def serve(stock: Stock, node: Ints, product: Ints, quantity: Ints) -> Bools:
    """Which lines can be served, first come, first served: as long as the running total is available."""
    before = asked_before(node * stock.on_hand.shape[1] + product, quantity)
    return before + quantity <= stock.available[node, product]


def _methods(state: State, night: Night, wishes: pl.DataFrame) -> pl.DataFrame:
    """How each purchase reaches the customer, and the node that serves it."""
    draws, number, size = state.world.draws, night.number, wishes.height
    person, channel = wishes["person_no"].to_numpy(), wishes["channel"].to_numpy()
    frame = state.world.people.frame
    home = frame["home_store"].to_numpy()[person]
    how = draws.uniform("method", size, number)
    near_shop = (frame["segment"] == "omni").to_numpy()[person]
    method = np.where(near_shop & (how < PICKUP_SHARE), PICKUP, np.where(how > 1 - FROM_STORE_SHARE, FROM_STORE, SHIP))
    method = np.where(channel == STORE, SHIP, method)
    warehouse = state.world.stores + state.world.market_of_node[home]
    node = np.where((channel == STORE) | (method != SHIP), home, warehouse)
    # Some visit another store of the market than their own.
    away = (channel == STORE) & draws.chance("away", size, 0.05, number)
    other = _store_of_market(state, draws.uniform("other store", size, number), state.world.market_of_node[home])
    node = np.where(away, other, node)
    return wishes.with_columns(
        pl.Series("method", method), pl.Series("node", node), pl.Series("market", state.world.market_of_node[node])
    )


def _store_of_market(state: State, part: npt.NDArray[np.float64], market: Ints) -> Ints:
    markets = state.world.market_of_node[: state.world.stores]
    stores = [np.flatnonzero(markets == m) for m in range(2)]
    sizes = np.array([max(1, len(found)) for found in stores])
    firsts = np.array([found[0] if len(found) else 0 for found in stores])
    found: Ints = firsts[market] + np.floor(part * sizes[market]).astype(np.int64)
    return found


def _baskets(state: State, night: Night, purchase: pl.DataFrame) -> pl.DataFrame:
    """One row per demanded line, purchases in order: first the wanted product, then others in reach; nodes stock only
    their best sellers."""
    draws, number, size = state.world.draws, night.number, purchase.height
    count = 1 + np.minimum(4, np.floor(exponential(draws.uniform("lines", size, number)) * 1.3)).astype(np.int64)
    which = np.repeat(np.arange(size), count)
    first = np.append(True, which[1:] != which[:-1]) if size else np.zeros(0, dtype=np.bool_)
    other = by_weight(draws.uniform("goods", len(which), number), state.world.popularity)
    product = np.where(first, purchase["product_no"].to_numpy()[which], other)
    node = purchase["node"].to_numpy()[which]
    q, coupon = draws.uniform("quantity", len(which), number), draws.uniform("coupon", len(which), number)
    return pl.DataFrame(
        {
            "purchase": which,
            "node": node,
            "product_no": product % state.world.listed[node],
            "quantity": 1 + (q < 0.18).astype(np.int64) + (q < 0.05),
            "percent": np.where(coupon < COUPON * 0.6, 10, np.where(coupon < COUPON, 20, 0)),
        }
    )


def _endless_aisle(state: State, night: Night, lines: pl.DataFrame, in_store: Bools) -> Bools:
    """The lines missing in stores that are ordered from the warehouse instead; reserves nothing yet."""
    which = lines["purchase"].to_numpy()
    wanted = (
        in_store[which]
        & ~lines["served"].to_numpy()
        & state.world.draws.chance("endless aisle", lines.height, ENDLESS_AISLE, night.number)
    )
    saved = np.zeros(lines.height, dtype=np.bool_)
    asked = lines.filter(pl.Series(wanted))
    warehouse = state.world.stores + state.world.market_of_node[asked["node"].to_numpy()]
    # The shop's own orders of the night come first: what they reserve is no longer available.
    held = lines.filter(pl.col("served") & (pl.col("node") >= state.world.stores))
    queue = (
        np.concatenate([held[name].to_numpy(), extra])
        for name, extra in zip(_ASKED, (warehouse, *(asked[n].to_numpy() for n in _ASKED[1:])), strict=True)
    )
    saved[wanted] = serve(state.stock, *queue)[held.height :]
    return saved


_ASKED = ("node", "product_no", "quantity")


def _take(stock: Stock, lines: pl.DataFrame, in_store: Bools) -> None:
    """Take sold goods off the shelf, reserve ordered goods."""
    node, product, quantity = (lines[name].to_numpy() for name in _ASKED)
    served, at_till = lines["served"].to_numpy(), in_store[lines["purchase"].to_numpy()]
    sold, ordered = served & at_till, served & ~at_till
    np.subtract.at(stock.on_hand, (node[sold], product[sold]), quantity[sold])
    np.add.at(stock.reserved, (node[ordered], product[ordered]), quantity[ordered])


def _sum_by_cell(state: State, demand: pl.DataFrame) -> npt.NDArray[np.int64]:
    total = np.zeros_like(state.stock.on_hand)
    np.add.at(total, (demand["node_no"].to_numpy(), demand["product_no"].to_numpy()), demand["quantity"].to_numpy())
    return total


def _documents(
    state: State, prices: Prices, purchase: pl.DataFrame, lines: pl.DataFrame, demand: pl.DataFrame
) -> Sales:
    bought = lines.with_columns(purchase.select("channel", "market")[lines["purchase"]])
    at_till = bought.filter((pl.col("channel") == STORE) & pl.col("served"))
    ordered = bought.filter(((pl.col("channel") != STORE) & pl.col("served")) | pl.col("saved"))
    tickets, ticket_lines = _with_numbers(state, "sale", "sale_no", purchase, at_till)
    orders, order_lines = _with_numbers(state, "order", "order_no", purchase, ordered)
    order_lines = _priced(prices, order_lines, in_shop=True)
    endless = pl.col("channel") == STORE
    warehouse = pl.Series("warehouse", state.world.stores + orders["market"].to_numpy())
    saved_at = order_lines.join(orders.filter(endless), on="order_no", how="semi")
    np.add.at(
        state.stock.reserved,
        (state.world.stores + saved_at["market"].to_numpy(), saved_at["product_no"].to_numpy()),
        saved_at["quantity"].to_numpy(),
    )
    orders = orders.with_columns(
        pl.when(endless).then(warehouse).otherwise(pl.col("node")).alias("origin"),
        pl.when(endless | (pl.col("method") != SHIP)).then(pl.col("node")).alias("store"),
    ).drop("node", "product_no")
    tickets = tickets.rename({"node": "store"}).drop("method", "product_no", "touch", "referrer")
    gone = np.ones(purchase.height, dtype=np.bool_)
    gone[at_till["purchase"].to_numpy()] = False
    gone[ordered["purchase"].to_numpy()] = False
    kept = ["line_no", "product_no", "quantity", "unit", "discount"]
    return Sales(
        orders,
        order_lines.select("order_no", *kept),
        tickets,
        _priced(prices, ticket_lines, in_shop=False).select("sale_no", *kept),
        demand,
        purchase["journey_no"].filter(pl.Series(gone)),
    )


def _with_numbers(
    state: State, kind: str, name: str, purchase: pl.DataFrame, lines: pl.DataFrame
) -> tuple[pl.DataFrame, pl.DataFrame]:
    """The purchases that have lines, numbered in time order, and their lines, numbered from 1."""
    which, first = np.unique(lines["purchase"].to_numpy(), return_index=True)
    numbers = state.numbers(kind, len(which))
    counts = np.diff(np.append(first, lines.height))
    line_no = np.arange(lines.height) - np.repeat(first, counts) + 1
    return (
        purchase[which].with_columns(pl.Series(name, numbers)),
        lines.with_columns(pl.Series(name, np.repeat(numbers, counts)), pl.Series("line_no", line_no)),
    )


def _priced(prices: Prices, lines: pl.DataFrame, in_shop: bool) -> pl.DataFrame:
    """Unit price and discount in cents: tills use their market's currency, the shop's books are in CNY whatever it
    displays."""
    market = lines["market"].to_numpy()
    unit = prices.shelf[lines["channel"].to_numpy(), market, lines["product_no"].to_numpy()]
    if in_shop:
        unit = np.where(market == MARKETS.index("EU"), np.round(unit * prices.euro_in_cny).astype(np.int64), unit)
    discount = unit * lines["quantity"].to_numpy() * lines["percent"].to_numpy() // 100
    return lines.with_columns(pl.Series("unit", unit), pl.Series("discount", discount))
