"""Score candidate pairs: weight, veto and explanation."""

import duckdb

from onedata.identity.scoring.comparisons import COMPARISONS, Comparison, Level
from onedata.identity.scoring.engine import linker
from onedata.identity.scoring.model import LINK_WEIGHT, REVIEW_WEIGHT, Model, Weights
from onedata.identity.scoring.pairs import PAIRS, find_pairs
from onedata.identity.scoring.prepare import PREPARED, prepare
from onedata.identity.scoring.veto import CONFIRMED, LINKABLE, VETO

EDGES = "prob_edge"
TYPICAL_COUNTS_AS = 2_000
"""Number of profiles as which the level's usual frequency counts in a value's own frequency: in few profiles a value's
count is mostly chance and its own duplicates."""


def score(
    con: duckdb.DuckDBPyConnection,
    model: Model,
    profiles: str,
    changed: str | None = None,
    least_weight: float = REVIEW_WEIGHT,
) -> int:
    """Fill the temporary table `prob_edge`: one row per pair of profiles that may be one person's. Returns the number
    of rows.

    Columns: profile_a < profile_b; weight (log2 of the odds that they are one person's); veto (why the pair must not be
    linked, or null); band (link or review, by weight; a pair that is vetoed or agrees only in what households share is
    never linked); confirmed (given name or birth date agrees); explanation (JSON: the level of each comparison and its
    contribution to the weight, 'before' being the prior weight; no personal value).

    Args:
        con: May read raw values. They stay in temporary tables, dropped at the end.
        model: From `train`.
        profiles: Relation of profiles: profile_id and any of `prepare.PROFILE_COLUMNS`.
        changed: Relation with a column profile_id: only pairs with at least one of them. None: all pairs.
        least_weight: Pairs below this weight are omitted.

    Raises:
        ProfileError: the profiles have no unique profile_id.
    """
    score_prepared(con, model, prepare(con, profiles), changed, least_weight)
    con.execute(f"drop table {PREPARED}")
    row = con.execute(f"select count(*) from {EDGES}").fetchone()
    assert row is not None
    return int(row[0])


def score_prepared(
    con: duckdb.DuckDBPyConnection, model: Model, profiles: int, changed: str | None, least_weight: float
) -> None:
    """Like `score`, for the profiles in `prepare`'s table, which is kept."""
    find_pairs(con, profiles, changed)

    def weights(comparison: Comparison, level: Level) -> Weights:
        return model.levels[comparison.name][comparison.levels.index(level)]

    with linker(con, PREPARED, weights, model.prior, explained=True) as splink:
        api = splink._db_api
        splink.table_management.register_blocked_pairs_for_predict(api.register(PAIRS))
        frequencies = _frequency_tables(con, model)
        for column, table in frequencies.items():
            splink.table_management.register_term_frequency_lookup(api.register(table), column)
        predicted = splink.inference.predict(threshold_match_weight=least_weight, warning_mode="never").physical_name
        con.execute(
            f"create or replace temp table {EDGES} as select profile_id_l as profile_a, profile_id_r as profile_b, "
            f"match_weight as weight, {VETO} as veto, "
            f"case when weight >= {LINK_WEIGHT} and {LINKABLE} and veto is null then 'link' else 'review' end as band, "
            f"{CONFIRMED} as confirmed, {_explanation_sql(model)} as explanation from {predicted}"
        )
    for table in (PAIRS, *frequencies.values()):
        con.execute(f"drop table {table}")


def _frequency_tables(con: duckdb.DuckDBPyConnection, model: Model) -> dict[str, str]:
    """A table of the frequency of each value, for each column whose rare values count more."""
    tables = {}
    for comparison in COMPARISONS:
        for place, level in enumerate(comparison.levels):
            if level.frequency_of is None:
                continue
            column, table, usual = (
                level.frequency_of,
                f"scoring_frequency_{level.frequency_of}",
                model.levels[comparison.name][place].u,
            )
            con.execute(
                f"create or replace temp table {table} as "
                f"with counted as (select {column}, count(*) as n from {PREPARED} where {column} is not null "
                f"group by all) select {column}, (n + {TYPICAL_COUNTS_AS * usual}) / (sum(n) "
                f"over () + {TYPICAL_COUNTS_AS}) as tf_{column} from counted"
            )
            tables[column] = table
    return tables


def _explanation_sql(model: Model) -> str:
    """JSON of each comparison with values on both sides, and the prior weight."""
    parts = []
    for comparison in COMPARISONS:
        gamma, weight = f"gamma_{comparison.name}", f"mw_{comparison.name}"
        if any(level.frequency_of for level in comparison.levels):
            weight += f" + mw_tf_adj_{comparison.name}"
        # Splink numbers the levels from the last, 0, to the first; -1 is missing.
        labels = ", ".join("'" + level.label.replace("'", "''") + "'" for level in reversed(comparison.levels))
        parts.append(
            f"{comparison.name} := case when {gamma} >= 0 then struct_pack(level := [{labels}][{gamma} + 1], weight := "
            f"round({weight}, 2)) end"
        )
    return f"to_json(struct_pack(before := {round(model.prior_weight, 2)}, {', '.join(parts)}))::varchar"
