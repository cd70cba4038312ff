"""Why two identifiers are not one person: what separates them on the path of evidence between them. Read-only, except
for temp tables."""

from dataclasses import dataclass

import duckdb

from onedata.contracts.identifiers import IdentifierPolicy
from onedata.identity import words
from onedata.identity.explain import Step
from onedata.identity.locate import Located

MOST_STEPS = 8
"""Most persons and ownerless identifiers between the two; a longer path is not searched."""


@dataclass(frozen=True)
class Parted:
    """Two identifiers that are not one person.

    Each of `crossings` is a pair of identifiers on the path that are not one person either: how they were seen
    together, then why that did not unite them. It is empty if no evidence connects the two. `scores` are of profiles of
    the two persons.
    """

    crossings: tuple[Step, ...]
    decisions: tuple[str, ...]
    scores: tuple[str, ...]
    notes: tuple[str, ...]


def why_not(con: duckdb.DuckDBPyConnection, policy: IdentifierPolicy, a: Located, b: Located) -> Parted | None:
    """What separates `a` and `b`; None if they are one person.

    The path crosses as few persons as possible; within a person everything is united. Cost: one pass over all evidence
    per step.
    """
    if a.key == b.key or (a.oneid is not None and a.oneid == b.oneid):
        return None
    pairs = _crossings(con, a.id_int, b.id_int)
    splits = tuple(_splits(con, a, b))
    told: set[str] = set()
    crossings = tuple(
        Step(one, other, (*_together(con, one, other), *_reasons(con, policy, one, other, told)))
        for one, other in pairs
    )
    return Parted(crossings, splits, tuple(_scores(con, a, b)), tuple(words.waiting(con, [a.key, b.key])))


def _crossings(con: duckdb.DuckDBPyConnection, a: int, b: int) -> list[tuple[str, str]]:
    """The pairs of identifiers at which a shortest path from `a` to `b` crosses from one person, or shared identifier,
    to the next."""
    con.execute(
        "create or replace temp table way_map as select i.id_int, coalesce(m.oneid, i.identity_key) as whose "
        "from oneid.identifier i left join (select id_int, oneid from oneid.oneid_map "
        "where valid_to is null) m using (id_int)"
    )
    con.execute("create or replace temp table way (whose varchar, step integer, before integer, entry integer)")
    con.execute("insert into way select whose, 0, null, id_int from way_map where id_int = ?", [a])
    target = con.execute("select whose from way_map where id_int = ?", [b]).fetchone()
    assert target is not None
    for step in range(1, MOST_STEPS + 1):
        found = con.execute(
            """
            insert into way
            select m.whose, $step, arg_min(e.before, (e.before, e.entry)), arg_min(e.entry, (e.before, e.entry)) from (
                select unnest([a, b]) as before, unnest([b, a]) as entry from oneid.identity_edge
            ) e semi join (select id_int from way_map join way using (whose) where step = $step - 1) f
                on f.id_int = e.before
            join way_map m on m.id_int = e.entry anti join way w on w.whose = m.whose group by m.whose
            returning whose
            """,
            {"step": step},
        ).fetchall()
        if not found or target in found:
            break
    pairs = con.execute(
        """
        with recursive back as (
            select before, entry from way where whose = $target
            union all
            select w.before, w.entry from back join way_map m on m.id_int = back.before join way w on w.whose = m.whose
                where w.before is not null
        )
        select a.identity_key, b.identity_key from back join oneid.identifier a on a.id_int = back.before
            join oneid.identifier b on b.id_int = back.entry
        join way_map m on m.id_int = back.entry join way w on w.whose = m.whose order by w.step
        """,
        {"target": target[0]},
    ).fetchall()
    con.execute("drop table way_map; drop table way")
    return pairs


def _together(con: duckdb.DuckDBPyConnection, one: str, other: str) -> list[str]:
    rows = con.execute(
        "select source, n_obs, e.first_seen, e.last_seen from oneid.identity_edge e join oneid.identifier a "
        "on a.id_int = e.a join oneid.identifier b on b.id_int = e.b where (a.identity_key, b.identity_key) in (($one, "
        "$other), ($other, $one)) order by n_obs desc, source",
        {"one": one, "other": other},
    ).fetchall()
    return [words.seen(*row) for row in rows]


def _reasons(
    con: duckdb.DuckDBPyConnection, policy: IdentifierPolicy, one: str, other: str, told: set[str]
) -> list[str]:
    """Why being seen together did not unite the two; once per identifier."""
    rows = con.execute(
        "select i.identity_key, i.type, i.status, m.oneid from oneid.identifier i left join (select * "
        "from oneid.oneid_map where valid_to is null) m "
        "using (id_int) where i.identity_key in (?, ?) order by i.identity_key",
        [one, other],
    ).fetchall()
    reasons = []
    for key, kind, status, oneid in rows:
        found = [f"{key} {text}" for text in words.blocked(con, key)]
        if status == "shared":
            found.append(f"{key} is shared, it unites nobody: " + "; ".join(words.guards(con, key)))
        elif status == "ok":
            found += [
                f"{key}: {text}"
                for text in words.guards(con, key, ("names", "limit", "bridge_names", "bridge_cores", "bridge_limit"))
            ]
            if kind not in policy.strong:
                found.append(f"{key} belongs to {oneid}; a {kind} {words.LINKS[policy.types[kind].links]}")
        reasons += [text for text in found if text not in told]
        told.update(found)
    return reasons


def _splits(con: duckdb.DuckDBPyConnection, a: Located, b: Located) -> list[str]:
    """Standing decisions that split the two persons."""
    rows = con.execute(
        "with mine as (select identity_key from oneid.oneid_map where valid_to is null and oneid = $a union "
        "select $key_a), theirs as (select identity_key from oneid.oneid_map where valid_to is null and oneid = $b "
        "union select $key_b) "
        "select key_a, key_b, decision_id, kind, decided_by, decided_at::date, reason from oneid.decision "
        "where kind = 'split' and reverted_at is null "
        "and ((key_a in (from mine) and key_b in (from theirs)) or (key_a in (from theirs) and key_b in (from mine))) "
        "order by decision_id",
        {"a": a.oneid, "b": b.oneid, "key_a": a.key, "key_b": b.key},
    ).fetchall()
    return [f"{one} and {other}: {words.decision(*row)}" for one, other, *row in rows]


def _scores(con: duckdb.DuckDBPyConnection, a: Located, b: Located) -> list[str]:
    """Scores of the two persons' profiles."""
    if a.oneid is None or b.oneid is None:
        return []
    rows = con.execute(
        "select i.identity_key, j.identity_key, weight, veto, band, explanation from oneid.prob_edge e "
        "join (select id_int, identity_key, oneid from oneid.oneid_map where valid_to is null) i "
        "on i.id_int = e.profile_a join (select id_int, identity_key, oneid from oneid.oneid_map "
        "where valid_to is null) j on j.id_int = e.profile_b "
        "where (i.oneid, j.oneid) in (($a, $b), ($b, $a)) order by weight desc",
        {"a": a.oneid, "b": b.oneid},
    ).fetchall()
    return [f"{one} and {other}: {words.score(*row)}" for one, other, *row in rows]
