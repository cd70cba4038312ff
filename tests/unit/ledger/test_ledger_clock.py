"""The ledger's clock is monotonic, whatever the machine's clock does: later events stay later."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import duckdb
import pytest
from small_retailer import (
    HEADER,
    NEXT,
    NIGHT,
    YEAR,
    Machine,
    SmallRetailer,
    assert_balanced,
    canonical,
    contract,
    settings_in,
    small_retailer,
    write_contracts,
)

from onedata.contracts import load_feeds
from onedata.contracts.history import contract_change
from onedata.identity.decisions import night_to_repeat
from onedata.landing import land
from onedata.ledger import apply, create_ledger, tick
from onedata.ledger.belongings import BELONGINGS
from onedata.ledger.promote import promote
from onedata.quality.gates import contract_gate, require_open
from onedata.quality.gx import Gatekeeper
from onedata.quality.reconcile import Scope, reconcile
from onedata.quality.results import CheckResult, GateClosed, record
from onedata.sql import transaction
from onedata.warehouse import open_warehouse

Retail = Callable[..., SmallRetailer]


@pytest.fixture
def ledger(con: duckdb.DuckDBPyConnection) -> duckdb.DuckDBPyConnection:
    create_ledger(con)
    return con


def test_a_time_is_the_machines(ledger: duckdb.DuckDBPyConnection) -> None:
    before = datetime.now(UTC).replace(tzinfo=None)
    assert before <= tick(ledger) <= datetime.now(UTC).replace(tzinfo=None)


def test_times_go_on_where_the_machines_clock_goes_back_or_stands_still(
    ledger: duckdb.DuckDBPyConnection,
    machine: Machine,
) -> None:
    given = [tick(ledger)]
    machine.put_back()
    given += [tick(ledger) for _ in range(3)]
    assert given == sorted(set(given))
    assert given[3] - given[0] == timedelta(microseconds=3)
    machine.behind = timedelta()
    assert tick(ledger) > given[3]


def test_times_go_on_in_the_next_process(tmp_path: Path, machine: Machine) -> None:
    with open_warehouse(settings_in(tmp_path)) as con:
        create_ledger(con)
        last = tick(con)
    machine.put_back()
    with open_warehouse(settings_in(tmp_path)) as con:
        create_ledger(con)
        assert tick(con) > last


def test_a_night_is_replaced_by_one_whose_machine_is_a_year_behind(survey: SmallRetailer, machine: Machine) -> None:
    """What is removed is what belongs to the delivery, not what is older."""
    survey.csv("A1,O1,5,,", "A2,O2,x,,")
    survey.take()
    (old,) = survey.con.execute("select batch_id, landed_at, accepted_at from ops.delivery").fetchall()
    machine.put_back()
    survey.csv("A3,O3,4,,", "A4,O4,y,,")
    land(survey.con, survey.settings, survey.feed(), survey.retailer.policy, NEXT, [NIGHT])
    contract_gate(survey.con, survey.gatekeeper, survey.settings, survey.feed(), NEXT)
    promote(survey.con, survey.settings)
    assert_balanced(survey)
    assert survey.rows("response_id") == [("A3",)]
    assert survey.files() == [(f"survey/{NIGHT}.csv", "landed", 2, 1, 1, 0)]
    assert survey.quarantine("row, raw ->> 'id'") == [(2, "A4")]
    times = "select batch_id, landed_at, accepted_at from ops.delivery where status = 'accepted'"
    (newest,) = survey.con.execute(times).fetchall()
    assert newest[1] > old[1] and newest[2] > old[2]
    for table in BELONGINGS:
        assert survey.con.execute(f"select 1 from ops.{table} where batch_id = ?", [old[0]]).fetchall() == [], table


def check(passed: bool) -> list[CheckResult]:
    return [CheckResult("ods", "orders", "not_empty", "error", passed, "", "a row is empty")]


def test_a_gate_is_as_it_was_checked_last(ledger: duckdb.DuckDBPyConnection, machine: Machine) -> None:
    record(ledger, "1", NIGHT, check(False))
    machine.put_back()
    record(ledger, "2", NIGHT, check(True))
    require_open(ledger, "dwd")
    machine.put_back()
    record(ledger, "3", NIGHT, check(False))
    with pytest.raises(GateClosed, match="a row is empty"):
        require_open(ledger, "dwd")


def with_contract(survey: SmallRetailer, **changed: Any) -> SmallRetailer:
    feeds = load_feeds(
        write_contracts(survey.settings.contracts, contract(quarantineTolerance=0.5, frequency=1) | changed),
        canonical(),
    )
    return replace(survey, retailer=replace(survey.retailer, feeds=feeds))


def test_the_contract_that_was_used_last_is_the_one_that_a_change_is_held_against(
    survey: SmallRetailer,
    machine: Machine,
) -> None:
    survey.csv("A1,O1,5,,")
    survey.take()
    machine.put_back()
    newer = with_contract(survey, version="1.1.0")
    newer.csv("A2,O2,5,,", night=NEXT)
    newer.take(NEXT)
    used = survey.con.execute("select version from ops.contract order by last_used_at").fetchall()
    assert used == [("1.0.0",), ("1.1.0",)]
    assert not contract_change(newer.con, newer.feed()).differences


def test_columns_are_held_against_those_of_the_file_before(retail: Retail, machine: Machine) -> None:
    survey = retail(contract(path="survey/{ds}_*.csv"))
    names = HEADER.split(",")
    headers = [names, names[::-1], names[::-1]]
    for number, header in enumerate(headers):
        row = {"id": f"A{number}", "order": "O", "score": "5", "note": "", "answered": ""}
        lines = [",".join(header), ",".join(row[name] for name in header)]
        survey.put(f"survey/{NIGHT}_{number}.csv", "\n".join(lines) + "\n")
        survey.take()
        machine.put_back()
    assert [(path, kind) for path, kind, *_ in survey.drifts()] == [(f"survey/{NIGHT}_1.csv", "order")]


def test_files_that_came_since_the_last_balance_are_in_the_next(survey: SmallRetailer, machine: Machine) -> None:
    """Files of deliveries that are published by then are known by their time alone."""
    found = []
    for night, row in ((NIGHT, "A1,O1,5,,"), (NEXT, "A2,O2,5,,")):
        survey.csv(row, night=night)
        survey.take(night)
        with transaction(survey.con):
            apply(survey.con)
        reconcile(
            survey.con,
            Scope(survey.settings, survey.retailer.feeds, survey.retailer.entities, {"nodes": {}}),
            "ods",
            night,
            str(night),
        )
        query = "select path from ops.reconciliation where run_id = ? and layer = 'landing' and measure = 'rows'"
        found.append([path for (path,) in survey.con.execute(query, [str(night)]).fetchall()])
        machine.put_back()
    assert found == [[f"survey/{NIGHT}.csv"], [f"survey/{NEXT}.csv"]]


def test_a_night_whose_oneid_is_published_is_not_built_again(survey: SmallRetailer, machine: Machine) -> None:
    """OneID ran, was published, and nothing came since; then OneID ran again."""
    con = survey.con
    oneid = "insert into oneid.run values (?, ?, 'full', ?, 1, 1)"
    columns = "(night, run_id, started_at, finished_at, cpu_seconds, peak_memory_mb)"
    night = f"insert into ops.night {columns} values (?, 'r', ?, ?, 0, 0)"
    for number in (1, 2):
        con.execute(oneid, [number, NIGHT, tick(con)])
        at = tick(con)
        con.execute(night, [NIGHT, at, at])
        assert night_to_repeat(con) is None
        machine.put_back()
    con.execute(oneid, [3, NIGHT, tick(con)])
    assert night_to_repeat(con) == NIGHT


def story(folder: Path, machine: Machine, step: timedelta) -> dict[str, list[tuple[Any, ...]]]:
    """Three nights with all that the ledger decides by what came before: a closed gate, a change of contract, a repeat,
    a night taken anew; the machine's clock is put back by `step` after each. What the ledger holds at the end, without
    its times."""
    with open_warehouse(settings_in(folder)) as con:
        survey = small_retailer(folder, con, Gatekeeper(con), contract(quarantineTolerance=0.5, frequency=1))

        def take(world: SmallRetailer, night: date, *again: date) -> None:
            land(con, world.settings, world.feed(), world.retailer.policy, night, again)
            results = contract_gate(con, world.gatekeeper, world.settings, world.feed(), night)
            record(con, str(night), night, results)
            promote(con, world.settings)
            if not any(result.blocks for result in results):
                with transaction(con):
                    apply(con)
            machine.put_back(step)

        survey.csv("A1,O1,5,,", "A2,O2,9,,")
        take(survey, NIGHT)
        survey.csv("A3,O3,x,,", "A4,O4,5,,", "A5,O5,y,,", night=NEXT)
        take(survey, NEXT)  # the gate closes
        survey.csv("A3,O3,3,,", "A4,O4,5,,", "A1,O1,5,,", night=NEXT)
        take(survey, NEXT)
        wider = with_contract(survey, version="1.1.0")
        third = NEXT + timedelta(days=1)
        wider.put(f"survey/{third}.csv", (wider.settings.source / f"survey/{NIGHT}.csv").read_bytes())
        take(wider, third)
        wider.csv("A1,O1,4,,", "A6,O6,2,,")
        take(wider, third, NIGHT)
        times = {
            "delivery": ("landed_at", "accepted_at", "applied_at"),
            "file": ("arrived_at", "mtime_ns"),
            "quarantine": ("quarantined_at",),
            "released": ("released_at",),
            "contract": ("first_used_at", "last_used_at"),
            "gate": ("checked_at",),
            "lake_file": ("bytes", "sha256"),
        }
        held = {}
        for table in ("delivery", "contract", "trend", "gate", *BELONGINGS):
            without = f"exclude ({', '.join(times[table])})" if table in times else ""
            held[table] = con.execute(f"select * {without} from ops.{table} order by all").fetchall()
        held["in order"] = con.execute("select batch_id from ops.delivery order by landed_at, batch_id").fetchall()
        held["rows"] = survey.rows("* exclude (_arrived_at)")
        return held


def test_a_clock_that_goes_back_a_year_between_nights_changes_nothing(tmp_path: Path, machine: Machine) -> None:
    undisturbed = story(tmp_path / "a", machine, timedelta())
    assert {row[4] for row in undisturbed["delivery"]} == {"applied", "replaced"}
    assert story(tmp_path / "b", machine, YEAR) == undisturbed
