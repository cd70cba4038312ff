"""Connected components under limits. Pure: arrays in, arrays out.

Source: SciPy's `connected_components` (Pearce 2005); the limits follow shared/reference/identity.md, applied to whole components so
that the result does not depend on the order in which edges arrived.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

Ints = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class Graph:
    """Nodes 0..n-1 with a kind each (index into the policy's kinds, strongest first) and undirected edges a[i] - b[i]."""

    kinds: Ints
    a: Ints
    b: Ints

    @property
    def size(self) -> int:
        return len(self.kinds)


@dataclass(frozen=True)
class Shared:
    """A node that touches more nodes of one other kind than allowed."""

    node: int
    observed: int
    allowed: int


def components(size: int, a: Ints, b: Ints) -> Ints:
    """A component label for each of `size` nodes."""
    matrix = coo_array((np.ones(len(a), dtype=np.int8), (a, b)), shape=(size, size))
    return np.asarray(connected_components(matrix, directed=False)[1], dtype=np.int64)


def shared_nodes(graph: Graph, degrees: Sequence[int]) -> list[Shared]:
    """Nodes with more neighbours of one kind, other than their own, than their own kind's degree allows."""
    node = np.concatenate([graph.a, graph.b])
    other_kind = graph.kinds[np.concatenate([graph.b, graph.a])]
    foreign = other_kind != graph.kinds[node]
    pairs, counts = np.unique(np.stack([node[foreign], other_kind[foreign]]), axis=1, return_counts=True)
    allowed = np.asarray(degrees, dtype=np.int64)[graph.kinds[pairs[0]]]
    over = np.flatnonzero(counts > allowed)
    worst: dict[int, Shared] = {}
    for index in over:
        found = Shared(int(pairs[0][index]), int(counts[index]), int(allowed[index]))
        if found.node not in worst or worst[found.node].observed < found.observed:
            worst[found.node] = found
    return [worst[node] for node in sorted(worst)]


def limited_components(graph: Graph, usable: Bools, limits: Sequence[int]) -> tuple[Ints, Ints]:
    """Components over usable nodes in which no kind has more members than its limit.

    A component that breaks a limit loses the edges of its weakest kind, then of the next, until it holds.

    Args:
        graph: Nodes and edges.
        usable: False for nodes that must not link; they become components of their own.
        limits: Most members of each kind in one component.

    Returns:
        A component label for each node, and the indices of edges that were taken out because of a limit.
    """
    active = usable[graph.a] & usable[graph.b]
    weakest = np.maximum(graph.kinds[graph.a], graph.kinds[graph.b])
    dropped = np.zeros(len(graph.a), dtype=np.bool_)
    for kind in range(len(limits) - 1, -1, -1):
        labels = components(graph.size, graph.a[active], graph.b[active])
        violating = _violating(labels, graph.kinds, limits)
        if not violating.any():
            return labels, np.flatnonzero(dropped)
        out = active & (weakest == kind) & violating[labels[graph.a]]
        dropped |= out
        active &= ~out
    return components(graph.size, graph.a[active], graph.b[active]), np.flatnonzero(dropped)


def _violating(labels: Ints, kinds: Ints, limits: Sequence[int]) -> Bools:
    """For each component: whether some kind has more members than its limit."""
    width = len(limits)
    counts = np.bincount(labels * width + kinds, minlength=(int(labels.max(initial=-1)) + 1) * width).reshape(-1, width)
    return np.asarray((counts > np.asarray(limits)).any(axis=1), dtype=np.bool_)
