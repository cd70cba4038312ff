"""Cost of the XML reader on till logs: the simulator's POSLog files are combined into one large file, and both feeds of
the contract are read from it.

    .venv/bin/python benchmarks/read_xml.py --megabytes 100

The last line is JSON. MB are 10^6 bytes, seconds are CPU seconds of all threads.
"""

import json
import tempfile
from datetime import date
from pathlib import Path
from typing import Annotated

import duckdb
import typer
from measure import measured

from onedata.contracts import load_entities, load_feeds
from onedata.readers import SourceFile
from onedata.readers.xml import read_xml
from onedata.settings import Settings
from onedata.simulate import SimulationSettings, simulate
from onedata.sql import quote_name

START, END = b"<Transaction", b"</Transaction>"


def till_log(source: Path, target: Path, size: int) -> None:
    """One log of at least `size` bytes: the transactions of all logs below `source`, repeated with different store
    numbers."""
    logs = [path.read_bytes() for path in sorted(source.rglob("poslog_*.xml"))]
    head, tail = logs[0][: logs[0].index(START)], logs[0][logs[0].rindex(END) + len(END) :]
    records = b"\n".join(log[log.index(START) : log.rindex(END) + len(END)] for log in logs)
    with target.open("wb") as stream:
        stream.write(head)
        copy = 0
        while stream.tell() < size:
            stream.write(records.replace(b"<RetailStoreID>", b"<RetailStoreID>%d-" % copy) + b"\n")
            copy += 1
        stream.write(tail)


def speeds(megabytes: int) -> dict[str, float]:
    """MB per second of one core, by feed, for reading a till log of that size; each is printed."""
    settings = Settings()
    feeds = [
        feed
        for feed in load_feeds(settings.contracts, load_entities(settings.canonical))
        if feed.location.format == "xml"
    ]
    result: dict[str, float] = {}
    with tempfile.TemporaryDirectory() as folder:
        simulate(SimulationSettings(customers=2000, days=2), Path(folder) / "retailer")
        path = Path(folder) / "log.xml"
        till_log(Path(folder) / "retailer" / "source", path, megabytes * 1_000_000)
        size = path.stat().st_size
        for feed in feeds:
            values = ", ".join(f"count({quote_name(name)})" for name in feed.source_fields)
            with duckdb.connect() as con, measured() as cost:
                reading = read_xml(con, feed, [SourceFile(1, path, path.name, date(2026, 1, 5), size, 0, "")])
                row = con.execute(f"select count(*), {values} from ({reading.parts[0].query})").fetchone()
            if reading.problems or row is None:
                raise SystemExit(f"{feed.name}: {reading.problems}")
            speed = size / 1e6 / cost.cpu_s
            typer.echo(
                f"{feed.name}: {size / 1e6:.0f} MB, {row[0]:,} rows, {cost.cpu_s:.2f} CPU s, {speed:.1f} MB/s per "
                f"core, peak {cost.peak_mb:.0f} MB"
            )
            result[f"{feed.name}_mb_per_cpu_s"] = round(speed, 1)
    return result


def main(megabytes: Annotated[int, typer.Option(help="Size of the log.")] = 100) -> None:
    """Generate the log, read it, print the cost."""
    typer.echo(json.dumps(speeds(megabytes)))


if __name__ == "__main__":
    typer.run(main)
