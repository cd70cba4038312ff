"""Write known values in other forms, or unreadably, and land them: the accepted value equals the known one, or the row
is in quarantine.

.venv/bin/python benchmarks/fuzz_values.py --inputs 100000 [--seed 1]

The known values are drawn first and written second, so that no code under test knows them. Ends with one line of JSON.
"""

import json
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from random import Random
from typing import Annotated, Any
from zoneinfo import ZoneInfo

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import typer
import yaml
from checkout import REPOSITORY

from onedata.contracts import load_entities, load_feeds
from onedata.contracts.identifiers import load_identifier_policy
from onedata.landing import land
from onedata.ledger.promote import promote
from onedata.quality.gates import contract_gate
from onedata.quality.gx import Gatekeeper
from onedata.retailer import Retailer, prepare_warehouse
from onedata.settings import Settings
from onedata.warehouse import open_warehouse

NIGHT = date(2026, 3, 9)
ZONE = ZoneInfo("America/New_York")
AT_ONCE = 2_000
OTHER = 0.4
"""Share of the values that are written in another form."""
Writer = Callable[[Random, Any], Any]

NUMBERS: Mapping[str, Writer] = {
    "plain": lambda _, v: str(v),
    "sign": lambda _, v: f"+{v}",
    "zeros": lambda _, v: f"{v:f}" + ("0000" if "." in f"{v:f}" else ".0000"),
    "exponent": lambda _, v: f"{v:.17e}",
    "thousands": lambda _, v: f"{v:,f}",
    "comma": lambda _, v: str(v).replace(".", ","),
    "unit": lambda r, v: f"{v} {r.choice(('EUR', 'kg', 'pcs', '€'))}",
    "digits": lambda r, v: f"{v:f}" + ("" if "." in f"{v:f}" else ".") + f"{r.randrange(1, 10):06d}",
    "underscore": lambda _, v: f"1_{v}",
    "hexadecimal": lambda _, v: hex(int(v) if v >= 0 else 0),
    "wide": lambda _, v: "".join(chr(ord(c) + 0xFEE0) if c.isdigit() else c for c in str(v)),
    "no number": lambda r, _: r.choice(("NaN", "inf", "-Infinity", "n/a", "#N/A", "true", "-", ".")),
    "two": lambda _, v: f"{v} {v}",
}
DAYS: Mapping[str, Writer] = {
    "plain": lambda _, v: v.isoformat(),
    "midnight": lambda r, v: v.isoformat() + r.choice((" 00:00", "T00:00:00", " 00:00:00.000")),
    "time": lambda r, v: f"{v} {r.randrange(1, 24):02d}:00",
    "zone": lambda _, v: f"{v} 00:00:00+08:00",
    "slashes": lambda _, v: v.strftime("%Y/%m/%d"),
    "European": lambda _, v: v.strftime("%d.%m.%Y"),
    "American": lambda _, v: v.strftime("%m/%d/%Y"),
    "range": lambda _, v: f"{v} - {v + timedelta(4)}",
    "words": lambda r, v: f"{v} {r.choice(('BC', 'approx.', '(late)', 'x'))}",
    "two digits": lambda _, v: v.strftime("%y-%m-%d"),
    "serial": lambda _, v: str((v - date(1899, 12, 30)).days),
    "no day": lambda r, _: r.choice(("infinity", "epoch", "today", "0000-00-00", "2026-02-30", "0206-01-05")),
}
INSTANTS: Mapping[str, Writer] = {
    "plain": lambda _, v: _local(v).strftime("%Y-%m-%d %H:%M:%S"),
    "T": lambda _, v: _local(v).strftime("%Y-%m-%dT%H:%M:%S"),
    "Z": lambda r, v: v.strftime("%Y-%m-%dT%H:%M:%S") + r.choice(("Z", "z", " Z")),
    "UTC": lambda r, v: v.strftime("%Y-%m-%d %H:%M:%S") + r.choice((" UTC", " GMT", "UTC", "+0000", "+00", "+00:00")),
    "offset": lambda r, v: _with_offset(v, r.choice((-11, -8, -5, 1, 8, 9, 13))),
    "half offset": lambda _, v: (v + timedelta(hours=5, minutes=30)).strftime("%Y-%m-%d %H:%M:%S+05:30"),
    "zone": lambda r, v: _in_zone(v, r.choice(("Asia/Shanghai", "Asia/Tokyo", "Africa/Nairobi"))),
    "short zone": lambda r, v: v.strftime("%Y-%m-%d %H:%M:%S") + r.choice((" CST", " IST", " EST", " BST", " PM")),
    "offset nowhere": lambda r, v: v.strftime("%Y-%m-%d %H:%M:%S") + r.choice(("+25:00", "+800", "+99", " UTC+8")),
    "epoch": lambda r, v: str(int(v.timestamp()) * r.choice((1, 1000, 1_000_000))),
    "no time": lambda r, _: r.choice(("infinity", "epoch", "now", "2026-01-05 25:00:00", "0206-01-05 10:00:00")),
}


@dataclass
class Verdict:
    """What came of the rows: counts by form and fate, and each accepted value that is not the known one."""

    fates: Counter[str] = field(default_factory=Counter)
    wrong: list[str] = field(default_factory=list)
    unread: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Row:
    """The known values of a row by column, what was written, and the form of each."""

    known: Mapping[str, Any]
    written: Mapping[str, Any]
    forms: Mapping[str, str]


WRITERS: Mapping[str, Mapping[str, Writer]] = {
    "quantity": NUMBERS,
    "unit_price": NUMBERS,
    "business_date": DAYS,
    "sold_at": INSTANTS,
}


def _local(instant: datetime) -> datetime:
    return instant.astimezone(ZONE)


def _with_offset(instant: datetime, hours: int) -> str:
    return (instant + timedelta(hours=hours)).strftime("%Y-%m-%d %H:%M:%S") + f"{hours:+03d}:00"


def _in_zone(instant: datetime, zone: str) -> str:
    return instant.astimezone(ZoneInfo(zone)).strftime("%Y-%m-%d %H:%M:%S ") + zone


def make_row(random: Random, number: int) -> Row:
    """A row whose values are known, some of them written in another form."""
    known = {
        "quantity": Decimal(random.randrange(-50, 5000)),
        "unit_price": Decimal(random.randrange(0, 10 ** random.randrange(2, 9))) / 100,
        "business_date": NIGHT - timedelta(days=random.randrange(0, 400)),
        # Around the night in which New York puts its clocks forward, and over the year.
        "sold_at": datetime(2026, 3, 8, 12, tzinfo=UTC)
        + timedelta(seconds=random.randrange(-36_000, 36_000), days=random.choice((0, 0, -126, -300, -20))),
        "product_id": str(random.choice((random.randrange(10**4), random.randrange(10**12, 10**19)))),
    }
    forms = {
        name: random.choice(list(writers)) if random.random() < OTHER else "plain" for name, writers in WRITERS.items()
    }
    written = {name: WRITERS[name][form](random, known[name]) for name, form in forms.items()}
    return Row(known, {"line_id": str(number), "product_id": known["product_id"], **written}, forms)


def _csv(rows: Sequence[Row], path: Path) -> None:
    lines = [",".join(rows[0].written)]
    lines += [",".join('"' + str(value).replace('"', '""') + '"' for value in row.written.values()) for row in rows]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")


def _jsonl(rows: Sequence[Row], path: Path) -> None:
    """Numbers as JSON numbers where they are plain, so that their digits are JSON's affair."""

    def value(row: Row, name: str) -> str:
        text = str(row.written[name])
        number = name in ("quantity", "unit_price") and row.forms[name] in ("plain", "zeros", "digits")
        bare = number or name == "product_id"
        return text if bare else json.dumps(text, ensure_ascii=False)

    lines = ["{" + ", ".join(f'"{name}": {value(row, name)}' for name in row.written) + "}" for row in rows]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")


def _parquet(rows: Sequence[Row], path: Path) -> None:
    """Ids as doubles, which hold not all of their digits; the others as texts, some of them bytes."""
    columns: dict[str, pa.Array] = {
        name: pa.array([str(row.written[name]) for row in rows]) for name in rows[0].written
    }
    columns["product_id"] = pa.array([float(row.written["product_id"]) for row in rows], pa.float64())
    columns["unit_price"] = columns["unit_price"].cast(pa.binary())
    pq.write_table(pa.table(columns), path)


FORMATS: Mapping[str, Callable[[Sequence[Row], Path], None]] = {"csv": _csv, "jsonl": _jsonl, "parquet": _parquet}


def _contract(kind: str) -> dict[str, Any]:
    plain = ("line_id", "product_id", *WRITERS)
    own = {"order_id": "'o'", "line_type": "'sale'", "channel": "'online'", "currency": "'USD'"}
    properties = [{"name": name, "physicalName": name} for name in plain]
    properties += [{"name": name, "transformLogic": logic} for name, logic in own.items()]
    settings = {"entity": "order_line", "quarantineTolerance": 1, "timezone": ZONE.key, "trends": "off"}
    return {
        "apiVersion": "v3.1.0",
        "kind": "DataContract",
        "id": kind,
        "version": "1.0.0",
        "status": "active",
        "dataProduct": kind,
        "description": {"purpose": "Known values in other forms."},
        "servers": [{"server": "landing", "type": "local", "path": f"{kind}/{{ds}}_*.{kind}", "format": kind}],
        "schema": [
            {
                "name": kind,
                "customProperties": [{"property": name, "value": value} for name, value in settings.items()],
                "properties": properties,
            }
        ],
    }


class Arena:
    """A retailer with a feed of each format, which lands files of known values."""

    def __init__(self, con: duckdb.DuckDBPyConnection, settings: Settings) -> None:
        self._con, self._settings, self._gatekeeper, self._files = con, settings, Gatekeeper(con), 0
        settings.contracts.mkdir(parents=True)
        for kind in FORMATS:
            text = yaml.safe_dump(_contract(kind), sort_keys=False)
            (settings.contracts / f"{kind}.odcs.yaml").write_text(text, encoding="utf-8")
        feeds = load_feeds(settings.contracts, load_entities(settings.canonical))
        policy = load_identifier_policy(REPOSITORY / "data_contracts" / "identifiers.yaml")
        self._retailer = Retailer(settings, {feed.entity.name: feed.entity for feed in feeds}, policy, feeds)
        prepare_warehouse(con, self._retailer)

    def judge(self, kind: str, rows: Sequence[Row]) -> Verdict:
        """Land the rows as one file, and compare what was accepted with what is known."""
        self._files += 1
        path = self._settings.source / kind / f"{NIGHT}_{self._files:05d}.{kind}"
        path.parent.mkdir(parents=True, exist_ok=True)
        FORMATS[kind](rows, path)
        feed = next(feed for feed in self._retailer.feeds if feed.name == kind)
        landed = land(self._con, self._settings, feed, self._retailer.policy, NIGHT)
        contract_gate(self._con, self._gatekeeper, self._settings, feed, NIGHT)
        promote(self._con, self._settings)
        verdict = Verdict()
        if landed.received != len(rows) or landed.accepted + landed.quarantined + landed.duplicate != landed.received:
            verdict.wrong.append(f"{kind}: {len(rows)} rows were sent and {landed} counted")
        folder = self._settings.lake / "ods" / "order_line" / f"source={kind}"
        accepted = self._con.execute(
            f"select line_id, quantity, unit_price, business_date, sold_at at time zone 'UTC', product_id "
            f"from read_parquet('{folder}/**/*.parquet', union_by_name=true) where _file = ?",
            [f"{kind}/{path.name}"],
        ).fetchall()
        found = {line: values for line, *values in accepted}
        for row in rows:
            self._compare(kind, row, found.get(str(row.written["line_id"])), verdict)
        return verdict

    def _compare(self, kind: str, row: Row, found: list[Any] | None, verdict: Verdict) -> None:
        if found is None:
            verdict.fates["quarantined"] += 1
            if set(row.forms.values()) == {"plain"} and kind == "csv" and not _is_unsettled(row):
                verdict.unread.append(f"{kind}: {dict(row.written)}")
            return
        verdict.fates["accepted"] += 1
        for name, value in zip((*WRITERS, "product_id"), found, strict=True):
            if value != row.known[name]:
                verdict.wrong.append(f"{kind}: {name} {row.written[name]!r} was read as {value}, not {row.known[name]}")
            elif row.forms.get(name, "plain") != "plain":
                verdict.fates[f"{name} as {row.forms[name]}"] += 1


def _is_unsettled(row: Row) -> bool:
    """Whether the local time of the row comes twice."""
    local = _local(row.known["sold_at"]).replace(tzinfo=None)
    return local.replace(tzinfo=ZONE, fold=0).utcoffset() != local.replace(tzinfo=ZONE, fold=1).utcoffset()


@contextmanager
def arena(folder: Path) -> Iterator[Arena]:
    """An arena in an empty folder."""
    settings = Settings(home=folder / "home", source=folder / "source", contracts=folder / "contracts")
    with open_warehouse(settings) as con:
        yield Arena(con, settings)


def main(
    inputs: Annotated[int, typer.Option(help="Rows to land.")] = 100_000,
    seed: Annotated[int, typer.Option(help="Of the values and their forms.")] = 1,
) -> None:
    """Land rows of known values and print what was read wrong."""
    began, total = time.monotonic(), Verdict()
    with tempfile.TemporaryDirectory(prefix="onedata-fuzz-values-") as folder, arena(Path(folder)) as judge:
        for first in range(0, inputs, AT_ONCE):
            kind = list(FORMATS)[first // AT_ONCE % len(FORMATS)]
            rows = [make_row(Random(f"{seed}/{n}"), n) for n in range(first, min(first + AT_ONCE, inputs))]
            verdict = judge.judge(kind, rows)
            total.fates += verdict.fates
            total.wrong += verdict.wrong
            total.unread += verdict.unread
            typer.echo(f"{first + len(rows):,} rows, {len(total.wrong)} wrong", err=True)
    for text in (*total.wrong[:20], *total.unread[:20]):
        typer.echo(text)
    outcome = {"inputs": inputs, "seed": seed, "wrong": len(total.wrong), "unread": len(total.unread)}
    typer.echo(json.dumps(outcome | {"seconds": round(time.monotonic() - began, 1), "fates": dict(total.fates)}))
    if total.wrong or total.unread:
        raise typer.Exit(1)


if __name__ == "__main__":
    typer.run(main)
