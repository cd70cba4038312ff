"""The probabilistic pass: what it links, what it never links, what it reports, and what must not leave it."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pytest

from onedata.identity.scoring.comparisons import COMPARISONS
from onedata.identity.scoring.model import LINK_WEIGHT, Model, ModelError, Weights
from onedata.identity.scoring.prepare import ProfileError
from onedata.identity.scoring.score import EDGES, score
from onedata.identity.scoring.train import train

SHIPPED = Model(
    {comparison.name: tuple(Weights(level.m, level.u) for level in comparison.levels) for comparison in COMPARISONS},
    1e-6,
    0,
)
LIN = {
    "given_name": "Xiaoyu",
    "family_name": "Lin",
    "phone": "+8613800000001",
    "address": "Renmin Road 12",
    "postcode": "200001",
    "city": "Shanghai",
}
ANNA = {
    "given_name": "Anna",
    "family_name": "Novák",
    "email": "anna.novak@web.de",
    "birth_date": "1990-03-14",
    "city": "Praha",
}


def profiles(con: duckdb.DuckDBPyConnection, *rows: dict[str, Any]) -> str:
    names = sorted({name for row in rows for name in row})
    con.register(
        "profiles_given",
        pa.table({"profile_id": range(1, len(rows) + 1)} | {name: [row.get(name) for row in rows] for name in names}),
    )
    con.execute("create or replace temp table profile as from profiles_given")
    return "profile"


def edges(*rows: dict[str, Any]) -> list[tuple[float, str | None, dict[str, Any]]]:
    """Weight, veto and explanation of each pair that is not left."""
    with duckdb.connect() as con:
        score(con, SHIPPED, profiles(con, *rows))
        found = con.execute(f"select weight, veto, explanation from {EDGES} order by profile_a, profile_b").fetchall()
    return [(weight, veto, json.loads(explanation)) for weight, veto, explanation in found]


def edge(one: dict[str, Any], other: dict[str, Any]) -> tuple[float, str | None, dict[str, Any]]:
    found = edges(one, other)
    assert len(found) == 1
    return found[0]


@pytest.mark.parametrize("given", ["Xiaoyu", "xiaoyu", "X.", "Xaioyu", "Xiao", "Mei Xiaoyu"])
def test_a_name_written_another_way_links(given: str) -> None:
    weight, veto, _ = edge(LIN, LIN | {"given_name": given})
    assert weight >= LINK_WEIGHT
    assert veto is None


@pytest.mark.parametrize("given", ["Bob", "Rob", "Robbert"])
def test_a_short_form_is_the_same_name(given: str) -> None:
    assert edge(LIN | {"given_name": "Robert"}, LIN | {"given_name": given})[1] is None


@pytest.mark.parametrize(("one", "other"), [("Xiaoyu", "Hong"), ("伟", "强"), ("浩然", "思远")])
def test_the_people_of_a_household_are_never_linked(one: str, other: str) -> None:
    weight, veto, _ = edge(LIN | {"given_name": one}, LIN | {"given_name": other})
    assert weight >= LINK_WEIGHT
    assert veto == "given name"


def test_what_households_share_does_not_link_alone() -> None:
    with duckdb.connect() as con:
        score(con, SHIPPED, profiles(con, LIN, LIN | {"given_name": None}, LIN | {"given_name": "X"}))
        found = con.execute(
            f"select profile_a, profile_b, weight >= {LINK_WEIGHT}, band from {EDGES} order by all"
        ).fetchall()
    assert found == [(1, 2, True, "review"), (1, 3, True, "link"), (2, 3, True, "review")]


def test_another_given_name_with_the_same_birth_date_is_a_mistake() -> None:
    born = {"birth_date": "1990-03-14"}
    assert edge(LIN | born, LIN | born | {"given_name": "Hong"})[1] is None


def test_contradicting_birth_dates_veto_where_no_name_tells_otherwise() -> None:
    unnamed = LIN | {"given_name": None}
    assert edge(unnamed | {"birth_date": "1961-05-20"}, unnamed | {"birth_date": "1990-03-14"})[1] == "birth date"
    assert edge(unnamed | {"birth_date": "1961-05-20"}, unnamed | {"birth_date": "1961-05-02"})[1] is None


def test_contradicting_genders_veto() -> None:
    assert edge(LIN | {"gender": "female"}, LIN | {"gender": "M"})[1] == "gender"
    assert edge(LIN | {"gender": "female"}, LIN | {"gender": "女"})[1] is None


def test_swapped_names_are_weighed_once() -> None:
    _, veto, explained = edge(ANNA, ANNA | {"given_name": "Novak", "family_name": "Anna"})
    assert veto is None
    assert explained["given"]["level"] == "swapped"
    assert explained["family"] is None


def test_names_in_two_scripts_say_nothing() -> None:
    _, veto, explained = edge(LIN, LIN | {"given_name": "晓雨", "family_name": "林"})
    assert veto is None
    assert explained["given"] is None
    assert explained["family"] is None


def test_a_missing_value_says_nothing() -> None:
    _, _, explained = edge(LIN | {"email": "lin@qq.com"}, LIN | {"birth_date": "1990-03-14"})
    assert explained["email"] is None
    assert explained["birth"] is None


def test_a_birth_year_alone_is_compared() -> None:
    dated = edge(LIN | {"birth_date": "1990-03-14"}, LIN | {"birth_year": 1990})[2]
    assert dated["birth"]["level"] == "year or the next"


def test_address_and_postcode_and_city_count_once() -> None:
    assert edge(LIN, LIN)[2]["place"]["level"] == "address and postcode"


def test_any_of_several_addresses_is_compared() -> None:
    one = {"given_name": "Anna", "emails": ["anna@web.de", "a.n@gmx.net"], "phones": ["+49170000001"]}
    other = {"given_name": "Anna", "emails": ["zz@qq.com", "a.n@gmx.net"], "phones": ["+49170000002"]}
    assert edge(one, other)[2]["email"]["level"] == "shared"


def test_an_explanation_adds_up_and_holds_no_value_of_anybody() -> None:
    weight, _, explained = edge(ANNA, ANNA | {"city": "Brno"})
    parts = [part["weight"] for part in explained.values() if isinstance(part, dict)]
    assert explained["before"] + sum(parts) == pytest.approx(weight, abs=0.1)
    text = json.dumps(explained).lower()
    assert not any(str(value).lower() in text for value in ANNA.values())


def test_a_rare_name_counts_for_more() -> None:
    common = [{"given_name": "Anna", "family_name": f"Other{number}"} for number in range(3000)]
    with duckdb.connect() as con:
        score(
            con,
            SHIPPED,
            profiles(con, ANNA, ANNA, ANNA | {"given_name": "Zsófia"}, ANNA | {"given_name": "Zsófia"}, *common),
        )
        found = con.execute(
            f"select (explanation -> 'given' ->> 'weight')::double from {EDGES} where (profile_a, profile_b) in ((1, "
            "2), (3, 4)) order by profile_a"
        )
        often, rare = (row[0] for row in found.fetchall())
    assert rare > often + 3


@pytest.fixture
def few_random_pairs(monkeypatch: pytest.MonkeyPatch) -> None:
    """For tests in which it does not matter how well chance agreement is known: the pairs are nearly all that training
    costs."""
    monkeypatch.setattr("onedata.identity.scoring.train.RANDOM_PAIRS", 50_000)


def people(con: duckdb.DuckDBPyConnection, persons: int) -> str:
    """Three profiles a person, one of them with a typo and another phone; the person is `oneid`."""
    con.execute(
        f"""create or replace temp table profile as select row_number() over (order by p, k) as profile_id, p as oneid,
            case k when 1 then 'Ana' else 'An' end || chr((97 + p % 26)::int) || chr((97 + p // 26 % 26)::int) || 'ela'
                as given_name,
            'Fam' || hash(p) % 997 as family_name, 'mail' || p || '@web.de' as email, '+49' || (1700000000 + p * 10 + k
                // 2) as phone,
            date '1950-01-01' + (hash(p, 1) % 20000)::int as birth_date, 'City' || hash(p, 2) % 50 as city
        from range({persons}) a(p), range(3) b(k)"""
    )
    return "profile"


def test_scoring_what_changed_gives_the_pairs_that_touch_it() -> None:
    columns = "profile_a, profile_b, weight, band, veto, confirmed, explanation"
    with duckdb.connect() as con:
        table = people(con, 400)
        changed = "(select profile_id from profile where profile_id % 40 = 0)"
        score(con, SHIPPED, table)
        whole = con.execute(
            f"select {columns} from {EDGES} where profile_a in {changed} or profile_b in {changed} order by all"
        ).fetchall()
        score(con, SHIPPED, table, changed)
        assert con.execute(f"select {columns} from {EDGES} order by all").fetchall() == whole
    assert len(whole) >= 60


@pytest.mark.usefixtures("few_random_pairs")
def test_the_same_profiles_give_the_same_model() -> None:
    with duckdb.connect() as con:
        first, second = (train(con, people(con, 200)) for _ in range(2))
    assert first.version == second.version
    assert Model.from_json(first.to_json()) == first


def test_a_model_of_other_comparisons_is_refused() -> None:
    kept = json.loads(SHIPPED.to_json())
    kept["levels"]["given"].pop()
    with pytest.raises(ModelError, match="train a new model"):
        Model.from_json(json.dumps(kept))


@pytest.mark.usefixtures("few_random_pairs")
def test_enough_deterministic_ids_teach_what_did_not_make_them() -> None:
    with duckdb.connect() as con:
        taught = train(con, people(con, 400), "(select profile_id, oneid from profile)")
    assert taught.labelled_pairs == 1200
    assert taught.levels["birth"][0].m > 0.95
    assert taught.levels["email"][0].m == SHIPPED.levels["email"][0].m
    assert taught.levels["gender"] == SHIPPED.levels["gender"]


@pytest.mark.usefixtures("few_random_pairs")
def test_few_deterministic_ids_teach_nothing() -> None:
    with duckdb.connect() as con:
        taught = train(con, people(con, 100), "(select profile_id, oneid from profile)")
    assert taught.labelled_pairs == 0
    assert taught.levels["birth"][0].m == SHIPPED.levels["birth"][0].m


@pytest.mark.usefixtures("few_random_pairs")
def test_chance_agreement_is_measured_where_there_are_many_profiles() -> None:
    with duckdb.connect() as con:
        model = train(con, people(con, 4_000))
    assert model.levels["place"][4].u == pytest.approx(1 / 50, rel=0.2)
    assert model.levels["email"][0].u == SHIPPED.levels["email"][0].u


def test_no_value_reaches_the_database_and_nothing_is_printed(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    file = str(tmp_path / "vault.duckdb")
    with duckdb.connect(file) as con:
        con.execute(f"create table kept as from {people(con, 50)}")
    # Opened to be read only, it takes nothing but temporary tables.
    with duckdb.connect(file, read_only=True) as con:
        score(con, train(con, "kept"), "kept")
        tables = con.execute("select table_name, temporary from duckdb_tables()").fetchall()
        views = con.execute("select view_name from duckdb_views() where not internal").fetchall()
    assert sorted(tables) == [("kept", False), ("prob_edge", True)]
    assert views == []
    assert capfd.readouterr() == ("", "")


def test_scoring_within_a_transaction_of_the_warehouse(tmp_path: Path) -> None:
    with duckdb.connect(str(tmp_path / "warehouse.duckdb")) as con:
        con.execute("create table kept (n integer); begin; insert into kept values (1)")
        score(con, SHIPPED, people(con, 50))
        con.execute("insert into kept select count(*) from prob_edge; commit")
        assert con.execute("select count(*) from kept").fetchone() == (2,)


@pytest.mark.parametrize("ids", [[1, 1], [1, None]])
def test_profiles_without_a_unique_id_are_refused(ids: Sequence[int | None]) -> None:
    with duckdb.connect() as con:
        con.register("given", pa.table({"profile_id": pa.array(ids, pa.int64())}))
        with pytest.raises(ProfileError, match="unique"):
            score(con, SHIPPED, "given")


def test_no_profiles_give_no_pairs() -> None:
    with duckdb.connect() as con:
        con.execute("create table empty (profile_id bigint, given_name varchar)")
        assert score(con, train(con, "empty"), "empty") == 0


def test_commands_that_do_not_score_do_not_load_splink() -> None:
    loaded = (
        "import sys, onedata.identity, onedata.identity.scoring, onedata.identity.scoring.model; "
        "sys.exit('splink' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", loaded], check=False).returncode == 0
