"""The online shop's side of an order: signed-in customers, packing, cancellation, shipping and collection."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import polars as pl

from onedata.simulate.agreed import agree, change
from onedata.simulate.calendar import DAY, HOUR, MARKETS, SECOND, Night
from onedata.simulate.draws import Ints
from onedata.simulate.selling import FROM_STORE, PICKUP, SHIP, Sales
from onedata.simulate.state import State

REGISTERS = 0.6
GUEST = 0.08
CANCELLED = 0.04
FREE_SHIPPING_CENTS = 19_900
POSTAGE_CENTS = 1_000
FIRST_ORDER_ID = 5_400_000_000
MINUTE = 60 * SECOND
_CLOSES = 16 * HOUR
"""Orders until 16:00 (Shanghai) leave the warehouse the same day."""


@dataclass(frozen=True)
class Orders:
    """``orders``: those of ``Sales`` with ``order_id, guest, subtotal, discounts, postage`` (cents), ``fulfil_us,
    cancelled_us``, what ``agree`` adds, and ``due``, the night of the last version.

    ``changed``, ``changed_lines``: those that are changed before they are shipped, as they stand then.
    ``registered``: persons who opened an account tonight, with the time.
    """

    orders: pl.DataFrame
    lines: pl.DataFrame
    changed: pl.DataFrame
    changed_lines: pl.DataFrame
    registered: pl.DataFrame


def place_orders(state: State, night: Night, sales: Sales) -> Orders:
    """Decide the outcome of the night's orders, and open accounts."""
    draws, number, orders = state.world.draws, night.number, sales.orders
    size = orders.height
    person = orders["person_no"].to_numpy()
    # Store-only customers may order from the warehouse in a store, but open no account for that.
    signs_up = (
        draws.chance("registers", size, REGISTERS, number) & state.world.people.frame["has_shop"].to_numpy()[person]
    )
    newcomers = orders.filter(pl.Series(~state.has_account[person] & signs_up)).unique(
        "person_no", keep="first", maintain_order=True
    )
    registered = newcomers.select("person_no", pl.col("at_us").alias("registered_us"))
    # New customers placed their earlier orders of the same day as guests.
    since = orders.join(registered, on="person_no", how="left", maintain_order="left")["registered_us"]
    knows = state.has_account[person] | (orders["at_us"] >= since).fill_null(value=False).to_numpy()
    state.has_account[registered["person_no"].to_numpy()] = True
    guest = ~knows | draws.chance("guest", size, GUEST, number)
    fulfil = _fulfilment(state, night, orders)
    tomorrow = fulfil >= night.opens + DAY
    cancels = tomorrow & (orders["method"].to_numpy() == SHIP) & draws.chance("cancels", size, CANCELLED, number)
    cancelled = night.opens + DAY + 10 * HOUR + draws.below("cancels at", size, 25 * 60, number) * SECOND
    orders = orders.with_columns(
        pl.Series("order_id", FIRST_ORDER_ID + orders["order_no"].to_numpy()),
        pl.Series("guest", guest),
        pl.Series("fulfil_us", fulfil),
        pl.when(pl.Series(cancels)).then(pl.Series(cancelled)).alias("cancelled_us"),
        pl.Series("due", night.number + tomorrow),
        pl.lit(value=False).alias("is_test"),
        pl.lit(night.campaign).alias("campaign"),
        pl.lit(night.euro_in_cny).alias("euro_in_cny"),
    )
    orders, lines = agree(state, night, orders, sales.order_lines)
    net = pl.col("subtotal") - pl.col("discounts")
    free = (pl.col("method") == PICKUP) | (net >= FREE_SHIPPING_CENTS)
    through = pl.col("market_order").is_not_null()
    orders = orders.with_columns(
        pl.when(free).then(0).otherwise(POSTAGE_CENTS).cast(pl.Int64).alias("postage"),
        # What a marketplace has sold is not cancelled in the shop.
        pl.when(~through).then("cancelled_us").alias("cancelled_us"),
    )
    may_change = tomorrow & orders["cancelled_us"].is_null().to_numpy() & orders["market_order"].is_null().to_numpy()
    changed, changed_lines = change(state, night, orders, lines, may_change)
    return Orders(orders, lines, changed, changed_lines, registered)


def test_orders(
    state: State, night: Night, orders: pl.DataFrame, lines: pl.DataFrame
) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Orders placed by the shop's staff to test the checkout: copies of real baskets without a customer."""
    chosen = orders.filter(
        pl.Series(
            state.world.draws.chance("test orders", orders.height, state.world.settings.defects.test, night.number)
        )
    )
    numbers = state.numbers("order", chosen.height)
    copies = chosen.with_columns(
        pl.Series("order_no", numbers),
        pl.Series("order_id", FIRST_ORDER_ID + numbers),
        pl.lit(value=True).alias("is_test"),
        pl.lit(value=True).alias("guest"),
        pl.lit(None, dtype=pl.Int64).alias("cancelled_us"),
        pl.lit(night.number).cast(pl.Int64).alias("due"),
        (pl.col("at_us") + 37 * SECOND).alias("at_us"),
        *(pl.lit(None, dtype=pl.Int64).alias(name) for name in ("journey_no", "market_order")),
    )
    names = pl.DataFrame({"order_no": chosen["order_no"], "copy": numbers})
    copied = lines.join(names, on="order_no", how="inner", maintain_order="left").with_columns(
        pl.col("copy").alias("order_no")
    )
    return copies, copied.drop("copy")


def _fulfilment(state: State, night: Night, orders: pl.DataFrame) -> Ints:
    """When the goods are handed to the carrier, or are ready in the store; microseconds UTC."""
    draws, number, size = state.world.draws, night.number, orders.height
    at, method = orders["at_us"].to_numpy(), orders["method"].to_numpy()
    part = draws.uniform("packs", size, number)
    day = (at - night.opens) // DAY * DAY + night.opens
    clock = at - day
    packed = day + 18 * HOUR + np.floor(part * 3_600).astype(np.int64) * SECOND + np.where(clock >= _CLOSES, DAY, 0)
    prompt = at + np.floor((10 + part * 30) * 60).astype(np.int64) * SECOND
    # Stores pack in local time, the warehouses in the shop's time.
    midnight = np.array([night.midnight(name) for name in MARKETS])[
        state.world.market_of_node[orders["origin"].to_numpy()]
    ]
    here, clock = at - (at - midnight) % DAY, (at - midnight) % DAY
    open_now = (clock >= 9 * HOUR) & (prompt < here + 20 * HOUR)
    morning = (
        here
        + np.where(clock < 9 * HOUR, 0, DAY)
        + 10 * HOUR
        + 30 * MINUTE
        + np.floor(part * 3_600).astype(np.int64) * SECOND
    )
    by_store = np.isin(method, (PICKUP, FROM_STORE)) & (orders["origin"].to_numpy() < state.world.stores)
    return np.where(by_store, np.where(open_now, prompt, morning), packed)
