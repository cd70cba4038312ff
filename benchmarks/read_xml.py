"""Cost of the XML reader on till logs: the simulator's POSLog files are combined into one large file, and the feeds of
the contract are read from it, each alone and one after the other as a night does, from one pass.

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

from onedata.contracts import Feed, load_entities, load_feeds
from onedata.readers import SourceFile
from onedata.readers.xml import read_xml
from onedata.readers.xml_beside import Beside
from onedata.settings import Settings
from onedata.simulate import SimulationSettings, simulate
from onedata.sql import quote_name

TILLS = "pos_transactions.odcs.yaml"
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
    """MB per second of one core for reading a till log of that size: by feed alone, and of all of them as a night reads
    them; each is printed."""
    settings = Settings()
    feeds = [
        feed
        for feed in load_feeds(settings.contracts, load_entities(settings.canonical))
        if feed.location.format == "xml" and feed.contract.name == TILLS
    ]
    result: dict[str, float] = {}
    with tempfile.TemporaryDirectory() as folder:
        simulate(SimulationSettings(customers=2000, days=2), Path(folder) / "retailer")
        path = Path(folder) / "log.xml"
        till_log(Path(folder) / "retailer" / "source", path, megabytes * 1_000_000)
        file = SourceFile(1, path, path.name, date(2026, 1, 5), path.stat().st_size, 0, "")
        apart = sum(_cost(feed, file, None, result) for feed in feeds)
        kept = Path(folder) / "beside"
        together = sum(
            _cost(feed, file, Beside(kept, tuple(feeds[number + 1 :])), {}) for number, feed in enumerate(feeds)
        )
    typer.echo(f"{len(feeds)} feeds: {apart:.2f} CPU s apart, {together:.2f} from one pass")
    return result | {"apart_cpu_s": round(apart, 2), "together_cpu_s": round(together, 2)}


def _cost(feed: Feed, file: SourceFile, beside: Beside | None, result: dict[str, float]) -> float:
    """CPU seconds for reading the feed's rows."""
    values = ", ".join(f"count({quote_name(name)})" for name in feed.source_fields)
    with duckdb.connect() as con, measured() as cost:
        reading = read_xml(con, feed, [file], beside)
        row = con.execute(f"select count(*), {values} from ({reading.parts[0].query})").fetchone()
    if reading.problems or row is None:
        raise SystemExit(f"{feed.name}: {reading.problems}")
    speed = file.size / 1e6 / cost.cpu_s
    typer.echo(
        f"{feed.name}{' beside others' if beside else ''}: {file.size / 1e6:.0f} MB, {row[0]:,} rows, "
        f"{cost.cpu_s:.2f} CPU s, {speed:.1f} MB/s per core, peak {cost.peak_mb:.0f} MB"
    )
    result[f"{feed.name}_mb_per_cpu_s"] = round(speed, 1)
    return cost.cpu_s


def main(megabytes: Annotated[int, typer.Option(help="Size of the log.")] = 100) -> None:
    """Generate the log, read it, print the cost."""
    typer.echo(json.dumps(speeds(megabytes)))


if __name__ == "__main__":
    typer.run(main)
