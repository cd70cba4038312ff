"""CPU of landing a night after few and after many nights of the same feed: the search for repeated rows.

.venv/bin/python benchmarks/repeats.py --nights 300 [--rows 20000]

Each night has a CSV file of new payments, whose ids go on, and is landed and accepted as a night does. The last line is
JSON; exit code 1 if the last nights cost more than 1.5 times the first.
"""

import json
import tempfile
from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path
from statistics import mean
from typing import Annotated, Any

import duckdb
import typer
import yaml
from measure import cpu_seconds

from onedata.landing import land
from onedata.ledger.moves import judge
from onedata.ledger.promote import promote
from onedata.retailer import load_retailer, prepare_warehouse
from onedata.settings import Settings
from onedata.warehouse import open_warehouse

FIRST = date(2026, 1, 5)
COLUMNS = ("order_id", "payment_id", "method", "amount", "currency")
CONTRACT: dict[str, Any] = {
    "apiVersion": "v3.1.0",
    "kind": "DataContract",
    "id": "payments",
    "version": "1.0.0",
    "status": "active",
    "dataProduct": "shop",
    "description": {"purpose": "Payments, for a benchmark."},
    "servers": [{"server": "landing", "type": "local", "path": "payments/{ds}.csv", "format": "csv"}],
    "schema": [
        {
            "name": "payments",
            "customProperties": [{"property": "entity", "value": "payment"}],
            "properties": [{"name": name, "physicalName": name} for name in COLUMNS],
        }
    ],
}
WARM_UP, WINDOW = 5, 20


def main(
    nights: Annotated[int, typer.Option(help="Nights, 50 at least.", min=50)] = 300,
    rows: Annotated[int, typer.Option(help="Rows a night.")] = 20_000,
) -> None:
    """Land the nights one after another and compare the first with the last."""
    with tempfile.TemporaryDirectory(prefix="onedata-repeats-") as folder:
        spent = _spent(Path(folder), nights, rows)
    first, last = mean(spent[WARM_UP : WARM_UP + WINDOW]), mean(spent[-WINDOW:])
    told = {"nights": nights, "rows": rows, "first_cpu_s": round(first, 3), "last_cpu_s": round(last, 3)}
    typer.echo(json.dumps(told | {"ratio": round(last / first, 2)}))
    raise typer.Exit(int(last > 1.5 * first))


def _spent(folder: Path, nights: int, rows: int) -> list[float]:
    """CPU seconds of each night's landing."""
    contracts, source = folder / "contracts", folder / "source"
    contracts.mkdir()
    (source / "payments").mkdir(parents=True)
    (contracts / "payments.odcs.yaml").write_text(yaml.safe_dump(CONTRACT, sort_keys=False), encoding="utf-8")
    settings = replace(Settings(), home=folder / "home", source=source, contracts=contracts, settle_seconds=0.0)
    retailer, spent = load_retailer(settings), []
    (feed,) = retailer.feeds
    with open_warehouse(settings) as con:
        prepare_warehouse(con, retailer)
        for number in range(nights):
            night = FIRST + timedelta(days=number)
            file = source / "payments" / f"{night}.csv"
            _write(file, number * rows, rows)
            before = cpu_seconds()
            landed = land(con, settings, feed, retailer.policy, night)
            spent.append(cpu_seconds() - before)
            assert landed.accepted == rows, landed
            judge(con, feed, passed=True)
            promote(con, settings)
            # What has landed is not offered again: the search for files is not what is measured.
            file.unlink()
    return spent


def _write(file: Path, first: int, rows: int) -> None:
    with duckdb.connect() as own:
        own.execute(
            f"copy (select 'O' || lpad(({first} + i)::varchar, 12, '0') as order_id, '1' as payment_id, 'card' as "
            f"method, (i % 1000) / 10 as amount, 'EUR' as currency from range({rows}) as t (i)) to '{file}' (header)"
        )


if __name__ == "__main__":
    typer.run(main)
