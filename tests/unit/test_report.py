"""The report after a night."""

from __future__ import annotations

from pathlib import Path

import duckdb
from small_retailer import NIGHT, SmallRetailer, settings_in

from onedata.quality.results import CheckResult, record
from onedata.report import closed_gates, night_report, status_report
from onedata.warehouse.open import RESTORING


def test_before_the_first_night_the_report_says_what_to_do(tmp_path: Path) -> None:
    settings = settings_in(tmp_path)
    assert night_report(settings).startswith(
        f"nothing is published yet below {settings.published}; run `onedata run`\n\nNEXT"
    )
    assert not settings.home.exists()


def test_the_report_names_what_was_built_received_quarantined_and_measured(tmp_path: Path) -> None:
    settings = settings_in(tmp_path)
    settings.published.mkdir(parents=True)
    with duckdb.connect(str(settings.published_database)) as con:
        con.execute("create table published_night as select date '2026-01-05' as night")
        con.execute("create table ads_customer_360 as select 1 as a from range(1200)")
        con.execute(
            "create table ops_file (feed varchar, received bigint, accepted bigint, quarantined bigint, "
            "duplicate bigint)"
        )
        con.execute("insert into ops_file values ('survey', 10, 7, 2, 1)")
        con.execute(
            "create table ops_reconciliation as select date '2026-01-05' as night, layer, 'survey' as subject, path, 0 "
            "as difference, "
            "case when path = 'a.csv' then map {'landed before control totals were kept': 1} else map([]::varchar[], "
            "[]::integer[]) end as excluded "
            "from (values ('dwd', null), ('landing', 'a.csv'), ('landing', 'b.csv')) t(layer, path)"
        )
        con.execute(
            "create table ops_quarantine as select 'survey' as feed, 'a.csv' as path, 'score_type' as rule, "
            "2::bigint as rows"
        )
        con.execute(
            "create table ads_kpi as select * from (values ('orders', 'all', 1234.0::decimal(18, 4), true, null, "
            "'count'), "
            "('return_rate', 'all', 0.125, true, null, 'ratio'), "
            "('net_revenue', 'all', null, false, 'no costs', 'CNY'), ('orders', 'day', 1.0, true, null, 'count')) "
            "t(kpi_id, period, value, is_available, reason, unit)"
        )
    text = night_report(settings)
    lines = [" ".join(line.split()) for line in text.splitlines()]
    for line in (
        "PUBLISHED night 2026-01-05",
        "ads_customer_360 1,200",
        "survey 1 10 7 2 1",
        "landing 2 0",
        "dwd 1 0",
        "1 files landed before control totals were kept: their money is checked from ODS on only",
        "survey a.csv score_type 2",
        "net_revenue not available CNY no costs",
        "orders 1,234 count",
        "return_rate 12.5% ratio",
    ):
        assert line in lines
    assert lines.index("net_revenue not available CNY no costs") < lines.index("orders 1,234 count")
    assert text.count("1,234") == 1
    assert (
        text.index("PUBLISHED")
        < text.index("RECEIVED")
        < text.index("RECONCILED")
        < text.index("QUARANTINED")
        < text.index("METRICS")
        < text.index("NEXT")
    )
    assert str(settings.published_database) in text


def test_a_night_published_before_balances_were_kept_is_reported_without_them(tmp_path: Path) -> None:
    settings = settings_in(tmp_path)
    settings.published.mkdir(parents=True)
    with duckdb.connect(str(settings.published_database)) as con:
        con.execute("create table published_night as select date '2026-01-05' as night")
        con.execute(
            "create table ops_file (feed varchar, received bigint, accepted bigint, quarantined bigint, "
            "duplicate bigint)"
        )
        con.execute("create table ops_quarantine (feed varchar, path varchar, rule varchar, rows bigint)")
        con.execute(
            "create table ads_kpi (kpi_id varchar, period varchar, value decimal(18, 4), is_available boolean, "
            "reason varchar, unit varchar)"
        )
    assert "RECONCILED" not in night_report(settings)


def test_only_the_closed_gates_of_the_run_are_told(survey: SmallRetailer) -> None:
    results = [
        CheckResult("contract", "survey", "tolerance", "error", False, "3", "3 rows are bad"),
        CheckResult("contract", "survey", "file_delivered", "warning", False, "", "no file"),
        CheckResult("contract", "survey", "readable", "error", True, "", "fine"),
    ]
    record(survey.con, "run-1", NIGHT, results)
    survey.con.close()
    assert (
        closed_gates(survey.settings, "run-1") == "GATE CLOSED after contract: survey, rule tolerance\n  3 rows are bad"
    )
    assert closed_gates(survey.settings, "run-2") == ""


def test_the_status_tells_closed_gates_warnings_and_what_waits(survey: SmallRetailer) -> None:
    survey.csv("A1,O1,5,fine,")
    survey.take()
    failed = CheckResult("dwd", "dwd_order", "key_unique", "error", False, "3", "3 rows are bad")
    warned = CheckResult("contract", "survey", "file_delivered", "warning", False, "", "no file")
    record(survey.con, "run-1", NIGHT, [failed, warned])
    survey.con.close()
    text, well = status_report(survey.settings)
    assert not well
    assert "GATE CLOSED after dwd: dwd_order, rule key_unique\n  3 rows are bad" in text
    assert "survey, rule file_delivered: no file" in text
    assert "2026-01-05           1" in text


def test_the_status_is_well_where_nothing_waits(survey: SmallRetailer) -> None:
    record(survey.con, "run-1", NIGHT, [CheckResult("dwd", "dwd_order", "key_unique", "error", True, "", "")])
    survey.con.close()
    text, well = status_report(survey.settings)
    assert well
    assert "GATES: all of the last run are open" in text


def test_a_half_restored_home_is_not_well(survey: SmallRetailer) -> None:
    survey.con.close()
    (survey.settings.home / RESTORING).write_text("{}", encoding="utf-8")
    text, well = status_report(survey.settings)
    assert not well
    assert "HALF RESTORED\n" in text
    assert "onedata restore" in text


def test_a_current_that_leads_nowhere_is_not_well(survey: SmallRetailer) -> None:
    survey.con.close()
    survey.settings.published.mkdir(parents=True)
    (survey.settings.published / "current").symlink_to("publications/000009")
    text, well = status_report(survey.settings)
    assert not well
    assert text.startswith(f"PUBLISHED DATABASE GONE\n  {survey.settings.published_database}")


def test_the_next_steps_repeat_the_retailers_options(tmp_path: Path) -> None:
    assert "onedata dev --settings x.toml" in night_report(settings_in(tmp_path), " --settings x.toml")
