"""The gate after OneID detects each kind of damage, and accepts operators' decisions."""

from __future__ import annotations

from datetime import date, timedelta

import duckdb
import pytest
from small_retailer import identifier_policy

from onedata.identity.tables import create_tables
from onedata.quality.gx import Gatekeeper
from onedata.quality.oneid_gate import MAP_RULES, churn, oneid_gate, trends
from onedata.quality.results import CheckResult
from onedata.settings import GateLimits

DAY = date(2026, 1, 10)
BEFORE = DAY - timedelta(days=1)
PERSONS = 100
AGAIN = (
    "insert into oneid.oneid_map select identity_key, id_int, 'P1', rule, {}, 2 from oneid.oneid_map where id_int = 0"
)

SHIPPED = GateLimits()


@pytest.fixture
def con() -> duckdb.DuckDBPyConnection:
    """A hundred persons of ten identifiers each, known since the night before, and a run each night."""
    con = duckdb.connect()
    create_tables(con)
    con.execute(
        "insert into oneid.run values (1, ?, 'incremental', '2026-01-10 01:00', 1, 1), (2, ?, 'incremental', "
        "'2026-01-11 01:00', 1, 1)",
        [BEFORE, DAY],
    )
    con.execute(
        f"""
        insert into oneid.identifier
        select i, 'account:s' || i % 10 || ':' || i, 'account', date '{BEFORE}', date '{BEFORE}', 'ok'
            from range({PERSONS * 10}) r(i);
        insert into oneid.oneid_map select identity_key, id_int, 'P' || id_int // 10, 'core', date '{BEFORE}', null, 1
            from oneid.identifier;
        insert into oneid.issued select 'P' || i, 'account:s0:' || i * 10, date '{BEFORE}', date '{BEFORE}'
            from range({PERSONS}) r(i);
        insert into oneid.person select 'P' || i, 10, date '{BEFORE}', date '{BEFORE}' from range({PERSONS}) r(i);
        insert into oneid.household_map select 'P' || i, 'H' || i, 'alone', date '{BEFORE}', null, 1
            from range({PERSONS}) r(i);
        """
    )
    return con


def broken(con: duckdb.DuckDBPyConnection, limits: GateLimits = SHIPPED) -> list[str]:
    """Rules that do not hold, whatever table."""
    return [
        result.rule
        for results in oneid_gate(con, Gatekeeper(con), identifier_policy(), limits, 10).values()
        for result in results
        if not result.passed
    ]


def move(con: duckdb.DuckDBPyConnection, *ids: int, to: str = "P0", night: date = DAY, rule: str = "core") -> None:
    """Give identifiers to another person from the night on."""
    con.execute("update oneid.oneid_map set valid_to = ? where id_int in (select unnest(?))", [night, list(ids)])
    con.execute(
        "insert into oneid.oneid_map select identity_key, id_int, ?, ?, ?, null, 2 from oneid.identifier "
        "where id_int in (select unnest(?))",
        [to, rule, night, list(ids)],
    )


def test_a_sound_night_passes_every_rule(con: duckdb.DuckDBPyConnection) -> None:
    assert broken(con) == []


@pytest.mark.parametrize(
    ("damage", "seen"),
    [
        (AGAIN.format("'2026-01-10', null"), "identifier_has_one_person"),
        ("delete from oneid.oneid_map where id_int = 0", "usable_identifier_has_a_person"),
        ("update oneid.identifier set status = 'shared' where id_int = 0", "usable_identifier_has_a_person"),
        (AGAIN.format("'2026-01-01', '2026-01-10'"), "versions_do_not_overlap"),
        (AGAIN.format("'2026-01-01', '2026-01-01'"), "versions_do_not_overlap"),
        ("insert into oneid.issued from oneid.issued where oneid = 'P7'", "oneid_issued_once"),
        ("delete from oneid.issued where oneid = 'P7'", "oneid_was_issued"),
        ("insert into oneid.person from oneid.person where oneid = 'P7'", "person_once"),
        ("update oneid.person set identifier_count = 9 where oneid = 'P7'", "persons_are_those_of_the_map"),
        ("insert into oneid.person values ('P1000', 1, '2026-01-09', '2026-01-09')", "persons_are_those_of_the_map"),
        ("insert into oneid.household_map select oneid, 'H0', rule, valid_from, null, 2 from oneid.household_map "
         "limit 1", "person_has_one_household"),
        ("delete from oneid.household_map where oneid = 'P7'", "person_has_a_household"),
        ("update oneid.household_map set household_id = 'H0' where oneid[2:]::int < 11", "household_not_too_large"),
        ("update oneid.oneid_map set oneid = 'P0' where id_int < 51", "person_not_too_large"),
        ("update oneid.oneid_map set oneid = 'P0', identity_key = replace(identity_key, 'account:', 'cookie:') "
         "where id_int < 51", "browsers_not_too_many"),
        ("update oneid.oneid_map set identity_key = 'account:s:' || id_int where id_int < 20", "accounts_within_limit"),
        ("update oneid.oneid_map set identity_key = 'account:s:' || id_int "
         "where id_int < 40", "accounts_not_far_over_limit"),
    ],
)  # fmt: skip
def test_damage_is_seen_by_its_rule(con: duckdb.DuckDBPyConnection, damage: str, seen: str) -> None:
    con.execute(damage)
    assert seen in broken(con)


def test_identifiers_that_name_nobody_need_no_person(con: duckdb.DuckDBPyConnection) -> None:
    con.execute("insert into oneid.identifier values (5000, 'cookie:c', 'cookie', '2026-01-09', '2026-01-09', 'ok')")
    assert broken(con) == []


def test_one_person_with_three_accounts_of_a_system_closes_no_gate(con: duckdb.DuckDBPyConnection) -> None:
    con.execute("update oneid.oneid_map set identity_key = 'account:s:' || id_int where id_int < 10")
    assert broken(con) == []


def test_one_in_a_thousand_identifiers_may_change_its_person_and_what_chance_makes_of_so_few(
    con: duckdb.DuckDBPyConnection,
) -> None:
    move(con, *range(10, 23))
    assert churn(con, GateLimits()).passed
    move(con, 23)
    found = churn(con, GateLimits())
    assert (found.passed, found.severity, found.observed, found.expected) == (False, "warning", "14", "at most 13")
    assert "account:s0:10: P1 is P0" in found.message


def test_the_gate_closes_where_far_more_changed_than_a_young_retailer_learns(con: duckdb.DuckDBPyConnection) -> None:
    move(con, *range(10, 110))
    assert (churn(con, GateLimits()).passed, churn(con, GateLimits()).severity) == (False, "error")


def test_identifiers_that_lost_their_person_count_as_changed(con: duckdb.DuckDBPyConnection) -> None:
    con.execute("update oneid.oneid_map set valid_to = ? where id_int < 2", [DAY])
    assert churn(con, GateLimits()).observed == "2"


def test_changes_of_earlier_nights_do_not_count(con: duckdb.DuckDBPyConnection) -> None:
    move(con, *range(10, 20), night=BEFORE)
    assert churn(con, GateLimits()).observed == "0"


def test_an_identifier_that_came_back_the_same_night_has_not_changed(con: duckdb.DuckDBPyConnection) -> None:
    move(con, *range(10, 20), to="P1")
    assert churn(con, GateLimits()).observed == "0"


@pytest.mark.parametrize(
    ("kind", "key_a", "key_b"), [("merge", "account:s0:0", "account:s0:10"), ("block", "account:s1:11", None)]
)
def test_what_operators_decided_since_the_night_before_does_not_count(
    con: duckdb.DuckDBPyConnection, kind: str, key_a: str, key_b: str | None
) -> None:
    move(con, *range(10, 20))
    assert churn(con, GateLimits()).observed == "10"
    con.execute(
        "insert into oneid.decision values (1, ?, ?, ?, 'why', 'me', '2026-01-10 12:00', null)", [kind, key_a, key_b]
    )
    assert churn(con, GateLimits()).observed == "0"


def test_what_operators_decided_long_ago_excuses_nothing(con: duckdb.DuckDBPyConnection) -> None:
    move(con, *range(10, 20))
    con.execute(
        "insert into oneid.decision values (1, 'merge', 'account:s0:0', 'account:s0:10', 'why', 'me', "
        "'2026-01-09 12:00', null)"
    )
    assert churn(con, GateLimits()).observed == "10"


def test_a_decision_taken_back_since_does_not_count_either(con: duckdb.DuckDBPyConnection) -> None:
    move(con, *range(10, 20))
    con.execute(
        "insert into oneid.decision values (1, 'merge', 'account:s0:0', 'account:s0:10', 'why', 'me', "
        "'2026-01-01 12:00', '2026-01-10 12:00')"
    )
    assert churn(con, GateLimits()).observed == "0"


def test_before_any_run_there_is_no_churn() -> None:
    empty = duckdb.connect()
    create_tables(empty)
    assert churn(empty, GateLimits()).passed


def note(con: duckdb.DuckDBPyConnection, metric: str, values: list[float], identifiers: int = 1000) -> None:
    """A value a night, the last on DAY."""
    for back, value in enumerate(reversed(values)):
        con.execute(
            "insert into oneid.run_metric values (?, ?, ?, 'phone', ?, ?)",
            [len(values) - back, DAY - timedelta(days=back), metric, identifiers, value],
        )


def trend(con: duckdb.DuckDBPyConnection, metric: str) -> CheckResult:
    return next(result for result in trends(con) if result.rule == f"trend_{metric}")


@pytest.mark.parametrize("metric", ["matched_share", "shared_share", "bridged_share"])
def test_a_share_far_from_the_nights_before_is_a_warning(con: duckdb.DuckDBPyConnection, metric: str) -> None:
    note(con, metric, [0.1] * 8 + [0.3])
    found = trend(con, metric)
    assert (found.passed, found.severity, found.observed) == (False, "warning", "30.0%")
    assert found.message.startswith("phone: 30.0%, expected 4.2% to 15.8% after 8 nights")


def test_a_share_like_those_of_the_nights_before_holds(con: duckdb.DuckDBPyConnection) -> None:
    note(con, "shared_share", [0.1] * 8 + [0.12])
    assert trend(con, "shared_share").passed


@pytest.mark.parametrize(("nights", "identifiers"), [(6, 1000), (8, 20)])
def test_few_nights_or_few_identifiers_are_not_judged(
    con: duckdb.DuckDBPyConnection, nights: int, identifiers: int
) -> None:
    note(con, "shared_share", [0.1] * nights + [0.9], identifiers)
    assert trend(con, "shared_share").passed


def test_of_runs_of_one_night_the_last_counts(con: duckdb.DuckDBPyConnection) -> None:
    note(con, "shared_share", [0.1] * 9)
    con.execute("insert into oneid.run_metric values (99, ?, 'shared_share', 'phone', 1000, 0.9)", [DAY])
    assert not trend(con, "shared_share").passed


def test_every_rule_says_in_words_what_holds() -> None:
    assert [rule.name for rule in MAP_RULES if not rule.description] == []


@pytest.mark.parametrize(
    ("limits", "rule", "words"),
    [
        # Every person of the sound night has ten accounts, one in each of ten systems.
        (GateLimits(most_identifiers=9), "person_not_too_large", "no person has more than 9 identifiers"),
        (GateLimits(most_identifiers=10), None, ""),
    ],
)
def test_a_retailers_limit_closes_the_gate_or_lets_it_pass(
    con: duckdb.DuckDBPyConnection, limits: GateLimits, rule: str | None, words: str
) -> None:
    assert broken(con, limits) == ([rule] if rule else [])
    found = oneid_gate(con, Gatekeeper(con), identifier_policy(), limits, 10)["oneid_map"]
    assert [result.blocks for result in found if result.rule == "person_not_too_large"] == [bool(rule)]
    assert any(words in result.description for result in found)


def test_a_retailer_may_count_another_number_of_accounts_as_usual(con: duckdb.DuckDBPyConnection) -> None:
    """Each person gets a second account of system s0: more than one is many here, and everybody has them."""
    con.execute(
        "insert into oneid.oneid_map select 'account:s0:x' || i, 1000000 + i, 'P' || i, 'core', ?, null, 1 "
        "from range(?) r(i)",
        [BEFORE, PERSONS],
    )
    closed = broken(con, GateLimits(most_accounts=1))
    assert {"accounts_within_limit", "accounts_not_far_over_limit"} <= set(closed)
    assert not {"accounts_within_limit", "accounts_not_far_over_limit"} & set(broken(con))
    every = GateLimits(most_accounts=1, many_accounts_warn=1.0, many_accounts_stop=1.0)
    assert not {"accounts_within_limit", "accounts_not_far_over_limit"} & set(broken(con, every))


@pytest.mark.parametrize(
    ("damage", "limits", "rule", "measured", "settings"),
    [
        (
            "",
            GateLimits(most_identifiers=9),
            "person_not_too_large",
            "100 of 100 persons (100.0%)",
            "most_identifiers = 9",
        ),
        (
            "update oneid.oneid_map set oneid = 'P0', identity_key = replace(identity_key, 'account:', 'cookie:') "
            "where id_int < 51",
            SHIPPED,
            "browsers_not_too_many",
            "1 of 100 persons (1.0%)",
            "most_browsers = 50 (the default)",
        ),
        # Four persons with ten accounts of the system s each, where at most two may have them.
        (
            "update oneid.oneid_map set identity_key = 'account:s:' || id_int where id_int < 40",
            SHIPPED,
            "accounts_not_far_over_limit",
            "4 of 100 persons (4.0%)",
            "most_accounts = 2 (the default), many_accounts_stop = 0.02 (the default)",
        ),
        (
            "update oneid.oneid_map set identity_key = 'account:s:' || id_int where id_int < 40",
            GateLimits(many_accounts_warn=0.01),
            "accounts_within_limit",
            "4 of 100 persons (4.0%)",
            "most_accounts = 2 (the default), many_accounts_warn = 0.01",
        ),
    ],
)
def test_a_broken_limit_tells_what_was_measured_and_its_setting(
    con: duckdb.DuckDBPyConnection, damage: str, limits: GateLimits, rule: str, measured: str, settings: str
) -> None:
    if damage:
        con.execute(damage)
    found = oneid_gate(con, Gatekeeper(con), identifier_policy(), limits, 10)
    (message,) = [result.message for results in found.values() for result in results if result.rule == rule]
    assert message.startswith(measured)
    assert message.endswith(f"Settings: {settings}; {limits.place}")


def test_too_many_changes_tell_their_settings(con: duckdb.DuckDBPyConnection) -> None:
    move(con, *range(10, 110))
    limits = GateLimits(churn_stop=0.03)
    message = churn(con, limits).message
    assert message.startswith("100 of 1000 identifiers changed their OneID on 2026-01-10, at most ")
    assert message.endswith(f"Settings: churn_warn = 0.001 (the default), churn_stop = 0.03; {limits.place}")


def test_a_retailer_sets_how_many_identifiers_may_change(con: duckdb.DuckDBPyConnection) -> None:
    move(con, *range(40))
    changed = churn(con, GateLimits()).observed
    assert not churn(con, GateLimits()).passed
    loose = churn(con, GateLimits(churn_warn=1.0, churn_stop=1.0))
    assert (loose.passed, loose.observed) == (True, changed)
    strict = churn(con, GateLimits(churn_warn=0.0, churn_stop=0.0))
    assert (strict.passed, strict.severity) == (False, "error")
