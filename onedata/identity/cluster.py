"""Connected components under limits. Pure: arrays in, arrays out.

Source: the limits follow docs/reference/identity.md, applied to whole components so that the result does not depend
on the order in which edges arrived.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from onedata.identity.components import components

Ints = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]
Floats = npt.NDArray[np.float64]
Counts = npt.NDArray[np.integer[Any]]


def neighbours_of_kind(size: int, kinds: Ints, a: Ints, b: Ints, kind: int) -> Ints:
    """Number of neighbours of `kind` for each node; a pair of nodes must not occur twice."""
    return np.asarray(
        np.bincount(a[kinds[b] == kind], minlength=size) + np.bincount(b[kinds[a] == kind], minlength=size),
        dtype=np.int64,
    )


def limited_components(
    size: int, a: Ints, b: Ints, priority: Ints, sizes: Counts, limits: Sequence[int], bound: Bools | None = None
) -> tuple[Ints, Ints]:
    """Components in which no kind has more members than its limit.

    A component that breaks a limit loses its edges of the highest priority number (the weakest), then of the next,
    until it holds.

    Args:
        size: Number of nodes.
        a, b: The edges.
        priority: Strength of each edge; 0 is the strongest.
        sizes: For each node and kind, the number of members that the node represents.
        limits: Most members of each kind in one component.
        bound: Edges that stay even if they break a limit.

    Returns:
        A component label for each node, and the indices of the edges that were removed because of a limit.
    """
    kept = np.zeros(len(a), dtype=np.bool_) if bound is None else bound
    active = np.ones(len(a), dtype=np.bool_)
    for level in range(int(priority.max(initial=-1)), -1, -1):
        labels = components(size, a[active], b[active])
        violating = over_limit(labels, sizes, limits)
        if not violating.any():
            return labels, np.flatnonzero(~active)
        active &= ~((priority == level) & violating[labels[a]] & ~kept)
    return components(size, a[active], b[active]), np.flatnonzero(~active)


def over_limit(labels: Ints, sizes: Counts, limits: Sequence[int]) -> Bools:
    """Whether each component has more members of some kind than its limit."""
    count = int(labels.max(initial=-1)) + 1
    over = np.zeros(count, dtype=np.bool_)
    for kind, limit in enumerate(limits):
        over |= np.bincount(labels, weights=sizes[:, kind], minlength=count) > limit
    return over
