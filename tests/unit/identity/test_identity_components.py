"""Components of edges between texts and between numbers, against NetworkX."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache

import duckdb
import networkx as nx
import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import onedata.identity.components as module
from onedata.identity.components import components, edge_components, extend_components, numbered

Edge = tuple[str | None, str | None]
# Few short ids, so that cycles, repeated edges and self-loops are usual.
IDS = st.one_of(st.none(), st.sampled_from([f"email:{n}" for n in range(12)] + ["", "账户:7", "a" * 40]))


@cache
def connection() -> duckdb.DuckDBPyConnection:
    return duckdb.connect()


def found(edges: Sequence[Edge]) -> tuple[set[frozenset[str]], set[int]]:
    """The partition, and the numbers of its parts."""
    con = connection()
    con.register(
        "given",
        pa.table(
            {"a": pa.array([a for a, _ in edges], pa.string()), "b": pa.array([b for _, b in edges], pa.string())}
        ),
    )
    con.execute("create or replace table edge as from given")
    rows = edge_components(con, "edge").fetchall()
    parts: dict[int, set[str]] = {}
    for name, component in rows:
        parts.setdefault(component, set()).add(name)
    assert len(rows) == sum(map(len, parts.values()))
    return {frozenset(part) for part in parts.values()}, set(parts)


def true(edges: Sequence[Edge]) -> set[frozenset[str]]:
    graph: nx.Graph[str] = nx.Graph()
    for a, b in edges:
        graph.add_nodes_from(name for name in (a, b) if name is not None)
        if a is not None and b is not None:
            graph.add_edge(a, b)
    return {frozenset(part) for part in nx.connected_components(graph)}


@settings(deadline=None, max_examples=60)
@given(st.lists(st.tuples(IDS, IDS), max_size=40))
def test_components_are_those_of_networkx_numbered_from_0_without_gaps(edges: list[Edge]) -> None:
    parts, numbers = found(edges)
    assert parts == true(edges)
    assert numbers == set(range(len(parts)))


@pytest.mark.parametrize(
    "edges",
    [
        [],
        [(None, None)],
        [("a", "a")],
        [("a", None), (None, "b"), ("a", None)],
        [(str(n), str(n + 1)) for n in range(500)],
        [("kiosk", f"card {n:04}") for n in range(1000)],
        [(f"card {n:04}", "kiosk") for n in reversed(range(1000))],
    ],
    ids=["empty", "nothing", "self-loop", "half edges", "path", "star", "star the other way"],
)
def test_graphs_of_a_special_form(edges: list[Edge]) -> None:
    assert found(edges)[0] == true(edges)


def test_a_large_random_graph_in_many_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "CHUNK", 64)
    random = np.random.default_rng(3)
    edges: list[Edge] = [(f"n{a}", f"n{b}") for a, b in random.integers(0, 4000, (3500, 2))]
    assert found(edges)[0] == true(edges)


@pytest.mark.parametrize("order", [np.arange(5000), np.arange(5000)[::-1]], ids=["ascending", "descending"])
def test_a_kiosk_takes_few_rounds_in_whatever_order_its_edges_come(
    order: np.ndarray[tuple[int], np.dtype[np.int64]],
) -> None:
    # Each round is a level of recursion, so a round for each of 5,000 neighbours would not end well.
    for kiosk, shift in ((0, 1), (5000, 0)):
        assert components(5001, np.full(5000, kiosk), order + shift).max() == 0


def test_nodes_without_an_edge_are_components_of_their_own() -> None:
    assert sorted(components(3, np.array([], dtype=np.int64), np.array([], dtype=np.int64))) == [0, 1, 2]
    assert len(components(0, np.array([], dtype=np.int64), np.array([], dtype=np.int64))) == 0


def test_two_ids_with_one_hash_stay_two(monkeypatch: pytest.MonkeyPatch) -> None:
    # A hash on which all ids of a length collide; the second one does not.
    monkeypatch.setattr(module, "_HASHES", ("coalesce(length({}), 99)::ubigint", "hash({})"))
    edges: list[Edge] = [("a", "b"), ("c", "dd"), ("e", None)]
    assert found(edges)[0] == true(edges)


def test_ids_on_which_each_hash_collides_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_HASHES", ("coalesce(length({}), 99)::ubigint", "coalesce(ascii({}), 99)::ubigint"))
    with pytest.raises(ValueError, match="same second hash"):
        found([("ab", "cd"), ("ab", "a")])


def test_edges_in_another_order_the_second_time_are_refused() -> None:
    with duckdb.connect() as con:
        con.execute("create table edge as select i::varchar as a, (i % 10)::varchar as b from range(1000) r(i)")
        with pytest.raises(duckdb.InvalidInputException, match="into a table"):
            edge_components(con, "(select * from edge order by random())").fetchall()


@settings(deadline=None)
@given(st.lists(st.integers(0, 2**64 - 1) | st.integers(0, 3), max_size=60))
def test_equal_values_have_one_number_and_one_position(values: list[int]) -> None:
    number, first = numbered(np.array(values, dtype=np.uint64))
    assert len(first) == len(set(values))
    assert sorted(first) == list(first)
    assert [values[first[n]] for n in number] == values


def parts_of(con: duckdb.DuckDBPyConnection, query: str) -> set[frozenset[str]]:
    parts: dict[int, set[str]] = {}
    for name, component in con.execute(query).fetchall():
        assert name not in parts.setdefault(component, set())
        parts[component].add(name)
    return {frozenset(part) for part in parts.values()}


@settings(deadline=None, max_examples=60)
@given(st.lists(st.tuples(IDS, IDS), max_size=15), st.lists(st.tuples(IDS, IDS), max_size=10))
def test_known_components_and_more_edges_are_the_components_of_all(known: list[Edge], more: list[Edge]) -> None:
    con = connection()
    for name, edges in (("base", known), ("more", more)):
        con.register(
            "given",
            pa.table(
                {"a": pa.array([a for a, _ in edges], pa.string()), "b": pa.array([b for _, b in edges], pa.string())}
            ),
        )
        con.execute(f"create or replace table {name} as from given")
    relation = edge_components(con, "base")  # noqa: F841 - DuckDB finds it by its name
    con.execute("create or replace table known as from relation")
    extend_components(con, "known", "more")
    extended = (
        "select id, coalesce(r.new, k.component) from known k left join component_redirect r on r.old = k.component "
        "union all select id, component from component_added"
    )
    assert parts_of(con, extended) == true([*known, *more])
    # Who is new has a number of his own, or one that was there before.
    assert con.execute("select count(*) from component_redirect where new >= old").fetchone() == (0,)
