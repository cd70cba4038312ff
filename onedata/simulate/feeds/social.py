"""Social platforms: posts, mentions, engagements and what the ads cost, each in pages of JSON lines that overlap."""

from __future__ import annotations

import numpy as np
import polars as pl

from onedata.simulate.calendar import ALWAYS_ON, CURRENCIES, MARKETS, Night
from onedata.simulate.catalogue import PLATFORMS
from onedata.simulate.defects import Target
from onedata.simulate.draws import Ints
from onedata.simulate.feeds.base import JSONL, FeedFiles, owned
from onedata.simulate.feeds.origins import platform_of
from onedata.simulate.feeds.shop import SHOP_OFFSET
from onedata.simulate.state import State
from onedata.simulate.text import iso, json_plain, json_raw, json_text, money
from onedata.simulate.voices import ENGAGEMENTS as KINDS
from onedata.simulate.voices import POSTS_KEPT
from onedata.simulate.world import markets_of

BRAND = "brand_onedata_retail"
AD_SETS = 4

_POST = {
    "post_id": json_plain("post_id"),
    "platform": json_plain("platform"),
    "author_id": json_plain("author"),
    "created_at": json_plain(iso("at_us", SHOP_OFFSET)),
    "text": json_text("text"),
    "lang": json_plain("lang"),
    "product_tags": pl.concat_str(pl.lit('["'), "sku", pl.lit('"]')),
    "campaign_id": json_plain("campaign_id"),
    "url": pl.concat_str(pl.lit('"https://'), "platform", pl.lit(".example/p/"), "post_id", pl.lit('"')).fill_null(
        "null"
    ),
    "reply_to": json_plain("reply_to"),
}
POSTS = FeedFiles(
    "social_posts",
    path="social/posts/page_{ds}_{part}.jsonl",
    format=JSONL,
    paged=True,
    truncated="quarantine",
    fields=_POST,
)
MENTIONS = FeedFiles(
    "social_mentions",
    path="social/mentions/page_{ds}_{part}.jsonl",
    format=JSONL,
    paged=True,
    truncated="quarantine",
    targets=(
        Target("bad_encoding", "text", pl.col("text"), "the text is not UTF-8", "quarantine"),
        Target("broken_key", "post_id", pl.lit(None, dtype=pl.String), "post_id is null", "quarantine"),
    ),
    fields=_POST,
)
ENGAGED = FeedFiles(
    "social_engagements",
    path="social/engagements/page_{ds}_{part}.jsonl",
    format=JSONL,
    paged=True,
    truncated="quarantine",
    targets=(
        Target("broken_key", "event_id", pl.lit(None, dtype=pl.String), "event_id is null", "quarantine"),
        Target("bad_type", "created", pl.lit("yesterday"), "created_at is a word", "quarantine"),
    ),
    fields={
        "event_id": json_plain("event_id"),
        "platform": json_plain("platform"),
        "post_id": json_plain("post_id"),
        "union_id": json_plain("union_id"),
        "type": json_plain("kind"),
        "product_tag": json_plain("sku"),
        "campaign_id": json_plain("campaign_id"),
        "created_at": json_plain("created"),
    },
)
SPEND = FeedFiles(
    "social_spend",
    path="social/spend/page_{ds}_{part}.jsonl",
    format=JSONL,
    paged=True,
    late=False,
    truncated="quarantine",
    targets=(
        Target("broken_key", "campaign_id", pl.lit(None, dtype=pl.String), "campaign_id is null", "quarantine"),
        Target("impossible", "spend_text", pl.lit("-12.00"), "spend is -12.00", "quarantine"),
    ),
    fields={
        "date": json_plain("date"),
        "platform": json_plain("platform"),
        "campaign_id": json_plain("campaign_id"),
        "adset_id": json_plain("adset_id"),
        "impressions": json_raw("impressions"),
        "clicks": json_raw("clicks"),
        "spend": json_plain("spend_text"),
        "currency": json_plain("currency"),
    },
)


def posts(state: State, night: Night, rows: pl.DataFrame) -> pl.DataFrame:
    """The retailer's own posts."""
    return _written(state, night, rows, "POST").with_columns(pl.lit(BRAND).alias("author"))


def _standing_post(market: Ints, product: pl.Expr) -> pl.Expr:
    """The id of the post that people of a market see about a product; ``voices`` delivers these posts on the first
    night."""
    return pl.concat_str(pl.lit("POST"), 1_000 + pl.Series(market * POSTS_KEPT) + product % POSTS_KEPT)


def mentions(state: State, night: Night, rows: pl.DataFrame) -> pl.DataFrame:
    """What people post themselves, some in reply to a post of the retailer."""
    market = _markets(state, rows)
    rows = rows.with_columns(
        platform_of(market, rows["product_no"].to_numpy()).alias("platform"), pl.lit(None, dtype=pl.Int64).alias("post")
    )
    frame = _written(state, night, rows, "MEN").with_columns(
        pl.lit(None, dtype=pl.String).alias("campaign_id"), _author(state, rows).alias("author")
    )
    return frame.with_columns(
        pl.when(pl.col("number") % 4 == 0).then(_standing_post(market, pl.col("product_no"))).alias("reply_to")
    )


def engagements(state: State, night: Night, rows: pl.DataFrame) -> pl.DataFrame:
    """Engagements of ``voices.engagements``."""
    market = _markets(state, rows)
    goods = state.world.products.select("sku")[rows["product_no"]]
    frame = pl.concat([rows, goods], how="horizontal").with_columns(
        pl.Series("number", np.arange(1, rows.height + 1)),
        platform_of(market, rows["product_no"].to_numpy()).alias("platform"),
        _author(state, rows).alias("union_id"),
        pl.Series("kind", KINDS).gather(rows["type"]).alias("kind"),
        pl.lit(night.campaign).alias("campaign_id"),
        iso("at_us", SHOP_OFFSET).alias("created"),
        _standing_post(market, pl.col("product_no")).alias("post_id"),
    )
    frame = frame.with_columns(
        pl.concat_str(pl.lit(f"EV{night.day:%y%m%d}"), pl.col("number").cast(pl.String).str.zfill(7)).alias("event_id")
    )
    return owned(frame, pl.col("event_id"))


def spend(state: State, night: Night) -> pl.DataFrame:
    """What each ad set cost today on each platform, in the market's currency; more when a campaign runs."""
    campaigns = [ALWAYS_ON, *([night.campaign] if night.campaign != ALWAYS_ON else [])]
    cells = [
        (platform, CURRENCIES[market], campaign, ad_set)
        for market in MARKETS
        for platform in PLATFORMS[market]
        for campaign in campaigns
        for ad_set in range(1, AD_SETS + 1)
    ]
    draws, size = state.world.draws, len(cells)
    scale = state.world.settings.customers**0.5 / 20
    seen = np.floor((2_000 + draws.below("impressions", size, 60_000, night.number)) * night.demand * scale).astype(
        np.int64
    )
    clicks = np.floor(seen * (0.005 + 0.03 * draws.uniform("click rate", size, night.number))).astype(np.int64)
    bid = np.floor(
        (60 + 100 * draws.uniform("bid", size, night.number))
        / np.array([1.0 if cell[1] == "CNY" else 4.0 for cell in cells])
    ).astype(np.int64)
    frame = pl.DataFrame(
        {
            "platform": [cell[0] for cell in cells],
            "currency": [cell[1] for cell in cells],
            "campaign_id": [cell[2] for cell in cells],
            "adset_id": [f"{cell[2]}-{cell[3]}" for cell in cells],
            "impressions": seen,
            "clicks": clicks,
            "spend": clicks * bid,
        }
    ).with_columns(pl.lit(night.ds).alias("date"))
    return owned(
        frame.with_columns(money("spend").alias("spend_text")),
        pl.concat_str("date", "platform", "adset_id", separator="/"),
    )


def _written(state: State, night: Night, rows: pl.DataFrame, prefix: str) -> pl.DataFrame:
    goods = state.world.products.select("sku", "title")[rows["product_no"]]
    first = f"{prefix}{night.day:%y%m%d}"
    frame = pl.concat([rows, goods], how="horizontal").with_columns(
        pl.Series("number", np.arange(rows.height)),
        pl.lit(night.campaign).alias("campaign_id"),
        pl.lit(None, dtype=pl.String).alias("reply_to"),
    )
    before, after = (
        pl.col("text").str.split_exact("{}", 1).struct.field("field_0"),
        pl.col("text").str.split_exact("{}", 1).struct.field("field_1"),
    )
    frame = frame.with_columns(
        pl.concat_str(before, "title", after.fill_null("")).alias("text"),
        pl.when(pl.col("post").is_null())
        .then(pl.concat_str(pl.lit(first), pl.col("number").cast(pl.String).str.zfill(6)))
        .otherwise(pl.concat_str(pl.lit(prefix), 1_000 + pl.col("post")))
        .alias("post_id"),
    )
    return owned(frame, pl.concat_str("platform", pl.lit("/"), "post_id"))


def _author(state: State, rows: pl.DataFrame) -> pl.Series:
    """The union id of a customer, or one that no customer has."""
    known = state.world.people.frame["union_id"].gather(rows["person_no"])
    stranger = rows.select(pl.concat_str(pl.lit("o6_stranger"), pl.col("stranger").cast(pl.String).str.zfill(13)))[
        "literal"
    ]
    return pl.DataFrame({"k": known, "s": stranger}).select(pl.coalesce("k", "s").alias("author"))["author"]


def _markets(state: State, rows: pl.DataFrame) -> Ints:
    """Each row's market; a stranger is from the first."""
    return markets_of(state.world.people.frame["market"].gather(rows["person_no"]).fill_null(MARKETS[0]))
