"""The shop's payments, as Shopify's Admin API writes an order's transactions (REST)."""

from __future__ import annotations

import polars as pl

from onedata.simulate.defects import Target
from onedata.simulate.feeds.base import JSONL, FeedFiles, owned
from onedata.simulate.feeds.shop import SHOP_OFFSET
from onedata.simulate.text import iso, json_plain, json_raw, money

PAYMENTS = FeedFiles(
    "shop_payments",
    path="shop/payments/payments_{ds}.jsonl",
    format=JSONL,
    truncated="quarantine",
    targets=(Target("bad_type", "amount_text", pl.lit("?"), "the amount is a question mark", "quarantine"),),
    fields={
        "id": json_raw("payment_id"),
        "order_id": json_raw("order_id"),
        "parent_id": json_raw("parent_id"),
        "kind": json_plain("kind"),
        "gateway": json_plain("gateway"),
        "status": json_plain("status"),
        "amount": json_plain("amount_text"),
        "currency": pl.lit('"CNY"'),
        "created_at": json_plain(iso("at_us", SHOP_OFFSET)),
        "processed_at": json_plain(iso("at_us", SHOP_OFFSET)),
    },
)


def payments(rows: pl.DataFrame) -> pl.DataFrame:
    """Transactions from the night's payments (``simulate.payments.numbered``)."""
    return owned(rows.with_columns(money("amount").alias("amount_text")), pl.col("payment_id"))
