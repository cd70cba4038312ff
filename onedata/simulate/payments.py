"""How orders of the shop are paid: at once, with a gift card in part, or when they are shipped, in one part or two;
tries that failed, and payments that the bank takes back."""

from __future__ import annotations

import polars as pl

from onedata.simulate.afterwards import TAKEN, Documents
from onedata.simulate.agreed import in_the_end, order_total
from onedata.simulate.calendar import DAY, HOUR, Night
from onedata.simulate.fulfilment import day_of
from onedata.simulate.shop import Orders
from onedata.simulate.state import State

GATEWAYS = ("unionpay", "alipay", "wechat_pay")
LATER = 0.12
"""Of the orders shipped on the next day, those whose money is taken only then; changed orders always are."""
IN_PARTS = 0.5
WITH_CARD = 0.04
CARD_CENTS = 5_000
FAILED = 0.03
CHARGED_BACK = 0.004
COLUMNS = ("order_id", "person_no", "part", "parent", "kind", "gateway", "status", "amount", "at_us")


def pay(state: State, night: Night, placed: Orders, gifts: Documents) -> None:
    """Put the payments of the night's orders on the agenda. What comes through a marketplace is paid there; test orders
    are not paid.

    ``COLUMNS``: ``part`` numbers an order's payments, ``parent`` is the part that a capture belongs to, amounts are in
    cents CNY.
    """
    draws, number = state.world.draws, night.number
    orders = pl.concat([in_the_end(placed.orders, placed.changed), gifts[0]])
    asked = placed.orders.select("order_no", order_total().alias("asked"))
    orders = orders.join(asked, on="order_no", how="left", maintain_order="left")
    orders = orders.filter(pl.col("market_order").is_null()).with_columns(order_total().alias("total"))
    size = orders.height
    changed = orders["order_no"].is_in(placed.changed["order_no"].implode()).to_numpy()
    waits = (orders["due"] > number).to_numpy() & orders["cancelled_us"].is_null().to_numpy()
    later = changed | (waits & draws.chance("paid later", size, LATER, number))
    orders = orders.with_columns(
        pl.Series("later", later),
        pl.Series("in_parts", later & draws.chance("paid in parts", size, IN_PARTS, number)),
        pl.Series("by_card", ~later & draws.chance("paid by gift card", size, WITH_CARD, number)),
        pl.Series("failed", draws.chance("payment failed", size, FAILED, number)),
        pl.Series("back", draws.chance("charged back", size, CHARGED_BACK, number)),
        pl.Series("gateway", GATEWAYS).gather(draws.below("gateway", size, len(GATEWAYS), number)),
        pl.Series("back_us", (2 + draws.below("charged back at", size, 4, number)) * DAY),
        (pl.col("at_us") + TAKEN).alias("taken_us"),
    )
    card = pl.when("by_card").then(pl.min_horizontal("total", CARD_CENTS)).otherwise(0)
    first = pl.when("in_parts").then(pl.col("total") * 6 // 10).otherwise("total")
    rows = pl.concat(
        [
            _part(
                orders.filter("failed"), 1, "sale", pl.col("asked").fill_null(pl.col("total")), pl.col("at_us")
            ).with_columns(pl.lit("failure").alias("status")),
            _part(orders.filter("later"), 2, "authorization", pl.col("asked"), pl.col("taken_us")),
            _part(orders.filter(~pl.col("later")), 2, "sale", pl.col("total") - card, pl.col("taken_us")),
            _part(orders.filter("by_card"), 3, "sale", card, pl.col("taken_us")).with_columns(
                pl.lit("gift_card").alias("gateway")
            ),
            _part(orders.filter("later"), 4, "capture", first, pl.col("fulfil_us")),
            _part(orders.filter("in_parts"), 5, "capture", pl.col("total") - first, pl.col("fulfil_us") + 6 * HOUR),
            _part(
                orders.filter(pl.col("back") & pl.col("cancelled_us").is_null()),
                6,
                "chargeback",
                pl.col("total"),
                pl.col("at_us") + pl.col("back_us"),
            ),
        ]
    ).filter(pl.col("amount") > 0)
    state.agenda.put("payment", day_of(night, rows["at_us"].to_numpy()), rows)


def numbered(state: State, night: Night) -> pl.DataFrame:
    """Tonight's payments with their ``payment_id`` and ``parent_id``, in time order."""
    rows = state.agenda.take("payment", night.number).sort("at_us", "order_id", "part")
    return rows.with_columns(
        (pl.col("order_id") * 10 + pl.col("part")).alias("payment_id"),
        (pl.col("order_id") * 10 + pl.col("parent")).alias("parent_id"),
    )


def _part(orders: pl.DataFrame, part: int, kind: str, amount: pl.Expr, at: pl.Expr) -> pl.DataFrame:
    return orders.with_columns(
        pl.lit(part, dtype=pl.Int64).alias("part"),
        pl.lit(2 if kind == "capture" else None, dtype=pl.Int64).alias("parent"),
        pl.lit(kind).alias("kind"),
        pl.lit("success").alias("status"),
        amount.alias("amount"),
        at.alias("at_us"),
    ).select(COLUMNS)
