"""Published money against the simulator's ground truth, by channel and day, to the cent.

.venv/bin/python benchmarks/money.py --customers 2000 --days 30 --defects heavy

A retailer is generated and its nights are run by `onedata run --backfill`. Compared are net revenue with and without
tax, gift cards, postage and postage paid back of each channel and day, orders by channel, and the money of the
documents that are left out. The last line is JSON; exit code 1 if anything differs.
"""

import json
import os
import subprocess
import sys
import tempfile
import time
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Annotated, Any

import duckdb
import typer
import yaml

from onedata.settings import Settings
from onedata.shipped import shipped
from onedata.simulate import DefectRates, SimulationSettings, simulate

MEASURES = (
    "net_revenue_as_priced_base",
    "net_revenue_base",
    "gift_cards_base",
    "shipping_base",
    "shipping_refunded_base",
)
MOST_TOLD = 20
Day = tuple[str, str]
Amounts = tuple[Decimal, ...]


def main(
    customers: Annotated[int, typer.Option(help="People.")] = 400,
    days: Annotated[int, typer.Option(help="Nights.")] = 5,
    defects: Annotated[str, typer.Option(help="none, light or heavy; no file is cut off.")] = "light",
    seed: Annotated[int, typer.Option(help="The same seed gives the same retailer.")] = 7,
) -> None:
    """Generate the retailer, run its nights, compare what is published with the truth."""
    rates = DefectRates.named(defects, {"truncated": 0.0})
    with tempfile.TemporaryDirectory(prefix="onedata-money-") as name:
        folder = Path(name)
        told = SimulationSettings(customers=customers, days=days, seed=seed, defects=rates)
        summary = simulate(told, folder / "retailer")
        truth = json.loads((summary.truth / "totals.json").read_text(encoding="utf-8"))
        settings = replace(Settings(), home=folder / "home", source=summary.source, contracts=folder / "contracts")
        _write_contracts(settings.contracts)
        began = time.perf_counter()
        _run(settings)
        wall = time.perf_counter() - began
        with duckdb.connect(str(settings.home / "published" / "onedata.duckdb"), read_only=True) as con:
            found = _compared(con, truth) | _promises(con, summary.truth)
    sizes = {"customers": customers, "days": days, "defects": defects, "seed": seed}
    typer.echo(json.dumps(sizes | found | {"wall_s": round(wall, 1)}))
    raise typer.Exit(int(found["differing"] + found["promises_differing"] > 0))


def _write_contracts(folder: Path) -> None:
    """The shipped contracts, but no share of rows in quarantine closes a gate: what is left out is compared too."""
    folder.mkdir()
    for file in sorted(shipped("data_contracts").glob("*.odcs.yaml")):
        content = yaml.safe_load(file.read_text(encoding="utf-8"))
        for feed in content["schema"]:
            kept = [item for item in feed["customProperties"] if item["property"] != "quarantineTolerance"]
            feed["customProperties"] = [*kept, {"property": "quarantineTolerance", "value": 0.9}]
        (folder / file.name).write_text(yaml.safe_dump(content), encoding="utf-8")


def _run(settings: Settings) -> None:
    command = [str(Path(sys.executable).with_name("onedata")), "run", "--backfill"]
    done = subprocess.run(
        command, env=dict(os.environ) | settings.environment(), capture_output=True, text=True, check=False
    )
    if done.returncode:
        typer.echo(done.stdout[-4_000:] + done.stderr[-4_000:])
        raise typer.Exit(2)


def _compared(con: duckdb.DuckDBPyConnection, truth: dict[str, Any]) -> dict[str, Any]:
    nothing = (Decimal(0),) * len(MEASURES)
    published: dict[Day, Amounts] = {
        (channel, str(day)): tuple(amounts)
        for channel, day, *amounts in con.execute(
            f"select channel, business_date, {', '.join(MEASURES)} from ads_channel_day"
        ).fetchall()
    }
    true = {(channel, day): tuple(map(Decimal, amounts)) for channel, day, *amounts in truth["money_delivered"]}
    cells = sorted(published.keys() | true.keys())
    wrong = [cell for cell in cells if published.get(cell, nothing) != true.get(cell, nothing)]
    for cell in wrong[:MOST_TOLD]:
        typer.echo(f"{cell}: published {published.get(cell)}, true {true.get(cell)}")
    orders = dict(con.execute("select channel, sum(order_count)::bigint from ads_channel_day group by 1").fetchall())
    true_orders = {channel: count for channel, count in truth["orders_delivered"].items() if count}
    unsettled = dict(
        con.execute("select currency, sum(delivered_amount) from ops_unsettled where not is_held group by 1").fetchall()
    )
    true_unsettled = {name: Decimal(amount) for name, amount in truth["net_unsettled"].items() if Decimal(amount)}
    differing = len(wrong)
    for name, one, other in (
        ("orders", {channel: count for channel, count in orders.items() if count}, true_orders),
        ("unsettled", {currency: amount for currency, amount in unsettled.items() if amount}, true_unsettled),
    ):
        if one != other:
            typer.echo(f"{name}: published {one}, true {other}")
            differing += 1
    (documents,) = con.execute("select count(distinct (source_system, order_id)) from ops_unsettled").fetchone() or (0,)
    return {
        "channel_days": len(cells),
        "differing": differing,
        **{measure: str(sum(amounts[at] for amounts in published.values())) for at, measure in enumerate(MEASURES)},
        "orders": sum(orders.values()),
        "unsettled_documents": documents,
        "unsettled": {currency: str(amount) for currency, amount in sorted(unsettled.items())},
    }


def _promises(con: duckdb.DuckDBPyConnection, truth: Path) -> dict[str, int]:
    """Orders of the shop with a verdict on their promise, those that came late, and verdicts that are not the truth. A
    promise is an instant, which the carrier tells to the second. A parcel whose delivery is in no file that came has
    not come, as far as anybody was told; a delivery in quarantine gives no verdict."""
    row = con.execute(
        "with told as (select right(split_part(key, '/', 1), 7) as number from "
        f"read_parquet('{truth}/records/logistics_shipments/*.parquet') where key like '%/delivered' group by 1) "
        "select count(*), count(*) filter (where not is_on_time), count(*) filter (where is_on_time <> "
        "(told.number is not null and delivered_us // 1000000 <= promised_us // 1000000)) from dws_order "
        f"join read_parquet('{truth}/parcels/*.parquet') as parcel on dws_order.order_id = parcel.order_id::varchar "
        "left join told on right(dws_order.order_id, 7) = told.number "
        "where source_system = 'shop' and is_on_time is not null"
    ).fetchone() or (0, 0, 0)
    return dict(zip(("promises", "promises_broken", "promises_differing"), row, strict=True))


if __name__ == "__main__":
    typer.run(main)
