"""The review queue: pairs of profiles that score too little to be linked and too much to be left, until somebody decides."""

from dataclasses import dataclass

import duckdb

QUEUE = """
with today as (select id_int, identity_key, oneid from oneid.oneid_map where valid_to is null),
decided as (
    select a.oneid as one, b.oneid as other from oneid.decision d join today a on a.identity_key = d.key_a join today b on b.identity_key = d.key_b
    where d.reverted_at is null
)
select a.identity_key as key_a, a.oneid as oneid_a, b.identity_key as key_b, b.oneid as oneid_b, e.weight, e.explanation
from oneid.prob_edge e join today a on a.id_int = e.profile_a join today b on b.id_int = e.profile_b
where e.band = 'review' and a.oneid <> b.oneid and (a.oneid, b.oneid) not in (select (one, other) from decided)
and (b.oneid, a.oneid) not in (select (one, other) from decided)
"""
"""SQL of the queue. Grain: one pair of profiles of two persons on whom no standing decision was taken."""


@dataclass(frozen=True)
class Waiting:
    """One pair: a strong identifier of each profile, the OneIDs they have, the match weight (log2 of the odds) and what it is made of (JSON)."""

    key_a: str
    oneid_a: str
    key_b: str
    oneid_b: str
    weight: float
    explanation: str | None


def queue(con: duckdb.DuckDBPyConnection, limit: int) -> tuple[list[Waiting], int]:
    """The pairs that are likeliest one person, and how many there are in all."""
    rows = con.execute(f"select *, count(*) over () from ({QUEUE}) order by weight desc, key_a, key_b limit ?", [limit]).fetchall()
    return [Waiting(*row[:-1]) for row in rows], rows[0][-1] if rows else 0
