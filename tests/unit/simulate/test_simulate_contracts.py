"""The shipped contracts read the generated files: every row, and only the injected defects fail."""

from __future__ import annotations

import json
from datetime import date
from pathlib import Path

import duckdb
import pytest
from read_back import rows

from onedata.contracts import load_entities, load_feeds
from onedata.contracts.model import Feed
from onedata.landing.delivery import row_statements
from onedata.readers import READERS, Reading, SourceFile
from onedata.simulate import SimulationSummary

CONTRACTS = Path(__file__).parents[3] / "data_contracts"
FEEDS = {feed.name: feed for feed in load_feeds(CONTRACTS, load_entities(CONTRACTS / "canonical"))}
# An edit of the simulator's shop lowers the quantity itself, and its orders name one tax.
# People's posts belong to no campaign, and the retailer's own reply to nobody. Every ticket ties.
NEVER_FILLED = {
    "shop_orders": ["shipping_tax_amount"],
    "shop_order_lines": ["current_quantity", "tax_amount"],
    "social_mentions": ["campaign_id"],
    "social_posts": ["reply_to_post_id"],
    "pos_transactions": ["lines_difference"],
}
BESIDE = {
    "shop_refunds_rest": "shop_refunds",
    "pos_transaction_tenders": "pos_transactions",
    "pos_ticket_payments_eu": "pos_tickets_eu",
}
OUTER = {
    "marketplace_order_lines": "marketplace_orders",
    "shop_order_lines": "shop_orders",
    "pos_transaction_lines": "pos_transactions",
}


def files(feed: Feed, source: Path) -> list[SourceFile]:
    found = sorted(source.glob(feed.location.path.replace("{ds}", "*")))
    return [
        SourceFile(number, path, str(path.relative_to(source)), date(2026, 1, 5), path.stat().st_size, 0, str(number))
        for number, path in enumerate(found)
    ]


def landed(con: duckdb.DuckDBPyConnection, feed: Feed, given: list[SourceFile]) -> Reading:
    """Read the files into the table ``landed``."""
    con.execute("set timezone = 'UTC'")
    reading = READERS[feed.location.format](con, feed, given)
    # Nobody asks for the reasons, whose SQL is long.
    for number, some in enumerate(row_statements(feed, reading.parts)):
        begin = "insert into landed by name" if number else "create table landed as"
        con.execute(f"{begin} select * exclude (_extra) replace (_file::varchar as _file) from ({some})")
    return reading


def counted(con: duckdb.DuckDBPyConnection, reading: Reading, given: list[SourceFile]) -> dict[str, tuple[int, int]]:
    """By file the records received and those that are bad, the ones the CSV reader could not take apart included."""
    found = {
        file: (many, bad)
        for file, many, bad in rows(con, "select _file, count(*), count(_rule) from landed group by 1")
    }
    if not reading.rejects_table:
        return found
    name = reading.rejects_table
    relative = {str(file.path): file.relative for file in given}
    rejects = rows(
        con, f"select file_path, count(distinct line) from {name} join {name}_scans using (scan_id, file_id) group by 1"
    )
    for path, many in rejects:
        received, bad = found.get(relative[path], (0, 0))
        found[relative[path]] = (received + many, bad + many)
    return found


def told(truth: Path, feed: str) -> dict[str, tuple[int, int]]:
    """By file what the truth about its records says should be received and quarantined by a feed."""
    outer, inner = {**OUTER, **BESIDE}.get(feed, feed), feed in OUTER
    weight = "beside_rows" if feed in BESIDE else "inner_rows" if inner else "rows"
    seen_by = f"('{feed}', '{outer if feed in BESIDE else feed}')"
    bad = f"expected = 'quarantine' and (broken_feed in {seen_by} or (defect = 'truncated' and {feed != outer}))"
    found = duckdb.execute(
        f"select file, sum({weight})::bigint, count(*) filter ({bad}) "
        f"from '{truth}/records/{outer}/*.parquet' group by file"
    ).fetchall()
    return {file: (received, quarantined) for file, received, quarantined in found if received}


def test_every_feed_has_a_contract_and_every_contract_a_feed(small: SimulationSummary) -> None:
    assert set(FEEDS) == set(small.rows)


@pytest.mark.parametrize("name", sorted(FEEDS))
def test_a_contract_reads_its_feed(name: str, small: SimulationSummary) -> None:
    feed, con = FEEDS[name], duckdb.connect(config={"threads": 1})
    given = files(feed, small.source)
    reading = landed(con, feed, given)
    assert reading.problems == []
    received, bad = (sum(column) for column in zip(*counted(con, reading, given).values(), strict=True))
    expected = json.loads((small.truth / "totals.json").read_text(encoding="utf-8"))["feeds"][name]
    assert (received, bad) == (expected["rows"], expected["quarantined"])
    assert received == small.rows[name]
    assert counted(con, reading, given) == told(small.truth, name)

    columns = [item.column.name for item in feed.fields]
    version = [feed.entity.version] if feed.entity.version in columns else []
    key = ", ".join([*feed.entity.key, *version])
    repeated = con.execute(f"select count(*) - count(distinct ({key})) from landed where _rule is null").fetchone()
    assert repeated == (expected["duplicates"],)
    filled = con.execute(f"select {', '.join(f'count({column}) > 0' for column in columns)} from landed").fetchone()
    assert [column for column, some in zip(columns, filled or (), strict=True) if not some] == NEVER_FILLED.get(
        name, []
    )


@pytest.mark.parametrize("name", sorted(FEEDS))
def test_a_contract_survives_its_feed_at_its_worst(name: str, broken: SimulationSummary) -> None:
    feed, con = FEEDS[name], duckdb.connect(config={"threads": 1})
    given = files(feed, broken.source)
    reading = landed(con, feed, given)
    damaged: dict[str, tuple[str, str]] = {}
    if (folder := broken.truth / "files" / {**OUTER, **BESIDE}.get(name, name)).exists():
        damaged = {
            file: (kind, expected)
            for file, kind, expected in duckdb.execute(
                f"select file, kind, expected from '{folder}/*.parquet'"
            ).fetchall()
        }
    refused = {problem.file.relative for problem in reading.problems}
    assert refused == {file for file, (_, expected) in damaged.items() if expected == "refuse_file"}
    # A member that documents no longer have is told by comparing with the file before (`landing.drift`), not by the
    # reader; a column that only the feed beside it reads is none of this one's.
    lacks_nothing = name == "pos_ticket_payments_eu"
    drifts = {
        file
        for file, (kind, expected) in damaged.items()
        if expected == "drift" and not ((file.endswith(".jsonl") or lacks_nothing) and kind.startswith("drop"))
    }
    assert {drift.file.relative for drift in reading.drifts} == drifts
    expected = {file: counts for file, counts in told(broken.truth, name).items() if file not in refused}
    assert {file: counts for file, counts in counted(con, reading, given).items() if file not in refused} == expected
