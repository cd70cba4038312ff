"""The cores a node was seen with, how often, and with which name. Pure: arrays in, arrays out."""

from dataclasses import dataclass

import numpy as np

from onedata.identity.cluster import Bools, Ints
from onedata.identity.evidence import NONE, Evidence


@dataclass(frozen=True)
class Touches:
    """Observations of nodes with cores, ordered by node: one row per node and core."""

    node: Ints
    core: Ints
    n: Ints


def seen_with(evidence: Evidence, nodes: Bools, cores: Ints) -> Touches:
    """How often each of `nodes` was seen with each core."""
    ends = np.concatenate([evidence.a, evidence.b]), np.concatenate([evidence.b, evidence.a])
    chosen = nodes[ends[0]] & (cores[ends[1]] >= 0)
    node, core, n = ends[0][chosen], cores[ends[1][chosen]], np.concatenate([evidence.n, evidence.n])[chosen]
    return Touches(*summed(node, core, n))


def summed(one: Ints, other: Ints, n: Ints) -> tuple[Ints, Ints, Ints]:
    """Pairs, each once and in order, and the sum of `n` of each."""
    if not len(one):
        return one, other, n
    key = one * (int(other.max()) + 1) + other
    order = np.argsort(key, kind="stable")
    key, starts = np.unique(key[order], return_index=True)
    return one[order][starts], other[order][starts], np.add.reduceat(n[order], starts)


def core_pairs(touches: Touches) -> tuple[Ints, Ints, Ints]:
    """Every two cores that one node was seen with, and the node."""
    left, right, node = [NONE], [NONE], [NONE]
    offset = 1
    while True:
        same = np.flatnonzero(touches.node[offset:] == touches.node[:-offset]) if offset < len(touches.node) else NONE
        if not len(same):
            return np.concatenate(left), np.concatenate(right), np.concatenate(node)
        left.append(touches.core[same])
        right.append(touches.core[same + offset])
        node.append(touches.node[same])
        offset += 1


def modal_names(evidence: Evidence, cores: Ints) -> Ints:
    """The most frequent name number of each core, -1 if there is none; of equally frequent ones the smallest."""
    nodes, names, n = evidence.names
    modal = np.full(int(cores.max(initial=-1)) + 1, -1, dtype=np.int64)
    inside = cores[nodes] >= 0
    core, name, n = cores[nodes][inside], names[inside], n[inside]
    if not len(core):
        return modal
    core, name, n = summed(core, name, n)
    order = np.lexsort((-name, n, core))  # the last of each core is its modal name
    modal[core[order]] = name[order]
    return modal
