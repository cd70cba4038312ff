"""Components and their limits, against networkx."""

from __future__ import annotations

import networkx as nx
import numpy as np
import pytest

from onedata.identity.cluster import Ints, limited_components, neighbours_of_kind, over_limit
from onedata.identity.components import components

Graph = tuple[Ints, Ints, Ints]


def partition(labels: Ints) -> set[frozenset[int]]:
    """The groups of equal labels."""
    return {frozenset(np.flatnonzero(labels == label).tolist()) for label in np.unique(labels)}


def random_graph(seed: int, nodes: int, edges: int) -> Graph:
    """Kinds of the nodes, and edges."""
    rng = np.random.default_rng(seed)
    a, b = rng.integers(0, nodes, (2, edges))
    return rng.integers(0, 4, nodes), a, b


def sizes_of(kinds: Ints) -> Ints:
    return np.eye(4, dtype=np.int64)[kinds]


@pytest.mark.parametrize("seed", range(8))
@pytest.mark.parametrize(("nodes", "edges"), [(1, 0), (50, 20), (200, 180), (400, 1000)])
def test_components_equal_networkx(seed: int, nodes: int, edges: int) -> None:
    _, a, b = random_graph(seed, nodes, edges)
    graph = nx.Graph()
    graph.add_nodes_from(range(nodes))
    graph.add_edges_from(zip(a.tolist(), b.tolist(), strict=True))
    assert partition(components(nodes, a, b)) == {frozenset(group) for group in nx.connected_components(graph)}


def test_no_nodes_have_no_components() -> None:
    none = np.empty(0, dtype=np.int64)
    labels, dropped = limited_components(0, none, none, none, np.empty((0, 4), dtype=np.int64), [1] * 4)
    assert (len(labels), len(dropped)) == (0, 0)


@pytest.mark.parametrize("seed", range(6))
def test_without_limits_nothing_is_dropped(seed: int) -> None:
    kinds, a, b = random_graph(seed, 200, 200)
    labels, dropped = limited_components(200, a, b, np.maximum(kinds[a], kinds[b]), sizes_of(kinds), [1_000_000] * 4)
    assert len(dropped) == 0
    assert partition(labels) == partition(components(200, a, b))


@pytest.mark.parametrize("seed", range(6))
def test_no_component_breaks_a_limit(seed: int) -> None:
    kinds, a, b = random_graph(seed, 200, 300)
    labels, dropped = limited_components(200, a, b, np.maximum(kinds[a], kinds[b]), sizes_of(kinds), [2, 2, 3, 3])
    assert len(dropped) > 0
    assert not over_limit(labels, sizes_of(kinds), [2, 2, 3, 3]).any()


@pytest.mark.parametrize("seed", range(6))
def test_components_within_limits_do_not_depend_on_the_order_of_edges(seed: int) -> None:
    kinds, a, b = random_graph(seed, 60, 90)
    order = np.random.default_rng(seed).permutation(90)
    priority = np.maximum(kinds[a], kinds[b])
    one, _ = limited_components(60, a, b, priority, sizes_of(kinds), [2, 3, 4, 4])
    other, _ = limited_components(60, a[order], b[order], priority[order], sizes_of(kinds), [2, 3, 4, 4])
    assert partition(one) == partition(other)


def test_edges_that_are_bound_stay_over_any_limit() -> None:
    one = np.array([1], dtype=np.int64)
    labels, dropped = limited_components(2, one - 1, one, one, sizes_of(np.array([0, 0])), [1] * 4, np.array([True]))
    assert (len(set(labels.tolist())), len(dropped)) == (1, 0)


def test_neighbours_are_counted_by_kind() -> None:
    kinds, a, b = np.array([0, 1, 1, 2]), np.array([0, 0, 0]), np.array([1, 2, 3])
    assert neighbours_of_kind(4, kinds, a, b, 1).tolist() == [2, 0, 0, 0]
