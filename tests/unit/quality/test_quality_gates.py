"""What a closed gate blocks, and how it opens again."""

from __future__ import annotations

from datetime import date
from typing import Any

import duckdb
import pytest
from small_retailer import NIGHT, SmallRetailer

from onedata.ledger import create_ledger
from onedata.quality import CheckResult, GateClosed, record, summarise
from onedata.quality.contract_rules import contract_rules
from onedata.quality.gates import LAYERS, layer_gate, new_partitions, require_open
from onedata.quality.gx import Gatekeeper
from onedata.warehouse.views import OPS_VIEWS


def result(
    stage: str, subject: str = "thing", rule: str = "rule", severity: Any = "error", passed: bool = False
) -> CheckResult:
    return CheckResult(stage, subject, rule, severity, passed, "3", "3 rows are bad", "0", "no row is bad")


@pytest.fixture
def ledger() -> duckdb.DuckDBPyConnection:
    con = duckdb.connect()
    create_ledger(con)
    return con


def write(con: duckdb.DuckDBPyConnection, *results: CheckResult, run: str = "r1", night: date = NIGHT) -> None:
    record(con, run, night, results)


@pytest.mark.parametrize("layer", [*LAYERS, "published"])
def test_without_checks_every_stage_is_open(ledger: duckdb.DuckDBPyConnection, layer: str) -> None:
    require_open(ledger, layer)


def test_a_closed_gate_forbids_every_stage_after_it_and_none_before(ledger: duckdb.DuckDBPyConnection) -> None:
    write(ledger, result("dwd"))
    for layer in ("ods", "dim", "dwd"):
        require_open(ledger, layer)
    for layer in ("oneid", "dws", "ads", "published"):
        with pytest.raises(GateClosed):
            require_open(ledger, layer)


def test_the_refusal_says_what_why_and_how_to_go_on(ledger: duckdb.DuckDBPyConnection) -> None:
    write(ledger, result("ods", "ods_customer", "customer_id_required"))
    with pytest.raises(GateClosed) as caught:
        require_open(ledger, "dwd")
    assert str(caught.value) == (
        "dwd is not built, because a gate before it is closed:\n"
        "gate ods: ods_customer, rule customer_id_required: 3 rows are bad\n"
        "Fix the cause, then run the night again."
    )


def test_a_gate_opens_again_after_a_pass_in_another_run(ledger: duckdb.DuckDBPyConnection) -> None:
    write(ledger, result("ods"))
    write(ledger, result("ods", passed=True), run="r2")
    require_open(ledger, "published")


def test_a_pass_of_another_subject_does_not_open_it(ledger: duckdb.DuckDBPyConnection) -> None:
    write(ledger, result("ods", "a"))
    write(ledger, result("ods", "b", passed=True), run="r2")
    with pytest.raises(GateClosed, match="gate ods: a,"):
        require_open(ledger, "dwd")


def test_a_gate_closed_by_one_of_many_rules_is_closed(ledger: duckdb.DuckDBPyConnection) -> None:
    write(ledger, result("ods", rule="a", passed=True), result("ods", rule="b"), result("ods", rule="c", passed=True))
    with pytest.raises(GateClosed, match="rule b"):
        require_open(ledger, "dwd")


def test_a_warning_closes_nothing(ledger: duckdb.DuckDBPyConnection) -> None:
    write(ledger, result("ods", severity="warning"))
    require_open(ledger, "published")


def test_a_contract_gate_of_a_refused_feed_does_not_hold_the_ods_of_the_others(
    ledger: duckdb.DuckDBPyConnection,
) -> None:
    write(ledger, result("contract", "survey"))
    require_open(ledger, "dwd")


def test_checks_are_kept_with_run_night_and_words(ledger: duckdb.DuckDBPyConnection) -> None:
    write(ledger, result("ods"), result("dim", passed=True))
    rows = ledger.execute("select * exclude (checked_at) from ops.gate order by stage").fetchall()
    assert rows == [
        ("r1", NIGHT, "dim", "thing", "rule", "error", True, "3", "3 rows are bad", "0", "no row is bad"),
        ("r1", NIGHT, "ods", "thing", "rule", "error", False, "3", "3 rows are bad", "0", "no row is bad"),
    ]


def test_no_results_write_nothing(ledger: duckdb.DuckDBPyConnection) -> None:
    write(ledger)
    assert ledger.execute("select count(*) from ops.gate").fetchone() == (0,)


@pytest.mark.parametrize("name", ["ops_gate", "ops_profile", "ops_trend"])
def test_every_published_column_of_the_quality_tables_has_its_comment(
    ledger: duckdb.DuckDBPyConnection, name: str
) -> None:
    _, source, columns = OPS_VIEWS[name]
    assert [column[0] for column in ledger.execute(source).description or []] == list(columns)


def test_what_is_published_of_a_check_has_its_numbers_and_quotes_no_row(ledger: duckdb.DuckDBPyConnection) -> None:
    write(ledger, result("ods"))
    published = ledger.execute(OPS_VIEWS["ops_gate"][1]).fetchall()
    assert published[0][:-1] == ("r1", NIGHT, "ods", "thing", "rule", "no row is bad", "error", False, "3", "0")


def test_listed_values_are_not_published(ledger: duckdb.DuckDBPyConnection) -> None:
    ledger.execute(
        "insert into ops.delivery (batch_id, feed, entity, ds, status, rows, landed_at, applied_at, replaces) "
        "values ('b', 'f', 'e', '2026-01-05', 'applied', 1, now()::timestamp, null, [])"
    )
    ledger.execute(
        "insert into ops.profile values ('f', '2026-01-05', 'b', 'c', 'share', 'Ann', 1), ('f', '2026-01-05', 'b', '', "
        "'rows', '', 1)"
    )
    assert ledger.execute(OPS_VIEWS["ops_profile"][1]).fetchall() == [("f", NIGHT, "b", "", "rows", 1.0)]


def test_a_summary_tells_failures_only() -> None:
    assert summarise([result("ods", passed=True)]) == ""
    assert summarise([result("ods"), result("ods", severity="warning")]) == (
        "ERROR thing, rule rule: 3 rows are bad\nWARNING thing, rule rule: 3 rows are bad"
    )


def node(name: str, layer: str, *rules: dict[str, Any], kind: str = "model") -> dict[str, Any]:
    return {
        "name": name,
        "schema": layer,
        "resource_type": kind,
        "original_file_path": f"models/{name}.sql",
        "config": {"meta": {"quality": list(rules)}},
    }


def test_a_layer_gate_checks_its_own_models_and_only_those_asked_for() -> None:
    con = duckdb.connect()
    con.execute(
        "create schema dwd; create table dwd.a as select null::integer as id; create table dwd.b as select 1 as id"
    )
    rule = {"metric": "nullValues", "column": "id", "mustBe": 0, "name": "id_required"}
    manifest = {
        "nodes": {
            n["name"]: n
            for n in (
                node("a", "dwd", rule),
                node("b", "dwd", rule),
                node("c", "dws", rule),
                node("d", "dwd", rule, kind="test"),
            )
        }
    }
    keeper = Gatekeeper(con)
    assert [(r.subject, r.passed) for r in layer_gate(keeper, manifest, "dwd")] == [("a", False), ("b", True)]
    assert [r.subject for r in layer_gate(keeper, manifest, "dwd", ["b"])] == ["b"]


def test_only_partitions_that_are_not_published_are_checked_in_ods(ledger: duckdb.DuckDBPyConnection) -> None:
    ledger.execute(
        "create schema ods; create table ods.a as select null::integer as id, date '2026-01-04' as ds union all "
        "select 1, date '2026-01-05'"
    )
    for batch, ds, status in (("b1", "2026-01-04", "applied"), ("b2", "2026-01-05", "accepted")):
        ledger.execute(
            "insert into ops.delivery (batch_id, feed, entity, ds, status, rows, landed_at, applied_at, replaces) "
            "values (?, 'f', 'e', ?, ?, 1, now()::timestamp, null, [])",
            [batch, ds, status],
        )
    manifest = {
        "nodes": {"a": node("a", "ods", {"metric": "nullValues", "column": "id", "mustBe": 0, "name": "id_required"})}
    }
    keeper = Gatekeeper(ledger)
    assert new_partitions(ledger) == "ds in (date '2026-01-05')"
    assert [r.passed for r in layer_gate(keeper, manifest, "ods", where=new_partitions(ledger))] == [True]
    ledger.execute("update ops.delivery set status = 'accepted'")
    assert [r.passed for r in layer_gate(keeper, manifest, "ods", where=new_partitions(ledger))] == [False]


def test_where_everything_is_published_no_partition_is_checked(ledger: duckdb.DuckDBPyConnection) -> None:
    assert new_partitions(ledger) == "false"


def test_the_guard_on_the_quarantine_judges_again_what_can_be_judged(survey: SmallRetailer) -> None:
    rules = {rule.name for rule in contract_rules(survey.feed())}
    assert rules == {"response_id_required", "order_id_required", "satisfaction_in_range"}


def test_the_guard_closes_the_gate_when_a_bad_row_got_through(survey: SmallRetailer) -> None:
    from onedata.quality.gates import contract_gate

    survey.csv("A1,O1,5,fine,")
    survey.land()
    (staged,) = (survey.settings.staged / "survey").rglob("*.parquet")
    survey.con.execute(
        f"copy (select * replace (99 as satisfaction) from read_parquet('{staged}')) to '{staged}' (format parquet)"
    )
    results = contract_gate(survey.con, survey.gatekeeper, survey.settings, survey.feed(), NIGHT)
    assert [r.rule for r in results if r.blocks] == ["satisfaction_in_range"]
    assert survey.con.execute("select status from ops.delivery").fetchall() == [("refused",)]
