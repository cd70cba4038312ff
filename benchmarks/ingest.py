"""Compare landing and its gate with a bare DuckDB COPY, by format, in one process, as a ratio.

``python benchmarks/ingest.py --rows 10000000`` generates one feed of order lines (12 fields, a thousandth of the rows
invalid) as CSV, JSON lines and Parquet, and lands each as a night does: contract, quarantine, ledger, duplicates,
control totals, then the contract gate. The reference is ``COPY (SELECT <the same typed columns> FROM read_csv |
read_json | read_parquet) TO '...' (FORMAT parquet)`` with the same threads and memory. Each format runs in its own
process, which measures both sides. DuckDB has no XML reader: XML is given as MB per second of one core (`read_xml.py`).
The last line of the output is JSON; README.md explains each figure.
"""

import json
import subprocess
import sys
import tempfile
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Annotated, Any

import duckdb
import typer
import yaml
from checkout import REPOSITORY
from measure import Cost, measured, resident_mb
from read_xml import speeds

from onedata.contracts import load_entities, load_feeds
from onedata.contracts.identifiers import load_identifier_policy
from onedata.landing import land
from onedata.quality.gates import contract_gate
from onedata.quality.gx import Gatekeeper
from onedata.retailer import Retailer, prepare_warehouse
from onedata.settings import Settings
from onedata.sources.unpack import hash_file
from onedata.sql import quote_text
from onedata.warehouse import open_warehouse

NIGHT = date(2026, 1, 5)
FORMATS = ("csv", "jsonl", "parquet")
COLUMNS = {
    "order_id": "varchar", "line_id": "varchar", "product_id": "varchar", "product_name": "varchar",
    "quantity": "decimal(18, 4)",
    "unit_price": "decimal(18, 4)", "discount": "decimal(18, 4)", "currency": "varchar", "customer_id": "varchar",
    "node_id": "varchar",
    "business_date": "date", "sold_at": "timestamptz",
}  # fmt: skip
# Every thousandth quantity is invalid for a line.
ROWS = """
select 'o' || (i // 3) as order_id, 'l' || i as line_id, 'SKU-' || lpad(((i * 7919) % 20000)::varchar, 5, '0') as
    product_id,
    'Product name ' || ((i * 7919) % 20000) as product_name, case when i % 1000 = 17 then 0 else 1 + i % 5
        end::decimal(18, 4) as quantity,
    (((i * 104729) % 100000) / 100)::decimal(18, 4) as unit_price, case when i % 10 = 0 then 1.50 else 0
        end::decimal(18, 4) as discount,
    'CNY' as currency, 'C' || (i % 700000) as customer_id, 'store-' || (i % 40) as node_id, date '2026-01-05' as
        business_date,
    timestamptz '2026-01-05 00:00:00+08' + to_seconds(i % 86400) as sold_at
from (select case when j % 10000 = 9999 and {duplicates} then j - 1 else j end as i from range({rows}) r(j))
"""
READERS = {
    "csv": "read_csv({file}, auto_detect = false, header = true, columns = {columns})",
    "jsonl": "read_json({file}, format = 'newline_delimited', columns = {columns})",
    "parquet": "read_parquet({file})",
}


def main(
    rows: Annotated[int, typer.Option(help="Rows of each feed.")] = 1_000_000,
    formats: Annotated[
        str, typer.Option(help="Formats, separated by commas: csv, jsonl, parquet, xml.")
    ] = "csv,jsonl,parquet,xml",
    megabytes: Annotated[int, typer.Option(help="Size of the till log for XML.")] = 100,
    memory_limit: Annotated[str, typer.Option(help="DuckDB's memory limit, on both sides.")] = "1000MB",
    duplicates: Annotated[
        bool,
        typer.Option("--duplicates", help="Repeat every ten thousandth row: the valid rows are then written again."),
    ] = False,
    one: Annotated[str, typer.Option(hidden=True)] = "",
) -> None:
    """Run every format in its own process and print a table and a line of JSON."""
    if one:
        with tempfile.TemporaryDirectory() as folder:
            typer.echo(json.dumps(_compare(Path(folder), one, rows, memory_limit, duplicates)))
        return
    result: dict[str, Any] = {
        "benchmark": "ingest",
        "rows": rows,
        "memory_limit": memory_limit,
        "duplicates": duplicates,
    }
    for kind in [kind for kind in formats.split(",") if kind in FORMATS]:
        command = [
            sys.executable,
            __file__,
            "--rows",
            str(rows),
            "--memory-limit",
            memory_limit,
            "--one",
            kind,
            *(["--duplicates"] if duplicates else []),
        ]
        found = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout.splitlines()[-1])
        typer.echo(
            f"{kind:8} {found['land_cpu_s'] + found['gate_cpu_s']:7.1f} CPU s ({found['gate_share']:.1%} of it the "
            "gate) against "
            f"{found['reference_cpu_s']:6.1f}: {found['ratio_cpu']:.2f} x CPU, {found['ratio_wall']:.2f} x wall, "
            f"peak {found['peak_memory_mb']:,.0f} MB ({found['reference_peak_memory_mb']:,.0f})"
        )
        result |= {f"{kind}_{name}": value for name, value in found.items()}
    if "xml" in formats.split(","):
        result |= speeds(megabytes)
    typer.echo(json.dumps(result))


def _compare(folder: Path, kind: str, rows: int, memory_limit: str, duplicates: bool) -> dict[str, Any]:
    settings = Settings(
        home=folder / "home", source=folder / "source", contracts=folder / "contracts", memory_limit=memory_limit
    )
    file = settings.source / "lines" / f"{NIGHT}.{kind}"
    file.parent.mkdir(parents=True)
    _write_contract(settings.contracts, kind)
    # A small night first: neither side pays for the first use of a library, nor the gate for its import.
    _write_feed(file, kind, 1_000, False)
    with measured():
        _platform(replace(settings, home=folder / "warm"))
    _reference(file, kind, folder, memory_limit)
    _write_feed(file, kind, rows, duplicates)
    hash_file(file)
    reference = _reference(file, kind, folder, memory_limit)
    landing, gate, counts = _platform(settings)
    bad, again = rows // 1000, rows // 10_000 if duplicates else 0
    expected = (rows, rows - bad - again, bad, again)
    if counts != expected:
        raise SystemExit(f"{kind}: received, accepted, quarantined, duplicate are {counts}, the feed has {expected}")
    cpu = landing.cpu_s + gate.cpu_s
    return {
        "land_cpu_s": round(landing.cpu_s, 2),
        "gate_cpu_s": round(gate.cpu_s, 2),
        "gate_share": round(gate.cpu_s / cpu, 3),
        "reference_cpu_s": round(reference.cpu_s, 2),
        "ratio_cpu": round(cpu / reference.cpu_s, 2),
        "land_wall_s": round(landing.wall_s, 2),
        "gate_wall_s": round(gate.wall_s, 2),
        "reference_wall_s": round(reference.wall_s, 2),
        "ratio_wall": round((landing.wall_s + gate.wall_s) / reference.wall_s, 2),
        "peak_memory_mb": round(max(landing.peak_mb, gate.peak_mb)),
        "reference_peak_memory_mb": round(reference.peak_mb),
        "resident_at_end_mb": round(resident_mb()),
        "file_mb": round(file.stat().st_size / 1e6),
    }


def _write_feed(file: Path, kind: str, rows: int, duplicates: bool) -> None:
    options = {"csv": "format csv, header", "jsonl": "format json", "parquet": "format parquet"}[kind]
    with duckdb.connect(config={"threads": 2, "memory_limit": "1000MB"}) as con:
        con.execute("set timezone = 'UTC'; set preserve_insertion_order = true")
        con.execute(f"copy ({ROWS.format(rows=rows, duplicates=duplicates)}) to {quote_text(str(file))} ({options})")


def _write_contract(folder: Path, kind: str) -> None:
    mapped = {"discount": "discount_amount"}
    properties: list[dict[str, Any]] = [{"name": mapped.get(name, name), "physicalName": name} for name in COLUMNS]
    properties += [{"name": "line_type", "transformLogic": "'sale'"}, {"name": "channel", "transformLogic": "'online'"}]
    by_name = {item["name"]: item for item in properties}
    by_name["quantity"] |= {"logicalType": "number", "logicalTypeOptions": {"minimum": 1, "maximum": 1000}}
    by_name["unit_price"] |= {"logicalType": "number", "logicalTypeOptions": {"minimum": 0}}
    by_name["currency"]["quality"] = [
        {"metric": "invalidValues", "arguments": {"validValues": ["CNY", "EUR"]}, "mustBe": 0}
    ]
    keys = {"metric": "duplicateValues", "arguments": {"properties": ["order_id", "line_id"]}, "mustBe": 0}
    content = {
        "apiVersion": "v3.1.0", "kind": "DataContract", "id": "lines", "version": "1.0.0", "status": "active",
        "dataProduct": "shop",
        "description": {"purpose": "Order lines, to measure what landing costs."},
        "servers": [{"server": "landing", "type": "local", "path": f"lines/{{ds}}.{kind}", "format": kind}],
        "schema": [{"name": "lines", "customProperties": [{"property": "entity", "value": "order_line"}],
        "properties": properties, "quality": [keys]}],
    }  # fmt: skip
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "lines.odcs.yaml").write_text(yaml.safe_dump(content, sort_keys=False), encoding="utf-8")


def _platform(settings: Settings) -> tuple[Cost, Cost, tuple[int, int, int, int]]:
    """Land the file and pass its gate; returns both costs, and received, accepted, quarantined, duplicate."""
    entities = load_entities(settings.canonical)
    policy = load_identifier_policy(REPOSITORY / "data_contracts" / "identifiers.yaml")
    (feed,) = load_feeds(settings.contracts, entities)
    with open_warehouse(settings) as con:
        prepare_warehouse(con, Retailer(settings, {feed.entity.name: feed.entity}, policy, (feed,)))
        with measured() as landing:
            landed = land(con, settings, feed, policy, NIGHT)
        with measured() as gate:
            results = contract_gate(con, Gatekeeper(con), settings, feed, NIGHT)
    closed = [result.message for result in results if result.blocks]
    if closed:
        raise SystemExit(f"the gate is closed: {closed}")
    return landing, gate, (landed.received, landed.accepted, landed.quarantined, landed.duplicate)


def _reference(file: Path, kind: str, folder: Path, memory_limit: str) -> Cost:
    """The cost of reading the file with its types and writing Parquet, and nothing else."""
    columns = "{" + ", ".join(f"'{name}': '{sql_type}'" for name, sql_type in COLUMNS.items()) + "}"
    source = READERS[kind].format(file=quote_text(str(file)), columns=columns)
    with duckdb.connect(
        config={"threads": Settings().threads, "memory_limit": memory_limit, "temp_directory": str(folder / "tmp")}
    ) as con:
        con.execute("set timezone = 'UTC'")
        with measured() as cost:
            target = quote_text(str(folder / "reference.parquet"))
            con.execute(
                "copy (select * replace (sold_at at time zone 'UTC' as sold_at) "
                f"from {source}) to {target} (format parquet)"
            )
    return cost


if __name__ == "__main__":
    typer.run(main)
