"""A marketplace on which the shop sells too: its own export of the orders that the shop has imported from it."""

from __future__ import annotations

import polars as pl

from onedata.simulate.agreed import market_id
from onedata.simulate.defects import Target
from onedata.simulate.feeds.base import JSONL, FeedFiles, owned
from onedata.simulate.feeds.shop import SHOP_OFFSET
from onedata.simulate.shop import Orders
from onedata.simulate.state import State
from onedata.simulate.text import iso, json_object, json_plain, json_raw, json_text, money

ORDERS = FeedFiles(
    "marketplace_orders",
    path="marketplace/orders/orders_{ds}.jsonl",
    format=JSONL,
    inner="marketplace_order_lines",
    truncated="quarantine",
    targets=(
        Target(
            "bad_type",
            "items",
            pl.col("items").str.replace(r'"qty":\d+', '"qty":"two"'),
            'quantity of the first item is "two"',
            "quarantine",
            feed="marketplace_order_lines",
        ),
    ),
    fields={
        "order_id": json_plain("market_id"),
        "status": pl.lit('"paid"'),
        "created_at": json_plain(iso("at_us", SHOP_OFFSET)),
        "currency": pl.lit('"CNY"'),
        "goods_amount": json_plain(money(pl.col("subtotal") - pl.col("discounts"))),
        "freight": json_plain(money("postage")),
        "total": json_plain(money(pl.col("subtotal") - pl.col("discounts") + pl.col("postage"))),
        "buyer_phone": json_plain("phone"),
        "items": json_raw("items"),
    },
)


def sold(placed: Orders) -> tuple[pl.DataFrame, pl.DataFrame]:
    """The night's orders that came through the marketplace, and their lines."""
    orders = placed.orders.filter(pl.col("market_order").is_not_null())
    return orders, placed.lines.join(orders.select("order_no"), on="order_no", how="semi", maintain_order="left")


def orders(state: State, rows: pl.DataFrame, lines: pl.DataFrame) -> pl.DataFrame:
    """Documents of the orders and lines that ``sold`` gives."""
    goods = state.world.products.select("sku", "title")[lines["product_no"]]
    item = json_object(
        {
            "line": json_raw("line_no"),
            "sku": json_plain("sku"),
            "title": json_text("title"),
            "qty": json_raw("quantity"),
            "price": json_plain(money("unit")),
            "discount": json_plain(money("discount")),
        }
    )
    items = (
        pl.concat([lines, goods], how="horizontal")
        .select("order_no", item.alias("items"))
        .group_by("order_no", maintain_order=True)
        .agg(pl.col("items").str.join(","), pl.len().cast(pl.Int64).alias("_inner"))
        .with_columns(pl.concat_str(pl.lit("["), "items", pl.lit("]")).alias("items"))
    )
    frame = rows.join(items, on="order_no", how="left", maintain_order="left")
    people = state.world.people.shown(("phone",), frame["person_no"])
    frame = pl.concat([frame, people], how="horizontal").with_columns(market_id().alias("market_id"))
    return owned(frame.sort("at_us", "order_no"), pl.col("market_id"))
