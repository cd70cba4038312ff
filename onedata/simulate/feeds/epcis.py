"""Goods observed on their way, as GS1 EPCIS 2.0 documents (JSON-LD with CBV words, bare or as URIs): one document a
line."""

from __future__ import annotations

import numpy as np
import polars as pl

from onedata.simulate.calendar import SECOND, Night
from onedata.simulate.feeds.base import JSONL, FeedFiles, offset, owned
from onedata.simulate.fulfilment import TRACKING
from onedata.simulate.state import State
from onedata.simulate.text import iso, json_object, json_plain, json_raw, local_iso

EVENTS_A_DOCUMENT = 50
PACKED_BEFORE = 600 * SECOND
EPCIS = FeedFiles(
    "logistics_epcis",
    path="logistics/epcis/epcis_{ds}.jsonl",
    format=JSONL,
    truncated="quarantine",
    at_once=250,
    fields={
        "@context": pl.lit('["https://ref.gs1.org/standards/epcis/2.0.0/epcis-context.jsonld"]'),
        "type": pl.lit('"EPCISDocument"'),
        "schemaVersion": pl.lit('"2.0"'),
        "creationDate": json_plain(iso("created_us", 0)),
        "epcisBody": pl.concat_str(pl.lit('{"eventList":['), "events", pl.lit("]}")),
    },
)
_STEPS = {  # movement -> step, disposition, action, kind of paper
    "receipt": ("receiving", "in_progress", "ADD", "po"),
    "transfer_out": ("shipping", "in_transit", "OBSERVE", "desadv"),
    "transfer_in": ("urn:epcglobal:cbv:bizstep:receiving", "urn:epcglobal:cbv:disp:in_progress", "OBSERVE", "desadv"),
    "sale": ("retail_selling", "retail_sold", "DELETE", "inv"),
    "return": ("https://ref.gs1.org/cbv/BizStep-returning", "https://ref.gs1.org/cbv/Disp-returned", "OBSERVE", "rma"),
    "write_off": ("destroying", "destroyed", "DELETE", "inv"),
    "adjustment": ("stock_taking", "unavailable", "OBSERVE", "inv"),
}


def epcis(state: State, night: Night, moved: pl.DataFrame, sent: pl.DataFrame, lines: pl.DataFrame) -> pl.DataFrame:
    """Documents of up to 50 events: an ObjectEvent a movement, an AggregationEvent (packing) a parcel. ``_rows`` is the
    number of events."""
    events = pl.concat([_movements(state, night, moved), _packing(state, night, sent, lines)]).sort(
        "at_us", maintain_order=True
    )
    numbered = events.with_columns((pl.int_range(pl.len()) // EVENTS_A_DOCUMENT).alias("document"))
    whole = numbered.group_by("document", maintain_order=True).agg(
        pl.col("event").str.join(",").alias("events"),
        pl.col("at_us").max().alias("created_us"),
        pl.len().cast(pl.Int64).alias("_rows"),
    )
    return owned(whole, pl.concat_str(pl.lit(f"{night.ds}/"), "document"))


def _movements(state: State, night: Night, moved: pl.DataFrame) -> pl.DataFrame:
    frame = moved.with_columns(
        pl.concat_str(pl.lit(f"urn:onedata:event:{night.ds}-"), pl.Series("n", np.arange(1, moved.height + 1))).alias(
            "event_id"
        ),
        *(
            pl.col("movement_type")
            .replace_strict({kind: words[at] for kind, words in _STEPS.items()}, return_dtype=pl.String)
            .alias(name)
            for at, name in enumerate(("step", "state", "action", "paper"))
        ),
        pl.col("moved_us").alias("at_us"),
        state.world.products["sku"].gather(moved["product_no"]).alias("sku"),
    )
    return _observed(
        state, night, frame, "ObjectEvent", {"quantityList": pl.concat_str(pl.lit("["), _quantity(), pl.lit("]"))}
    )


def _packing(state: State, night: Night, sent: pl.DataFrame, lines: pl.DataFrame) -> pl.DataFrame:
    goods = lines.with_columns(state.world.products["sku"].gather(lines["product_no"]).alias("sku")).select(
        "order_no", _quantity().alias("child")
    )
    children = goods.group_by("order_no", maintain_order=True).agg(pl.col("child").str.join(","))
    frame = sent.join(children, on="order_no", how="left", maintain_order="left").with_columns(
        pl.concat_str(pl.lit("urn:onedata:packing:"), "order_no").alias("event_id"),
        pl.lit("packing").alias("step"),
        pl.lit("in_progress").alias("state"),
        pl.lit("ADD").alias("action"),
        pl.lit("desadv").alias("paper"),
        TRACKING.alias("reference"),
        (pl.col("picked_up_us") - PACKED_BEFORE).alias("at_us"),
        pl.col("origin").alias("node_no"),
    )
    parcel = pl.concat_str(
        pl.lit('"urn:epc:id:sscc:6901234.'), (pl.col("order_no") + 1_000_000_000).cast(pl.String), pl.lit('"')
    )
    return _observed(
        state, night, frame, "AggregationEvent", {"parentID": parcel, "childQuantityList": pl.concat_str(pl.lit("["),
        "child", pl.lit("]"))}
    )  # fmt: skip


def _observed(state: State, night: Night, frame: pl.DataFrame, kind: str, what: dict[str, pl.Expr]) -> pl.DataFrame:
    """Events as JSON, with their moment: ``event, at_us``."""
    nodes = state.world.nodes.select("node_id", pl.col("market").alias("where"))[frame["node_no"]]
    frame = pl.concat([frame, nodes], how="horizontal").with_columns(offset(night, "where").alias("ahead"))
    zone = pl.concat_str(pl.lit("+"), (pl.col("ahead") // (3_600 * SECOND)).cast(pl.String).str.zfill(2), pl.lit(":00"))
    place = pl.concat_str(pl.lit('{"id":"urn:onedata:node:'), "node_id", pl.lit('"}'))
    paper = pl.concat_str(
        pl.lit('[{"type":"'), "paper", pl.lit('","bizTransaction":"'), "reference", pl.lit('"}]')
    ).fill_null("[]")
    event = json_object(
        {
            "type": pl.lit(f'"{kind}"'),
            "eventID": json_plain("event_id"),
            "eventTime": json_plain(local_iso("at_us", "where", night.offsets)),
            "eventTimeZoneOffset": json_plain(zone),
            "action": json_plain("action"),
            "bizStep": json_plain("step"),
            "disposition": json_plain("state"),
            **what,
            "readPoint": place,
            "bizLocation": place,
            "bizTransactionList": paper,
        }
    )
    return frame.select(event.alias("event"), "at_us")


def _quantity() -> pl.Expr:
    return pl.concat_str(
        pl.lit('{"epcClass":"https://id.example.com/01/'),
        "sku",
        pl.lit('","quantity":'),
        json_raw(pl.col("quantity").abs()),
        pl.lit("}"),
    )
