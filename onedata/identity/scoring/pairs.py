"""Blocking: select the pairs of profiles to score.

A profile has a few keys; two profiles with a common key are a pair. A key of more profiles than the limit (a common
name, a hotline's number) is ignored, so the number of pairs grows with the number of profiles, not with its square.
"""

import duckdb

from onedata.identity.scoring.prepare import PREPARED

PAIRS = "scoring_pair"
LEAST_BLOCK, MOST_BLOCK, PAIRS_OF_SMALL_DATA = 20, 1_000, 4_000_000

# Each is SQL of a key, null if it does not apply. The order of the names does not matter, so that swapped names match.
NAMES = "least(given, family) || '|' || greatest(given, family)"
KEYS = (
    NAMES,
    f"{NAMES} || '|' || birth_year",
    f"{NAMES} || '|' || coalesce(postcode, city)",
    "birth || '|' || left(given, 2)",
    "birth || '|' || left(family, 2)",
    "left(given, 3) || '|' || postcode",
    "left(family, 3) || '|' || postcode",
    "left(given, 3) || '|' || left(family, 3) || '|' || city",
    "address_sorted || '|' || coalesce(city, postcode)",
    "mailbox",
)
LOOSE_KEYS = (
    "birth",
    "left(given, 3) || '|' || city",
    "left(family, 3) || '|' || city",
    "left(given, 3) || '|' || birth_year",
    "left(family, 3) || '|' || birth_year",
    "left(mailbox, 5) || '|' || coalesce(birth_year::varchar, left(family, 2), left(given, 2))",
)
"""Finds pairs that the others miss in bad data, at many times the number of pairs: used only for few profiles."""
MOST_FOR_LOOSE_KEYS = 50_000


def block_limit(profiles: int) -> int:
    """Most profiles with one key: 20, and more if there are few profiles."""
    return max(LEAST_BLOCK, min(MOST_BLOCK, PAIRS_OF_SMALL_DATA // max(profiles, 1)))


def find_pairs(con: duckdb.DuckDBPyConnection, profiles: int, changed: str | None = None) -> int:
    """Fill the temporary table `scoring_pair` (join_key_l < join_key_r, match_key: Splink's names); the number of
    pairs.

    Args:
        con: With the temporary table of `prepare`.
        profiles: Number of profiles.
        changed: Relation with a column profile_id; only pairs with at least one of them. None: all pairs.
    """
    used = KEYS + (LOOSE_KEYS if profiles <= MOST_FOR_LOOSE_KEYS else ())
    keys = ", ".join(f"case when {sql} is not null then hash({number}, {sql}) end" for number, sql in enumerate(used))
    listed = (
        f"list_concat([{keys}], list_transform(coalesce(emails, []), lambda v: hash('email', v)), "
        "list_transform(coalesce(phones, []), lambda v: hash('phone', v)))"
    )
    every = (
        f"select profile_id, key from (select profile_id, unnest({listed}) as key from {PREPARED}) "
        "where key is not null"
    )
    if changed:
        of_changed = f"select unnest({listed}) as key from {PREPARED} semi join {changed} using (profile_id)"
        every = f"select * from ({every}) semi join ({of_changed}) using (key)"
    con.execute(f"create or replace temp table scoring_key as {every}")
    con.execute(
        "create or replace temp table scoring_block as select k.profile_id, k.key, "
        f"{'c.profile_id is not null' if changed else 'true'} as changed "
        "from scoring_key k semi join "
        f"(select key from scoring_key group by key having count(*) between 2 and {block_limit(profiles)}) using (key)"
        + (f" left join (select distinct profile_id from {changed}) c using (profile_id)" if changed else "")
    )
    con.execute(
        f"create or replace temp table {PAIRS} as select distinct a.profile_id as join_key_l, b.profile_id "
        "as join_key_r, '0' as match_key from scoring_block a join scoring_block b on a.key = b.key "
        "and a.profile_id < b.profile_id where a.changed or b.changed"
    )
    con.execute("drop table scoring_key; drop table scoring_block")
    row = con.execute(f"select count(*) from {PAIRS}").fetchone()
    assert row is not None
    return int(row[0])
