"""Build clusters from links, and split clusters that break a limit.

Components are SciPy's, as everywhere in OneID; igraph only splits a component that is too large or holds two profiles
that cannot be one person's. Pure: arrays in, arrays out.
"""

import random
from collections.abc import Iterator
from contextlib import contextmanager

import igraph
import numpy as np
import numpy.typing as npt

from onedata.identity.components import components

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]

MOST_PROFILES = 50
"""Limit of the largest cluster: more profiles cannot be one person's."""
FIRST_RESOLUTION = 0.05
UNCUT = 1e6
"""Capacity of a link that is not cut, far above the weights of all others together."""
SEED = 20260105


def cluster(
    size: int, a: Ints, b: Ints, weights: Floats, confirmed: Bools, apart: tuple[Ints, Ints], most: int = MOST_PROFILES
) -> Ints:
    """A cluster label for each of `size` profiles.

    Args:
        size: Profiles are numbered 0..size-1.
        a: One end of each link.
        b: The other end.
        weights: Of each link, above 0.
        confirmed: Whether a personal attribute agrees. Such a link is not cut: two profiles that contradict each other
            and both have such a link to a third are one person with a mistake in a record; two linked only through what
            they share are a household.
        apart: Pairs that must not be in one cluster. If others link them, the weakest unconfirmed links are cut.
        most: Most profiles in a cluster; a larger one is split at any link.

    Method: minimum s-t cut by weight (igraph, push-relabel) between the two of a pair; for size Leiden with the
    constant Potts model (Traag, Waltman, van Eck 2019), its resolution doubled until there are parts, and each part
    again.
    """
    labels = components(size, a, b)
    inside = labels[apart[0]] == labels[apart[1]]
    broken = np.union1d(labels[apart[0]][inside], np.flatnonzero(np.bincount(labels, minlength=1) > most))
    follow = int(labels.max(initial=-1)) + 1
    for members, edges, pairs in _of_labels(labels, broken, a, (apart[0][inside], apart[1][inside])):
        graph = igraph.Graph(len(members), np.searchsorted(members, np.stack([a[edges], b[edges]], axis=1)).tolist())
        graph.es["capacity"] = np.where(confirmed[edges], UNCUT, weights[edges]).tolist()
        graph.vs["profile"] = members.tolist()
        for part in _parts(graph, np.searchsorted(members, pairs).tolist(), most)[1:]:
            labels[part] = follow
            follow += 1
    return labels


def _of_labels(labels: Ints, wanted: Ints, a: Ints, apart: tuple[Ints, Ints]) -> Iterator[tuple[Ints, Ints, Ints]]:
    """Each wanted component: its profiles, the positions of its links, and its pairs to separate, one per row."""
    pairs = np.stack(apart, axis=1)
    sorted_by = [(order := np.argsort(of, kind="stable"), of[order]) for of in (labels, labels[a], labels[apart[0]])]
    for label in wanted.tolist():
        members, edges, parted = (
            order[np.searchsorted(of, label, "left") : np.searchsorted(of, label, "right")] for order, of in sorted_by
        )
        yield members, edges, pairs[parted]


def _parts(graph: igraph.Graph, apart: list[list[int]], most: int) -> list[list[int]]:
    """The profiles of each part with at most `most` profiles and without a separable pair of `apart` (positions in the
    graph); the largest first."""
    waiting, done = [list(range(graph.vcount()))], []
    while waiting:
        part = waiting.pop()
        piece = graph.induced_subgraph(part)
        place = {vertex: index for index, vertex in enumerate(part)}
        groups = (
            _communities(piece)
            if len(part) > most
            else _cut(piece, [(place[x], place[y]) for x, y in apart if x in place and y in place])
        )
        if len(groups) > 1:
            waiting += [[part[v] for v in group] for group in groups]
        else:
            done.append(part)
    profiles = graph.vs["profile"]
    return sorted(([profiles[v] for v in part] for part in done), key=lambda part: (-len(part), part))


def _cut(graph: igraph.Graph, pairs: list[tuple[int, int]]) -> list[list[int]]:
    """The two sides, each in its connected groups, of the first separable pair; empty if there is none."""
    for one, other in pairs:
        cut = graph.st_mincut(one, other, capacity="capacity")
        if cut.value < UNCUT:
            return [group for side in cut.partition for group in _connected(graph, side)]
    return []


def _connected(graph: igraph.Graph, vertices: list[int]) -> list[list[int]]:
    return [[vertices[v] for v in group] for group in graph.induced_subgraph(vertices).connected_components()]


def _communities(graph: igraph.Graph) -> list[list[int]]:
    """Connected groups at the first resolution that splits the graph; above 1 no two stay together."""
    resolution = FIRST_RESOLUTION
    with _seeded():
        while True:
            groups = list(graph.community_leiden(objective_function="CPM", resolution=resolution, n_iterations=-1))
            if len(groups) > 1 or resolution > 1:
                return [group for found in groups for group in _connected(graph, found)]
            resolution *= 2


@contextmanager
def _seeded() -> Iterator[None]:
    """Make the groups deterministic: igraph uses the process's random generator."""
    igraph.set_random_number_generator(random.Random(SEED))
    try:
        yield
    finally:
        igraph.set_random_number_generator(random)
