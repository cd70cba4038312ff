"""Ground truth that the pipeline never reads: persons, demand, sales, causes, and expected outcomes.

``persons``, ``identifiers`` and ``identifier_owners`` are one file each; ``lines``, ``touches``, ``demand``,
``answers``, ``parcels``, ``payments`` and ``records/<feed>`` one per night. ``totals.json`` is computed from these
files only.
"""

from __future__ import annotations

import json
from dataclasses import asdict
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq

from onedata.simulate.calendar import Night
from onedata.simulate.deliver import Count, save_parquet
from onedata.simulate.delivered import MONEY, SEEN, TOTALS, UNSETTLED
from onedata.simulate.happened import Truth
from onedata.simulate.model import SimulationSettings
from onedata.simulate.people import IDENTIFIER_KINDS, People, identifier_owners, identifiers
from onedata.simulate.rates import HISTORY_DAYS, set_between

_PERSONS = (
    "person_no", "household_no", "segment", "market", "city", "country", "lat", "lon", "family", "given", "gender",
    "birth_year", "activity",
    "has_shop", "has_card", "has_social", "home_store", "moved", "consent_marketing", "consent_analytics",
)  # fmt: skip


def write_people(people: People, folder: Path, night: Night) -> None:
    """Write people, identifiers and their owners; ``person_no`` -2 is an identifier that several share."""
    save_parquet(people.frame.select(_PERSONS), folder / "persons.parquet", night)
    for name, rows_of in (("identifiers", identifiers), ("identifier_owners", identifier_owners)):
        tables = (rows_of(people, kind).to_arrow(compat_level=pl.CompatLevel.oldest()) for kind in IDENTIFIER_KINDS)
        first = next(tables)
        with pq.ParquetWriter(
            folder / f"{name}.parquet", first.schema, compression="snappy", use_dictionary=["type", "sharing"]
        ) as writer:
            writer.write_table(first)
            for table in tables:
                writer.write_table(table)
    pa.default_memory_pool().release_unused()


def write_night(truth: Truth, night: Night, folder: Path) -> None:
    """Write the ground truth of one night."""
    for name, rows in (
        ("lines", truth.lines),
        ("touches", truth.touches),
        ("demand", truth.demand),
        ("answers", truth.answers),
        ("parcels", truth.parcels),
        ("payments", truth.payments),
    ):
        save_parquet(rows, folder / name / f"{night.ds}.parquet", night)


def write_totals(
    settings: SimulationSettings, folder: Path, counts: dict[str, Count], defects: dict[str, int], held: pl.DataFrame
) -> None:
    """``totals.json``: rows, duplicates and quarantined rows by feed; net revenue and orders by channel, both in total
    and as far as delivered."""
    with duckdb.connect(
        config={"threads": 2, "memory_limit": "400MB", "temp_directory": str(folder.parent / "spill")}
    ) as con:
        rates = pl.DataFrame(
            set_between(settings.start - timedelta(days=HISTORY_DAYS), settings.start + timedelta(days=settings.days)),
            schema={"currency": pl.String, "day": pl.Date, "rate": pl.Decimal(18, 8)},
            orient="row",
        )
        con.register("set_rate", rates.to_arrow())
        con.execute(SEEN.format(truth=str(folder).replace("'", "''")))
        con.execute(MONEY.format(truth=str(folder).replace("'", "''")))
        totals = con.execute(TOTALS).fetchall()
        days = con.execute("select * from by_day order by all").fetchall()
        unsettled = con.execute(UNSETTLED).fetchall()
    told = {
        "settings": {**asdict(settings), "start": settings.start.isoformat()},
        "definition": "net revenue = quantity x unit price - discount, returns negative, where the line happened, less "
        "money paid back without goods; without test, training, void and cancelled; postage and gift cards apart; an "
        "order in two systems once; in CNY by the rate of the day, or of the last day before it. *_delivered: without "
        "records that never came or should be quarantined, rates too, and without documents of which such a record is "
        "the newest; goods whose return was not read are given back by their refund. *_untaxed_delivered: the same "
        "without the tax that the shop's orders name. money_delivered: the same by channel and local day: net, net "
        "without tax, gift cards, postage, postage paid back. net_unsettled: lines of documents that are left out, by "
        "currency, cancelled ones too",
        "feeds": {name: asdict(count) for name, count in sorted(counts.items())},
        "net_revenue": {channel: _cny(net) for channel, net, _, _ in totals},
        "net_revenue_delivered": _summed(days, 0),
        "net_revenue_untaxed_delivered": _summed(days, 1),
        "money_delivered": [[channel, day.isoformat(), *map(_cny, amounts)] for channel, day, *amounts in days],
        "net_unsettled": {currency: str(Decimal(net) / 100) for currency, net in unsettled},
        "orders": {channel: orders for channel, _, orders, _ in totals},
        "orders_delivered": {channel: orders for channel, _, _, orders in totals},
        "defects": dict(sorted(defects.items())),
        "held_at_the_end": dict(held.group_by("feed").len().sort("feed").iter_rows()),
    }
    (folder / "totals.json").write_text(json.dumps(told, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")


def _cny(cents: Decimal) -> str:
    return str((Decimal(cents) / 100).quantize(Decimal("0.0001")))


def _summed(days: list[tuple[Any, ...]], measure: int) -> dict[str, str]:
    """A measure of all days by channel in CNY, as decimal strings."""
    sums: dict[str, Decimal] = {}
    for channel, _, *amounts in days:
        sums[channel] = sums.get(channel, Decimal(0)) + amounts[measure]
    return {channel: _cny(cents) for channel, cents in sums.items()}
