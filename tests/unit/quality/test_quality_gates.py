"""What a closed gate blocks, and how it opens again."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, datetime, timedelta
from typing import Any

import duckdb
import pytest
from small_retailer import ANSWERS, NEXT, NIGHT, SmallRetailer, contract, custom

from onedata.ledger import create_ledger
from onedata.ledger.moves import Booking, FileEntry, book, book_file
from onedata.quality import CheckResult, GateClosed, record, summarise
from onedata.quality.contract_rules import contract_rules
from onedata.quality.gates import LAYERS, contract_gate, layer_gate, new_partitions, require_open
from onedata.quality.gx import Gatekeeper
from onedata.warehouse.views import OPS_VIEWS

Retail = Callable[..., SmallRetailer]
AT = datetime(2026, 1, 7)
LATER = date(2026, 1, 7)


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


def test_a_gate_that_closed_after_dim_does_not_hold_up_dwd(
    ledger: duckdb.DuckDBPyConnection,
) -> None:
    """A run builds DIM and DWD in any order: if DWD waited for the next check of DIM, no run could open it."""
    write(ledger, result("dim"))
    require_open(ledger, "dwd")
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
    survey.csv("A1,O1,5,fine,")
    survey.land()
    (staged,) = (survey.settings.staged / "survey").rglob("*.parquet")
    survey.con.execute(
        f"copy (select * replace (99 as satisfaction) from read_parquet('{staged}')) to '{staged}' (format parquet)"
    )
    results = contract_gate(survey.con, survey.gatekeeper, survey.settings, survey.feed(), NIGHT)
    assert [r.rule for r in results if r.blocks] == ["satisfaction_in_range"]
    assert survey.con.execute("select status from ops.delivery").fetchall() == [("refused",)]


def delivered(con: duckdb.DuckDBPyConnection, batch: str, status: str = "staged", feed: str = "survey") -> None:
    book(con, Booking(batch, feed, "survey_response", NIGHT, 1, AT))
    con.execute("update ops.delivery set status = ? where batch_id = ?", [status, batch])


def file_of(
    con: duckdb.DuckDBPyConnection,
    batch: str,
    path: str,
    *,
    ds: date = NIGHT,
    status: str = "landed",
    counts: tuple[int, int, int, int] = (1, 1, 0, 0),
    message: str | None = None,
    feed: str = "survey",
) -> None:
    book_file(con, feed, batch, FileEntry(path, path, ds, status, counts, 1, 1, message), AT)


def checks(survey: SmallRetailer, night: date = NIGHT) -> dict[str, CheckResult]:
    """The contract gate by rule, on what the ledger says: nothing is staged."""
    results = contract_gate(survey.con, survey.gatekeeper, survey.settings, survey.feed(), night)
    assert {(one.stage, one.subject) for one in results} == {("contract", "survey")}
    return {one.rule: one for one in results}


def test_a_file_that_cannot_be_read_closes_the_gate_of_its_feed(survey: SmallRetailer) -> None:
    con = survey.con
    delivered(con, "b")
    file_of(con, "b", "ok.csv")
    file_of(con, "o", "other.csv", status="unreadable", message="torn", feed="other")
    open_gate = checks(survey)["readable_files"]
    assert (open_gate.passed, open_gate.observed, open_gate.message) == (True, "0", "every file was read")
    assert con.execute("select status from ops.delivery").fetchall() == [("passed",)]
    con.execute("update ops.delivery set status = 'staged'")
    file_of(con, "b", "y.csv", status="unreadable", message="no header")
    file_of(con, "b", "x.csv", status="unreadable", message="empty")
    closed = checks(survey)["readable_files"]
    assert closed == CheckResult(
        "contract",
        "survey",
        "readable_files",
        "error",
        False,
        "2",
        "x.csv: empty; y.csv: no header",
        "0",
        "files that cannot be read",
    )
    assert con.execute("select status from ops.delivery").fetchall() == [("refused",)]


def test_the_worst_night_of_what_is_staged_is_held_against_the_tolerance(survey: SmallRetailer) -> None:
    con = survey.con
    nothing = checks(survey)["quarantine_tolerance"]
    assert (nothing.passed, nothing.observed, nothing.message) == (True, "0.0%", "nothing new")
    for batch, status, feed in (("b", "staged", "survey"), ("a", "accepted", "survey"), ("o", "staged", "other")):
        delivered(con, batch, status, feed)
    worse = (10, 1, 9, 0)
    file_of(con, "a", "published.csv", counts=worse)
    file_of(con, "o", "other.csv", counts=worse, feed="other")
    file_of(con, "b", "torn.csv", ds=NEXT, status="repeated", counts=worse)
    file_of(con, "b", "empty.csv", ds=LATER, counts=(0, 0, 0, 0))
    file_of(con, "b", "better.csv", ds=NEXT, counts=(100, 60, 40, 0))
    file_of(con, "b", "half.csv", counts=(4, 1, 3, 0))
    file_of(con, "b", "other_half.csv", counts=(6, 4, 2, 0))
    # Half of the rows may be quarantined, and half of them are: 5 of 10.
    assert checks(survey)["quarantine_tolerance"] == CheckResult(
        "contract",
        "survey",
        "quarantine_tolerance",
        "error",
        True,
        "50.0%",
        "5 of 10 rows quarantined, tolerance 50.0%",
        "at most 50.0%",
        "share of rows quarantined in the worst night",
    )
    con.execute("update ops.delivery set status = 'staged' where batch_id = 'b'")
    file_of(con, "b", "one_more.csv", counts=(1, 0, 1, 0))
    for path, rule, rows, ds, feed in (
        ("b.csv", "type", (4, 2, 3, 1), NIGHT, "survey"),
        ("a.csv", "type", (7,), NIGHT, "survey"),
        ("c.csv", "bound", (5, 6), NIGHT, "survey"),
        ("d.csv", "bound", (5,), NIGHT, "survey"),
        ("e.csv", "type", (1, 2, 3, 4, 5), NEXT, "survey"),
        ("f.csv", "type", (1, 2, 3, 4, 5), NIGHT, "other"),
    ):
        for row in rows:
            con.execute(
                "insert into ops.quarantine (feed, ds, path, row, rule, reason, batch_id, content_hash, quarantined_at)"
                " values (?, ?, ?, ?, ?, 'odd', 'b', 'h', ?)",
                [feed, ds, path, row, rule, AT],
            )
    closed = checks(survey)["quarantine_tolerance"]
    assert (closed.passed, closed.severity, closed.observed, closed.expected) == (
        False,
        "error",
        "54.5%",
        "at most 50.0%",
    )
    assert closed.message == (
        "6 of 11 rows for 2026-01-05 quarantined, tolerance 50.0%: "
        "b.csv, rule type: 4 rows (row 1: odd | row 2: odd | row 3: odd); "
        "c.csv, rule bound: 2 rows (row 5: odd | row 6: odd); a.csv, rule type: 1 rows (row 7: odd)"
    )


def test_of_nights_that_are_equally_bad_the_first_is_told(survey: SmallRetailer) -> None:
    delivered(survey.con, "b")
    for path, ds in (("b.csv", NEXT), ("a.csv", NIGHT)):
        file_of(survey.con, "b", path, ds=ds, counts=(1, 0, 1, 0))
    assert "1 of 1 rows for 2026-01-05 quarantined" in checks(survey)["quarantine_tolerance"].message


@pytest.mark.parametrize(
    ("every", "last", "late"),
    [(1, 0, False), (1, 1, True), (2, 0, False), (2, 1, False), (2, 2, True), (7, 6, False), (7, 7, True)],
)
def test_a_file_is_late_once_its_days_are_over(retail: Retail, every: int, last: int, late: bool) -> None:
    survey = retail(contract(frequency=every))
    night = date(2026, 1, 20)
    file_of(survey.con, "b", "last.csv", ds=night - timedelta(days=last))
    file_of(survey.con, "b", "early.csv", ds=date(2026, 1, 1))
    file_of(survey.con, "b", "later.csv", ds=night + timedelta(days=1))
    file_of(survey.con, "b", "other.csv", ds=night, feed="other")
    found = checks(survey, night)["file_delivered"]
    assert (found.passed, found.severity, found.expected) == (not late, "warning", f"every {every} d")
    assert found.observed == str(night - timedelta(days=last))
    told = f"(the last is for {night - timedelta(days=last)}), expected every {every} d at survey/{{ds}}.csv"
    assert found.message == (f"no file for {night} {told}" if late else f"last file for {found.observed}")


def test_a_feed_that_never_came_is_late(survey: SmallRetailer) -> None:
    found = checks(survey)["file_delivered"]
    assert (found.passed, found.observed) == (False, "never")
    assert found.message.startswith("no file for 2026-01-05 (there never was one), expected every 1 d")


@pytest.mark.parametrize("feed", [{"path": "survey/{ds}.csv"}, {"path": "survey/all.csv", "frequency": 1}])
def test_a_feed_without_nights_or_days_is_never_late(retail: Retail, feed: dict[str, Any]) -> None:
    assert "file_delivered" not in checks(retail(contract(**feed)))


def test_columns_that_differ_in_what_is_staged_are_a_warning(survey: SmallRetailer) -> None:
    con = survey.con
    same = checks(survey)["columns_as_contracted"]
    assert (same.passed, same.observed, same.message) == (True, "0", "columns as in the contract")
    for batch, status, feed in (("b", "staged", "survey"), ("a", "accepted", "survey"), ("o", "staged", "other")):
        delivered(con, batch, status, feed)
    for batch, path, told, feed in (
        ("b", "c.csv", "x", "survey"),
        ("b", "b.csv", "z", "survey"),
        ("b", "b.csv", "y", "survey"),
        ("b", "d.csv", "x", "survey"),
        ("a", "a.csv", "x", "survey"),
        ("o", "a.csv", "x", "other"),
    ):
        con.execute("insert into ops.drift values (?, ?, ?, 'new', 'k', ?, 'h', ?)", [feed, NIGHT, path, told, batch])
    found = checks(survey)["columns_as_contracted"]
    assert (found.passed, found.severity, found.observed) == (False, "warning", "4")
    assert found.message == "b.csv: y; b.csv: z; c.csv: x"
    assert con.execute("select batch_id, status from ops.delivery order by 1").fetchall() == [
        ("a", "accepted"),
        ("b", "passed"),
        ("o", "staged"),
    ]


def test_every_night_that_is_not_published_is_checked_once(ledger: duckdb.DuckDBPyConnection) -> None:
    for batch, ds in (("c", NEXT), ("a", NIGHT), ("b", NIGHT)):
        book(ledger, Booking(batch, "f", "e", ds, 1, AT))
    ledger.execute("update ops.delivery set status = 'accepted'")
    assert new_partitions(ledger) == "ds in (date '2026-01-05', date '2026-01-06')"


def test_a_check_quotes_no_value_of_a_person() -> None:
    found = CheckResult("ods", "a", "b", "error", False, "1", "row 3: 'ann@example.com' is no phone")
    assert "ann@example.com" not in found.message
    assert "is no phone" in found.message


def test_a_refused_contract_ends_the_gate_before_anything_is_judged(
    survey: SmallRetailer, monkeypatch: pytest.MonkeyPatch
) -> None:
    refused = CheckResult("contract", "survey", "contract_version", "error", False, "1", "a column is gone")
    monkeypatch.setattr("onedata.quality.gates.version_check", lambda *_: refused)
    delivered(survey.con, "b")
    assert list(checks(survey).values()) == [refused]
    assert survey.con.execute("select status from ops.delivery").fetchall() == [("staged",)]


VOID = {"customProperties": custom({"onInvalid": "void"})}


def test_values_that_were_emptied_in_what_is_staged_are_a_warning(retail: Retail) -> None:
    survey = retail(contract(properties=[*ANSWERS[:2], ANSWERS[2] | VOID, *ANSWERS[3:]]))
    con = survey.con
    none = checks(survey)["values_voided"]
    assert (none.passed, none.severity, none.observed, none.message) == (True, "warning", "0", "no value was emptied")
    for batch, status, feed in (
        ("b", "staged", "survey"),
        ("c", "staged", "survey"),
        ("a", "accepted", "survey"),
        ("o", "staged", "other"),
    ):
        delivered(con, batch, status, feed)
    for batch, path, column, repair, rows, feed in (
        ("b", "z.csv", "score", "void", 3, "survey"),
        ("c", "z.csv", "score", "void", 2, "survey"),
        *(("b", "x.csv", column, "void", 1, "survey") for column in "fedcb"),
        ("b", "y.csv", "a", "void", 1, "survey"),
        ("b", "x.csv", "note", "upper", 9, "survey"),
        ("a", "x.csv", "note", "void", 9, "survey"),
        ("o", "x.csv", "note", "void", 9, "other"),
    ):
        con.execute(
            "insert into ops.repair values (?, ?, ?, ?, ?, ?, ?)", [feed, NIGHT, path, column, repair, rows, batch]
        )
    found = checks(survey)["values_voided"]
    assert (found.passed, found.severity, found.observed, found.expected) == (False, "warning", "11", "0")
    assert found.message == (
        "11 invalid values were emptied (onInvalid: void): z.csv: 5 of score; x.csv: 1 of b; x.csv: 1 of c"
    )


def test_a_feed_that_empties_no_value_is_not_asked_for_any(survey: SmallRetailer) -> None:
    assert "values_voided" not in checks(survey)
