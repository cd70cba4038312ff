"""The gate after OneID: one person per identifier, consistent versions, no id issued twice, no oversized person, stable
ids, and trends.

Limits: GateLimits of the settings, reasons in docs/reference/identity.md. The gate reads only tables of the schema
`oneid` and judges the last run, whatever its night.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from math import sqrt

import duckdb

from onedata.contracts.identifiers import IdentifierPolicy
from onedata.contracts.model import Rule, Severity
from onedata.contracts.words import bound
from onedata.quality.gx import Gatekeeper
from onedata.quality.results import CheckResult
from onedata.quality.trends import FEWEST_NIGHTS, FEWEST_ROWS, TRAILING_DAYS
from onedata.settings import GateLimits
from onedata.sql import quote_text

STAGE = "oneid"
CURRENT = "(select * from oneid.oneid_map where valid_to is null)"
# A device gets a new cookie whenever its owner clears them: many cookies say nothing about a person.
MACHINES = "('cookie', 'device')"
TRENDS = {
    "matched_share": "share of identifiers of each kind whose person has others, compared with the nights before",
    "shared_share": "share of identifiers of each kind that are shared, compared with the nights before",
    "bridged_share": "share of identifiers joined to their person by a weak one, compared with the nights before",
}


def _nothing(name: str, query: str, description: str, most: int = 0, severity: str = "error") -> Rule:
    return Rule(
        name, "sql", (), {"query": query}, 0, most, "warning" if severity == "warning" else "error", description
    )


def _many(kinds: str, most: int) -> str:
    return (
        "select oneid, count(*) as identifiers from {object} "
        f"where split_part(identity_key, ':', 1) {kinds} {MACHINES} group by oneid having count(*) > {most}"
    )


MAP_RULES = (
    Rule(
        "identifier_has_one_person",
        "duplicateValues",
        ("identity_key",),
        {},
        0,
        0,
        description="every identifier belongs to one person",
    ),
    _nothing(
        "versions_do_not_overlap",
        "select identity_key, valid_from, valid_to, next_from from (select *, lead(valid_from) "
        "over (partition by id_int order by valid_from) as next_from "
        "from oneid.oneid_map where id_int in (select id_int from oneid.oneid_map where valid_to is not null)) "
        "where valid_to <= valid_from or next_from < coalesce(valid_to, date '9999-12-31')",
        "versions of one identifier do not overlap",
    ),
    _nothing(
        "oneid_issued_once",
        "select oneid, count(*) as times from oneid.issued group by oneid having count(*) > 1",
        "no OneID is issued twice",
    ),
    _nothing(
        "oneid_was_issued",
        "select distinct oneid from {object} where oneid not in (select oneid from oneid.issued)",
        "every OneID was issued",
    ),
)
PERSON_RULES = (
    Rule("person_once", "duplicateValues", ("oneid",), {}, 0, 0, description="a person stands once"),
    _nothing(
        "persons_are_those_of_the_map",
        "select oneid, p.identifier_count, m.identifiers from {object} p full join (select oneid, "
        f"count(*) as identifiers from {CURRENT} group by oneid) m using (oneid) where p.identifier_count is distinct "
        "from m.identifiers",
        "persons and their numbers of identifiers match the map",
    ),
)
HOUSEHOLD_RULES = (
    Rule(
        "person_has_one_household",
        "duplicateValues",
        ("oneid",),
        {},
        0,
        0,
        description="a person lives in one household",
    ),
    _nothing(
        "person_has_a_household",
        "select oneid, h.household_id from oneid.person p full join {object} h using (oneid) where p.oneid is null "
        "or h.oneid is null",
        "every person has a household, and only persons have one",
    ),
)


def oneid_gate(
    con: duckdb.DuckDBPyConnection,
    gatekeeper: Gatekeeper,
    policy: IdentifierPolicy,
    limits: GateLimits,
    most_members: int,
) -> dict[str, list[CheckResult]]:
    """The results by table: oneid_map, person, household_map; no household may have more than `most_members`
    persons."""
    nameless = ", ".join(
        quote_text(name) for name in ("", *(kind.name for kind in policy.types.values() if kind.links == "never"))
    )
    has_a_person = _nothing(
        "usable_identifier_has_a_person",
        f"select identity_key, status from oneid.identifier where if(status = 'ok', type not in ({nameless}) "
        "and id_int not in (select id_int from {object}), id_int in (select id_int from {object}))",
        "every usable identifier has a person, and no shared or blocked one has",
    )
    sizes = (
        _nothing(
            "person_not_too_large",
            _many("not in", limits.most_identifiers),
            f"no person has more than {limits.most_identifiers} identifiers besides browsers and devices",
        ),
        _nothing(
            "browsers_not_too_many",
            _many("in", limits.most_browsers),
            f"no person has more than {limits.most_browsers} browsers and devices",
            severity="warning",
        ),
    )
    persons = _number(con, "select count(*) from oneid.person")
    # At least one: in a small retailer one customer with three accounts is no sign of a mistake.
    many = max(1, int(persons * limits.many_accounts_warn))
    accounts = (
        f"select oneid, split_part(identity_key, ':', 2) as system, count(*) as accounts from {CURRENT} "
        f"where starts_with(identity_key, 'account:') group by all having count(*) > {limits.most_accounts}"
    )
    words = "at most {:.1%} of the persons have more than " + f"{limits.most_accounts} accounts of one system"
    # Some shops create an account for every order, so regular customers have many: only far more than usual is wrong.
    person_rules = (
        *PERSON_RULES,
        _nothing("accounts_within_limit", accounts, words.format(limits.many_accounts_warn), many, "warning"),
        _nothing(
            "accounts_not_far_over_limit",
            accounts,
            words.format(limits.many_accounts_stop),
            max(1, int(persons * limits.many_accounts_stop)),
        ),
    )
    too_large = _nothing(
        "household_not_too_large",
        "select household_id, count(*) as persons from {object} group by household_id "
        f"having count(*) > {most_members}",
        f"no household has more than {most_members} persons",
    )
    households = "(select * from oneid.household_map where valid_to is null)"
    settings = {
        "person_not_too_large": limits.told("most_identifiers"),
        "browsers_not_too_many": limits.told("most_browsers"),
        "accounts_within_limit": limits.told("most_accounts", "many_accounts_warn"),
        "accounts_not_far_over_limit": limits.told("most_accounts", "many_accounts_stop"),
    }
    return {
        "oneid_map": [
            *_measured(
                gatekeeper.check(STAGE, "oneid_map", CURRENT, (*MAP_RULES, *sizes, has_a_person)), settings, persons
            ),
            churn(con, limits),
            *trends(con),
        ],
        "person": _measured(gatekeeper.check(STAGE, "person", "oneid.person", person_rules), settings, persons),
        "household_map": gatekeeper.check(STAGE, "household_map", households, (*HOUSEHOLD_RULES, too_large)),
    }


def _measured(results: Sequence[CheckResult], settings: Mapping[str, str], persons: int) -> list[CheckResult]:
    """The results; the message of a broken limit starts with what was measured and ends with its settings."""
    return [
        result
        if result.passed or result.rule not in settings
        else replace(
            result,
            message=f"{result.observed} of {persons} persons ({int(result.observed) / max(persons, 1):.1%}); "
            f"{result.message}. {settings[result.rule]}",
        )
        for result in results
    ]


def churn(con: duckdb.DuckDBPyConnection, limits: GateLimits) -> CheckResult:
    """Number of identifiers of persons known the night before that have another OneID now; changes by operators since
    then do not count.

    Allowed is the limit plus chance: whole persons change, so it is four standard deviations of persons (Poisson). A
    first run has no night before. Above the limit the gate warns, above twenty times the limit it closes. A full run is
    judged like any other: ids must stay. A closed gate stops this night; the next one continues from its ids.
    """
    words = (
        f"at most {limits.churn_warn:.1%} of the identifiers change their OneID in a night, not counting those that "
        "operators decided on"
    )
    night = con.execute(
        "select max(night), max(started_at) filter (night < (select max(night) from oneid.run)) from oneid.run"
    ).fetchone()
    last, before = night or (None, None)
    row = con.execute(
        f"""
        with earlier as (
            -- A phone or card that stood alone and has now found its person has come to be known, not changed.
            select id_int, identity_key, oneid, valid_to from oneid.oneid_map
            where valid_from < $night and (valid_to is null or valid_to >= $night) and rule <> 'orphan'
        ), moved as (
            select e.id_int, e.identity_key, e.oneid as old_oneid, m.oneid as new_oneid from earlier e
                left join {CURRENT} m using (id_int)
            where e.valid_to = $night and m.oneid is distinct from e.oneid
        ), by_hand as (
            select oneid from oneid.oneid_map where (valid_to is null or valid_to = $night) and identity_key in (
                select unnest([key_a, key_b]) from oneid.decision where greatest(decided_at, reverted_at) >= $before
            )
        )
        select count(*), (select count(*) from earlier), (select count(*) / greatest(count(distinct oneid), 1)
            from earlier),
               list(identity_key || ': ' || old_oneid || ' is ' || coalesce(new_oneid, 'nobody')
                   order by identity_key)[1:3]
        from moved where old_oneid not in (from by_hand) and (new_oneid is null or new_oneid not in (from by_hand))
        """,
        {"night": last, "before": before},
    ).fetchone()
    assert row is not None
    changed, known, of_a_person, sample = row
    allowed, most = (
        int(known * share + 4 * sqrt(known * share * of_a_person)) for share in (limits.churn_warn, limits.churn_stop)
    )
    held = changed <= allowed
    severity: Severity = "error" if changed > most else "warning"
    message = (
        words
        if held
        else f"{changed} of {known} identifiers changed their OneID on {last}, at most {allowed} may: "
        f"{'; '.join(sample)}. oneid.oneid_event holds them all; "
        f"undo what is wrong with `onedata identity block` or `split`. {limits.told('churn_warn', 'churn_stop')}"
    )
    return CheckResult(
        STAGE, "oneid_map", "nightly_churn", severity, held, str(changed), message, bound(None, allowed), words
    )


def trends(con: duckdb.DuckDBPyConnection) -> list[CheckResult]:
    """Compare the last run's shares with those of the nights before: median +- 6 robust deviations, at least 2 points
    plus an allowance for chance in small numbers."""
    rows = con.execute(
        f"""
        with last as (select * from oneid.run_metric qualify night = max(night) over () and run_id = max(run_id)
            over (partition by night)),
        usual as (
            select metric, type, median(value) as middle, 6 * 1.4826 * mad(value) as spread, count(*) as nights from (
                from oneid.run_metric where night < (select max(night) from last) and night >= (select max(night)
                    from last) - {TRAILING_DAYS}
                qualify run_id = max(run_id) over (partition by night)
            ) group by all having count(*) >= {FEWEST_NIGHTS}
        )
        select metric, type, value, middle - room, middle + room, nights from (
            select l.*, u.middle, u.nights, greatest(0.02 + 4 * sqrt(u.middle * (1 - u.middle) / l.identifiers),
                u.spread) as room
            from last l join usual u using (metric, type) where l.identifiers >= {FEWEST_ROWS}
        ) order by abs(value - middle) / room desc, type
        """
    ).fetchall()
    return [_trend(metric, [row for row in rows if row[0] == metric]) for metric in TRENDS]


def _trend(metric: str, judged: Sequence[tuple[str, str, float, float, float, int]]) -> CheckResult:
    """`judged`, furthest off first: metric, kind, value, low, high, nights."""
    words, rule = TRENDS[metric], f"trend_{metric}"
    if not judged:
        text = f"fewer than {FEWEST_NIGHTS} nights in the {TRAILING_DAYS} days before: not judged yet"
        return CheckResult(STAGE, "oneid_map", rule, "warning", True, "", text, "", words)
    outside = [row for row in judged if not row[3] <= row[2] <= row[4]]
    said = [
        f"{kind or 'all kinds'}: {value:.1%}, expected {_range(low, high)} after {nights} nights"
        for _, kind, value, low, high, nights in outside
    ]
    _, _, value, low, high, _ = judged[0]
    return CheckResult(
        STAGE,
        "oneid_map",
        rule,
        "warning",
        not outside,
        f"{value:.1%}",
        "; ".join(said) or words,
        _range(low, high),
        words,
    )


def _range(low: float, high: float) -> str:
    return f"{max(0, low):.1%} to {min(1, high):.1%}"


def _number(con: duckdb.DuckDBPyConnection, query: str) -> int:
    row = con.execute(query).fetchone()
    assert row is not None
    return int(row[0])
