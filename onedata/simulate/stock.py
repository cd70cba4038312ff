"""Stock: targets, supplier orders, transfers to stores, sales, shrinkage, and the closing count.

On every night and at every node, closing stock = opening stock + the night's movements.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import polars as pl

from onedata.simulate.calendar import HOUR, MARKETS, SECOND, Night, night_of
from onedata.simulate.draws import Floats, Ints
from onedata.simulate.state import Movements, State, Stock, asked_before
from onedata.simulate.world import World, markets_of

REVIEW_DAYS = 1
TRANSFER_DAYS = 2
BATCH_DAYS = 5
"""Days of demand that a warehouse orders at once."""
SERVICE_LEVEL = 1.1
"""Standard deviations of demand kept as safety stock; low enough for shelves to run empty on busy days."""
SHRINKAGE = 0.0004
SPOILED = 0.0006
LINES_PER_ORDER_UNITS = 2.4
"""Units on a mean order: lines times units a line."""


def open_supply(state: State) -> None:
    """Declare the columns of goods in transit to the agenda, and schedule what the warehouses ordered before the first
    night."""
    for kind in ("receipt", "transfer_in"):
        state.agenda.expect(
            kind, {"node_no": pl.Int64(), "product_no": pl.Int64(), "quantity": pl.Int64(), "reference": pl.String()}
        )
    level, batch = needs(state.world, state.stock, 1.0)
    missing = np.where(state.stock.on_hand < level, level + batch - state.stock.on_hand, 0)
    row, product = np.nonzero(missing[state.world.stores :] > 0)
    part = state.world.draws.uniform("ordered before", len(row))
    due = np.floor(part * state.world.products["lead_days"].to_numpy()[product]).astype(np.int64)
    _expect_from_suppliers(
        state, state.world.stores + row, product, missing[state.world.stores + row, product], due, "before"
    )


def opening_stock(
    world: World, segment: Ints, market: Ints, activity: npt.NDArray[np.float64], home_store: Ints
) -> Stock:
    """Stock before the first night: for the expected demand of an ordinary day, up to its target, somewhat reduced at
    random."""
    units = world.settings.rate * activity * LINES_PER_ORDER_UNITS
    in_store = np.array([0.0, 1.0, 0.45])[segment]
    nodes, products = world.nodes.height, world.products.height
    wanted = np.bincount(home_store, weights=units * in_store, minlength=nodes)
    online = np.bincount(world.stores + market, weights=units * (1 - in_store), minlength=nodes)
    daily = (wanted + online)[:, None] * _shares(world)
    empty = np.zeros((nodes, products), dtype=np.int64)
    stock = Stock(empty, empty.copy(), empty.copy(), daily)
    level, batch = needs(world, stock, 1.0)
    part = world.draws.uniform("opening stock", level.size).reshape(level.shape)
    stock.on_hand = np.floor(level * (0.7 + 0.3 * part) + batch * part).astype(np.int64)
    return stock


def _shares(world: World) -> npt.NDArray[np.float64]:
    """[node, product] -> the product's share of the node's demand."""
    listed = np.arange(world.products.height)[None, :] < world.listed[:, None]
    share = np.where(listed, world.popularity[None, :], 0.0)
    found: Floats = share / share.sum(axis=1, keepdims=True)
    return found


def needs(world: World, stock: Stock, busy: float) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """[node, product] -> the level (including goods in transit) at which a node orders, and its order quantity beyond
    it.

    Method: reorder point of normal demand over the lead time (Silver, Pyke & Peterson 1998, ch. 7). A warehouse also
    covers its stores, over its suppliers' lead times. A node needs nothing of a product that it does not list.
    ``busy``: the demand of the coming days relative to the last ones.
    """
    market = world.market_of_node
    lead = np.full(stock.daily.shape, TRANSFER_DAYS + REVIEW_DAYS, dtype=np.float64)
    batch = np.zeros(stock.daily.shape)
    daily = stock.daily * busy
    for number in range(len(MARKETS)):
        warehouse = world.warehouse(number)
        stores = np.flatnonzero(market[: world.stores] == number)
        daily[warehouse] += daily[stores].sum(axis=0)
        lead[warehouse] = world.products["lead_days"].to_numpy() + REVIEW_DAYS
        batch[warehouse] = daily[warehouse] * BATCH_DAYS
    expected = daily * lead
    level = np.ceil(expected + SERVICE_LEVEL * np.sqrt(expected)).astype(np.int64) + 1
    listed = np.arange(level.shape[1])[None, :] < world.listed[:, None]
    return np.where(listed, level, 0), np.where(listed, np.ceil(batch), 0).astype(np.int64)


def busy_days(world: World, night: Night) -> float:
    """How much busier the coming week is than the last, at least 1: a retailer knows its own campaigns."""
    coming, past = (
        sum(night_of(world.settings.start, night.number + day).demand for day in days) / len(days)
        for days in (range(1, 8), range(-6, 1))
    )
    return max(1.0, coming / past)


def receive(state: State, night: Night, movements: Movements) -> None:
    """Receive this morning's deliveries of suppliers and transfers."""
    for kind, hour in (("receipt", 7), ("transfer_in", 8)):
        rows = state.agenda.take(kind, night.number)
        node, product, quantity = (rows[name].to_numpy() for name in ("node_no", "product_no", "quantity"))
        np.add.at(state.stock.on_hand, (node, product), quantity)
        np.subtract.at(state.stock.incoming, (node, product), quantity)
        moved = night.opens + hour * HOUR + np.arange(rows.height) % 3_000 * SECOND
        movements.add(kind, node, product, quantity, moved, rows["reference"])


def replenish(state: State, night: Night, movements: Movements) -> None:
    """Order missing stock: stores from their market's warehouse, as far as available, warehouses from suppliers."""
    stock, world = state.stock, state.world
    level, batch = needs(world, stock, busy_days(world, night))
    position = stock.available + stock.incoming
    missing = np.where(position < level, level + batch - position, 0)
    store, product = np.nonzero(missing[: world.stores] > 0)
    warehouse = world.stores + world.market_of_node[store]
    wanted = missing[store, product]
    room = stock.available[warehouse, product]
    # The warehouse allocates in the order of stores; requests beyond its stock are not shipped.
    before = asked_before(warehouse * stock.on_hand.shape[1] + product, wanted)
    sent = np.clip(room - before, 0, wanted)
    _transfer(state, night, movements, store[sent > 0], warehouse[sent > 0], product[sent > 0], sent[sent > 0])
    _order_from_suppliers(state, night, missing)


def _transfer(
    state: State, night: Night, movements: Movements, store: Ints, warehouse: Ints, product: Ints, sent: Ints
) -> None:
    stock = state.stock
    np.subtract.at(stock.on_hand, (warehouse, product), sent)
    np.add.at(stock.incoming, (store, product), sent)
    # One transfer per store and night.
    reference = pl.concat_str(
        pl.lit("T-"), state.world.nodes["node_id"].gather(store).alias("n"), pl.lit(f"-{night.ds}")
    )
    named = pl.DataFrame({"n": state.world.nodes["node_id"].gather(store)}).select(reference.alias("reference"))[
        "reference"
    ]
    movements.add(
        "transfer_out",
        warehouse,
        product,
        -sent,
        night.opens + 20 * HOUR + np.arange(len(store)) % 3_000 * SECOND,
        named,
    )
    rows = pl.DataFrame({"node_no": store, "product_no": product, "quantity": sent, "reference": named})
    state.agenda.put("transfer_in", np.full(len(store), night.number + TRANSFER_DAYS), rows)


def _order_from_suppliers(state: State, night: Night, missing: npt.NDArray[np.int64]) -> None:
    world, draws = state.world, state.world.draws
    row, product = np.nonzero(missing[world.stores :] > 0)
    node = world.stores + row
    quantity = missing[node, product]
    # Most suppliers are on time; some are a few days late, and some deliver too little.
    slip = draws.uniform("supplier is late", len(node), night.number)
    short = np.where(draws.chance("supplier is short", len(node), 0.08, night.number), 0.7, 1.0)
    quantity = np.maximum(1, np.floor(quantity * short)).astype(np.int64)
    due = (
        night.number
        + world.products["lead_days"].to_numpy()[product]
        + np.where(slip > 0.9, 1 + np.floor((slip - 0.9) * 40), 0).astype(np.int64)
    )
    _expect_from_suppliers(state, node, product, quantity, due, night.ds)


def _expect_from_suppliers(state: State, node: Ints, product: Ints, quantity: Ints, due: Ints, ordered: str) -> None:
    """One purchase order per warehouse, supplier and day."""
    np.add.at(state.stock.incoming, (node, product), quantity)
    names = pl.DataFrame(
        {"w": state.world.nodes["node_id"].gather(node), "s": state.world.products["supplier"].gather(product)}
    )
    named = names.select(pl.concat_str(pl.lit("PO"), "w", "s", pl.lit(ordered), separator="-").alias("reference"))
    rows = pl.DataFrame({"node_no": node, "product_no": product, "quantity": quantity, "reference": named["reference"]})
    state.agenda.put("receipt", due, rows)


def lose(state: State, night: Night, movements: Movements) -> None:
    """Shrinkage found at the evening count, and write-offs."""
    draws, stock = state.world.draws, state.stock
    flat = stock.available.ravel()
    part = draws.uniform("count", flat.size, night.number)
    cells = np.flatnonzero((part < SHRINKAGE + SPOILED) & (flat > 0))
    node, product = np.divmod(cells, stock.on_hand.shape[1])
    spoiled = part[cells] >= SHRINKAGE
    stock.on_hand[node, product] -= 1
    moved = night.opens + 22 * HOUR + 1_800 * SECOND + cells % 900 * SECOND
    for kind, mine in (("adjustment", ~spoiled), ("write_off", spoiled)):
        movements.add(kind, node[mine], product[mine], np.full(int(mine.sum()), -1), moved[mine])


def snapshot(state: State) -> pl.DataFrame:
    """Closing stock, one row per node and product that it lists or holds: ``node_no, product_no, on_hand, reserved,
    incoming, safety``."""
    stock = state.stock
    listed = np.arange(stock.on_hand.shape[1])[None, :] < state.world.listed[:, None]
    node, product = np.nonzero(listed | (stock.on_hand != 0))
    safety = np.ceil(SERVICE_LEVEL * np.sqrt(stock.daily[node, product] * (TRANSFER_DAYS + REVIEW_DAYS))).astype(
        np.int64
    )
    return pl.DataFrame(
        {
            "node_no": node,
            "product_no": product,
            "on_hand": stock.on_hand[node, product],
            "reserved": stock.reserved[node, product],
            "incoming": stock.incoming[node, product],
            "safety": safety,
        }
    )


def kinds_of_people(world: World) -> tuple[Ints, Ints]:
    """Each person's segment (position in ``journeys.SEGMENTS``) and market (position in ``MARKETS``)."""
    frame = world.people.frame
    return frame["segment"].to_physical().cast(pl.Int64).to_numpy(), markets_of(frame["market"])
