"""Cost of scoring: training and scoring on synthetic profiles, some of them duplicated."""

from dataclasses import dataclass
from pathlib import Path

import duckdb
from measure import Cost, measured

from onedata.identity.scoring.score import score
from onedata.identity.scoring.train import train

# Names of three syllables and cities have few distinct values shared by many, as real ones do; every twentieth profile
# is a copy of another with an error.
_PROFILES = """
create temp table profile as
with drawn as (
    select i as profile_id, i - (i % 20 = 19)::bigint as person from range({profiles}) r(i)
), person as (
    select *, (hash(person) % 1000000 / 1e6) as u, (hash(person + 1000000007) % 1000000 / 1e6) as v,
        (hash(person + 2000000011) % 1000000 / 1e6) as w from drawn
), named as (
    select *, name_of((2000 * pow(u, 3))::bigint) as given,
        name_of(5000 + (20000 * pow(v, 3))::bigint) as family, (300 * pow(w, 2))::bigint as place from person
)
select profile_id, case when profile_id <> person then given[:-2] else given end as given_name, family as family_name,
    case when hash(person) % 10 < 7 then given || '.' || family || (hash(person) % 10000) || case when profile_id <>
        person then '@work.cn' else '@mail.cn' end
    end as email,
    case when hash(person) % 10 > 1 then '+8613' || lpad((hash(person + 3) % 1000000000)::varchar, 9, '0') end as phone,
    'city ' || place as city, lpad((place * 100 + hash(person) % 20)::varchar, 6, '0') as postcode, (1940 + hash(person
        + 5) % 68)::integer as birth_year,
    case when hash(given) % 2 = 0 then 'female' else 'male' end as gender
from named
"""
_NAME = """
create macro name_of(n) as
    ['an', 'bo', 'chen', 'da', 'el', 'fa', 'gu', 'ha', 'in', 'jo', 'ka', 'li', 'mei', 'no', 'or', 'ping', 'qi', 'ra',
    'shu', 'ti'][1 + n % 20]
    || ['na', 'ra', 'ling', 'mo', 'xi', 'se', 'ta', 'vi', 'wen', 'zi', 'ber', 'dor', 'lin', 'man',
    'son'][1 + n // 20 % 15]
    || ['', 'a', 'en', 'o', 'ke', 'yu', 'er', 'is', 'um',
    'ya'][1 + n // 300 % 10] || case when n >= 3000 then chr((97 + n // 3000 % 26)::integer) else '' end
"""


@dataclass(frozen=True)
class ScoringCosts:
    """Costs of training and scoring, and the number of kept pairs."""

    training: Cost
    scoring: Cost
    pairs: int


def scoring_costs(folder: Path, profiles: int) -> ScoringCosts:
    """Train on the profiles and score them."""
    with duckdb.connect(
        config={"threads": 2, "memory_limit": "2500MB", "temp_directory": str(folder / "spill")}
    ) as con:
        con.execute(_NAME)
        con.execute(_PROFILES.format(profiles=profiles))
        with measured() as training:
            model = train(con, "profile")
        with measured() as scoring:
            pairs = score(con, model, "profile")
    return ScoringCosts(training, scoring, pairs)
