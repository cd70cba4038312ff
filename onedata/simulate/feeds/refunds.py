"""The shop's refunds, as Shopify's Admin API writes them (REST)."""

from __future__ import annotations

import polars as pl

from onedata.simulate.afterwards import FIRST_REFUND_ID
from onedata.simulate.feeds.base import JSONL, FeedFiles, owned
from onedata.simulate.feeds.shop import SHOP_OFFSET
from onedata.simulate.state import State
from onedata.simulate.text import iso, json_object, json_plain, json_raw, json_text, money

REFUNDS = FeedFiles(
    "shop_refunds",
    path="shop/refunds/refunds_{ds}.jsonl",
    format=JSONL,
    beside="shop_refunds_rest",
    truncated="quarantine",
    targets=(),
    late=False,
    fields={
        "id": json_raw("refund_id"),
        "order_id": json_raw("order_id"),
        "created_at": json_plain(iso("created_us", SHOP_OFFSET)),
        "note": json_plain("note"),
        "restock": pl.lit("true"),
        "refund_line_items": json_raw("refund_line_items"),
        "order_adjustments": json_raw("order_adjustments"),
        "transactions": json_raw("transactions"),
    },
)


def refunds(state: State, rows: pl.DataFrame, gestures: pl.DataFrame) -> pl.DataFrame:
    """Refund documents from lines given back, and from money alone (``numbered_gestures``).

    ``order_id, line_no, product_no, quantity, unit, discount, tax`` (added on top), ``created_us, restock_type, note,
    person_no, node_no``, and of a whole order ``paid_back``, ``postage`` and ``postage_tax``.
    """
    numbers = rows.select(pl.col("order_id").unique(maintain_order=True))
    numbers = numbers.with_columns(pl.Series("refund_id", FIRST_REFUND_ID + state.numbers("refund", numbers.height)))
    rows = rows.join(numbers, on="order_id", how="left", maintain_order="left")
    goods = state.world.products.select("sku", "title")[rows["product_no"]]
    rows = pl.concat([rows, goods], how="horizontal").with_columns(
        (pl.col("quantity") * pl.col("unit") - pl.col("discount")).alias("amount"),
        state.world.nodes["node_id"].gather(rows["node_no"]).alias("location_id"),
    )
    item = json_object(
        {
            "id": json_raw(pl.col("refund_id") * 10 + pl.col("line_no")),
            "line_item_id": json_raw(pl.col("order_id") * 10 + pl.col("line_no")),
            "quantity": json_raw("quantity"),
            "subtotal": json_plain(money("amount")),
            "total_tax": json_plain(money(pl.when(pl.col("tax") > 0).then("tax"))),
            "restock_type": json_plain("restock_type"),
            "location_id": json_plain("location_id"),
            "line_item": json_object(
                {"sku": json_plain("sku"), "title": json_text("title"), "price": json_plain(money("unit"))}
            ),
        }
    )
    whole = (
        rows.with_columns(item.alias("item"))
        .group_by("refund_id", maintain_order=True)
        .agg(
            pl.col("order_id", "created_us", "note", "person_no").first(),
            pl.col("item").str.join(","),
            (pl.col("amount") + pl.col("tax")).sum().alias("amount"),
            pl.col("paid_back", "postage", "postage_tax").first(),
            pl.len().cast(pl.Int64).alias("_rows"),
        )
        .with_columns(pl.coalesce("paid_back", "amount").alias("amount"), pl.lit(1, dtype=pl.Int64).alias("_beside"))
    )
    whole = whole.with_columns(_adjustments(pl.lit("shipping_refund")))
    whole = pl.concat([whole, _of_money_alone(gestures).select(whole.columns)])
    paid = json_object(
        {
            "id": json_raw(pl.col("refund_id") + 9_000_000_000),
            "amount": json_plain(money("amount")),
            "kind": pl.lit('"refund"'),
            "gateway": pl.lit('"unionpay"'),
            "status": pl.lit('"success"'),
            "currency": pl.lit('"CNY"'),
            "created_at": json_plain(iso("created_us", SHOP_OFFSET)),
        }
    )
    whole = whole.with_columns(
        pl.concat_str(pl.lit("["), "item", pl.lit("]")).alias("refund_line_items"),
        pl.concat_str(pl.lit("["), paid, pl.lit("]")).alias("transactions"),
    )
    return owned(whole.sort("created_us", "refund_id"), pl.concat_str("order_id", pl.lit("/"), "refund_id"))


def _adjustments(kind: pl.Expr) -> pl.Expr:
    """What a refund pays back beyond its lines, as the shop writes it: an amount without the tax on top of it."""
    adjusted = json_object(
        {
            "kind": json_plain(kind),
            "amount": json_plain(money(-pl.col("postage"))),
            "tax_amount": json_plain(money(-pl.col("postage_tax"))),
        }
    )
    listed = pl.concat_str(pl.lit("["), adjusted, pl.lit("]"))
    return pl.when(pl.col("postage") > 0).then(listed).otherwise(pl.lit("[]")).alias("order_adjustments")


def _of_money_alone(gestures: pl.DataFrame) -> pl.DataFrame:
    """Refunds without a line; the shop says which adjustments are postage."""
    kind = pl.when(pl.col("amount") > 0).then(pl.lit("refund_discrepancy")).otherwise(pl.lit("shipping_refund"))
    return (
        gestures.with_columns(
            kind.alias("kind"),
            pl.lit("a late parcel").alias("note"),
            pl.lit("").alias("item"),
            (pl.col("amount") + pl.col("postage")).alias("amount"),
            pl.lit(0, dtype=pl.Int64).alias("_rows"),
            pl.lit(1, dtype=pl.Int64).alias("_beside"),
            pl.lit(0, dtype=pl.Int64).alias("postage_tax"),
            pl.lit(None, dtype=pl.Int64).alias("paid_back"),
        )
        .with_columns(pl.col("amount").alias("postage"))
        .with_columns(_adjustments(pl.col("kind")))
    )
