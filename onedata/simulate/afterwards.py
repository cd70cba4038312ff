"""Consequences of earlier nights: new versions of orders, returned parcels, refunds; and the ground truth of a
night."""

from __future__ import annotations

import numpy as np
import polars as pl

from onedata.simulate import fulfilment
from onedata.simulate.agreed import in_the_end, order_total, vat_percent
from onedata.simulate.calendar import HOUR, SECOND, Night
from onedata.simulate.shop import Orders
from onedata.simulate.state import Movements, State
from onedata.simulate.tills import take_back

FIRST_REFUND_ID = 620_000_000
TAKEN = 2 * SECOND
"""How long the shop takes to accept an order."""
Documents = tuple[pl.DataFrame, pl.DataFrame]
"""Headers and lines."""


def order_versions(
    state: State, night: Night, placed: Orders, tests: Documents, gifts: Documents, movements: Movements
) -> tuple[pl.DataFrame, pl.DataFrame, pl.DataFrame]:
    """The order versions delivered tonight, their lines, and the parcels that are shipped.

    An order whose goods are shipped on the next day is delivered twice: as placed, and as changed, shipped or
    cancelled.
    """
    waits = pl.col("due") > night.number
    later = in_the_end(placed.orders, placed.changed).filter(waits)
    later_lines = in_the_end(placed.lines, placed.changed_lines).join(
        later.select("order_no"), on="order_no", how="semi", maintain_order="left"
    )
    state.agenda.put("order", np.full(later.height, night.number + 1), later)
    state.agenda.put("order line", np.full(later_lines.height, night.number + 1), later_lines)
    due = state.agenda.take("order", night.number)
    due_lines = state.agenda.take("order line", night.number)
    unfulfilled = pl.lit(None, dtype=pl.Int64).alias("cancelled")
    first = placed.orders.with_columns(
        pl.lit(1).cast(pl.Int64).alias("version"),
        pl.when(waits).then(pl.col("at_us") + TAKEN).otherwise("fulfil_us").alias("updated_us"),
        unfulfilled,
        (~waits).alias("fulfilled"),
    )
    trial = tests[0].with_columns(
        pl.lit(1).cast(pl.Int64).alias("version"),
        (pl.col("at_us") + TAKEN).alias("updated_us"),
        unfulfilled,
        pl.lit(value=False).alias("fulfilled"),
    )
    mailed = gifts[0].with_columns(
        pl.lit(1).cast(pl.Int64).alias("version"),
        pl.col("fulfil_us").alias("updated_us"),
        unfulfilled,
        pl.lit(value=True).alias("fulfilled"),
    )
    second = due.with_columns(
        pl.lit(2).cast(pl.Int64).alias("version"),
        pl.coalesce("cancelled_us", "fulfil_us").alias("updated_us"),
        pl.col("cancelled_us").alias("cancelled"),
        pl.col("cancelled_us").is_null().alias("fulfilled"),
    )
    leaving = pl.concat([due, placed.orders.filter(~waits)])
    lines = pl.concat([due_lines, placed.lines])
    sent = fulfilment.send_orders(state, night, leaving, lines, movements)
    return pl.concat([second, first, trial, mailed]), pl.concat([lines, tests[1], gifts[1]]), sent


def parcels_back(state: State, night: Night, movements: Movements) -> pl.DataFrame:
    """Lines that reach a warehouse tonight, with ``received_us`` and ``node_no``; they are refunded the next day."""
    rows = state.agenda.take("return", night.number)
    moment = night.opens + 9 * HOUR + state.world.draws.below("unpacks", rows.height, 30_000, night.number) * SECOND
    node = state.world.stores + state.world.market_of_node[rows["store"].to_numpy()]
    rows = rows.with_columns(pl.Series("received_us", moment), pl.Series("node_no", node)).sort("original", "line_no")
    # All lines of a parcel are unpacked together.
    rows = rows.with_columns(pl.col("received_us").first().over("original"))
    take_back(state, night, "warehouse", rows["node_no"].to_numpy(), rows, rows["received_us"].to_numpy(), movements)
    state.agenda.put("refund", np.full(rows.height, night.number + 1), rows)
    return rows


def refunded_lines(state: State, night: Night, versions: pl.DataFrame, lines: pl.DataFrame) -> pl.DataFrame:
    """Lines refunded tonight: of parcels received the day before, and of orders cancelled tonight."""
    kept = (
        "order_id",
        "line_no",
        "product_no",
        "quantity",
        "unit",
        "discount",
        "tax",
        "paid_back",
        "postage",
        "postage_tax",
        "person_no",
        "node_no",
        "created_us",
        "restock_type",
        "note",
    )
    net = pl.col("quantity") * pl.col("unit") - pl.col("discount")
    # The shop names the tax of a refund where prices are without it.
    tax = (net * pl.col("added_percent") // 100).alias("tax")
    back = state.agenda.take("refund", night.number).with_columns(
        pl.col("original").cast(pl.Int64).alias("order_id"),
        (pl.col("received_us") + 20 * HOUR).alias("created_us"),
        pl.lit("return").alias("restock_type"),
        pl.lit("goods received").alias("note"),
        tax,
        pl.lit(None, dtype=pl.Int64).alias("paid_back"),
        *(pl.lit(0, dtype=pl.Int64).alias(name) for name in ("postage", "postage_tax")),
    )
    cancelled = versions.filter(pl.col("cancelled").is_not_null())
    gone = lines.join(
        cancelled.select(
            "order_no",
            "order_id",
            "person_no",
            "origin",
            "cancelled",
            "postage",
            order_total().alias("paid_back"),
            pl.when("tax_on_top").then(vat_percent()).otherwise(0).alias("added_percent"),
        ),
        on="order_no",
        how="inner",
        maintain_order="left",
    )
    gone = gone.with_columns(
        pl.col("origin").alias("node_no"),
        pl.col("cancelled").alias("created_us"),
        pl.lit("cancel").alias("restock_type"),
        pl.lit(None, dtype=pl.String).alias("note"),
        (pl.col("discount") + pl.col("off")).alias("discount"),
    ).with_columns(tax)
    # An order that is cancelled is paid back whole, with its postage.
    rest = pl.col("paid_back") - (net + pl.col("tax")).sum().over("order_id") - pl.col("postage")
    gone = gone.with_columns(rest.alias("postage_tax"))
    return pl.concat([back.select(kept), gone.select(kept)])


def numbered_gestures(state: State, night: Night) -> pl.DataFrame:
    """Money paid back tonight without goods, each with the number of its refund."""
    rows = state.agenda.take("gesture", night.number).sort("created_us", "order_id")
    numbers = FIRST_REFUND_ID + state.numbers("refund", rows.height)
    return rows.with_columns(pl.Series("refund_id", numbers, dtype=pl.Int64))
