"""The review queue: pairs of profiles whose score is too low to link and too high to ignore."""

from collections.abc import Sequence
from dataclasses import dataclass

import duckdb

QUEUE = """
with today as (select id_int, identity_key, oneid from oneid.oneid_map where valid_to is null),
decided as (
    select a.oneid as one, b.oneid as other from oneid.decision d join today a on a.identity_key = d.key_a join today b
        on b.identity_key = d.key_b
    where d.reverted_at is null
)
select a.identity_key as key_a, a.oneid as oneid_a, b.identity_key as key_b, b.oneid as oneid_b, e.weight, e.explanation
from oneid.prob_edge e join today a on a.id_int = e.profile_a join today b on b.id_int = e.profile_b
where e.band = 'review' and a.oneid <> b.oneid and (a.oneid, b.oneid) not in (select (one, other) from decided)
and (b.oneid, a.oneid) not in (select (one, other) from decided)
"""
"""SQL of the queue. Grain: one pair of profiles of two persons without a standing decision."""


@dataclass(frozen=True)
class Waiting:
    """One pair: a strong identifier of each profile, their OneIDs, the match weight (log2 of the odds) and its parts
    (JSON)."""

    key_a: str
    oneid_a: str
    key_b: str
    oneid_b: str
    weight: float
    explanation: str | None


def queue(con: duckdb.DuckDBPyConnection, limit: int) -> tuple[list[Waiting], int]:
    """The likeliest pairs, and the total number."""
    rows = con.execute(
        f"select *, count(*) over () from ({QUEUE}) order by weight desc, key_a, key_b limit ?", [limit]
    ).fetchall()
    return [Waiting(*row[:-1]) for row in rows], rows[0][-1] if rows else 0


def save_queue(con: duckdb.DuckDBPyConnection) -> int:
    """Write the queue into `oneid.review`, likeliest first, with the commands that decide a pair.

    Returns:
        Number of waiting pairs.
    """
    con.execute(
        f"""
        create or replace table oneid.review as
        select row_number() over (order by weight desc, key_a, key_b) as place, *,
               'onedata identity merge ''' || key_a || ''' ''' || key_b || ''' --reason ''...''' as to_merge,
               'onedata identity split ''' || key_a || ''' ''' || key_b || ''' --reason ''...''' as to_keep_apart
        from ({QUEUE}) order by place;
        comment on table oneid.review is
            'Pairs of profiles that may be one person and wait for a decision; rewritten each night.';
        comment on column oneid.review.weight is 'Match weight: log2 of the odds that they are one person.';
        comment on column oneid.review.explanation is 'What the weight is made of.';
        """
    )
    row = con.execute("select count(*) from oneid.review").fetchone()
    assert row is not None
    return int(row[0])


def score_distribution(con: duckdb.DuckDBPyConnection) -> tuple[list[str], dict[str, list[int]]]:
    """Integer match weights in order, and for each band the number of scored pairs."""
    rows = con.execute("select floor(weight)::integer, band, count(*) from oneid.prob_edge group by all").fetchall()
    weights = list(range(min(row[0] for row in rows), max(row[0] for row in rows) + 1)) if rows else []
    counts = {(weight, band): count for weight, band, count in rows}
    bands = ["link", "review", *sorted({row[1] for row in rows} - {"link", "review"})]
    return [str(weight) for weight in weights], {
        band: [counts.get((weight, band), 0) for weight in weights] for band in bands
    }


def size_distribution(con: duckdb.DuckDBPyConnection, most: int = 25) -> tuple[list[str], dict[str, list[int]]]:
    """Numbers of identifiers in order (the last includes all larger ones), and the number of persons with each."""
    counts = dict(
        con.execute(
            "select least(identifier_count, ?) as size, count(*) from oneid.person group by size", [most]
        ).fetchall()
    )
    sizes = range(1, max(counts, default=0) + 1)
    return [f"{size}+" if size == most else str(size) for size in sizes], {
        "persons": [counts.get(size, 0) for size in sizes]
    }


def largest_persons(con: duckdb.DuckDBPyConnection, limit: int = 10) -> Sequence[tuple[str, int, str]]:
    """OneID, number of identifiers, and how many of each kind."""
    return con.execute(
        """
        with largest as (from oneid.person order by identifier_count desc, oneid limit ?), kind as (
            select m.oneid, split_part(m.identity_key, ':', 1) as type, count(*) as n from oneid.oneid_map m
            semi join largest l on l.oneid = m.oneid where m.valid_to is null group by all
        )
        select oneid, identifier_count, string_agg(n || ' ' || type, ', ' order by n desc, type) from largest
            join kind using (oneid)
        group by all order by identifier_count desc, oneid
        """,
        [limit],
    ).fetchall()


def shared_by_kind(con: duckdb.DuckDBPyConnection) -> Sequence[tuple[str, int, int, float]]:
    """Kind, identifiers, how many are shared, and their share in percent."""
    return con.execute(
        "select type, count(*), count(*) filter (status = 'shared') as shared, round(100 * shared / count(*), 2) "
        "from oneid.identifier group by type order by shared desc, type"
    ).fetchall()
