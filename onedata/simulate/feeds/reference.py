"""What changes slowly: accounts, members, consents, the catalogue, prices, places and the books."""

from __future__ import annotations

from datetime import timedelta

import polars as pl

from onedata.simulate.calendar import DAY, HOUR, Night
from onedata.simulate.defects import Target
from onedata.simulate.feeds.base import FeedFiles, owned, to_break
from onedata.simulate.feeds.shop import SHOP_OFFSET
from onedata.simulate.identity import FIRST_ACCOUNT
from onedata.simulate.prices import Prices, price_rows
from onedata.simulate.profiles import PURPOSES, product_rows
from onedata.simulate.rates import HISTORY_DAYS, REPORTING, set_between
from onedata.simulate.state import State
from onedata.simulate.text import clock, csv_plain, csv_text, iso, money

LOCAL = "%Y-%m-%d %H:%M:%S"
POLICY = "2025-09"
SET_AT = 9 * HOUR + 15 * HOUR // 60
"""When the day's exchange rates are set, after midnight in Shanghai."""
EVERYTHING = 9
"""A purpose nobody can agree to."""

_TOLD = ("phone", "address", "consent_marketing", "union_id")
_CARD_PHONE = pl.when("told").then("phone").otherwise("card_phone")
CUSTOMERS = FeedFiles(
    "shop_customers",
    path="shop/customers/customers_{ds}.csv",
    optional="province",
    truncated="quarantine",
    targets=(
        Target("correction", "city", pl.lit("Nowhere"), "city is Nowhere", "superseded", version="updated_us"),
        Target("bad_encoding", "last_name", pl.col("last_name"), "the name is not UTF-8", "quarantine"),
        Target("impossible", "email", pl.lit("no at sign"), "e-mail has no @", "quarantine"),
    ),
    looked_up=(
        *_TOLD,
        "address_before",
        "shop_phone",
        "given",
        "city",
        "region",
        "country",
        "postcode",
        "email",
        "union_on_account",
    ),
    fields={
        "id": csv_plain(FIRST_ACCOUNT + pl.col("person_no")),
        "email": csv_plain("email"),
        "phone": csv_plain(pl.when("told").then("phone").otherwise("shop_phone")),
        "first_name": csv_text("given"),
        "last_name": csv_text("last_name"),
        "address": csv_text(pl.when("told").then("address").otherwise(pl.coalesce("address_before", "address"))),
        "city": csv_text("city"),
        "province": csv_text("region"),
        "country": csv_plain("country"),
        "zip": csv_plain("postcode"),
        "accepts_marketing": csv_plain("consent_marketing"),
        "union_id": csv_plain(pl.when("union_on_account").then("union_id")),
        "created_at": iso("registered_us", SHOP_OFFSET),
        "updated_at": iso("updated_us", SHOP_OFFSET),
    },
)


def customers(state: State, profiles: pl.DataFrame) -> pl.DataFrame:
    """Account profiles of ``shop_profiles``."""
    name = state.world.people.shown(["family"], profiles["person_no"])["family"].alias("last_name")
    return owned(
        profiles.with_columns(name, *to_break("email", "city")),
        pl.concat_str(FIRST_ACCOUNT + pl.col("person_no"), pl.lit("@"), "updated_us"),
    )


PRODUCTS = FeedFiles(
    "shop_products",
    path="shop/products/products_{ds}.csv",
    optional="weight_g",
    truncated="quarantine",
    late=False,
    targets=(
        Target(
            "correction", "cost", pl.col("cost") * 10, "cost is ten times too high", "superseded", version="updated_us"
        ),
    ),
    fields={
        "sku": csv_plain("sku"),
        "title": csv_text("title"),
        "category": csv_plain("category"),
        "supplier": csv_plain("supplier"),
        "supply_region": csv_plain("supply_region"),
        "price": money("list_price"),
        "cost": money("cost"),
        "currency": pl.lit("CNY"),
        "weight_g": csv_plain("weight_g"),
        "updated_at": iso("updated_us", SHOP_OFFSET),
    },
)


def products(state: State, night: Night, prices: Prices) -> pl.DataFrame:
    """The catalogue, or what changed in it."""
    return owned(product_rows(state, night, prices), pl.concat_str("sku", pl.lit("@"), "updated_us"))


PRICES = FeedFiles(
    "shop_prices",
    path="shop/prices/prices_{ds}.csv",
    late=False,
    truncated="quarantine",
    targets=(Target("impossible", "price_text", pl.lit("-0.01"), "price is -0.01", "quarantine"),),
    fields={
        "sku": csv_plain("sku"),
        "market": csv_plain("market"),
        "channel": csv_plain("channel"),
        "price_date": csv_plain("price_date"),
        "list_price": money("list_price"),
        "price": csv_plain("price_text"),
        "currency": csv_plain("currency"),
        "promotion": csv_plain("promotion"),
    },
)


def prices(state: State, night: Night, today: Prices) -> pl.DataFrame:
    """The price list of the day, whole."""
    rows = price_rows(state, night, today).with_columns(money("price").alias("price_text"))
    return owned(rows, pl.concat_str("price_date", "sku", "market", "channel", separator="/"))


MEMBERS = FeedFiles(
    "pos_members",
    path="pos/members/members_{ds}.csv",
    delimiter=";",
    optional="gender",
    truncated="quarantine",
    targets=(
        Target("correction", "city", pl.lit("???"), "city is ???", "superseded", version="updated_us"),
        Target("bad_encoding", "name", pl.col("name"), "the name is not UTF-8", "quarantine"),
        Target("impossible", "birth_year", pl.lit("1066"), "born in 1066", "quarantine"),
        Target("bad_type", "birth_year", pl.lit("unknown"), "birth year is a word", "quarantine"),
    ),
    looked_up=(*_TOLD, "card_phone", "card_email", "card", "gender", "birth_year", "city", "union_on_card"),
    fields={
        "member_id": csv_plain("card"),
        # Clerks write some e-mails in capitals, and phones with blanks.
        "email": csv_plain(
            pl.when(pl.col("person_no") % 10 == 3).then(pl.col("card_email").str.to_uppercase()).otherwise("card_email")
        ),
        "phone": csv_plain(
            pl.concat_str(
                *(_CARD_PHONE.str.slice(at, size) for at, size in ((0, 3), (3, 3), (6, 4), (10, None))), separator=" "
            )
        ),
        "name": csv_text("name"),
        "gender": csv_plain("gender"),
        "birth_year": csv_plain("birth_year"),
        "city": csv_text("city"),
        "tier": csv_plain("tier"),
        "union_id": csv_plain(pl.when("union_on_card").then("union_id")),
        "opt_in": csv_plain("consent_marketing"),
        "joined_at": clock("registered_us", SHOP_OFFSET, LOCAL),
        "updated_at": clock("updated_us", SHOP_OFFSET, LOCAL),
    },
)


def members(state: State, profiles: pl.DataFrame) -> pl.DataFrame:
    """Member profiles of ``card_profiles``."""
    name = state.world.people.shown(["card_name"], profiles["person_no"])["card_name"].alias("name")
    rows = profiles.with_columns(name, *to_break("city", "birth_year"))
    return owned(rows, pl.concat_str("person_no", pl.lit("@"), "updated_us"))


CONSENTS = FeedFiles(
    "customer_consents",
    path="customer/consents/consents_{ds}.csv",
    truncated="quarantine",
    targets=(
        Target("impossible", "purpose", pl.lit(EVERYTHING, dtype=pl.Int8), 'purpose is "everything"', "quarantine"),
    ),
    looked_up=("email", "card"),
    fields={
        "consent_id": csv_plain("_key"),
        "email": csv_plain(pl.when(pl.col("source") == 0).then("email")),
        "member_id": csv_plain(pl.when(pl.col("source") == 1).then("card")),
        "purpose": pl.col("purpose").replace_strict(
            dict(enumerate(PURPOSES)) | {EVERYTHING: "everything"}, return_dtype=pl.String
        ),
        "granted": csv_plain("granted"),
        "recorded_at": iso("recorded_us", SHOP_OFFSET),
        "source": pl.col("source").replace_strict({0: "shop", 1: "pos"}, return_dtype=pl.String),
        "policy_version": pl.lit(POLICY),
    },
)


def consents(state: State, decisions: pl.DataFrame) -> pl.DataFrame:
    """Decisions of ``profiles.consents``: the shop knows people by e-mail, the till by their card."""
    number = pl.Series("number", 5_000_000 + state.numbers("consent", decisions.height))
    return owned(decisions, pl.concat_str(pl.lit("C"), number))


STORES = FeedFiles(
    "pos_stores",
    path="pos/stores/stores_{ds}.csv",
    late=False,
    resent=False,
    truncated="quarantine",
    nightly=False,
    fields={
        **{name: csv_plain(name) for name in ("node_id", "name", "node_type")},
        "city": csv_text("city"),
        "province": csv_text("region"),
        **{
            name: csv_plain(name)
            for name in ("country", "zip", "time_zone", "area_m2", "headcount", "lat", "lon", "currency")
        },
        "opened_on": clock("opened_us", SHOP_OFFSET, "%Y-%m-%d"),
        "updated_at": iso("updated_us", SHOP_OFFSET),
    },
)


def stores(state: State, night: Night) -> pl.DataFrame:
    """All places, on the first night."""
    rows = state.world.nodes.with_columns(
        (night.opens - pl.col("opened_days") * DAY).alias("opened_us"),
        pl.lit(night.opens - 30 * DAY).cast(pl.Int64).alias("updated_us"),
    )
    return owned(rows, pl.col("node_id")).head(0 if night.number else rows.height)


RATES = FeedFiles(
    "finance_exchange_rates",
    path="finance/rates/rates_{ds}.csv",
    truncated="quarantine",
    nightly=False,
    targets=(
        Target("bad_type", "rate_text", pl.lit("n/a yet"), "the rate is a word", "quarantine"),
        Target("impossible", "rate_text", pl.lit("-1.00"), "the rate is -1.00", "quarantine"),
    ),
    fields={
        **{name: csv_plain(name) for name in ("currency", "reporting_currency", "rate_date")},
        "rate": csv_plain("rate_text"),
        "updated_at": iso("updated_us", SHOP_OFFSET),
    },
)


def rates(night: Night) -> pl.DataFrame:
    """The rates that banks set today; on the first night those of the month before too."""
    first = night.day if night.number else night.day - timedelta(days=HISTORY_DAYS)
    found = pl.DataFrame(
        set_between(first, night.day),
        schema={"currency": pl.String, "day": pl.Date, "rate": pl.Decimal(18, 8)},
        orient="row",
    )
    days_ago = (pl.lit(night.day) - pl.col("day")).dt.total_days()
    rows = found.select(
        "currency",
        pl.lit(REPORTING).alias("reporting_currency"),
        pl.col("day").dt.to_string("%Y-%m-%d").alias("rate_date"),
        pl.col("rate").cast(pl.String).str.strip_chars_end("0").str.strip_chars_end(".").alias("rate_text"),
        (night.opens + SET_AT - days_ago * DAY).alias("updated_us"),
    )
    return owned(rows, pl.concat_str("currency", "reporting_currency", "rate_date", separator="/"))


LEDGER = FeedFiles(
    "finance_ledger",
    path="finance/ledger/ledger_{ds}.csv",
    late=False,
    resent=False,
    truncated="quarantine",
    nightly=False,
    fields={
        **{name: csv_plain(name) for name in ("period", "account_code")},
        "account_name": csv_text("account_name"),
        "account_type": csv_plain("account_type"),
        "balance": money("balance"),
        "currency": pl.lit("CNY"),
        "posted_at": iso("posted_us", SHOP_OFFSET),
    },
)


def ledger(rows: pl.DataFrame) -> pl.DataFrame:
    """Month-end balances of ``profiles.ledger_rows``."""
    return owned(rows, pl.concat_str("period", "account_code", separator="/"))
