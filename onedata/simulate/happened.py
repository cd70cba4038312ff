"""The ground truth of a night: what was sold, given back and paid, and why, whatever the feeds say of it."""

from __future__ import annotations

from dataclasses import dataclass

import polars as pl

from onedata.simulate.afterwards import Documents
from onedata.simulate.agreed import market_id, order_tax, vat_percent
from onedata.simulate.calendar import CURRENCIES, MARKETS, Night
from onedata.simulate.journeys import CHANNELS, TOUCHES
from onedata.simulate.prices import Prices
from onedata.simulate.selling import Sales
from onedata.simulate.shop import Orders
from onedata.simulate.state import State
from onedata.simulate.tills import CANCELLED_FLAG, CONTROL, NORMAL, RETURN


@dataclass(frozen=True)
class Truth:
    """Ground truth of a night.

    One row per document line (``lines``), per touch of a journey that ended (``touches``), per node and product with
    demand (``demand``), per survey answer (``answers``), per payment (``payments``), per parcel picked up
    (``parcels``).
    """

    lines: pl.DataFrame
    touches: pl.DataFrame
    demand: pl.DataFrame
    answers: pl.DataFrame
    payments: pl.DataFrame
    parcels: pl.DataFrame


def what_is_true(
    state: State,
    night: Night,
    prices: Prices,
    sales: Sales,
    placed: Orders,
    tests: Documents,
    gifts: Documents,
    tickets: pl.DataFrame,
    ticket_lines: pl.DataFrame,
    back: pl.DataFrame,
    gestures: pl.DataFrame,
    answers: pl.DataFrame,
    paid: pl.DataFrame,
    sent: pl.DataFrame,
) -> Truth:
    """The night's ground truth; amounts in cents of ``currency``, units and amounts of returns negative."""
    lines = pl.concat(
        [
            _shop_lines(placed, tests, gifts),
            _market_lines(placed),
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
    untaxed = pl.col("net") * 100 / (100 + pl.col("tax_percent").fill_null(0))
    in_cny = pl.when(pl.col("currency") == "EUR").then(untaxed * prices.euro_in_cny).otherwise(untaxed)
    state.ledger["revenue"] += round(lines.filter("counts").select(in_cny.sum()).item())
    return Truth(
        lines.drop("product_no"),
        _touches(state, night, sales, placed, tickets),
        _demand(state, night, prices, sales),
        answers.select("response_id", "document", "person_no", "csat", "nps", "ces", "answered_us"),
        paid.select("payment_id", "order_id", "kind", "gateway", "status", "amount", "at_us"),
        sent.select("order_id", "channel", "promised_us", "delivered_us", "late"),
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


ALWAYS, AS_PLACED, AS_CHANGED = range(3)
"""Which versions of its order a line stands in."""


def _shop_lines(placed: Orders, tests: Documents, gifts: Documents) -> pl.DataFrame:
    """Lines of the shop's orders; those of a changed order stand twice, as placed and as changed."""
    changed = placed.changed["order_no"].implode()
    of_version = pl.when(pl.col("order_no").is_in(changed)).then(AS_PLACED).otherwise(ALWAYS)
    before = _of_documents(pl.concat([placed.orders, tests[0], gifts[0]]), [placed.lines, tests[1], gifts[1]])
    after = _of_documents(placed.changed.select(placed.orders.columns), [placed.changed_lines])
    return (
        pl.concat(
            [
                before.with_columns(of_version.cast(pl.Int64).alias("of_version")),
                after.with_columns(pl.lit(AS_CHANGED, dtype=pl.Int64).alias("of_version")),
            ]
        )
        .with_columns(
            pl.lit("shop").alias("source"),
            pl.col("order_id").cast(pl.String).alias("document"),
            pl.lit("CNY").alias("currency"),
            pl.lit(None, dtype=pl.String).alias("original"),
            pl.when("is_test").then(None).otherwise("person_no").alias("person_no"),
            market_id().alias("market_order"),
        )
        .select(
            *_LINE,
            "is_test",
            "cancelled_us",
            pl.lit(value=False).alias("is_return"),
            (
                ~pl.col("is_test")
                & pl.col("cancelled_us").is_null()
                & (pl.col("of_version") != AS_PLACED)
                & pl.col("market_order").is_null()
                & pl.col("product_no").is_not_null()
            ).alias("counts"),
            "postage",
            order_tax().alias("order_tax"),
            "tax_on_top",
            "off",
            "of_version",
            "market_order",
            pl.col("product_no").is_null().alias("is_gift_card"),
        )
    )


def _of_documents(heads: pl.DataFrame, lines: list[pl.DataFrame]) -> pl.DataFrame:
    return (
        pl.concat(lines)
        .join(heads.drop("touch", "referrer"), on="order_no", how="inner", maintain_order="left")
        .with_columns((pl.col("discount") + pl.col("off")).alias("discount"))
    )


def _market_lines(placed: Orders) -> pl.DataFrame:
    """The lines of the orders that came through the marketplace, as it delivers them: it names no tax."""
    heads = placed.orders.filter(pl.col("market_order").is_not_null())
    return (
        _of_documents(heads, [placed.lines])
        .with_columns(
            pl.lit("marketplace").alias("source"),
            market_id().alias("document"),
            pl.lit("CNY").alias("currency"),
            pl.lit(None, dtype=pl.String).alias("original"),
            pl.lit(CHANNELS.index("marketplace")).cast(pl.Int64).alias("channel"),
        )
        .select(
            *_LINE,
            pl.lit(value=False).alias("is_test"),
            pl.lit(None, dtype=pl.Int64).alias("cancelled_us"),
            pl.lit(value=False).alias("is_return"),
            pl.lit(value=True).alias("counts"),
            "postage",
        )
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
        pl.when(pl.col("added_percent") == 0).then(vat_percent()).alias("tax_percent"),
    )


def _gesture_lines(gestures: pl.DataFrame) -> pl.DataFrame:
    """Money without goods, as one line a refund; postage is no revenue and stands apart."""
    nothing = pl.lit(None, dtype=pl.Int64)
    return gestures.select(
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
        "postage",
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
