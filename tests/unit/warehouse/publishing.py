"""Shared by the tests of publishing: a small warehouse, a night published from it, the home captured at every step."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import date, datetime
from pathlib import Path
from typing import Any

import duckdb
import pytest
from small_retailer import NIGHT

from onedata.identity.tables import create_tables
from onedata.ledger import create_ledger
from onedata.quality.reconcile import create_reconciliation
from onedata.quality.results import CheckResult, record
from onedata.settings import Settings
from onedata.warehouse.publications import QUALITY, Publication, candidate_folder
from onedata.warehouse.publish import Cost, PublishedTable, build_candidate, publish_candidate

TABLE = PublishedTable(
    "ads_thing",
    "select a from ads.thing",
    "Things. It's one row a thing.",
    {"a": "What it's worth, in CNY."},
)
UNSETTLED = (
    "create schema if not exists dwd; create table if not exists dwd.dwd_unsettled (source_system varchar, "
    "order_id varchar, currency varchar, unsettled_since date, unread_count bigint, feeds varchar, rules varchar, "
    "policy varchar, is_held boolean, delivered_amount decimal(18, 4), quarantined_amount decimal(18, 4), "
    "is_known boolean, channel varchar, business_date date); "
    "create table if not exists dwd.dwd_refund_unread (source_system varchar, order_id varchar, refund_id varchar, "
    "currency varchar, channel varchar, business_date date, unread_since date, feeds varchar, rules varchar, "
    "unread_count bigint, read_amount decimal(18, 4), unread_amount decimal(18, 4), is_known boolean)"
)
PASSED = CheckResult("published", "ads_thing", "no_raw_identifier", "error", True, "0", "", "0")
COST = Cost(datetime(2026, 1, 6, 2), 1.5, 100.0)
STEPS = ("replace", "rename", "symlink", "link", "unlink", "rmdir", "mkdir")


def silent(_: str) -> None:
    """Nobody listens."""


def warehouse(path: Path | str = ":memory:") -> duckdb.DuckDBPyConnection:
    """A warehouse with one served table of one row."""
    con = duckdb.connect(str(path))
    create_ledger(con)
    create_reconciliation(con)
    create_tables(con)
    con.execute(UNSETTLED)
    con.execute("create schema if not exists ads; create table if not exists ads.thing as select 1 as a, 'secret' as s")
    return con


def built(
    con: duckdb.DuckDBPyConnection,
    settings: Settings,
    night: date = NIGHT,
    value: int = 1,
    run_id: str = "r",
) -> None:
    """A candidate that has passed its gate, with its pages."""
    con.execute("update ads.thing set a = ?", [value])
    build_candidate(con, settings, [TABLE], night, run_id)
    record(con, run_id, night, [PASSED])
    pages = candidate_folder(settings) / QUALITY
    pages.mkdir()
    (pages / "index.html").write_text(f"{night} {value}", encoding="utf-8")


def publish(
    con: duckdb.DuckDBPyConnection,
    settings: Settings,
    night: date = NIGHT,
    value: int = 1,
    run_id: str = "r",
    say: Callable[[str], object] = silent,
) -> Publication:
    built(con, settings, night, value, run_id)
    return publish_candidate(con, settings, run_id, COST, say)


def accepted(con: duckdb.DuckDBPyConnection, batch: str, night: date) -> None:
    con.execute(
        "insert into ops.delivery (batch_id, feed, entity, ds, status, rows, landed_at, accepted_at, replaces) "
        "values (?, 'f', 'e', ?, 'accepted', 1, now()::timestamp, now()::timestamp, [])",
        [batch, night],
    )


def shown(folder: Path) -> tuple[date, int, int, str]:
    """What a folder of database, Parquet and pages shows: the night, the value, the value in Parquet, and the page."""
    with duckdb.connect(str(folder / "onedata.duckdb"), read_only=True) as reader:
        night, value = reader.execute("select night, a from published_night, ads_thing").fetchall()[0]
        ((parquet,),) = reader.execute(
            "from read_parquet(?)",
            [str(folder / "parquet" / "ads_thing.parquet")],
        ).fetchall()
    return night, value, parquet, (folder / "quality" / "index.html").read_text(encoding="utf-8")


def whole(night: date, value: int) -> tuple[date, int, int, str]:
    """What a publication of this night and value shows."""
    return night, value, value, f"{night} {value}"


@contextmanager
def frozen(home: Path, to: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[list[tuple[str, Path]]]:
    """While it lasts, the home is copied after every step that makes, renames or removes a name: what a kill would
    leave.

    A kill at an fsync leaves what the step before it left, since what was written stays in the kernel.

    Yields:
        The step and the copy, filled as the steps come.
    """
    states: list[tuple[str, Path]] = []

    def freeze(name: str) -> None:
        copy = to / f"{len(states):03d}"
        # cp: this process must not open the warehouse file that it holds, or its lock would be gone.
        subprocess.run(["cp", "-a", str(home), str(copy)], check=True)
        states.append((name, copy))

    def stepping(name: str, step: Callable[..., Any]) -> Callable[..., Any]:
        def stepped(*arguments: Any, **options: Any) -> Any:
            done = step(*arguments, **options)
            freeze(f"{name} {' '.join(Path(str(item)).name for item in arguments)}")
            return done

        return stepped

    to.mkdir()
    freeze("at the beginning")
    with monkeypatch.context() as patched:
        for name in STEPS:
            patched.setattr(os, name, stepping(name, getattr(os, name)))
        yield states
    freeze("at the end")
