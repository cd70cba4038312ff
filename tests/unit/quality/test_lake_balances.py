"""Each balance from the files to the lake, on a ledger, Parquet files and ODS rows written by hand: what it is of, and
what is close to it and is not."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import duckdb
import pytest
from small_retailer import NEXT, NIGHT, canonical, settings_in

from onedata.contracts import Feed
from onedata.ledger import create_ledger
from onedata.ledger.moves import Booking, FileEntry, book, book_file
from onedata.quality.reconcile import create_reconciliation
from onedata.quality.reconcile_lake import excluded, lake_balances
from onedata.settings import Settings

HOURS = [datetime(2026, 1, 7, hour) for hour in range(24)]
PAYMENTS = [SimpleNamespace(name=name, entity=canonical()["payment"]) for name in ("f", "g")]
SURVEY = SimpleNamespace(name="s", entity=canonical()["survey_response"])
"""Two feeds with money and one without."""
Counts = tuple[int, int, int, int]
Balance = tuple[Any, Any, dict[str, Any]]
"""In, out, excluded."""


@pytest.fixture
def con() -> Iterator[duckdb.DuckDBPyConnection]:
    with duckdb.connect() as opened:
        create_ledger(opened)
        create_reconciliation(opened)
        opened.execute(
            "create schema ods; create table ods.ods_payment (_feed varchar, ds date, _batch varchar, "
            "amount decimal(18, 4), currency varchar)"
        )
        yield opened


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return settings_in(tmp_path / "source=home" / "ds=home")


def delivered(
    con: duckdb.DuckDBPyConnection,
    batch: str,
    status: str = "accepted",
    feed: str = "f",
    ds: date = NIGHT,
    rows: int = 1,
) -> None:
    entity = "survey_response" if feed == "s" else "payment"
    book(con, Booking(batch, feed, entity, ds, rows, HOURS[0]))
    con.execute("update ops.delivery set status = ? where batch_id = ?", [status, batch])


def file_of(
    con: duckdb.DuckDBPyConnection,
    batch: str,
    path: str,
    counts: Counts = (1, 1, 0, 0),
    *,
    feed: str = "f",
    ds: date = NIGHT,
    content: str = "h",
    hour: int = 1,
) -> None:
    book_file(con, feed, batch, FileEntry(path, content, ds, "landed", counts, 1, 1), HOURS[hour])


def known(
    con: duckdb.DuckDBPyConnection,
    batch: str,
    path: str,
    received: int,
    accepted: int,
    *,
    feed: str = "f",
    ds: date = NIGHT,
    content: str = "h",
    currency: str = "CNY",
) -> None:
    """A control total; half of what was not accepted is quarantined, and half came twice."""
    rest = Decimal(received - accepted) / 2
    values = [feed, path, content, batch, ds, currency, received, accepted, rest, rest]
    con.execute("insert into ops.control_total values (?, ?, ?, ?, ?, 'amount', ?, ?, ?, ?, ?)", values)


def drawn(
    con: duckdb.DuckDBPyConnection, settings: Settings, measure: str, layer: str = "landing"
) -> dict[tuple[Any, ...], Balance]:
    """Subject, night and file (of money its currency too) to the balance."""
    feeds = cast("list[Feed]", [*PAYMENTS, SURVEY])
    found: dict[tuple[Any, ...], Balance] = {}
    for query in lake_balances(con, settings, feeds, canonical()):
        rows = con.execute(
            "select subject, ds, path, unit, total_in, total_out, excluded, model "
            f"from ({query}) where measure = ? and layer = ?",
            [measure, layer],
        ).fetchall()
        for subject, ds, path, unit, total_in, total_out, reasons, model in rows:
            assert model == ("ods_survey_response" if subject == "s" else "ods_payment")
            key = (subject, ds, path, unit) if measure == "amount" else (subject, ds, path)
            assert key not in found
            found[key] = (total_in, total_out, reasons)
    return found


def paths(found: dict[tuple[Any, ...], Balance]) -> list[str]:
    return sorted(key[2] for key in found)


def checked(con: duckdb.DuckDBPyConnection, layer: str, hour: int) -> None:
    con.execute(
        "insert into ops.reconciliation values ('r', ?, ?, 'm', 's', null, null, 'rows', 'rows', 0, 0, map {}, 0, ?)",
        [NIGHT, layer, HOURS[hour]],
    )


def test_files_are_drawn_that_are_pending_or_came_since_the_files_were_checked_last(
    con: duckdb.DuckDBPyConnection, settings: Settings
) -> None:
    for status in ("accepted", "applied", "staged"):
        delivered(con, status, status)
    for batch, path, hour in (
        ("accepted", "pending", 1),
        ("applied", "between", 5),
        ("applied", "then", 6),
        ("applied", "since", 7),
        ("staged", "staged-before", 2),
        ("staged", "staged-since", 8),
    ):
        file_of(con, batch, path, hour=hour)
    assert len(drawn(con, settings, "rows")) == 6  # nothing was checked yet
    for layer, hour in (("landing", 4), ("landing", 6), ("ods", 9)):
        checked(con, layer, hour)
    assert paths(drawn(con, settings, "rows")) == ["pending", "since", "staged-since"]


def quarantined(
    con: duckdb.DuckDBPyConnection, path: str, raw: str | None, content: str = "h", feed: str = "f"
) -> None:
    con.execute(
        "insert into ops.quarantine (feed, ds, path, row, rule, reason, raw, batch_id, content_hash, quarantined_at) "
        "values (?, ?, ?, 1, 'type', 'odd', ?, 'b', ?, ?)",
        [feed, NIGHT, path, raw, content, HOURS[1]],
    )


def test_quarantined_rows_are_those_that_are_kept_raw(con: duckdb.DuckDBPyConnection, settings: Settings) -> None:
    delivered(con, "b")
    for path, count in (("gone", 1), ("kept", 2), ("none", 0), ("unknown", 0)):
        file_of(con, "b", path, (count, 0, count, 0))
    for path, raw in (("kept", "{}"), ("kept", "{}"), ("kept", None), ("unknown", "{}")):
        quarantined(con, path, raw)
    quarantined(con, "gone", "{}", content="other")
    quarantined(con, "gone", "{}", feed="g")
    assert drawn(con, settings, "rows kept in quarantine") == {
        ("f", NIGHT, "gone"): (1, 0, {}),
        ("f", NIGHT, "kept"): (2, 2, {}),
        ("f", NIGHT, "unknown"): (0, 1, {}),
    }


def test_rows_of_a_nights_deliveries_are_those_of_its_files(con: duckdb.DuckDBPyConnection, settings: Settings) -> None:
    for batch, status, feed, ds, rows in (
        ("a", "accepted", "f", NIGHT, 8),
        ("b", "accepted", "f", NIGHT, 3),
        ("c", "accepted", "f", NEXT, 5),
        ("d", "accepted", "g", NIGHT, 7),
        ("e", "applied", "f", NIGHT, 100),
        ("s", "accepted", "s", NIGHT, 2),
    ):
        delivered(con, batch, status, feed, ds, rows)
    for batch, path, accepted, feed in (
        ("a", "a1", 4, "f"),
        ("a", "a2", 4, "f"),
        ("b", "b", 3, "f"),
        ("d", "d", 6, "g"),
        ("e", "e", 100, "f"),
        ("s", "s", 2, "s"),
    ):
        file_of(con, batch, path, (accepted, accepted, 0, 0), feed=feed)
    assert drawn(con, settings, "rows in deliveries") == {
        ("f", NIGHT, None): (11, 11, {}),
        ("f", NEXT, None): (0, 5, {}),  # rows that no file has
        ("g", NIGHT, None): (6, 7, {}),
        ("s", NIGHT, None): (2, 2, {}),
    }


def test_a_released_row_is_of_its_release_and_not_of_its_files_delivery(
    con: duckdb.DuckDBPyConnection, settings: Settings
) -> None:
    """Of four quarantined rows two were released: the file counts 4 + 2 as accepted, its delivery has 4."""
    delivered(con, "landed", rows=4)
    delivered(con, "release", rows=2, ds=NEXT)
    file_of(con, "landed", "p", (8, 6, 2, 0))
    for row, fate in enumerate(("accepted", "accepted", "again", "again", "again")):
        con.execute(
            "insert into ops.released (batch_id, feed, ds, path, content_hash, row, fate, rule, reason, released_at) "
            "values ('release', 'f', ?, 'p', 'h', ?, ?, 'type', 'odd', ?)",
            [NEXT, row, fate, HOURS[2]],
        )
    assert drawn(con, settings, "rows in deliveries") == {
        ("f", NIGHT, None): (4, 4, {}),
        ("f", NEXT, None): (2, 2, {}),
    }


def put(settings: Settings, name: str, rows: int, feed: str = "f", ds: date = NIGHT) -> None:
    """A file of some rows in the lake."""
    folder = settings.lake / "ods" / "payment" / f"source={feed}" / f"ds={ds}"
    folder.mkdir(parents=True, exist_ok=True)
    duckdb.execute(f"copy (select unnest(range({rows})) as x) to '{folder / name}.parquet' (format parquet)")


def test_rows_of_a_nights_partition_are_those_of_its_files_footers(
    con: duckdb.DuckDBPyConnection, settings: Settings
) -> None:
    for batch, status, feed, ds, rows in (
        ("a", "accepted", "f", NIGHT, 4),
        ("b", "applied", "f", NIGHT, 3),  # there before, and still there
        ("c", "replaced", "f", NIGHT, 100),
        ("d", "accepted", "f", NEXT, 5),
        ("e", "accepted", "g", NIGHT, 7),
        ("x", "applied", "g", NEXT, 9),  # of a night without news
    ):
        delivered(con, batch, status, feed, ds, rows)
    assert drawn(con, settings, "rows", "ods") == {
        ("f", NIGHT, None): (7, 0, {}),
        ("f", NEXT, None): (5, 0, {}),
        ("g", NIGHT, None): (7, 0, {}),
    }
    for name, rows, feed, ds in (("a", 4, "f", NIGHT), ("b", 3, "f", NIGHT), ("d", 6, "f", NEXT), ("x", 9, "g", NEXT)):
        put(settings, name, rows, feed, ds)
    assert drawn(con, settings, "rows", "ods") == {
        ("f", NIGHT, None): (7, 7, {}),
        ("f", NEXT, None): (5, 6, {}),
        ("g", NIGHT, None): (7, 0, {}),
    }


def test_money_of_a_file_is_that_of_its_feed_path_and_content(
    con: duckdb.DuckDBPyConnection, settings: Settings
) -> None:
    delivered(con, "b")
    delivered(con, "g", feed="g")
    file_of(con, "b", "p", (9, 5, 2, 2))
    file_of(con, "g", "p", feed="g", ds=NEXT)
    known(con, "b", "p", 16, 10)
    known(con, "release", "p", 4, 2)  # what a release has moved is a row of its own
    known(con, "b", "p", 30, 30, currency="EUR")
    known(con, "g", "p", 50, 50, feed="g", ds=NEXT)
    for path, content, feed in (("q", "h", "f"), ("p", "other", "f"), ("p", "h", "s")):
        known(con, "b", path, 1000, 1000, content=content, feed=feed)
    assert drawn(con, settings, "amount") == {
        ("f", NIGHT, "p", "CNY"): (20, 12, {"quarantined": 4, "duplicate": 4}),
        ("f", NIGHT, "p", "EUR"): (30, 30, {}),
        ("g", NEXT, "p", "CNY"): (50, 50, {}),
    }


def test_files_with_rows_of_money_have_control_totals(con: duckdb.DuckDBPyConnection, settings: Settings) -> None:
    delivered(con, "b")
    delivered(con, "s", feed="s")
    for path, counts, feed in (
        ("one", (1, 1, 0, 0), "f"),
        ("two", (2, 1, 0, 1), "f"),
        ("repeated", (1, 0, 0, 1), "f"),
        ("bad", (1, 0, 1, 0), "f"),
        ("answers", (1, 1, 0, 0), "s"),
    ):
        file_of(con, "s" if feed == "s" else "b", path, counts, feed=feed)
    known(con, "b", "one", 1, 1)
    assert drawn(con, settings, "control totals") == {
        ("f", NIGHT, "one"): (1, 1, {}),
        ("f", NIGHT, "two"): (1, 0, {}),
        ("f", NIGHT, "repeated"): (1, 0, {}),
    }


def test_money_in_the_lake_is_that_of_the_pending_deliveries(
    con: duckdb.DuckDBPyConnection, settings: Settings
) -> None:
    for batch, status, feed, ds in (
        ("a", "accepted", "f", NIGHT),
        ("b", "accepted", "f", NEXT),
        ("c", "accepted", "g", NIGHT),
        ("old", "applied", "f", NIGHT),
        ("unknown", "accepted", "f", NIGHT),  # landed before control totals were kept
        ("answers", "accepted", "s", NIGHT),
    ):
        delivered(con, batch, status, feed, ds)
    known(con, "answers", "s.csv", 900, 900, feed="s")
    known(con, "old", "old.csv", 800, 800)
    known(con, "a", "a1.csv", 7, 7)
    known(con, "a", "a2.csv", 9, 3)
    known(con, "a", "a1.csv", 5, 5, currency="EUR")
    known(con, "b", "b.csv", 20, 20, ds=NEXT)
    known(con, "c", "c.csv", 30, 30, feed="g")
    for feed, ds, batch, amount, currency in (
        ("f", NIGHT, "a", 6, "CNY"),
        ("f", NIGHT, "a", 4, "cny"),
        ("f", NIGHT, "a", 3, "USD"),
        ("f", NEXT, "b", 21, "CNY"),
        ("g", NIGHT, "c", 30, "CNY"),
        ("f", NIGHT, "old", 800, "CNY"),
        ("f", NIGHT, "unknown", 700, "CNY"),
    ):
        con.execute("insert into ods.ods_payment values (?, ?, ?, ?, ?)", [feed, ds, batch, amount, currency])
    assert drawn(con, settings, "amount", "ods") == {
        ("f", NIGHT, None, "CNY"): (10, 10, {}),
        ("f", NIGHT, None, "EUR"): (5, 0, {}),
        ("f", NIGHT, None, "USD"): (0, 3, {}),
        ("f", NEXT, None, "CNY"): (20, 21, {}),
        ("g", NIGHT, None, "CNY"): (30, 30, {}),
    }


def test_without_feeds_of_money_only_rows_are_drawn(con: duckdb.DuckDBPyConnection, settings: Settings) -> None:
    delivered(con, "s", feed="s")
    file_of(con, "s", "answers", feed="s")
    queries = lake_balances(con, settings, cast("list[Feed]", [SURVEY]), canonical())
    found = [con.execute(f"select measure from ({query})").fetchall() for query in queries]
    assert [measure for rows in found for (measure,) in rows] == ["rows", "rows in deliveries", "rows"]


def test_exclusions_are_a_map_of_one_type_with_or_without_reasons() -> None:
    def value(sql: str) -> Any:
        return duckdb.execute(f"select m, typeof(m) from (select {sql} as m)").fetchone()

    kind = "MAP(VARCHAR, DECIMAL(38,4))"
    assert value(excluded()) == ({}, kind)
    assert value(excluded(("a", "1 + 1"), ("b", "0"), ("c", "-3"))) == ({"a": 2, "c": -3}, kind)
