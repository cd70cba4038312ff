"""Texts that describe evidence, limits and decisions."""

import json
from collections.abc import Sequence
from datetime import date

import duckdb

from onedata.identity.decisions import WAITING

GUARDS = {
    "degree": "on {night} it was seen with {observed} identifiers of one strong kind, more than the {allowed} allowed: "
    "it is a kiosk's, a shop's or a test value",
    "names": "on {night} it was seen with persons whose given names differ, so it unites none of them",
    "limit": "on {night} uniting by it would have given one person more identifiers of a kind than one may have, and "
    "it was the weakest link",
    "bridge_names": "on {night} it was seen with {observed} persons, some of whose given names differ, so it does not "
    "unite those",
    "bridge_cores": "on {night} it was seen with {observed} persons, and an identifier seen with more than {allowed} "
    "unites none",
    "bridge_limit": "on {night} uniting by it would have given one person more identifiers of a kind than one may have",
    "attach": "on {night} no person had {allowed}% of its observations (the most was {observed}%), so it belongs to "
    "no person",
}
LINKS = {
    "always": "unites the persons it was seen with",
    "unless_names_differ": "unites the persons it was seen with, unless their given names differ",
    "if_names_agree": "unites only persons whose given names agree",
    "never": "unites nobody",
}
BANDS = {
    "link": "sure enough to link",
    "review": "not sure enough to link: it waits for a decision (onedata identity review)",
    "vetoed": "but their {veto} contradicts, whatever else agrees",
}


def seen(feed: str, rows: int, first: date, last: date) -> str:
    """How often and when two identifiers were seen together."""
    days = f"on {first}" if first == last else f"from {first} to {last}"
    return f"seen together on {rows:,} {'row' if rows == 1 else 'rows'} of {feed} {days}"


def score(weight: float, veto: str | None, band: str, explanation: str | None) -> str:
    """A scored pair: its score, the consequence, and the contribution of each attribute."""
    parts = f": {score_parts(explanation)}" if explanation else ""
    return f"their profiles score {weight:.1f} ({odds(weight)}), {BANDS[band].format(veto=veto)}{parts}"


def odds(weight: float) -> str:
    """A match weight, log2 of odds, as a chance."""
    chance = 1 / (1 + 2.0 ** -max(min(weight, 60.0), -60.0))
    return f"{'over 99.9%' if chance > 0.999 else f'{chance:.1%}'} likely one person"


def score_parts(explanation: str) -> str:
    """The parts of a score with their contributions, the largest first."""
    told = json.loads(explanation)
    known = {name: part for name, part in told.items() if isinstance(part, dict)}
    ordered = sorted(known.items(), key=lambda item: -abs(item[1]["weight"]))
    parts = [f"{name} {part['level']} {part['weight']:+.1f}" for name, part in ordered]
    return ", ".join(parts + ([f"prior {told['before']:+.1f}"] if "before" in told else []))


def decision(decision_id: int, kind: str, by: str, on: date, reason: str) -> str:
    """Who decided what, and why."""
    did = {"merge": "made one person", "split": "made two persons", "block": "blocked"}[kind]
    return f"{did} by decision {decision_id} of {by} on {on}: {reason}"


def guards(con: duckdb.DuckDBPyConnection, key: str, rules: Sequence[str] = tuple(GUARDS)) -> list[str]:
    """The last links that a guard forbade for the identifier, one text per rule."""
    rows = con.execute(
        "select rule, max(night), arg_max(observed, night), arg_max(allowed, night) from oneid.guard_audit "
        "where identity_key = ? and list_contains(?, rule) group by rule order by 2 desc, 1",
        [key, list(rules)],
    ).fetchall()
    return [
        GUARDS[rule].format(night=night, observed=f"{observed:,}", allowed=allowed)
        for rule, night, observed, allowed in rows
    ]


def blocked(con: duckdb.DuckDBPyConnection, key: str) -> list[str]:
    """The standing decision that blocks the identifier."""
    rows = con.execute(
        "select decision_id, kind, decided_by, decided_at::date, reason from oneid.decision where kind = 'block' "
        "and reverted_at is null and key_a = ?",
        [key],
    ).fetchall()
    return [decision(*row) for row in rows]


def waiting(con: duckdb.DuckDBPyConnection, keys: Sequence[str]) -> list[str]:
    """Decisions on the identifiers that no run has applied."""
    rows = con.execute(
        f"select decision_id, reverted_at is not null from ({WAITING}) where list_contains($keys, key_a) "
        "or list_contains($keys, key_b) order by decision_id",
        {"keys": list(keys)},
    ).fetchall()
    return [
        f"decision {number} is {'reverted' if back else 'made'} but not applied yet: the next `onedata run` applies it"
        for number, back in rows
    ]


def event(night: date, kind: str, old: str | None, new: str | None, identifiers: int, evidence: str | None) -> str:
    """One line of oneid.oneid_event."""
    many = f"{identifiers:,} {'identifier' if identifiers == 1 else 'identifiers'}"
    text = {
        "mint": f"{new} is new, {many}",
        "merge": f"{old} is {new} from now on, {many}",
        "split": f"{many} of {old} are {new} from now on",
        "retire": f"{old} is retired, {many}",
    }[kind]
    return f"{night} {text}" + (f" ({evidence})" if evidence else "")
