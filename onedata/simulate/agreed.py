"""What is agreed on an order of the shop beyond its lines: a discount of the whole order, its tax, what is changed
after it was placed, and the marketplace that it came through; and gift cards sold."""

from __future__ import annotations

import numpy as np
import polars as pl

from onedata.simulate.calendar import DAY, MARKETS, SECOND, Night
from onedata.simulate.draws import Bools
from onedata.simulate.journeys import ONLINE
from onedata.simulate.selling import SHIP
from onedata.simulate.state import State

WITH_CODE = 0.08
CODE_PERCENT = 7
"""An order's code takes so much off what its lines come to after their own discounts."""
TAX_ON_TOP = 0.05
"""Orders of businesses, whose prices are without tax."""
CHANGED = 0.06
"""Of the orders that are shipped on the next day, those of which the customer takes something off before."""
THROUGH_MARKETPLACE = 0.05
GIFT_CARD = 0.02
GIFT_CARD_CENTS = 20_000
_LATER = 210 * SECOND


def agree(state: State, night: Night, orders: pl.DataFrame, lines: pl.DataFrame) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Add to the night's orders ``market_order`` (the marketplace's number for it, or null), ``tax_on_top``,
    ``percent`` (of the whole order), ``subtotal`` and ``discounts`` (cents), and to their lines ``off``, each line's
    share of the order's discount."""
    draws, size, number = state.world.draws, orders.height, night.number
    through = (orders["channel"].to_numpy() == ONLINE) & (orders["method"].to_numpy() == SHIP)
    through &= draws.chance("through marketplace", size, THROUGH_MARKETPLACE, number)
    on_top = ~through & draws.chance("tax on top", size, TAX_ON_TOP, number)
    code = ~through & draws.chance("order code", size, WITH_CODE, number)
    orders = orders.with_columns(
        pl.when(pl.Series(through)).then("order_no").alias("market_order"),
        pl.Series("tax_on_top", on_top),
        pl.Series("percent", np.where(code, CODE_PERCENT, 0)),
    )
    return with_totals(orders, lines)


def with_totals(orders: pl.DataFrame, lines: pl.DataFrame) -> tuple[pl.DataFrame, pl.DataFrame]:
    """``subtotal`` and ``discounts`` of the orders by their lines, and each line's share ``off`` of its order's
    discount."""
    net = pl.col("quantity") * pl.col("unit") - pl.col("discount")
    money = lines.group_by("order_no", maintain_order=True).agg(
        (pl.col("quantity") * pl.col("unit")).sum().alias("subtotal"),
        pl.col("discount").sum().alias("of_lines"),
        net.sum().alias("net"),
    )
    orders = orders.drop("subtotal", "discounts", strict=False)
    orders = orders.join(money, on="order_no", how="left", maintain_order="left").with_columns(
        (pl.col("net") * pl.col("percent") // 100).alias("of_order")
    )
    shared = lines.drop("off", strict=False).join(
        orders.select("order_no", "net", "of_order"), on="order_no", how="left", maintain_order="left"
    )
    orders = orders.with_columns((pl.col("of_lines") + pl.col("of_order")).alias("discounts"))
    return orders.drop("of_lines", "of_order", "net"), _shared(shared, net).drop("net", "of_order")


def _shared(lines: pl.DataFrame, net: pl.Expr) -> pl.DataFrame:
    """Spread ``of_order`` to the cent: each share rounded down, the cents that are left to the largest remainders."""
    product, whole = pl.col("of_order") * net, pl.max_horizontal("net", 1)
    lines = lines.with_columns((product // whole).alias("_cents"), (product % whole).alias("_rest"))
    lines = lines.with_columns(
        pl.struct(-pl.col("_rest"), "line_no").rank("ordinal").over("order_no").alias("_place"),
        (pl.col("of_order") - pl.col("_cents").sum().over("order_no")).alias("_left"),
    )
    off = pl.col("_cents") + (pl.col("_place") <= pl.col("_left")).cast(pl.Int64)
    return lines.with_columns(off.alias("off")).drop("_cents", "_rest", "_place", "_left")


def change(
    state: State, night: Night, orders: pl.DataFrame, lines: pl.DataFrame, may_change: Bools
) -> tuple[pl.DataFrame, pl.DataFrame]:
    """The orders that their customers change before they are shipped, as they stand then, with their lines.

    The last of several lines is taken off; of a single line, one unit. Stock is released at once.
    """
    chosen = may_change & state.world.draws.chance("changed", orders.height, CHANGED, night.number)
    found = orders.filter(pl.Series(chosen))
    rows = lines.join(found.select("order_no", "origin"), on="order_no", how="inner", maintain_order="left")
    rows = rows.with_columns(
        pl.len().over("order_no").alias("_count"),
        (pl.col("line_no") == pl.col("line_no").max().over("order_no")).alias("_last"),
    )
    single = pl.col("_count") == 1
    fewer = pl.when(single).then(pl.col("quantity") - 1).when("_last").then(0).otherwise("quantity")
    rows = rows.with_columns(fewer.alias("_fewer"))
    # Of a single line of one unit nothing can be taken off.
    kept = rows.filter(pl.col("_fewer").sum().over("order_no") > 0)
    gone = kept.filter(pl.col("_fewer") < pl.col("quantity"))
    np.subtract.at(
        state.stock.reserved,
        (gone["origin"].to_numpy(), gone["product_no"].to_numpy()),
        (gone["quantity"] - gone["_fewer"]).to_numpy(),
    )
    kept = kept.filter(pl.col("_fewer") > 0).with_columns(
        (pl.col("discount") * pl.col("_fewer") // pl.col("quantity")).alias("discount"),
        pl.col("_fewer").alias("quantity"),
    )
    changed = found.join(kept, on="order_no", how="semi", maintain_order="left")
    return with_totals(changed, kept.select(lines.columns))


def in_the_end(before: pl.DataFrame, changed: pl.DataFrame) -> pl.DataFrame:
    """Orders or lines with those that were changed replaced, in order of ``order_no``."""
    same = before.join(changed, on="order_no", how="anti", maintain_order="left")
    return pl.concat([same, changed.select(before.columns)]).sort("order_no", maintain_order=True)


def market_id() -> pl.Expr:
    """What the marketplace calls an order; null for those that did not come through it."""
    return pl.concat_str(pl.lit("MP-"), "market_order")


def vat_percent() -> pl.Expr:
    """The rate of value-added tax in the buyer's market."""
    return pl.when(pl.col("market") == MARKETS.index("EU")).then(19).otherwise(13).cast(pl.Int64)


def order_tax() -> pl.Expr:
    """The value-added tax of a shop order, in whole cents rounded down: within its total, or on top of it."""
    percent = vat_percent()
    asked = pl.col("subtotal") - pl.col("discounts") + pl.col("postage")
    return pl.when("tax_on_top").then(asked * percent // 100).otherwise(asked * percent // (100 + percent))


def order_total() -> pl.Expr:
    """What the customer pays for an order, in cents."""
    added = pl.when("tax_on_top").then(order_tax()).otherwise(0)
    return pl.col("subtotal") - pl.col("discounts") + pl.col("postage") + added


def gift_cards(
    state: State, night: Night, orders: pl.DataFrame, lines: pl.DataFrame
) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Gift cards that some customers buy a little after another order: orders of one line, without goods, sent by
    e-mail at once."""
    is_web = pl.Series(orders["channel"].to_numpy() == ONLINE)
    chosen = orders.filter(
        is_web & pl.Series(state.world.draws.chance("gift card", orders.height, GIFT_CARD, night.number))
    )
    numbers = state.numbers("order", chosen.height)
    nothing = pl.lit(None, dtype=pl.Int64)
    at = pl.min_horizontal(pl.col("at_us") + _LATER, night.opens + DAY - _LATER)
    heads = chosen.with_columns(
        pl.Series("order_no", numbers, dtype=pl.Int64),
        (pl.col("order_id") - pl.col("order_no") + pl.Series(numbers, dtype=pl.Int64)).alias("order_id"),
        at.alias("at_us"),
        (at + SECOND).alias("fulfil_us"),
        pl.lit(GIFT_CARD_CENTS, dtype=pl.Int64).alias("subtotal"),
        *(pl.lit(0, dtype=pl.Int64).alias(name) for name in ("discounts", "postage", "percent")),
        *(nothing.alias(name) for name in ("cancelled_us", "market_order", "journey_no")),
        *(pl.lit(-1, dtype=pl.Int64).alias(name) for name in ("touch", "referrer")),
        pl.lit(value=False).alias("tax_on_top"),
        pl.lit(night.number).cast(pl.Int64).alias("due"),
    )
    rows = pl.DataFrame({"order_no": pl.Series(numbers, dtype=pl.Int64)}).with_columns(
        pl.lit(1, dtype=pl.Int64).alias("line_no"),
        nothing.alias("product_no"),
        pl.lit(1, dtype=pl.Int64).alias("quantity"),
        pl.lit(GIFT_CARD_CENTS, dtype=pl.Int64).alias("unit"),
        *(pl.lit(0, dtype=pl.Int64).alias(name) for name in ("discount", "off")),
    )
    return heads.select(orders.columns), rows.select([name for name in lines.columns if name in rows.columns])
