"""Evidence about a part of the graph, as arrays."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from onedata.identity.cluster import Bools, Floats, Ints

AGREE, UNKNOWN, DIFFER = 1, 0, -1
NONE = np.empty(0, dtype=np.int64)


def no_names(left: Ints, _right: Ints) -> Ints:
    """A comparison without any known names."""
    return np.full(len(left), UNKNOWN, dtype=np.int64)


@dataclass(frozen=True)
class Evidence:
    """Evidence about nodes 0..n-1: the kind of each (position in the policy's types) and the pairs seen on one row,
    each once.

    `names` are observations (node, name number, count), and `compare` says whether pairs of name numbers AGREE, DIFFER
    or are UNKNOWN (-1 is no name). `scored` are pairs to link with their weight; `merged` and `parted` are pairs that
    an operator decided on.
    """

    kinds: Ints
    unusable: Bools
    a: Ints
    b: Ints
    n: Ints
    names: tuple[Ints, Ints, Ints] = (NONE, NONE, NONE)
    compare: Callable[[Ints, Ints], Ints] = no_names
    scored: tuple[Ints, Ints, Floats] = (NONE, NONE, np.empty(0))
    merged: tuple[Ints, Ints] = (NONE, NONE)
    parted: tuple[Ints, Ints] = (NONE, NONE)

    @property
    def size(self) -> int:
        return len(self.kinds)
