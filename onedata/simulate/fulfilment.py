"""Parcels and their consequences: delivery promises kept and missed by distance, returns, survey answers, posts."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import polars as pl

from onedata.simulate.agreed import vat_percent
from onedata.simulate.calendar import DAY, HOUR, MARKETS, SECOND, Night
from onedata.simulate.draws import Floats, Ints, exponential
from onedata.simulate.selling import PICKUP
from onedata.simulate.state import NEVER, Movements, State
from onedata.simulate.world import distance_km


@dataclass(frozen=True)
class Service:
    """A delivery promise for distances up to ``km``: ``promise`` hours from pick-up, or 22:00 of the day ``days`` after
    it."""

    name: str
    km: float
    promise: float
    days: int = -1


SERVICES = (
    Service("instant_1h", 3, 1),
    Service("three_hours", 10, 3),
    Service("same_day", 60, 0, 0),
    Service("next_day", 300, 0, 1),
    Service("two_day", 1_200, 0, 2),
    Service("three_day", 1e9, 0, 3),
)
CARRIERS = {"CN": ("SF Express", "SF"), "EU": ("DHL", "JJD")}
"""A market's carrier and what its tracking numbers begin with."""
_PREFIXES = {number: CARRIERS[name][1] for number, name in enumerate(MARKETS)}
GESTURE = 0.4
"""Of late parcels, how many are made good by a gesture, and of the others by their postage."""
GESTURE_CENTS = 888
TRACKING = pl.concat_str(
    pl.col("market").replace_strict(_PREFIXES, return_dtype=pl.String), pl.col("order_no") + 880_000_000
)
"""The tracking number of an order's parcel, which every feed knows it by."""
RETURNED = 0.12
CROSS_CHANNEL = 0.4
SAME_DAY_HOURS = 6
"""What is picked up later than so long before 22:00 is promised for the next day."""
ALL_LINES_BACK = 0.4


def send_orders(
    state: State, night: Night, orders: pl.DataFrame, lines: pl.DataFrame, movements: Movements
) -> pl.DataFrame:
    """Hand over the orders that are shipped tonight and put what follows on the agenda. Returns the parcels.

    One row per parcel: ``order_no, order_id, person_no, origin, service, distance, at_us, picked_up_us, promised_us,
    delivered_us, cost`` (cents).
    """
    sent = orders.filter(pl.col("cancelled_us").is_null() & ~pl.col("is_test"))
    parcels = _parcels(state, night, sent)
    taken = lines.join(
        sent.select("order_no", "order_id", "origin", "fulfil_us"), on="order_no", how="inner", maintain_order="left"
    )
    cells = (taken["origin"].to_numpy(), taken["product_no"].to_numpy())
    np.subtract.at(state.stock.on_hand, cells, taken["quantity"].to_numpy())
    np.subtract.at(state.stock.reserved, cells, taken["quantity"].to_numpy())
    movements.add(
        "sale", *cells, -taken["quantity"].to_numpy(), taken["fulfil_us"].to_numpy(), taken["order_id"].cast(pl.String)
    )
    dropped = orders.filter(pl.col("cancelled_us").is_not_null())
    freed = lines.join(dropped.select("order_no", "origin"), on="order_no", how="inner", maintain_order="left")
    np.subtract.at(
        state.stock.reserved, (freed["origin"].to_numpy(), freed["product_no"].to_numpy()), freed["quantity"].to_numpy()
    )
    shipped = parcels.filter(pl.col("method") != PICKUP)
    state.agenda.put("delivery", day_of(night, shipped["delivered_us"].to_numpy()), shipped)
    _after(state, night, parcels, lines)
    return shipped


def day_of(night: Night, micros: Ints) -> Ints:
    """The night that delivers an event at a moment: that of its day in Shanghai, but never before this night."""
    return np.maximum(night.number, night.number + (micros - night.opens) // DAY)


def _parcels(state: State, night: Night, sent: pl.DataFrame) -> pl.DataFrame:
    draws, number, size = state.world.draws, night.number, sent.height
    people, nodes = state.world.people.frame, state.world.nodes
    person, origin = sent["person_no"].to_numpy(), sent["origin"].to_numpy()
    distance = 0.4 + distance_km(
        *(nodes[axis].to_numpy()[origin] for axis in ("lat", "lon")),
        *(people[axis].to_numpy()[person] for axis in ("lat", "lon")),
    )
    picked = sent["fulfil_us"].to_numpy() + draws.below("collects", size, 1_800, number) * SECOND
    service = np.searchsorted([each.km for each in SERVICES[:-1]], distance)
    midnight = np.array([night.midnight(name) for name in MARKETS])[state.world.market_of_node[origin]]
    promised = _promise(midnight, picked, service)
    drive = _drive(distance, service, draws.uniform("road", size, number), night)
    delivered = _not_at_night(midnight, picked + drive, service, draws.below("morning", size, 7_200, number))
    # Orders for collection are collected within two days.
    collected = (
        picked
        + (
            np.floor(exponential(draws.uniform("collected", size, number)).clip(0, 4) * 8 * 3_600).astype(np.int64)
            + 1_800
        )
        * SECOND
    )
    pickup = sent["method"].to_numpy() == PICKUP
    rate = 500 + np.floor(distance * 1.2 + 600 * (service <= 1)).astype(np.int64)
    return sent.with_columns(
        pl.Series("service", service),
        pl.Series("distance", np.round(distance, 1)),
        pl.Series("picked_up_us", picked),
        pl.Series("promised_us", promised),
        pl.Series("delivered_us", np.where(pickup, collected, delivered)),
        pl.Series("late", ~pickup & (delivered > promised)),
        pl.Series("cost", rate),
    )


def _promise(midnight: Ints, picked: Ints, service: Ints) -> Ints:
    hours = np.array([each.promise for each in SERVICES])[service]
    days = np.array([each.days for each in SERVICES])[service]
    evening = picked - (picked - midnight) % DAY + days * DAY + 22 * HOUR
    evening = np.where(picked + SAME_DAY_HOURS * HOUR > evening, evening + DAY, evening)
    found: Ints = np.where(days < 0, picked + np.floor(hours * HOUR).astype(np.int64), evening)
    return found


def _drive(distance: Floats, service: Ints, part: Floats, night: Night) -> Ints:
    """Transit time in microseconds: longer with distance, and on peak days."""
    busy = 1.0 + 0.25 * max(0.0, night.demand - 1)
    wait = exponential(part)
    near = (0.35 + distance / 12) * (0.75 + 0.4 * wait)
    town = 1.5 + distance / 25 + wait * (1.5 + distance / 60)
    far = 7 + distance / 50 + wait * (1.5 + distance / 90)
    return (
        np.floor(np.where(service <= 1, near, np.where(service == 2, town, far)) * busy * 3_600).astype(np.int64)
        * SECOND
    )


def _not_at_night(midnight: Ints, due: Ints, service: Ints, extra: Ints) -> Ints:
    """Move deliveries at night (local time, by ``midnight``) to the morning."""
    clock = (due - midnight) % DAY
    day = due - clock
    morning = day + 9 * HOUR + extra * SECOND
    moved = np.where(clock < 9 * HOUR, morning, np.where(clock >= 22 * HOUR, morning + DAY, due))
    return np.where(service <= 1, due, moved)


def _after(state: State, night: Night, parcels: pl.DataFrame, lines: pl.DataFrame) -> None:
    """Returns of tonight's shipments, by parcel or over a store's counter, and survey answers and posts about them."""
    draws, number, size = state.world.draws, night.number, parcels.height
    person = parcels["person_no"].to_numpy()
    delivered = parcels["delivered_us"].to_numpy()
    chance = RETURNED + 0.06 * parcels["late"].to_numpy()
    back = draws.uniform("returns", size, number) < chance
    omni = (state.world.people.frame["segment"] == "omni").to_numpy()[person]
    counter = (parcels["method"].to_numpy() == PICKUP) | (
        omni & draws.chance("to the store", size, CROSS_CHANNEL, number)
    )
    asked = (
        delivered
        + np.floor((2 + 200 * draws.uniform("thinks it over", size, number) ** 3) * 3_600).astype(np.int64) * SECOND
    )
    travel = np.where(counter, 1, 1 + draws.below("way back", size, 3, number))
    due = np.where(back, day_of(night, asked) + travel, NEVER)
    # What comes back is worth what was paid for it: less its share of the order's discount too.
    rows = returned_lines(state, night, "parcel", parcels, lines, "order_no").with_columns(
        pl.col("order_id").cast(pl.String).alias("original"),
        (pl.col("discount") + pl.col("off")).alias("discount"),
        pl.when("tax_on_top").then(vat_percent()).otherwise(0).alias("added_percent"),
    )
    position = np.searchsorted(parcels["order_no"].to_numpy(), rows["order_no"].to_numpy())
    home = state.world.people.frame["home_store"].to_numpy()[rows["person_no"].to_numpy()]
    rows = rows.with_columns(pl.Series("asked_us", asked[position]), pl.Series("store", home))
    kept = [*RETURN_COLUMNS]
    for kind, chosen in (("return", ~counter), ("counter", counter)):
        mine = chosen[position]
        state.agenda.put(kind, due[position][mine], rows.filter(pl.Series(mine)).select(kept))
    ask_survey(
        state,
        night,
        "shop",
        parcels.select(
            pl.col("order_id").cast(pl.String).alias("document"), "person_no", "channel", "late", "delivered_us"
        ),
        back,
    )
    _make_good(state, night, parcels)
    share(
        state,
        night,
        parcels.select("person_no", pl.col("delivered_us").alias("had_us")),
        lines,
        parcels["order_no"],
        "order_no",
    )


def _make_good(state: State, night: Night, parcels: pl.DataFrame) -> None:
    """Money paid back for late parcels, without goods: a gesture, or the postage. Businesses and marketplaces settle
    such things otherwise."""
    draws, number, size = state.world.draws, night.number, parcels.height
    says_sorry = draws.chance("gesture", size, GESTURE, number)
    gives_back = ~says_sorry & (parcels["postage"].to_numpy() > 0) & draws.chance("postage back", size, GESTURE, number)
    at = parcels["delivered_us"].to_numpy() + 3 * HOUR + draws.below("gesture at", size, 3_600, number) * SECOND
    rows = parcels.select(
        "order_id",
        "person_no",
        "channel",
        pl.Series("amount", np.where(says_sorry, GESTURE_CENTS, 0)),
        (pl.col("postage") * pl.Series(gives_back.astype(np.int64))).alias("postage"),
        pl.Series("created_us", at),
    )
    at_shop = ~parcels["tax_on_top"].to_numpy() & parcels["market_order"].is_null().to_numpy()
    chosen = rows.filter(pl.Series(parcels["late"].to_numpy() & at_shop & (says_sorry | gives_back)))
    state.agenda.put("gesture", day_of(night, chosen["created_us"].to_numpy()), chosen)


def expect_counter(state: State) -> None:
    """Declare the columns of counter returns to the agenda."""
    state.agenda.expect("counter", {name: pl.String() if name == "original" else pl.Int64() for name in RETURN_COLUMNS})


RETURN_COLUMNS = (
    "original",
    "line_no",
    "person_no",
    "channel",
    "market",
    "store",
    "product_no",
    "quantity",
    "unit",
    "discount",
    "added_percent",
    "asked_us",
)


def returned_lines(
    state: State, night: Night, kind: str, documents: pl.DataFrame, lines: pl.DataFrame, name: str
) -> pl.DataFrame:
    """The lines that come back when a document is returned: the first, or all. The caller decides whether it is
    returned."""
    found = lines.join(documents, on=name, how="inner", maintain_order="left")
    every = state.world.draws.chance(f"all back {kind}", documents.height, ALL_LINES_BACK, night.number)
    position = np.searchsorted(documents[name].to_numpy(), found[name].to_numpy())
    return found.filter((pl.col("line_no") == 1) | pl.Series(every[position]))


def ask_survey(
    state: State, night: Night, kind: str, served: pl.DataFrame, unhappy: np.ndarray[tuple[int], np.dtype[np.bool_]]
) -> None:
    """Survey some of the served customers (``document, person_no, channel, late, delivered_us``); answers depend on the
    service.

    CSAT 1-5, effort 1-7 (low is good), NPS 0-10. A late parcel costs two points, a return one.
    """
    draws, number, size = state.world.draws, night.number, served.height
    answers = draws.chance(f"answers {kind}", size, 0.22 if kind == "shop" else 0.1, number)
    late = served["late"].to_numpy()
    mood = draws.uniform(f"mood {kind}", size, number)
    good = 3 + np.floor(np.sqrt(mood) * 3).astype(np.int64)
    csat = np.clip(good - 2 * late - (unhappy & (mood < 0.6)), 1, 5)
    nps = np.clip(csat * 2 - 1 + draws.below(f"nps {kind}", size, 3, number), 0, 10)
    ces = np.clip(7 - csat + draws.below(f"ces {kind}", size, 2, number) - 1, 1, 7)
    asked = served["delivered_us"].to_numpy() + np.where(kind == "shop", 2 * HOUR, 15 * 60 * SECOND)
    answered = (
        asked
        + np.floor(300 + draws.uniform(f"answers at {kind}", size, number) ** 4 * 60_000).astype(np.int64) * SECOND
    )
    rows = served.select("document", "person_no", "channel", "late").with_columns(
        pl.Series("csat", csat),
        pl.Series("nps", nps),
        pl.Series("ces", ces),
        pl.Series("asked_us", asked),
        pl.Series("answered_us", answered),
    )
    chosen = rows.filter(pl.Series(answers))
    state.agenda.put("survey", day_of(night, chosen["answered_us"].to_numpy()), chosen)


def share(
    state: State, night: Night, served: pl.DataFrame, lines: pl.DataFrame, documents: pl.Series, name: str
) -> None:
    """Some people with a social account post about their first product, up to six days after they received it."""
    draws, number, size = state.world.draws, night.number, served.height
    social = state.world.people.frame["has_social"].to_numpy()[served["person_no"].to_numpy()]
    posts = social & draws.chance(f"shares {name}", size, 0.12, number)
    first = lines.filter(pl.col("line_no") == 1)
    product = (
        first["product_no"].to_numpy()[np.searchsorted(first[name].to_numpy(), documents.to_numpy())]
        if first.height
        else np.zeros(size, dtype=np.int64)
    )
    at = (
        served["had_us"].to_numpy()
        + np.floor(3_600 + draws.uniform(f"shares at {name}", size, number) ** 2 * 500_000).astype(np.int64) * SECOND
    )
    rows = pl.DataFrame({"person_no": served["person_no"], "product_no": product, "at_us": at}).filter(pl.Series(posts))
    state.agenda.put("share", day_of(night, rows["at_us"].to_numpy()), rows)
