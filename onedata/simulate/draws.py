"""The only source of randomness: numbers that depend only on the seed, their purpose, and the night.

Method: Philox 4x64 (Salmon et al. 2011, "Parallel random numbers: as easy as 1, 2, 3"), a counter-based generator whose
output NumPy keeps stable. Its key is a SHA-256 of seed, purpose and night, so a night's draws are the same in a run of
any length.
"""

from __future__ import annotations

import hashlib

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]

BEFORE = -1
"""The night of draws that belong to no night: the world as it was before the first."""


class Draws:
    """All draws of one seed; it is stateless, so the order of calls does not matter."""

    def __init__(self, seed: int) -> None:
        self._seed = seed

    def uniform(self, purpose: str, count: int, night: int = BEFORE) -> Floats:
        """``count`` numbers in [0, 1)."""
        return self._generator(purpose, night).random(count)

    def chance(self, purpose: str, count: int, share: float | Floats, night: int = BEFORE) -> Bools:
        """True with probability ``share``, a scalar or one per draw."""
        return self.uniform(purpose, count, night) < share

    def below(self, purpose: str, count: int, limit: int | Ints, night: int = BEFORE) -> Ints:
        """Integers 0 .. limit - 1, uniformly distributed; ``limit`` is a scalar or one per draw."""
        return np.floor(self.uniform(purpose, count, night) * limit).astype(np.int64)

    def choose(self, purpose: str, count: int, weights: list[float] | Floats, night: int = BEFORE) -> Ints:
        """Positions in ``weights``, each with probability proportional to its weight."""
        return by_weight(self.uniform(purpose, count, night), np.asarray(weights, dtype=np.float64))

    def _generator(self, purpose: str, night: int) -> np.random.Generator:
        digest = hashlib.sha256(f"{self._seed}:{purpose}:{night}".encode()).digest()
        return np.random.Generator(np.random.Philox(key=np.frombuffer(digest[:16], dtype="<u8").astype(np.uint64)))


def by_weight(uniform: Floats, weights: Floats) -> Ints:
    """The position in ``weights`` that each number in [0, 1) selects."""
    edges = np.cumsum(weights)
    return np.minimum(np.searchsorted(edges / edges[-1], uniform, side="right"), len(weights) - 1).astype(np.int64)


def exponential(uniform: Floats) -> Floats:
    """Exponential waiting times of mean 1."""
    return -np.log1p(-uniform)
