"""Split clusters that an operator decided to split: the cheapest cut between the two identifiers.

Source: minimum s-t cut (Goldberg, Tarjan 1988), from igraph; strong identifiers on one row are separated last.
"""

import numpy as np

from onedata.identity.cluster import Ints


def cut_apart(
    person: Ints, a: Ints, b: Ints, n: Ints, bonds: tuple[Ints, Ints, Ints], parted: tuple[Ints, Ints]
) -> Ints:
    """The persons after splitting every `parted` pair that is one person; separated nodes get new labels.

    Args:
        person: Label of each node, -1 for no person.
        a, b, n: Pairs seen on one row, and the cost of cutting each.
        bonds: Further links, and the cost of cutting each.
        parted: Pairs that must not be one person.
    """
    together = (person[parted[0]] == person[parted[1]]) & (person[parted[0]] >= 0)
    if not together.any():
        return person
    import igraph  # only a split needs it, and it is slow to load

    person = person.copy()
    for one, other in sorted(zip(parted[0][together].tolist(), parted[1][together].tolist(), strict=True)):
        if person[one] != person[other]:
            continue
        nodes = np.flatnonzero(person == person[one])
        place = {node: index for index, node in enumerate(nodes.tolist())}
        ends = np.concatenate([a, bonds[0]]), np.concatenate([b, bonds[1]])
        inside = (person[ends[0]] == person[one]) & (person[ends[1]] == person[one])
        weights = np.concatenate([n, bonds[2]])[inside]
        edges = list(
            zip(
                np.searchsorted(nodes, ends[0][inside]).tolist(),
                np.searchsorted(nodes, ends[1][inside]).tolist(),
                strict=True,
            )
        )
        graph = igraph.Graph(n=len(nodes), edges=edges)
        cut = graph.mincut(place[one], place[other], capacity=weights.tolist())
        side = np.asarray(cut.partition[1] if place[one] in cut.partition[0] else cut.partition[0])
        person[nodes[side]] = person.max() + 1
    return person
