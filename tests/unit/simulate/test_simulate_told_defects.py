"""Every kind of defect occurs at the requested rate, and exactly where the ground truth says."""

from __future__ import annotations

import json
from collections.abc import Callable

import duckdb
import pytest
from conftest import BROKEN_RATE
from read_back import Record, delivered, number, rows

from onedata.simulate import KINDS, SimulationSummary

# Kind, records of which feed can have it. A later kind finds some of its records taken by an earlier one, so a few
# percent are missing.
ELIGIBLE = (
    ("duplicate", "feed = 'shop_events'"),
    ("late", "feed in ('shop_events', 'logistics_movements', 'service_surveys')"),
    ("correction", "feed in ('shop_customers', 'pos_members')"),
    ("out_of_order", "feed = 'logistics_shipments' and key like '%/picked_up'"),
    ("clock_skew", "feed = 'shop_events'"),
    ("bad_type", "feed = 'shop_events'"),
    ("broken_key", "feed = 'shop_events'"),
    ("test", "feed = 'shop_orders' and key like '%/1'"),
    ("impossible", "feed = 'logistics_inventory'"),
    ("bad_encoding", "feed = 'pos_members'"),
)


@pytest.mark.parametrize(("kind", "of"), ELIGIBLE)
def test_records_are_broken_as_often_as_asked(kind: str, of: str, known_broken: duckdb.DuckDBPyConnection) -> None:
    broken = f"defect = '{kind}' and what not like 'the right record%'"
    [(found, records)] = rows(
        known_broken,
        f"select count(*) filter ({broken}), count(*) filter (defect is distinct from 'duplicate') from records "
        f"where {of}",
    )
    asked = BROKEN_RATE * records
    assert 0.7 * asked - 4 * asked**0.5 < found < asked + 4 * asked**0.5
    assert found > 5


def test_pages_overlap_as_far_as_asked(known_broken: duckdb.DuckDBPyConnection) -> None:
    repeated, records = rows(
        known_broken,
        "select count(*) filter (defect = 'overlap'), count(*) from records where feed = 'social_engagements'",
    )[0]
    assert 0.6 * BROKEN_RATE < repeated / records < 1.4 * BROKEN_RATE


def test_files_are_broken_as_often_as_asked(known_broken: duckdb.DuckDBPyConnection) -> None:
    files = number(known_broken, "select count(distinct file) from records")
    kinds = dict(rows(known_broken, "select kind, count(*) from files group by 1"))
    assert set(kinds) == {"truncated", "unknown_column", "dropped_column"}
    # Each file can be cut, most can have a column too many, and one in four can lack one, which is asked four times as
    # often.
    asked = 2.7 * BROKEN_RATE * files
    assert abs(sum(kinds.values()) - asked) < 4 * asked**0.5


def test_all_kinds_are_told_and_counted(broken: SimulationSummary, known_broken: duckdb.DuckDBPyConnection) -> None:
    assert set(broken.defects) == set(KINDS)
    totals = json.loads((broken.truth / "totals.json").read_text(encoding="utf-8"))
    assert totals["defects"] == broken.defects
    records = dict(rows(known_broken, "select defect, count(*) from records where defect is not null group by 1"))
    assert {kind: broken.defects[kind] for kind in records if kind != "truncated"} == {
        kind: count for kind, count in records.items() if kind != "truncated"
    }
    assert {feed: entry["rows"] for feed, entry in totals["feeds"].items()} == broken.rows


def test_every_defect_says_what_should_come_of_it(known_broken: duckdb.DuckDBPyConnection) -> None:
    found = rows(
        known_broken,
        "select distinct defect, expected from records where defect is not null or expected is not null order by all",
    )
    assert found == [
        ("bad_encoding", "quarantine"),
        ("bad_type", "quarantine"),
        ("broken_key", "accept"),  # an answer about an order that does not exist
        ("broken_key", "quarantine"),
        ("clock_skew", "accept"),
        ("correction", "accept"),
        ("correction", "superseded"),
        ("duplicate", "duplicate"),
        ("impossible", "quarantine"),
        ("late", "accept_late"),
        ("out_of_order", "superseded"),
        ("overlap", "duplicate"),
        ("test", "not_a_sale"),
        ("truncated", "quarantine"),
    ]


def test_tests_and_training_are_just_those_that_are_told(
    small: SimulationSummary, known_small: duckdb.DuckDBPyConnection
) -> None:
    marks: dict[str, Callable[[Record], bool]] = {
        "shop_orders": lambda record: record.get("test") is True,
        "pos_transactions": lambda record: "TrainingModeFlag" in record["flags"],
        "pos_tickets_eu": lambda record: record["Status"] == "TRAINING",
        "pos_ticket_lines_eu": lambda record: record["Status"] == "TRAINING",
    }
    for feed, marked in marks.items():
        sound = set(
            rows(
                known_small,
                f"select file, row from records where feed = '{feed}' and (defect is null or defect = 'test')",
            )
        )
        told = set(rows(known_small, f"select file, row from records where feed = '{feed}' and defect = 'test'"))
        assert told == {
            (file, row)
            for file, row, record in delivered(small.source, feed)
            if marked(record) and (file, row) in sound
        }
        assert told, feed


def test_repeated_records_are_the_same_in_every_value(
    small: SimulationSummary, known_small: duckdb.DuckDBPyConnection
) -> None:
    for feed in ("shop_events", "social_engagements", "logistics_movements", "shop_orders", "pos_ticket_lines_eu"):
        told = rows(known_small, f"select file, row, key from records where feed = '{feed}' and expected = 'duplicate'")
        keys = {key for _, _, key in told}
        where = {
            (file, row): key
            for file, row, key in rows(known_small, f"select file, row, key from records where feed = '{feed}'")
            if key in keys
        }
        found: dict[str, list[str]] = {}
        for file, row, record in delivered(small.source, feed):
            if (file, row) in where:
                record.pop("x_export_version", None)
                found.setdefault(where[file, row], []).append(json.dumps(record, sort_keys=True, default=str))
        assert found, feed
        assert {key for key, copies in found.items() if len(copies) < 2} == set()
        assert {key for key, copies in found.items() if len(set(copies)) > 1} == set()


def test_late_records_come_after_their_night_and_nothing_is_lost(
    known_small: duckdb.DuckDBPyConnection, small: SimulationSummary
) -> None:
    night = "date_diff('day', date '2026-05-30', regexp_extract(file, '\\d{4}-\\d\\d-\\d\\d')::date)"
    late = (
        f"select {night} - due_night from records where expected in ('accept_late', 'superseded') "
        "and defect in ('late', 'out_of_order')"
    )
    assert {delay for (delay,) in rows(known_small, late)} <= set(range(1, 22))
    assert number(known_small, f"select count(*) from records where defect is null and {night} <> due_night") == 0
    held = json.loads((small.truth / "totals.json").read_text(encoding="utf-8"))["held_at_the_end"]
    # Of the movements, numbered without a gap every night, only those that are still held are missing.
    numbers = (
        "select left(key, 8) as day, max(right(key, 7)::int) as last, count(distinct key) as n from records "
        "where feed = 'logistics_movements' group by 1"
    )
    missing = number(known_small, f"select sum(last - n) from ({numbers})")
    assert 0 <= held["logistics_movements"] - missing <= 3  # the last of a night may be among them
