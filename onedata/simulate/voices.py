"""Activity on the web and on social platforms, whether or not it leads to a purchase."""

from __future__ import annotations

import numpy as np
import polars as pl

from onedata.simulate.calendar import DAY, HOUR, MARKETS, SECOND, Night
from onedata.simulate.catalogue import PLATFORMS, POSTS, SHARES
from onedata.simulate.draws import by_weight
from onedata.simulate.journeys import CHANNELS, TOUCHES
from onedata.simulate.state import State

POSTS_KEPT = 40
SHARERS_KEPT = 10_000
KIOSK = 0.3
"""Share of store visits of a journey that leave a trace on the store's own screen."""

ENGAGEMENTS = ("view", "like", "save", "comment", "share", "click", "live_watch", "group_message")
_NOISE = (0.55, 0.2, 0.08, 0.05, 0, 0.04, 0.05, 0.03)
STEPS = ("view_item", "add_to_cart", "begin_checkout", "add_payment_info", "purchase", "share", "select_promotion")
BROWSE, CART, ABANDON, BUY, PROMOTION = range(5)
_PATHS = ((0,), (0, 0, 1), (0, 1, 2), (0, 1, 2, 3, 4), (6, 0))
_NAME = {kind.name: number for number, kind in enumerate(TOUCHES)}


def sessions(
    state: State, night: Night, touches: pl.DataFrame, orders: pl.DataFrame, lines: pl.DataFrame
) -> pl.DataFrame:
    """The night's visits to the web shop, one row each.

    ``person_no, at_us, product_no, path`` (position in the paths), ``touch`` (position in ``TOUCHES``, -1 without),
    ``order_id`` (of a purchase), ``node_no`` (a kiosk's store; null on a private device), ``signed_in``.
    """
    parts = [_browsing(state, night), _from_touches(state, night, touches)]
    bought = orders.filter((pl.col("channel") != CHANNELS.index("store")) & ~pl.col("is_test"))
    first = lines.filter(pl.col("line_no") == 1).select("order_no", "product_no")
    parts.append(
        bought.join(first, on="order_no", how="left", maintain_order="left").select(
            "person_no", "at_us", "product_no", pl.lit(BUY).cast(pl.Int64).alias("path"),
            pl.lit(-1).cast(pl.Int64).alias("touch"), "order_id",
            pl.lit(None, dtype=pl.Int64).alias("node_no"), (~pl.col("guest")).alias("signed_in"),
        )
    )  # fmt: skip
    return pl.concat(parts).with_columns(
        pl.Series("session_no", state.numbers("session", sum(part.height for part in parts)))
    )


def events(state: State, night: Night, visits: pl.DataFrame) -> pl.DataFrame:
    """The visits' events, one row each in time order: the visit's columns, ``step`` (position in ``STEPS``),
    ``cookie``."""
    draws, number = state.world.draws, night.number
    path = visits["path"].to_numpy()
    # A browsing visitor looks at one to three products.
    extra = np.where((path == BROWSE) | (path == PROMOTION), draws.below("looks", len(path), 3, number), 0)
    lengths = np.array([len(steps) for steps in _PATHS])[path] + extra
    which = np.repeat(np.arange(len(path)), lengths)
    position = np.arange(len(which)) - np.repeat(np.cumsum(lengths) - lengths, lengths)
    table = np.zeros((len(_PATHS), max(map(len, _PATHS)) + 3), dtype=np.int64)
    for one, steps in enumerate(_PATHS):
        table[one, : len(steps)] = steps
    step = table[path[which], position]
    # A purchase's last step is the order itself; all other steps have times before or after it.
    gap = np.where(path == BUY, -97 * SECOND, 41 * SECOND)[which]
    last = np.where(path == BUY, lengths - 1, 0)[which]
    at = (
        visits["at_us"].to_numpy()[which]
        + gap * np.abs(position - last)
        + draws.below("jitter", len(which), SECOND, number) * (position != last)
    )
    shown = np.where(position == 0, 0, draws.below("next thing", len(which), 12, number) * (path != BUY)[which])
    product = (visits["product_no"].to_numpy()[which] + shown) % state.world.products.height
    rows = visits[which].with_columns(pl.Series("step", step), pl.Series("at_us", at), pl.Series("product_no", product))
    return rows.with_columns(_cookies(state, night, visits)[which].alias("cookie")).sort("at_us", "session_no", "step")


def engagements(state: State, night: Night, touches: pl.DataFrame, shares: pl.DataFrame) -> pl.DataFrame:
    """Engagements with posts tonight, in time order: ``person_no`` (null for strangers), ``stranger``, ``at_us, type,
    product_no``."""
    parts = [_noise(state, night)]
    kinds = {_NAME["social_view"]: 0, _NAME["social_click"]: 5, _NAME["live_watch"]: 6}
    seen = touches.filter(pl.col("kind").is_in(list(kinds)))
    parts.append(
        seen.select(
            "person_no",
            "at_us",
            "product_no",
            pl.col("kind").replace_strict(kinds, return_dtype=pl.Int64).alias("type"),
            _NOBODY,
        )
    )
    parts.append(shares.select("person_no", "at_us", "product_no", pl.lit(4).cast(pl.Int64).alias("type"), _NOBODY))
    state.sharers = np.append(state.sharers, shares["person_no"].to_numpy())[-SHARERS_KEPT:]
    # Each post is about one product: the product of a journey determines the post that it saw.
    return pl.concat(parts).sort("at_us", "person_no", "stranger", nulls_last=True)


_NOBODY = pl.lit(None, dtype=pl.Int64).alias("stranger")


def posts(state: State, night: Night) -> pl.DataFrame:
    """The retailer's own posts of the day: ``at_us, market, platform, lang, text`` with {} for the product,
    ``product_no, post``."""
    draws, number = state.world.draws, night.number
    count = 4 + 2 * night.is_peak
    market = np.arange(count) % 2
    platform = draws.below("post platform", count, 3, number)
    text = draws.below("post text", count, len(POSTS), number)
    new = pl.DataFrame(
        {
            "at_us": night.opens + DAY // 3 + np.sort(draws.below("posts at", count, 40_000, number)) * SECOND,
            "market": [MARKETS[m] for m in market],
            "platform": [PLATFORMS[MARKETS[m]][p] for m, p in zip(market, platform, strict=True)],
            "lang": [POSTS[t][0] for t in text],
            "text": [POSTS[t][1] for t in text],
            "product_no": by_weight(draws.uniform("post product", count, number), state.world.popularity),
            "post": pl.Series([None] * count, dtype=pl.Int64),
        }
    )
    return new if number else pl.concat([_standing(night), new])


def _standing(night: Night) -> pl.DataFrame:
    """Posts from before the first night that people engage with, ``POSTS_KEPT`` per market; ``post`` numbers them."""
    number = np.arange(len(MARKETS) * POSTS_KEPT)
    market, product = np.divmod(number, POSTS_KEPT)
    return pl.DataFrame(
        {
            "at_us": night.opens + (number - len(number)) * 8 * HOUR,
            "market": [MARKETS[m] for m in market],
            "platform": [PLATFORMS[MARKETS[m]][p % 3] for m, p in zip(market, product, strict=True)],
            "lang": [POSTS[n % len(POSTS)][0] for n in number],
            "text": [POSTS[n % len(POSTS)][1] for n in number],
            "product_no": product,
            "post": number,
        }
    )


def mentions(state: State, night: Night, shares: pl.DataFrame) -> pl.DataFrame:
    """Posts of people, customers about their purchases and strangers: ``at_us, lang, text, product_no, person_no,
    stranger``."""
    draws, number = state.world.draws, night.number
    count = 2 + state.world.settings.customers // 2_000
    other = pl.DataFrame(
        {
            "at_us": night.opens + draws.below("mentions at", count, 86_000, number) * SECOND,
            "product_no": by_weight(draws.uniform("mention product", count, number), state.world.popularity),
            "stranger": draws.below("mention stranger", count, _strangers(state), number),
        }
    ).with_columns(pl.lit(None, dtype=pl.Int64).alias("person_no"))
    wrote = shares.filter(pl.Series(draws.chance("writes", shares.height, 0.5, number)))
    wrote = wrote.select((pl.col("at_us") + 20 * SECOND).alias("at_us"), "product_no", _NOBODY, "person_no")
    rows = pl.concat([other, wrote]).sort("at_us", "person_no", "stranger", nulls_last=True)
    text = draws.below("mention text", rows.height, len(SHARES), number)
    return rows.with_columns(
        pl.Series("text", [text for _, text in SHARES]).gather(text).alias("text"),
        pl.Series("lang", [lang for lang, _ in SHARES]).gather(text).alias("lang"),
    )


def _browsing(state: State, night: Night) -> pl.DataFrame:
    """Visits without a journey; some fill a cart and abandon it, some even at the checkout."""
    draws, number = state.world.draws, night.number
    frame = state.world.people.frame
    rate = state.world.settings.scale.sessions * min(night.demand, 2.0) * frame["has_shop"].to_numpy()
    person = np.flatnonzero(draws.uniform("browses", frame.height, number) < rate)
    size = len(person)
    kind = draws.choose("browse path", size, [0.72, 0.12, 0.06, 0, 0.1], number)
    account = state.has_account[person]
    return pl.DataFrame(
        {
            "person_no": person,
            "at_us": night.opens
            + np.floor((0.02 + draws.uniform("browses at", size, number) ** 0.7 * 0.95) * DAY).astype(np.int64),
            "product_no": by_weight(draws.uniform("browse product", size, number), state.world.popularity),
            "path": kind,
            "touch": np.full(size, -1),
            "order_id": pl.Series([None] * size, dtype=pl.Int64),
            "node_no": pl.Series([None] * size, dtype=pl.Int64),
            "signed_in": account & draws.chance("browse signed in", size, 0.4, number),
        }
    )


def _from_touches(state: State, night: Night, touches: pl.DataFrame) -> pl.DataFrame:
    """The visits caused by a journey's touches: clicks, searches, mails, referrals, and screens in stores."""
    draws, number = state.world.draws, night.number
    store_visit = _NAME["store_visit"]
    screen = pl.Series(draws.chance("kiosk", touches.height, KIOSK, number))
    seen = touches.with_columns(screen.alias("screen")).filter(
        pl.col("kind").is_in([_NAME[name] for name in ("social_click", "search", "email", "referral", "direct")])
        | ((pl.col("kind") == store_visit) & pl.col("screen"))
    )
    person, size = seen["person_no"].to_numpy(), seen.height
    home = state.world.people.frame["home_store"].gather(person)
    at_kiosk = pl.col("kind") == store_visit
    return seen.select(
        "person_no",
        "at_us",
        "product_no",
        pl.when(pl.Series(draws.chance("touch cart", size, 0.3, number)))
        .then(CART)
        .otherwise(BROWSE)
        .cast(pl.Int64)
        .alias("path"),
        pl.col("kind").alias("touch"),
        pl.lit(None, dtype=pl.Int64).alias("order_id"),
        pl.when(at_kiosk).then(home).alias("node_no"),
        (pl.Series(state.has_account[person] & draws.chance("touch signed in", size, 0.4, number)) & ~at_kiosk).alias(
            "signed_in"
        ),
    )


def _cookies(state: State, night: Night, visits: pl.DataFrame) -> pl.Series:
    """The browser of each visit: a private one, the household's tablet, or the store's screen."""
    people, draws = state.world.people, state.world.draws
    frame = people.frame.select("cookie_from", "cookie_count", "tablet_cookie")[visits["person_no"]]
    own = people.cookie(
        frame["cookie_from"].to_numpy()
        + draws.below("cookie", frame.height, frame["cookie_count"].to_numpy(), night.number)
    )
    tablet = pl.Series(draws.chance("on the tablet", frame.height, 0.2, night.number))
    kiosk = people.kiosks.gather(visits["node_no"])
    rows = pl.DataFrame({"own": own, "tablet": frame["tablet_cookie"], "kiosk": kiosk, "on": tablet})
    return rows.select(pl.coalesce("kiosk", pl.when("on").then("tablet"), "own").alias("cookie"))["cookie"]


def _noise(state: State, night: Night) -> pl.DataFrame:
    """Engagements without a journey, by customers and by people who never buy."""
    draws, number = state.world.draws, night.number
    frame = state.world.people.frame
    rate = state.world.settings.scale.engagements
    count = np.floor(
        rate / 0.4 * frame["has_social"].to_numpy() * np.minimum(frame["activity"].to_numpy(), 4)
        + draws.uniform("engages", frame.height, number)
    )
    person = np.repeat(np.arange(frame.height), count.astype(np.int64))
    strangers = np.flatnonzero(draws.uniform("strangers", _strangers(state), number) < min(1.0, rate))
    size = len(person) + len(strangers)
    return pl.DataFrame(
        {
            "person_no": pl.concat([pl.Series(person), pl.Series([None] * len(strangers), dtype=pl.Int64)]),
            "at_us": night.opens + draws.below("engages at", size, DAY, number),
            "product_no": by_weight(draws.uniform("engages with", size, number), state.world.popularity),
            "type": draws.choose("engagement", size, list(_NOISE), number),
            "stranger": pl.concat([pl.Series([None] * len(person), dtype=pl.Int64), pl.Series(strangers)]),
        }
    )


def _strangers(state: State) -> int:
    return 1 + state.world.settings.customers // 10
