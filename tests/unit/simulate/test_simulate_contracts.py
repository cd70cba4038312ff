"""The shipped contracts read what the generator writes: every row, and only the planned ones fail."""

from __future__ import annotations

import json
from datetime import date
from pathlib import Path

import duckdb
import pytest

from onedata.contracts.load import load_entities, load_feeds
from onedata.contracts.model import Feed
from onedata.landing.rows import typed_rows
from onedata.readers import READERS, SourceFile
from onedata.simulate import SimulationSummary

CONTRACTS = Path(__file__).parents[3] / "data_contracts"
FEEDS = {feed.name: feed for feed in load_feeds(CONTRACTS, load_entities(CONTRACTS / "canonical"))}


def files(feed: Feed, source: Path) -> list[SourceFile]:
    found = sorted(source.glob(feed.location.path.replace("{ds}", "*")))
    return [SourceFile(number, path, str(path.relative_to(source)), date(2026, 1, 5), path.stat().st_size, 0, str(number)) for number, path in enumerate(found)]


def test_every_feed_has_a_contract_and_every_contract_a_feed(retailer: SimulationSummary) -> None:
    assert set(FEEDS) == set(retailer.rows)


@pytest.mark.parametrize("name", sorted(FEEDS))
def test_a_contract_reads_its_feed(name: str, retailer: SimulationSummary) -> None:
    feed = FEEDS[name]
    con = duckdb.connect()
    con.execute("set timezone = 'UTC'")
    reading = READERS[feed.location.format](con, feed, files(feed, retailer.source))
    assert reading.problems == []
    assert reading.drifts == []
    con.execute(f"create table landed as {typed_rows(feed, reading.query or '')}")
    received, bad = con.execute("select count(*), count(_rule) from landed").fetchone() or (0, 0)
    expected = json.loads((retailer.truth / "totals.json").read_text(encoding="utf-8"))["feeds"][name]
    assert (received, bad) == (expected["rows"], expected["quarantined"])

    columns = [item.column.name for item in feed.fields]
    version = [feed.entity.version] if feed.entity.version in columns else []
    key = ", ".join([*feed.entity.key, *version])
    repeated = con.execute(f"select count(*) - count(distinct ({key})) from landed where _rule is null").fetchone()
    assert repeated == (expected["duplicates"],)
    filled = con.execute(f"select {', '.join(f'count({column}) > 0' for column in columns)} from landed").fetchone()
    assert [column for column, some in zip(columns, filled or (), strict=True) if not some] == []
