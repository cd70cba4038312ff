"""Logistics: the carrier's CSV, returns, stock as Parquet, and surveys."""

from __future__ import annotations

import numpy as np
import polars as pl

from onedata.simulate.calendar import CURRENCIES, Night
from onedata.simulate.catalogue import COMMENTS, PACKAGING, RETURN_REASONS
from onedata.simulate.defects import Target
from onedata.simulate.feeds.base import PARQUET, FeedFiles, owned
from onedata.simulate.feeds.shop import SHOP_OFFSET
from onedata.simulate.fulfilment import CARRIERS, SERVICES, TRACKING
from onedata.simulate.journeys import CHANNELS
from onedata.simulate.state import State
from onedata.simulate.text import csv_plain, csv_text, iso, local_iso, money

SHIPMENTS = FeedFiles(
    "logistics_shipments",
    path="logistics/shipments/shipments_{ds}.csv",
    optional="packaging",
    truncated="quarantine",
    targets=(
        Target(
            "bad_type",
            "delivered_at",
            pl.lit("2026-02-30T10:00:00+08:00"),
            "delivered on 30 February",
            "quarantine",
            only=pl.col("delivered_at") != "",
        ),
        Target(
            "correction", "cost", pl.col("cost") * 10, "cost is ten times too high", "superseded", version="updated_us"
        ),
        Target("impossible", "distance", pl.lit(-4.2), "distance is negative", "quarantine"),
    ),
    fields={
        "shipment_id": csv_plain("shipment_id"),
        "order_id": csv_plain("order_id"),
        "carrier": csv_plain("carrier"),
        "service": csv_plain("service_name"),
        "promised_at": csv_plain("promised_at"),
        "created_at": csv_plain("created_at"),
        "picked_up_at": csv_plain("picked_up_at"),
        "delivered_at": csv_plain("delivered_at"),
        "status": csv_plain("status"),
        "cost": money("cost"),
        "currency": csv_plain("currency"),
        "origin_node": csv_plain("origin_node"),
        "destination_postcode": csv_plain("postcode"),
        "distance_km": csv_plain("distance"),
        "packaging": csv_plain("packaging"),
        "co2e_kg": csv_plain(
            pl.concat_str(
                pl.col("co2e_g") // 1_000, pl.lit("."), (pl.col("co2e_g") % 1_000).cast(pl.String).str.zfill(3)
            )
        ),
        "updated_at": iso("updated_us", SHOP_OFFSET),
    },
)


def shipments(state: State, night: Night, sent: pl.DataFrame, arrived: pl.DataFrame | None) -> pl.DataFrame:
    """Parcels picked up tonight, and those delivered; one row a version."""
    parts = [sent.with_columns(pl.lit(value=False).alias("arrived"))]
    if arrived is not None:
        parts.append(arrived.with_columns(pl.lit(value=True).alias("arrived")))
    rows = pl.concat(parts)
    market = state.world.nodes["market"].gather(rows["origin"])
    people = state.world.people.shown(["postcode"], rows["person_no"])
    rows = pl.concat([rows, people], how="horizontal").with_columns(
        market.alias("where"),
        pl.when("arrived").then("delivered_us").otherwise("picked_up_us").alias("updated_us"),
        TRACKING.alias("shipment_id"),
        market.replace_strict({name: carrier for name, (carrier, _) in CARRIERS.items()}, return_dtype=pl.String).alias(
            "carrier"
        ),
        market.replace_strict(CURRENCIES, return_dtype=pl.String).alias("currency"),
        pl.Series("service_name", [service.name for service in SERVICES]).gather(rows["service"]).alias("service_name"),
        state.world.nodes["node_id"].gather(rows["origin"]).alias("origin_node"),
        pl.Series("packaging", PACKAGING).gather(rows["order_no"] % len(PACKAGING)).alias("packaging"),
        pl.when("arrived").then(pl.lit("delivered")).otherwise(pl.lit("picked_up")).alias("status"),
        (50 + pl.col("distance") * 0.21).floor().cast(pl.Int64).alias("co2e_g"),
        (~pl.col("arrived")).alias("_will_change"),
    )
    rows = rows.with_columns(
        *(local_iso(name, "where", night.offsets).alias(f"{name[:-3]}_at") for name in ("promised_us", "picked_up_us")),
        local_iso("at_us", "where", night.offsets).alias("created_at"),
        pl.when("arrived")
        .then(local_iso("delivered_us", "where", night.offsets))
        .otherwise(pl.lit(""))
        .alias("delivered_at"),
    )
    return owned(rows.sort("updated_us", "order_no", "arrived"), pl.concat_str("shipment_id", pl.lit("/"), "status"))


RETURNS = FeedFiles(
    "logistics_returns",
    path="logistics/returns/returns_{ds}.csv",
    optional="reason",
    truncated="quarantine",
    targets=(Target("bad_type", "quantity", pl.lit("one"), "the quantity is a word", "quarantine"),),
    fields={
        "rma_id": csv_plain("rma_id"),
        "rma_line": csv_plain("line_no"),
        "order_id": csv_plain("original"),
        "sales_channel": csv_plain("sales_channel"),
        "node_id": csv_plain("node_id"),
        "sku": csv_plain("sku"),
        "title": csv_text("title"),
        "quantity": csv_plain("quantity"),
        "unit_price": money("unit"),
        "discount": money("discount"),
        "currency": pl.lit("CNY"),
        "reason": csv_plain("reason"),
        "requested_at": iso("asked_us", SHOP_OFFSET),
        "received_at": iso("received_us", SHOP_OFFSET),
    },
)


def returns(state: State, rows: pl.DataFrame) -> pl.DataFrame:
    """Lines that came back by parcel: those of ``fulfilment`` with ``received_us`` and ``node_no``."""
    goods = state.world.products.select("sku", "title")[rows["product_no"]]
    reason = pl.Series("reason", RETURN_REASONS).gather((rows["line_no"] + rows["product_no"]) % len(RETURN_REASONS))
    frame = pl.concat([rows, goods], how="horizontal").with_columns(
        pl.concat_str(pl.lit("RMA-"), "original").alias("rma_id"),
        pl.Series("c", CHANNELS).gather(rows["channel"]).alias("sales_channel"),
        state.world.nodes["node_id"].gather(rows["node_no"]).alias("node_id"),
        reason,
    )
    return owned(frame, pl.concat_str("rma_id", pl.lit("/"), "line_no"))


INVENTORY = FeedFiles(
    "logistics_inventory",
    path="logistics/inventory/inventory_{ds}.parquet",
    format=PARQUET,
    late=False,
    targets=(
        Target("impossible", "on_hand", pl.lit(-40), "on_hand is -40", "quarantine"),
        Target("broken_key", "sku", pl.lit(None, dtype=pl.String), "sku is null", "quarantine"),
    ),
    fields={
        "snapshot_date": pl.col("date"),
        **{name: pl.col(name) for name in ("sku", "node_id", "on_hand", "reserved")},
        "in_transit": pl.col("incoming"),
        "safety_stock": pl.col("safety"),
        "unit_cost": (pl.col("cost") / 100).cast(pl.Decimal(18, 2)),
        "currency": pl.lit("CNY"),
    },
)


def inventory(state: State, night: Night, rows: pl.DataFrame) -> pl.DataFrame:
    """Closing stock of ``stock.snapshot``."""
    goods = state.world.products.select("sku", "cost")[rows["product_no"]]
    frame = pl.concat([rows, goods], how="horizontal").with_columns(
        state.world.nodes["node_id"].gather(rows["node_no"]), pl.lit(night.day).alias("date")
    )
    return owned(frame, pl.concat_str("date", "node_id", "sku", separator="/"))


MOVEMENTS = FeedFiles(
    "logistics_movements",
    path="logistics/movements/movements_{ds}.parquet",
    format=PARQUET,
    targets=(Target("broken_key", "sku", pl.lit(None, dtype=pl.String), "sku is null", "quarantine"),),
    fields={
        **{
            name: pl.col(name)
            for name in (
                "movement_id",
                "moved_at",
                "movement_date",
                "sku",
                "node_id",
                "movement_type",
                "quantity",
                "reference",
            )
        },
        "unit_cost": (pl.col("cost") / 100).cast(pl.Decimal(18, 2)),
        "currency": pl.lit("CNY"),
    },
)


def movements(state: State, night: Night, rows: pl.DataFrame) -> pl.DataFrame:
    """Stock movements of the night."""
    goods = state.world.products.select("sku", "cost")[rows["product_no"]]
    nodes = state.world.nodes.select("node_id", pl.col("market").alias("where"))[rows["node_no"]]
    frame = pl.concat([rows, goods, nodes], how="horizontal").with_columns(
        pl.concat_str(
            pl.lit(f"MV{night.day:%y%m%d}"), pl.Series("n", np.arange(1, rows.height + 1)).cast(pl.String).str.zfill(7)
        ).alias("movement_id"),
        local_iso("moved_us", "where", night.offsets).alias("moved_at"),
        pl.lit(night.day).alias("movement_date"),
    )
    return owned(frame, pl.col("movement_id"))


SURVEYS = FeedFiles(
    "service_surveys",
    path="service/surveys/surveys_{ds}.csv",
    optional="ces",
    truncated="quarantine",
    targets=(
        Target("impossible", "nps", pl.lit(11), "NPS is 11", "quarantine"),
        Target("broken_key", "document", pl.lit("5499999999999"), "the order does not exist", "accept"),
        Target(
            "bad_encoding",
            "comment",
            pl.col("comment"),
            "the comment is not UTF-8",
            "quarantine",
            only=pl.col("comment").str.contains("\n").not_(),
        ),
    ),
    fields={
        "response_id": csv_plain("response_id"),
        "order_id": csv_plain("document"),
        "channel": csv_plain("channel_name"),
        "csat": csv_plain("csat"),
        "nps": csv_plain("nps"),
        "ces": csv_plain("ces"),
        "comment": csv_text("comment"),
        "asked_at": iso("asked_us", SHOP_OFFSET),
        "answered_at": iso("answered_us", SHOP_OFFSET),
    },
)


def numbered_answers(state: State, rows: pl.DataFrame) -> pl.DataFrame:
    """Answers of ``fulfilment.ask_survey`` in the order of their time, with ``number`` and ``response_id``."""
    number = pl.Series("number", state.numbers("answer", rows.height))
    rows = rows.sort("answered_us", "document").with_columns(number)
    return rows.with_columns(pl.concat_str(pl.lit("R"), pl.col("number") + 300_000).alias("response_id"))


def surveys(rows: pl.DataFrame) -> pl.DataFrame:
    """Answers of ``numbered_answers``; six in ten write something that fits their score."""
    number = rows["number"].to_numpy()
    remarks = pl.DataFrame(
        {"csat": [score for score, _ in COMMENTS], "comment": [text for _, text in COMMENTS]}
    ).with_columns((pl.int_range(pl.len()).over("csat")).alias("which"))
    which = pl.Series("which", number % 2)
    remarked = rows.with_columns(which).join(remarks, on=["csat", "which"], how="left", maintain_order="left")
    frame = remarked.with_columns(
        pl.Series("c", CHANNELS).gather(rows["channel"]).alias("channel_name"),
        pl.when(pl.Series(number % 10 < 6)).then("comment").alias("comment"),
    )  # fmt: skip
    return owned(frame, pl.col("response_id"))
