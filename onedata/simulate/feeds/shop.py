"""The online shop: orders as Shopify's Admin API writes them (REST)."""

from __future__ import annotations

import polars as pl

from onedata.simulate.afterwards import TAKEN
from onedata.simulate.agreed import market_id, order_tax, order_total
from onedata.simulate.calendar import CURRENCIES, MARKETS, SECOND
from onedata.simulate.defects import Target
from onedata.simulate.draws import Ints
from onedata.simulate.feeds.base import JSONL, FeedFiles, owned
from onedata.simulate.feeds.origins import DIRECT, ORIGINS, origins
from onedata.simulate.fulfilment import TRACKING
from onedata.simulate.journeys import CHANNELS
from onedata.simulate.selling import METHODS, PICKUP
from onedata.simulate.state import State
from onedata.simulate.text import iso, json_object, json_plain, json_raw, json_text, money

_GIFT_CARD = 999_999
"""The product number of gift cards in the shop's variants; they have no SKU."""
SHOP_OFFSET = 8 * 3_600 * SECOND
_SHIPPING = {"ship": "STANDARD", "pickup": "PICKUP", "ship_from_store": "SHIP_FROM_STORE"}


def _money_set(shop: pl.Expr) -> pl.Expr:
    """An amount in the shop's currency and in the one it was shown in (Europeans see EUR)."""
    euro = (shop / pl.col("euro_in_cny")).round(0).cast(pl.Int64)
    shown = pl.when(pl.col("market") == MARKETS.index("EU")).then(money(euro)).otherwise(money(shop))
    return json_object(
        {
            "shop_money": json_object({"amount": json_plain(money(shop)), "currency_code": pl.lit('"CNY"')}),
            "presentment_money": json_object({"amount": json_plain(shown), "currency_code": json_plain("shown_in")}),
        }
    )


ORDERS = FeedFiles(
    "shop_orders",
    path="shop/orders/orders_{ds}.jsonl",
    format=JSONL,
    inner="shop_order_lines",
    at_once=4_000,
    trial=pl.col("is_test"),
    optional="referring_site",
    truncated="quarantine",
    targets=(
        Target(
            "bad_type",
            "line_items",
            pl.col("line_items").str.replace(r'"quantity":\d+', '"quantity":"two"'),
            'quantity of the first line item is "two"',
            "quarantine",
            feed="shop_order_lines",
        ),
        Target(
            "impossible",
            "line_items",
            pl.col("line_items").str.replace(r'"quantity":\d+', '"quantity":0'),
            "quantity of the first line item is 0",
            "quarantine",
            feed="shop_order_lines",
        ),
    ),
    fields={
        "id": json_raw("order_id"),
        "name": pl.concat_str(pl.lit('"#'), "document_name", pl.lit('"')),
        "order_number": json_raw(pl.col("order_no") + 10_000),
        "created_at": json_plain(iso("at_us", SHOP_OFFSET)),
        "processed_at": json_plain(iso(pl.col("at_us") + TAKEN, SHOP_OFFSET)),
        "updated_at": json_plain(iso("updated_us", SHOP_OFFSET)),
        "cancelled_at": json_plain(iso("cancelled", SHOP_OFFSET)),
        "closed_at": pl.lit("null"),
        "currency": pl.lit('"CNY"'),
        "presentment_currency": json_plain("shown_in"),
        "total_price": json_plain(money(order_total())),
        "total_price_set": _money_set(order_total()),
        "subtotal_price": json_plain(money(pl.col("subtotal") - pl.col("discounts"))),
        "total_discounts": json_plain(money("discounts")),
        "total_tax": json_plain(money(order_tax())),
        "taxes_included": json_raw(~pl.col("tax_on_top")),
        "financial_status": json_plain("financial_status"),
        "fulfillment_status": json_plain("fulfillment_status"),
        "source_name": json_plain("source_name"),
        "tags": pl.when(pl.col("market_order").is_null()).then(pl.lit('""')).otherwise(pl.lit('"marketplace"')),
        "test": json_raw("is_test"),
        "email": json_plain("email"),
        "phone": json_plain("phone"),
        "customer": json_raw("customer"),
        "location_id": json_plain("location_id"),
        "landing_site": json_plain("landing_site"),
        "referring_site": json_plain("referring_site"),
        "discount_codes": json_raw("discount_codes"),
        "note_attributes": json_raw("note_attributes"),
        "shipping_address": json_raw("shipping_address"),
        "shipping_lines": json_raw("shipping_lines"),
        "line_items": json_raw("line_items"),
        "refunds": pl.lit("[]"),
        "fulfillments": json_raw("fulfillments"),
    },
)


_CUSTOMER = (
    "email",
    "email_mistyped",
    "mistypes_email",
    "phone",
    "address",
    "city",
    "postcode",
    "country",
    "account_id",
    "union_id",
    "pay_token",
)


def orders(state: State, versions: pl.DataFrame, lines: pl.DataFrame) -> pl.DataFrame:
    """Order documents: ``versions`` are the shop's orders with ``version`` (1 or 2), ``updated_us``, ``cancelled`` and
    ``fulfilled`` as known then."""
    rows = versions.join(_line_items(state, lines), on="order_no", how="left", maintain_order="left")
    people = state.world.people.shown(_CUSTOMER, rows["person_no"])
    rows = pl.concat([rows, people], how="horizontal").with_columns(_draws(rows)).with_columns(_contact())
    rows = rows.with_columns(*_visit(rows))
    store = state.world.nodes["node_id"]
    rows = rows.with_columns(
        store.gather(rows["origin"]).alias("from_node"),
        pl.coalesce(store.gather(rows["store"]), store.gather(rows["origin"])).alias("location_id"),
        pl.col("market")
        .replace_strict(dict(enumerate(CURRENCIES[m] for m in MARKETS)), return_dtype=pl.String)
        .alias("shown_in"),
        pl.col("channel")
        .replace_strict({0: "web", 1: "pos", 2: "social"}, return_dtype=pl.String)
        .alias("source_name"),
        pl.col("method").replace_strict(dict(enumerate(METHODS)), return_dtype=pl.String).alias("way"),
        pl.when(pl.col("cancelled").is_not_null())
        .then(pl.lit("refunded"))
        .otherwise(pl.lit("paid"))
        .alias("financial_status"),
        pl.when("fulfilled").then(pl.lit("fulfilled")).alias("fulfillment_status"),
        (pl.col("cancelled").is_null() & ~pl.col("fulfilled") & ~pl.col("is_test")).alias("_will_change"),
        pl.when("is_test").then(None).otherwise("person_no").alias("_owner"),
        pl.coalesce(market_id(), (pl.col("order_no") + 10_000).cast(pl.String)).alias("document_name"),
        pl.col("_inner"),
    )
    rows = rows.with_columns(*_documents()).sort("updated_us", "order_no")
    return owned(rows, pl.concat_str("order_id", pl.lit("/"), "version"), "_owner")


def _draws(rows: pl.DataFrame) -> list[pl.Series]:
    """Choices that stay the same in every version of an order: they hang on its number."""
    number = rows["order_no"].to_numpy()
    mixed = {name: _part(number, step) for name, step in (("u_phone", 2_654_435_761), ("u_typo", 69_069))}
    return [pl.Series(name, values) for name, values in mixed.items()]


def _part(number: Ints, step: int) -> Ints:
    """A whole number from 0 to 999 that looks drawn and depends on ``number`` alone."""
    return (number * step + 12_345) // 7 % 1_000


def _contact() -> list[pl.Expr]:
    """The e-mail and phone left with an order: guests mistype; a test order carries the shop's own address."""
    typed = pl.when(pl.col("mistypes_email") & (pl.col("u_typo") < 500)).then("email_mistyped").otherwise("email")
    return [
        pl.when("is_test").then(pl.lit("qa@example.com")).when("guest").then(typed).otherwise("email").alias("email"),
        pl.when((pl.col("u_phone") < 800) & ~pl.col("is_test")).then("phone").alias("phone"),
        pl.when(pl.col("is_test")).then(None).otherwise("pay_token").alias("pay_token"),
    ]


def _visit(rows: pl.DataFrame) -> list[pl.Expr]:
    """Source, campaign and referrer as the last visit before the order had them."""
    origin = pl.Series(origins(*(rows[name].to_numpy() for name in ("touch", "market", "product_seen"))))
    sent = pl.lit(origin != DIRECT)
    source, medium = (pl.when(sent).then(pl.Series([pair[part] for pair in ORIGINS]).gather(origin)) for part in (0, 1))
    code = pl.when(pl.col("referrer") >= 0).then(pl.concat_str(pl.lit("REF-"), pl.col("referrer").cast(pl.String)))
    return [
        source.alias("utm_source"),
        medium.alias("utm_medium"),
        pl.when(sent).then("campaign").alias("utm_campaign"),
        code.alias("referrer_code"),
    ]


def _line_items(state: State, lines: pl.DataFrame) -> pl.DataFrame:
    """The line items of each order as JSON, their number, and what was looked at last (the first line's product)."""
    goods = pl.DataFrame([state.world.products[name].gather(lines["product_no"]) for name in ("sku", "title")])
    is_gift_card = pl.col("product_no").is_null()
    text = json_object(
        {
            "id": json_raw((5_400_000_000 + pl.col("order_no")) * 10 + pl.col("line_no")),
            "sku": json_plain("sku"),
            "variant_id": json_raw(pl.col("product_no").fill_null(_GIFT_CARD) + 41_000_000),
            "title": json_text(pl.when(is_gift_card).then(pl.lit("Gift card")).otherwise("title")),
            "gift_card": json_raw(is_gift_card),
            "quantity": json_raw("quantity"),
            "price": json_plain(money("unit")),
            "total_discount": json_plain(money("discount")),
            "fulfillable_quantity": json_raw("quantity"),
        }
    )
    rows = pl.concat([lines, goods], how="horizontal").select("order_no", "product_no", text.alias("text"))
    joined = rows.group_by("order_no", maintain_order=True).agg(
        pl.col("text").str.join(","),
        pl.len().cast(pl.Int64).alias("_inner"),
        pl.col("product_no").first().fill_null(0).alias("product_seen"),
    )
    return joined.with_columns(pl.concat_str(pl.lit("["), "text", pl.lit("]")).alias("line_items")).drop("text")


def _documents() -> list[pl.Expr]:
    """The parts of an order document that are documents themselves."""
    attributes = [
        pl.concat_str(pl.lit(f'{{"name":"{name}","value":'), json_plain(column), pl.lit("}"))
        for name, column in (
            ("utm_source", "utm_source"),
            ("utm_medium", "utm_medium"),
            ("utm_campaign", "utm_campaign"),
            ("referrer_code", "referrer_code"),
        )
    ] + [
        pl.when((pl.col("channel") == CHANNELS.index("social")) & ~pl.col("is_test")).then(
            pl.concat_str(pl.lit('{"name":"union_id","value":'), json_plain("union_id"), pl.lit("}"))
        ),
        pl.concat_str(pl.lit('{"name":"payment_token","value":'), json_plain("pay_token"), pl.lit("}")),
    ]
    present = [pl.when(~part.str.contains('"value":null')).then(part) for part in attributes]
    customer = json_object({"id": json_raw("account_id"), "email": json_plain("email"), "phone": json_plain("phone")})
    address = json_object(
        {
            "address1": json_text("address"),
            "city": json_text("city"),
            "zip": json_plain("postcode"),
            "country": json_plain("country"),
        }
    )
    shipping = json_object(
        {
            "code": json_plain(pl.col("way").replace_strict(_SHIPPING)),
            "title": json_plain("way"),
            "price": json_plain(money("postage")),
        }
    )
    sent = json_object(
        {
            "location_id": json_plain("from_node"),
            "tracking_number": json_plain(TRACKING),
            "shipment_status": pl.lit('"confirmed"'),
        }
    )
    code = pl.when(pl.col("percent") > 0).then(pl.lit('"THANKS7"')).otherwise(pl.lit('"WELCOME"'))
    coupon = json_object({"code": code, "amount": json_plain(money("discounts"))})
    visited = pl.concat_str(pl.lit("/?utm_source="), "utm_source", pl.lit("&utm_campaign="), "utm_campaign")
    is_pickup = pl.col("method") == PICKUP
    return [
        pl.concat_str(pl.lit("["), pl.concat_str(*present, separator=",", ignore_nulls=True), pl.lit("]")).alias(
            "note_attributes"
        ),
        pl.when(~pl.col("guest")).then(customer).alias("customer"),
        pl.when(~is_pickup).then(address).alias("shipping_address"),
        pl.concat_str(pl.lit("["), shipping, pl.lit("]")).alias("shipping_lines"),
        pl.when(pl.col("fulfilled") & ~is_pickup)
        .then(pl.concat_str(pl.lit("["), sent, pl.lit("]")))
        .otherwise(pl.lit("[]"))
        .alias("fulfillments"),
        pl.when(pl.col("discounts") > 0)
        .then(pl.concat_str(pl.lit("["), coupon, pl.lit("]")))
        .otherwise(pl.lit("[]"))
        .alias("discount_codes"),
        visited.fill_null("/").alias("landing_site"),
        pl.when(pl.col("utm_source").is_not_null())
        .then(pl.concat_str(pl.lit("https://"), "utm_source", pl.lit(".example/")))
        .alias("referring_site"),
    ]
