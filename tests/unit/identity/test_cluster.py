"""Components and their limits, against networkx."""

from __future__ import annotations

import networkx as nx
import numpy as np
import pytest

from onedata.identity.cluster import Graph, components, limited_components, shared_nodes

NO_LIMIT = [1_000_000] * 4


def partition(labels: np.ndarray) -> set[frozenset[int]]:
    """The groups of equal labels."""
    return {frozenset(np.flatnonzero(labels == label).tolist()) for label in np.unique(labels)}


def random_graph(seed: int, nodes: int, edges: int) -> Graph:
    rng = np.random.default_rng(seed)
    a, b = rng.integers(0, nodes, (2, edges)) if nodes else (np.empty(0, np.int64), np.empty(0, np.int64))
    return Graph(rng.integers(0, 4, nodes), a, b)


def known(size: int, a: np.ndarray, b: np.ndarray) -> set[frozenset[int]]:
    graph = nx.Graph()
    graph.add_nodes_from(range(size))
    graph.add_edges_from(zip(a.tolist(), b.tolist(), strict=True))
    return {frozenset(group) for group in nx.connected_components(graph)}


def graph_of(kinds: list[int], *edges: tuple[int, int]) -> Graph:
    pairs = np.array(edges, dtype=np.int64).reshape(-1, 2)
    return Graph(np.array(kinds, dtype=np.int64), pairs[:, 0], pairs[:, 1])


@pytest.mark.parametrize("seed", range(8))
@pytest.mark.parametrize(("nodes", "edges"), [(1, 0), (50, 20), (200, 180), (400, 1000)])
def test_components_equal_networkx(seed: int, nodes: int, edges: int) -> None:
    graph = random_graph(seed, nodes, edges)
    assert partition(components(graph.size, graph.a, graph.b)) == known(graph.size, graph.a, graph.b)


def test_no_nodes_have_no_components() -> None:
    graph = graph_of([])
    labels, dropped = limited_components(graph, np.ones(0, dtype=np.bool_), NO_LIMIT)
    assert (len(labels), len(dropped)) == (0, 0)
    assert shared_nodes(graph, NO_LIMIT) == []


def test_nodes_without_edges_are_components_of_their_own() -> None:
    labels, _ = limited_components(graph_of([0, 1, 2]), np.ones(3, dtype=np.bool_), NO_LIMIT)
    assert len(set(labels.tolist())) == 3


@pytest.mark.parametrize("seed", range(6))
def test_without_limits_nothing_is_dropped(seed: int) -> None:
    graph = random_graph(seed, 200, 200)
    labels, dropped = limited_components(graph, np.ones(graph.size, dtype=np.bool_), NO_LIMIT)
    assert len(dropped) == 0
    assert partition(labels) == known(graph.size, graph.a, graph.b)


@pytest.mark.parametrize("seed", range(6))
def test_unusable_nodes_link_nothing(seed: int) -> None:
    graph = random_graph(seed, 200, 300)
    usable = np.random.default_rng(seed).random(200) < 0.7
    labels, _ = limited_components(graph, usable, NO_LIMIT)
    kept = usable[graph.a] & usable[graph.b]
    assert partition(labels) == known(graph.size, graph.a[kept], graph.b[kept])


@pytest.mark.parametrize("seed", range(6))
def test_no_component_breaks_a_limit_and_each_is_part_of_an_unlimited_one(seed: int) -> None:
    graph = random_graph(seed, 300, 320)
    limits = [3, 2, 4, 1]
    labels, dropped = limited_components(graph, np.ones(graph.size, dtype=np.bool_), limits)
    assert len(dropped) > 0
    for group in partition(labels):
        counts = np.bincount(graph.kinds[list(group)], minlength=4)
        assert (counts <= limits).all()
    kept = np.setdiff1d(np.arange(len(graph.a)), dropped)
    assert partition(labels) == known(graph.size, graph.a[kept], graph.b[kept])


@pytest.mark.parametrize("seed", range(4))
def test_the_order_of_edges_does_not_matter(seed: int) -> None:
    graph = random_graph(seed, 200, 220)
    order = np.random.default_rng(seed + 100).permutation(len(graph.a))
    turned = Graph(graph.kinds, graph.b[order], graph.a[order])
    usable, limits = np.ones(graph.size, dtype=np.bool_), [3, 2, 4, 1]
    labels, dropped = limited_components(graph, usable, limits)
    again, dropped_again = limited_components(turned, usable, limits)
    assert partition(labels) == partition(again)
    assert sorted(order[dropped_again].tolist()) == sorted(dropped.tolist())


def test_a_component_at_its_limit_holds() -> None:
    graph = graph_of([1, 0, 0, 0], (0, 1), (0, 2), (0, 3))
    labels, dropped = limited_components(graph, np.ones(4, dtype=np.bool_), [3, 1])
    assert (len(set(labels.tolist())), len(dropped)) == (1, 0)


def test_a_component_over_its_limit_loses_its_weakest_edges_only() -> None:
    # Two pairs of kinds 0 - 1 are joined by a node of the weakest kind; two of kind 0 are too many.
    graph = graph_of([0, 1, 0, 1, 3], (0, 1), (2, 3), (1, 4), (3, 4))
    labels, dropped = limited_components(graph, np.ones(5, dtype=np.bool_), [1, 5, 5, 5])
    assert sorted(dropped.tolist()) == [2, 3]
    assert partition(labels) == {frozenset({0, 1}), frozenset({2, 3}), frozenset({4})}


def test_a_component_that_holds_is_not_touched_by_its_neighbours_fault() -> None:
    graph = graph_of([0, 3, 0, 0, 3], (0, 1), (2, 4), (3, 4))
    labels, dropped = limited_components(graph, np.ones(5, dtype=np.bool_), [1, 5, 5, 5])
    assert sorted(dropped.tolist()) == [1, 2]
    assert labels[0] == labels[1]


def test_a_node_with_more_neighbours_of_another_kind_than_its_degree_is_shared() -> None:
    graph = graph_of([1, 0, 0, 0], (0, 1), (0, 2), (0, 3))
    (found,) = shared_nodes(graph, [9, 2])
    assert (found.node, found.observed, found.allowed) == (0, 3, 2)
    assert shared_nodes(graph, [9, 3]) == []


def test_neighbours_are_counted_by_kind_and_not_together() -> None:
    graph = graph_of([2, 0, 0, 1, 1], (0, 1), (0, 2), (0, 3), (0, 4))
    assert shared_nodes(graph, [9, 9, 2]) == []


def test_neighbours_of_the_own_kind_do_not_count() -> None:
    assert shared_nodes(graph_of([0, 0, 0, 0], (0, 1), (0, 2), (0, 3)), [1]) == []


def test_every_shared_node_is_told_once_with_its_worst_kind() -> None:
    graph = graph_of([2, 0, 0, 0, 1, 1], (0, 1), (0, 2), (0, 3), (0, 4), (0, 5))
    assert [(found.node, found.observed) for found in shared_nodes(graph, [9, 9, 1])] == [(0, 3)]
