"""What a run took is told by stage, in order, and by table."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date

import duckdb
import pytest

from onedata.ledger import create_ledger
from onedata.warehouse.costs import START, StepCost, cost_report, note_costs

NIGHT, NEXT = date(2026, 1, 5), date(2026, 1, 6)


@pytest.fixture
def con() -> Iterator[duckdb.DuckDBPyConnection]:
    with duckdb.connect() as con:
        create_ledger(con)
        yield con


def test_a_run_is_told_by_stage_with_what_was_before_its_first_step(con: duckdb.DuckDBPyConnection) -> None:
    start = StepCost(START, "", 4.0)
    note_costs(con, "old", NIGHT, start, [StepCost("dws_models", "", 99.0, 99.0)])
    note_costs(con, "new", NEXT, start, [StepCost("landing__shop_orders", "", 1.5, 1.0, 1_000, 990)])
    note_costs(con, "new", NEXT, start, [StepCost("landing__pos_members", "", 0.5, 0.5, 10, 10)])
    tables = [
        StepCost("dws_models", "dws.dws_order", None, 0.5, None, 7),
        StepCost("dws_models", "dws.dws_node", None, 2),
    ]
    note_costs(con, "new", NEXT, start, [StepCost("dws_models", "", 3.0, 2.5, None, 7), *tables])
    assert cost_report(con).splitlines() == [
        "COST of the run of night 2026-01-06: 9.0 CPU seconds, 4.0 seconds",
        "  stage       CPU s    s  rows read  rows written",
        "  start         4.0",
        "  landing       2.0  1.5      1,010         1,000",
        "  dws_models    3.0  2.5                        7",
        "",
        "TABLES that took longest, at most 10",
        "  table            s  rows",
        "  dws.dws_node   2.0",
        "  dws.dws_order  0.5     7",
    ]


def test_before_the_first_run_it_says_so(con: duckdb.DuckDBPyConnection) -> None:
    assert cost_report(con) == "no run has noted its costs yet; `onedata run` does"
    con.execute("drop table ops.cost")
    assert cost_report(con) == "no run has noted its costs yet; `onedata run` does"
