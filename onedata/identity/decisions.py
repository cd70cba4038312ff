"""Decisions of operators about persons: merge, split, block. Reversible, and kept through every rebuild."""

from dataclasses import dataclass
from datetime import date
from typing import Literal

import duckdb

from onedata.errors import OnedataError
from onedata.ledger import tick

Kind = Literal["merge", "split", "block"]
WAITING = """
select d.* from oneid.decision d left join oneid.decision_applied a using (decision_id)
where a.is_reverted is distinct from (d.reverted_at is not null) and (d.reverted_at is null
    or a.decision_id is not null)
"""
"""SQL of the decisions made or reverted since the last run; one that was reverted before any run saw it has no
effect."""


class DecisionError(OnedataError):
    """A decision that cannot be made; the text says why, and the fix."""


@dataclass(frozen=True)
class Decision:
    """One decision as it is stored."""

    decision_id: int
    kind: Kind
    key_a: str
    key_b: str | None
    reason: str
    decided_by: str


def decide_by_hand(
    con: duckdb.DuckDBPyConnection, kind: Kind, key_a: str, key_b: str | None, reason: str, decided_by: str
) -> Decision:
    """Store a decision; the next run applies it.

    Raises:
        DecisionError: an identifier is unknown, the two are the same, or a standing decision says the opposite or the
            same.
    """
    keys = [key for key in (key_a, key_b) if key]
    known = {
        key
        for (key,) in con.execute(
            "select identity_key from oneid.identifier where list_contains(?, identity_key)", [keys]
        ).fetchall()
    }
    unknown = [key for key in keys if key not in known]
    if unknown:
        raise DecisionError(
            f"no identifier {', '.join(unknown)}; an identifier is written type:value or account:system:value, e-mails "
            "and phones as typed"
        )
    if key_a == key_b:
        raise DecisionError(f"{key_a} is given twice: {kind} needs two identifiers")
    if key_b is not None:
        key_a, key_b = sorted((key_a, key_b))
    standing = con.execute(
        "select decision_id, kind from oneid.decision where reverted_at is null and key_a = ? "
        "and key_b is not distinct from ?",
        [key_a, key_b],
    ).fetchone()
    if standing:
        raise DecisionError(
            f"decision {standing[0]} ({standing[1]}) stands on the same identifiers; take it back first: onedata "
            f"identity revert {standing[0]}"
        )
    number = "(select coalesce(max(decision_id), 0) + 1 from oneid.decision)"
    row = con.execute(
        f"insert into oneid.decision select {number}, ?, ?, ?, ?, ?, ?, null returning decision_id",
        [kind, key_a, key_b, reason, decided_by, tick(con)],
    ).fetchone()
    assert row is not None
    return Decision(row[0], kind, key_a, key_b, reason, decided_by)


def revert(con: duckdb.DuckDBPyConnection, decision_id: int) -> None:
    """Revert a decision; the next run undoes its effect.

    Raises:
        DecisionError: there is no such decision, or it is already reverted.
    """
    found = con.execute(
        "update oneid.decision set reverted_at = ? where decision_id = ? and reverted_at is null returning decision_id",
        [tick(con), decision_id],
    ).fetchone()
    if found is None:
        raise DecisionError(f"no standing decision {decision_id}; onedata identity decisions lists them")


def night_to_repeat(con: duckdb.DuckDBPyConnection) -> date | None:
    """The published night that must be built again because decisions wait or OneID has changed since; None if
    everything is published."""
    row = con.execute(
        f"select max(night) from ops.night having exists (from ({WAITING})) "
        "or max(finished_at) < (select max(started_at) from oneid.run)"
    ).fetchone()
    return row[0] if row else None


def touch_decisions(con: duckdb.DuckDBPyConnection) -> None:
    """Add to `touched` the identifiers of decisions made or reverted since the last run, and all that evidence connects
    to them.

    A blocked identifier is in no component: its former neighbours are found from the evidence itself.
    """
    con.execute(
        f"""
        create or replace temp table decided_key as
        select unnest([key_a, key_b]) as identity_key from ({WAITING});
        create or replace temp table decided_id as select id_int from oneid.identifier
            where identity_key in (from decided_key);
        update oneid.identifier set status = 'ok' where id_int in (from decided_id) and status = 'blocked';
        insert into touched from decided_id;
        insert into touched select unnest([a, b]) from oneid.identity_edge where a in (from decided_id)
            or b in (from decided_id);
        insert into touched select unnest([profile_a, profile_b]) from oneid.prob_edge
            where profile_a in (from decided_id) or profile_b in (from decided_id);
        insert into touched select i.id_int from oneid.decision d join oneid.identifier i
            on i.identity_key in (d.key_a, d.key_b)
        where d.reverted_at is null and (d.key_a in (from decided_key) or d.key_b in (from decided_key));
        drop table decided_id;
        """
    )


def mark_decisions(con: duckdb.DuckDBPyConnection) -> None:
    """Mark every decision as processed."""
    con.execute(
        """
        delete from oneid.decision_applied;
        insert into oneid.decision_applied select decision_id, reverted_at is not null from oneid.decision;
        drop table decided_key;
        """
    )
