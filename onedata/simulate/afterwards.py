"""Consequences of earlier nights: new versions of orders, returned parcels, refunds; and the ground truth of a
night."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import polars as pl

from onedata.simulate import fulfilment
from onedata.simulate.calendar import CURRENCIES, HOUR, MARKETS, SECOND, Night
from onedata.simulate.journeys import CHANNELS, TOUCHES
from onedata.simulate.prices import Prices
from onedata.simulate.selling import Sales
from onedata.simulate.shop import Orders
from onedata.simulate.state import Movements, State
from onedata.simulate.tills import CANCELLED_FLAG, CONTROL, NORMAL, RETURN, take_back

FIRST_REFUND_ID = 620_000_000
TAKEN = 2 * SECOND
"""How long the shop takes to accept an order."""
Documents = tuple[pl.DataFrame, pl.DataFrame]
"""Headers and lines."""


@dataclass(frozen=True)
class Truth:
    """Ground truth of a night.

    One row per document line (``lines``), per touch of a journey that ended (``touches``), per node and product with
    demand (``demand``), per survey answer (``answers``).
    """

    lines: pl.DataFrame
    touches: pl.DataFrame
    demand: pl.DataFrame
    answers: pl.DataFrame


def order_versions(
    state: State, night: Night, placed: Orders, tests: Documents, movements: Movements
) -> tuple[pl.DataFrame, pl.DataFrame, pl.DataFrame]:
    """The order versions delivered tonight, their lines, and the parcels that are shipped.

    An order whose goods are shipped on the next day is delivered twice: as placed, and as shipped or cancelled.
    """
    waits = pl.col("due") > night.number
    later = placed.orders.filter(waits)
    later_lines = placed.lines.join(later.select("order_no"), on="order_no", how="semi", maintain_order="left")
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
    second = due.with_columns(
        pl.lit(2).cast(pl.Int64).alias("version"),
        pl.coalesce("cancelled_us", "fulfil_us").alias("updated_us"),
        pl.col("cancelled_us").alias("cancelled"),
        pl.col("cancelled_us").is_null().alias("fulfilled"),
    )
    leaving = pl.concat([due, placed.orders.filter(~waits)])
    lines = pl.concat([due_lines, placed.lines])
    sent = fulfilment.send_orders(state, night, leaving, lines, movements)
    return pl.concat([second, first, trial]), pl.concat([lines, tests[1]]), sent


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
        "person_no",
        "node_no",
        "created_us",
        "restock_type",
        "note",
    )
    back = state.agenda.take("refund", night.number).with_columns(
        pl.col("original").cast(pl.Int64).alias("order_id"),
        (pl.col("received_us") + 20 * HOUR).alias("created_us"),
        pl.lit("return").alias("restock_type"),
        pl.lit("goods received").alias("note"),
    )
    cancelled = versions.filter(pl.col("cancelled").is_not_null())
    gone = lines.join(
        cancelled.select("order_no", "order_id", "person_no", "origin", "cancelled"),
        on="order_no",
        how="inner",
        maintain_order="left",
    )
    gone = gone.with_columns(
        pl.col("origin").alias("node_no"),
        pl.col("cancelled").alias("created_us"),
        pl.lit("cancel").alias("restock_type"),
        pl.lit(None, dtype=pl.String).alias("note"),
    )
    return pl.concat([back.select(kept), gone.select(kept)])


def numbered_gestures(state: State, night: Night) -> pl.DataFrame:
    """Money paid back tonight without goods, each with the number of its refund."""
    rows = state.agenda.take("gesture", night.number).sort("created_us", "order_id")
    numbers = FIRST_REFUND_ID + state.numbers("refund", rows.height)
    return rows.with_columns(pl.Series("refund_id", numbers, dtype=pl.Int64))


def what_is_true(
    state: State,
    night: Night,
    prices: Prices,
    sales: Sales,
    placed: Orders,
    tests: Documents,
    tickets: pl.DataFrame,
    ticket_lines: pl.DataFrame,
    back: pl.DataFrame,
    gestures: pl.DataFrame,
    answers: pl.DataFrame,
) -> Truth:
    """The night's ground truth; amounts in cents of ``currency``, units and amounts of returns negative."""
    lines = pl.concat(
        [
            _shop_lines(placed, tests),
            _till_lines(tickets, ticket_lines),
            _parcel_lines(back),
            _gesture_lines(gestures),
        ],
        how="diagonal",
    )
    sku = state.world.products["sku"].gather(lines["product_no"])  # none of money alone
    net = (pl.col("quantity") * pl.col("unit") - pl.col("discount")).alias("net")
    lines = lines.with_columns(
        net,
        sku.alias("sku"),
        pl.lit(night.day).alias("night"),
        pl.Series("c", CHANNELS).gather(lines["channel"]).alias("channel"),
    )
    in_cny = pl.when(pl.col("currency") == "EUR").then(pl.col("net") * prices.euro_in_cny).otherwise("net")
    state.ledger["revenue"] += round(lines.filter("counts").select(in_cny.sum()).item())
    return Truth(
        lines.drop("product_no"),
        _touches(state, night, sales, placed, tickets),
        _demand(state, night, prices, sales),
        answers.select("response_id", "document", "person_no", "csat", "nps", "ces", "answered_us"),
    )


_LINE = (
    "source",
    "document",
    "line_no",
    "person_no",
    "journey_no",
    "channel",
    "currency",
    "product_no",
    "quantity",
    "unit",
    "discount",
    "original",
    "at_us",
)


def order_tax() -> pl.Expr:
    """The tax within a shop order's total, in whole cents rounded down: value-added tax of the buyer's market."""
    percent = pl.when(pl.col("market") == MARKETS.index("EU")).then(19).otherwise(13)
    return (pl.col("subtotal") - pl.col("discounts") + pl.col("postage")) * percent // (100 + percent)


def _shop_lines(placed: Orders, tests: Documents) -> pl.DataFrame:
    heads = pl.concat([placed.orders, tests[0]])
    rows = pl.concat([placed.lines, tests[1]]).join(
        heads.drop("touch", "referrer"), on="order_no", how="inner", maintain_order="left"
    )
    return rows.with_columns(
        pl.lit("shop").alias("source"),
        pl.col("order_id").cast(pl.String).alias("document"),
        pl.lit("CNY").alias("currency"),
        pl.lit(None, dtype=pl.String).alias("original"),
        pl.when("is_test").then(None).otherwise("person_no").alias("person_no"),
    ).select(
        *_LINE,
        "is_test",
        "cancelled_us",
        pl.lit(value=False).alias("is_return"),
        (~pl.col("is_test") & pl.col("cancelled_us").is_null()).alias("counts"),
        "postage",
        order_tax().alias("order_tax"),
    )


def _till_lines(tickets: pl.DataFrame, lines: pl.DataFrame) -> pl.DataFrame:
    heads = tickets.filter(pl.col("kind") != CONTROL).select(
        "ticket_id", "person_no", "journey_no", "market", "at_us", "kind", "flag"
    )
    rows = lines.join(heads, on="ticket_id", how="inner", maintain_order="left")
    sign = pl.when(pl.col("kind") == RETURN).then(-1).otherwise(1)
    cancelled = pl.col("flag") == CANCELLED_FLAG
    return rows.with_columns(
        pl.lit("pos").alias("source"),
        pl.col("ticket_id").alias("document"),
        (sign * pl.col("quantity")).alias("quantity"),
        (sign * pl.col("discount")).alias("discount"),
        pl.lit(CHANNELS.index("store")).cast(pl.Int64).alias("channel"),
        pl.col("market")
        .replace_strict({n: CURRENCIES[m] for n, m in enumerate(MARKETS)}, return_dtype=pl.String)
        .alias("currency"),
    ).select(
        *_LINE,
        (pl.col("void") | (~pl.col("flag").is_in([NORMAL, CANCELLED_FLAG]))).alias("is_test"),
        pl.when(cancelled).then("at_us").alias("cancelled_us"),
        (pl.col("kind") == RETURN).alias("is_return"),
        (~pl.col("void") & (pl.col("flag") == NORMAL)).alias("counts"),
    )


def _parcel_lines(back: pl.DataFrame) -> pl.DataFrame:
    return back.with_columns(
        pl.lit("logistics").alias("source"),
        pl.concat_str(pl.lit("RMA-"), "original").alias("document"),
        -pl.col("quantity"),
        -pl.col("discount"),
        pl.lit("CNY").alias("currency"),
        pl.col("received_us").alias("at_us"),
        pl.lit(None, dtype=pl.Int64).alias("journey_no"),
    ).select(
        *_LINE,
        pl.lit(value=False).alias("is_test"),
        pl.lit(None, dtype=pl.Int64).alias("cancelled_us"),
        pl.lit(value=True).alias("is_return"),
        pl.lit(value=True).alias("counts"),
    )


def _gesture_lines(gestures: pl.DataFrame) -> pl.DataFrame:
    """Money without goods, as one line a refund; postage is no revenue."""
    nothing = pl.lit(None, dtype=pl.Int64)
    return gestures.filter(pl.col("amount") > 0).select(
        pl.lit("refund").alias("source"),
        pl.col("refund_id").cast(pl.String).alias("document"),
        pl.lit(1, dtype=pl.Int64).alias("line_no"),
        "person_no",
        nothing.alias("journey_no"),
        "channel",
        pl.lit("CNY").alias("currency"),
        nothing.alias("product_no"),
        pl.lit(-1, dtype=pl.Int64).alias("quantity"),
        pl.col("amount").alias("unit"),
        pl.lit(0, dtype=pl.Int64).alias("discount"),
        pl.col("order_id").cast(pl.String).alias("original"),
        pl.col("created_us").alias("at_us"),
        pl.lit(value=False).alias("is_test"),
        nothing.alias("cancelled_us"),
        pl.lit(value=True).alias("is_return"),
        pl.lit(value=True).alias("counts"),
    )


def _touches(state: State, night: Night, sales: Sales, placed: Orders, tickets: pl.DataFrame) -> pl.DataFrame:
    """Touches of the journeys that ended tonight, with the resulting documents: none if nothing was bought or
    available."""
    ended = state.agenda.take("path", night.number)
    names = pl.Series("kind", [*(kind.name for kind in TOUCHES), "base"])
    ends = pl.concat(
        [
            placed.orders.select("journey_no", pl.col("order_id").cast(pl.String).alias("document")),
            tickets.select("journey_no", pl.col("ticket_id").alias("document")),
        ]
    ).filter(pl.col("journey_no").is_not_null())
    documents = ends.group_by("journey_no", maintain_order=True).agg(pl.col("document").str.join(" "))
    lost = ended["journey_no"].is_in(sales.lost.implode())
    rows = ended.with_columns(
        names.gather(ended["kind"]).alias("kind"), lost.alias("lost_to_stock_out"), pl.lit(night.day).alias("night")
    )
    return rows.join(documents, on="journey_no", how="left", maintain_order="left").sort("journey_no", "touch_no")


def _demand(state: State, night: Night, prices: Prices, sales: Sales) -> pl.DataFrame:
    """Units demanded, served, and saved by endless aisle, by node and product."""
    cells = sales.demand.group_by("node_no", "product_no").agg(
        pl.col("quantity").sum().alias("wanted"),
        pl.col("quantity").filter(pl.col("served")).sum().alias("served"),
        pl.col("quantity").filter(pl.col("saved")).sum().alias("saved"),
    )
    cells = cells.sort("node_no", "product_no")
    return cells.with_columns(
        state.world.nodes["node_id"].gather(cells["node_no"]),
        state.world.products["sku"].gather(cells["product_no"]),
        pl.Series("list_price", prices.listed[0][cells["product_no"].to_numpy()]),
        pl.lit(night.day).alias("night"),
    ).drop("node_no", "product_no")
