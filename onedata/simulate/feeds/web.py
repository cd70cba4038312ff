"""Behaviour on the web shop as GA4 exports it to BigQuery, one JSON document an event."""

from __future__ import annotations

import polars as pl

from onedata.simulate.calendar import ALWAYS_ON, CAMPAIGNS, COUNTRIES, Night
from onedata.simulate.catalogue import CATEGORIES, TOWNS
from onedata.simulate.defects import Target
from onedata.simulate.feeds.base import JSONL, FeedFiles, owned
from onedata.simulate.feeds.origins import DIRECT, ORIGINS, origins
from onedata.simulate.feeds.shop import SHOP_OFFSET
from onedata.simulate.identity import FIRST_ACCOUNT
from onedata.simulate.state import State
from onedata.simulate.text import clock, json_plain, json_raw
from onedata.simulate.voices import STEPS
from onedata.simulate.world import markets_of

FIRST_SESSION = 1_700_000_000
_DIRECT = '{"source":"(direct)","medium":"(none)","name":"(direct)"}'
_GEO = {town.name: f'{{"country":"{COUNTRIES[town.market]}","city":"{town.name}"}}' for town in TOWNS}


def _param(key: str, text: pl.Expr, number: pl.Expr) -> list[pl.Expr]:
    return [
        pl.lit(f'{{"key":"{key}","value":{{"string_value":'),
        text,
        pl.lit(',"int_value":'),
        number,
        pl.lit(',"float_value":null,"double_value":null}}'),
    ]


_CAMPAIGNS = (ALWAYS_ON, *(campaign.name for campaign in CAMPAIGNS))


def _origin(source: str, medium: str, name: str, direct: str) -> pl.Expr:
    """Where a visit came from, under the names a field of the export gives its parts."""
    first = {
        number: f'{{"{source}":"{pair[0]}","{medium}":"{pair[1]}","{name}":"' for number, pair in enumerate(ORIGINS)
    }
    last = {number: f'{campaign}"}}' for number, campaign in enumerate(_CAMPAIGNS)}
    parts = (
        pl.col(column).replace_strict(texts, return_dtype=pl.String)
        for column, texts in (("origin", first), ("campaign", last))
    )
    return pl.when(pl.col("origin") != DIRECT).then(pl.concat_str(*parts)).otherwise(pl.lit(direct))


# Most of an event follows from few numbers, so its texts are made only when it is written.
_SKU = pl.concat_str(pl.lit("SKU-"), (pl.col("product_no") + 1).cast(pl.String).str.zfill(5))
_CATEGORY = (pl.col("product_no") % len(CATEGORIES)).replace_strict(
    {n: category.name for n, category in enumerate(CATEGORIES)}, return_dtype=pl.String
)
_OWN_DEVICE = pl.when(pl.col("session_no") % 3 > 0).then(pl.lit("mobile")).otherwise(pl.lit("desktop"))
_DEVICE = pl.when(pl.col("node_no").is_not_null()).then(pl.lit("kiosk")).otherwise(_OWN_DEVICE)
EVENTS = FeedFiles(
    "shop_events",
    path="shop/events/events_{ds}.jsonl",
    format=JSONL,
    optional="device",
    looked_up=("city",),
    truncated="quarantine",
    targets=(
        Target("clock_skew", "at_us", pl.col("at_us"), "the device's clock is wrong", "accept"),
        Target("broken_key", "cookie", pl.lit(None, dtype=pl.String), "user_pseudo_id is null", "quarantine"),
        Target("bad_type", "stamp", pl.lit('"soon"'), "event_timestamp is a word", "quarantine"),
    ),
    fields={
        "event_date": json_plain(clock("at_us", SHOP_OFFSET, "%Y%m%d")),
        "event_timestamp": pl.coalesce("stamp", pl.col("at_us").cast(pl.String)),
        "event_name": json_plain(pl.col("step").replace_strict(dict(enumerate(STEPS)), return_dtype=pl.String)),
        "event_params": pl.concat_str(
            pl.lit("["),
            *_param("ga_session_id", pl.lit("null"), json_raw(FIRST_SESSION + pl.col("session_no"))),
            pl.lit(","),
            *_param("page_location", pl.concat_str(pl.lit('"/p/'), _SKU, pl.lit('"')), pl.lit("null")),
            pl.lit("]"),
        ),
        "user_pseudo_id": json_plain("cookie"),
        "user_id": json_plain(pl.when("signed_in").then(FIRST_ACCOUNT + pl.col("person_no"))),
        "privacy_info": pl.lit('{"analytics_storage":"Yes","ads_storage":"No"}'),
        "device": pl.concat_str(pl.lit('{"category":"'), _DEVICE, pl.lit('"}')),
        "geo": pl.col("city").replace_strict(_GEO, return_dtype=pl.String),
        "traffic_source": _origin("source", "medium", "name", _DIRECT),
        "collected_traffic_source": _origin("manual_source", "manual_medium", "manual_campaign_name", "null"),
        "ecommerce": pl.concat_str(
            pl.lit('{"transaction_id":'),
            json_plain(pl.when(pl.col("step") == STEPS.index("purchase")).then("order_id")),
            pl.lit("}"),
        ),
        "items": pl.concat_str(pl.lit('[{"item_id":"'), _SKU, pl.lit('","item_category":"'), _CATEGORY, pl.lit('"}]')),
    },
)


def events(state: State, night: Night, rows: pl.DataFrame) -> pl.DataFrame:
    """Events of ``voices.events``."""
    market = markets_of(state.world.people.frame["market"].gather(rows["person_no"]))
    origin = origins(rows["touch"].to_numpy(), market, rows["product_no"].to_numpy())
    frame = rows.select(
        "person_no", "at_us", "order_id", "session_no", "signed_in", "cookie",
        pl.col("product_no", "node_no").cast(pl.Int32),
        pl.col("step").cast(pl.Int8),
        pl.Series("origin", origin, dtype=pl.Int8),
        pl.lit(_CAMPAIGNS.index(night.campaign), dtype=pl.Int8).alias("campaign"),
        pl.lit(None, dtype=pl.String).alias("stamp"),
    )  # fmt: skip
    return owned(frame, pl.concat_str("session_no", "at_us", "step", separator="-"))
