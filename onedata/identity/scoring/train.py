"""Train the model on the data: u from random pairs, m from deterministic ids if there are enough, else the defaults."""

from collections.abc import Mapping

import duckdb

from onedata.identity.scoring.comparisons import COMPARISONS, Comparison, Level
from onedata.identity.scoring.engine import linker, trained
from onedata.identity.scoring.model import Model, Weights
from onedata.identity.scoring.prepare import PREPARED, prepare

SEED = 20260105
RANDOM_PAIRS = 500_000
PARTNERS = 1.0
"""Pairs of one person expected for each profile, before anything is known."""
RESOLVABLE = 20.0
"""Some random pairs belong to one person, about 2 / profiles of them: a share below ten times that may come from them
and not from chance."""
ENOUGH_LABELLED_PAIRS = 1_000
LABEL_MADE_BY = frozenset({"email", "phone"})
"""Columns that deterministic ids come from: pairs with an id share them by construction, so m of such pairs says
nothing about the pairs to score."""
SHIPPED_COUNTS_AS = 200
"""Number of labelled pairs as which the default m counts, so that a level without labelled pairs stays possible."""

Shares = Mapping[str, list[float]]


def train(con: duckdb.DuckDBPyConnection, profiles: str, labels: str | None = None) -> Model:
    """A model for the profiles; it holds numbers only.

    Args:
        con: May read raw values. They stay in temporary tables, dropped at the end.
        profiles: Relation of profiles: profile_id and any of `prepare.PROFILE_COLUMNS`.
        labels: Relation (profile_id, oneid): the deterministic id of some profiles. m is learned from persons with
            several profiles, so these are profiles of single accounts and not golden ones.

    Raises:
        ProfileError: the profiles have no unique profile_id.
    """
    count = prepare(con, profiles)
    prior = min(0.5, 2 * PARTNERS / max(count - 1, 1))
    if labels:
        con.execute(
            f"create or replace temp table {PREPARED} as select p.*, l.oneid from {PREPARED} p "
            f"left join {labels} l using (profile_id)"
        )
    random = _random_shares(con, prior) if count > RESOLVABLE else {}
    pairs, labelled = _labelled_shares(con, prior) if labels else (0, {})
    con.execute(f"drop table {PREPARED}")
    floor = RESOLVABLE * PARTNERS / max(count, 1)
    levels = {}
    for comparison in COMPARISONS:
        us = random.get(comparison.name, [0.0] * len(comparison.levels))
        ms = labelled.get(comparison.name)
        levels[comparison.name] = tuple(
            Weights(
                (pairs * ms[place] + SHIPPED_COUNTS_AS * level.m) / (pairs + SHIPPED_COUNTS_AS)
                if ms and sum(ms) > 0
                else level.m,
                us[place] if us[place] > floor else level.u,
            )
            for place, level in enumerate(comparison.levels)
        )
    return Model(levels, prior, pairs)


def _untrained(_comparison: Comparison, _level: Level) -> None:
    return None


def _random_shares(con: duckdb.DuckDBPyConnection, prior: float) -> Shares:
    """The share of random pairs in each level; 0 if none was seen."""
    with linker(con, PREPARED, _untrained, prior) as untrained:
        # One chunk and no early end: the same pairs whatever the number of threads.
        untrained.training.estimate_u_using_random_sampling(
            max_pairs=RANDOM_PAIRS, seed=SEED, min_count_per_level=None, num_chunks=1
        )
        return {name: [u or 0.0 for _, u in levels] for name, levels in trained(untrained).items()}


def _labelled_shares(con: duckdb.DuckDBPyConnection, prior: float) -> tuple[int, Shares]:
    """Number of pairs of profiles with the same id, and their share in each level; no shares if there are too few."""
    row = con.execute(
        f"select coalesce(sum(n * (n - 1) // 2), 0)::bigint from (select count(*) as n from {PREPARED} "
        "where oneid is not null group by oneid)"
    ).fetchone()
    assert row is not None
    if row[0] < ENOUGH_LABELLED_PAIRS:
        return 0, {}
    with linker(con, PREPARED, _untrained, prior) as untrained:
        untrained.training.estimate_m_from_label_column("oneid")
        found = trained(untrained)
    return row[0], {name: [m or 0.0 for m, _ in levels] for name, levels in found.items() if name not in LABEL_MADE_BY}
