"""The weights of the comparisons, as they are kept from night to night: numbers only, no value of anybody."""

import hashlib
import json
import math
from collections.abc import Mapping
from dataclasses import dataclass

from onedata.errors import OnedataError
from onedata.identity.scoring.comparisons import COMPARISONS

LINK_WEIGHT = 3.0
"""Link from here on. The weight is log2 of the odds that two profiles are one person's: at the edge one link in nine is
wrong, above it far fewer, and a link must also agree in something of a person's own (`veto.LINKABLE`). From 2 to 5 the
F1 of febrl3 and febrl4 moves by 0.2 points, that of fake_1000 by 1.1."""
MERGE_WEIGHT = 13.0
"""Unite a retailer's customers from here on: a wrong link mixes two people's orders, a missed one waits for review.
Source: docs/reference/identity.md."""
REVIEW_WEIGHT = 0.0
"""Have a person look from here on: as likely one person as not. Below, the pair is left."""


class ModelError(OnedataError):
    """A kept model does not belong to this code's comparisons."""


@dataclass(frozen=True)
class Weights:
    """Of one level: the share m of pairs of one person, and u of pairs of two, in which it holds."""

    m: float
    u: float


@dataclass(frozen=True)
class Model:
    """Weights of every comparison's levels, in the comparisons' order, and the share of all pairs that are one
    person's.

    `labelled_pairs` is how many pairs of one person m was learned from; 0 where the shipped defaults are used.
    """

    levels: Mapping[str, tuple[Weights, ...]]
    prior: float
    labelled_pairs: int

    @property
    def version(self) -> str:
        """A hash of the numbers and of what they are numbers of: 12 hexadecimal digits."""
        return hashlib.sha256(f"{self.to_json()}|{COMPARISONS!r}".encode()).hexdigest()[:12]

    @property
    def prior_weight(self) -> float:
        """The weight of a pair of which nothing is known."""
        return math.log2(self.prior / (1 - self.prior))

    def to_json(self) -> str:
        """Text for `from_json`, the same for the same model."""
        levels = {name: [[weights.m, weights.u] for weights in found] for name, found in self.levels.items()}
        return json.dumps(
            {"levels": levels, "prior": self.prior, "labelled_pairs": self.labelled_pairs}, sort_keys=True
        )

    @staticmethod
    def from_json(text: str) -> "Model":
        """The model that `to_json` wrote.

        Raises:
            ModelError: the comparisons or their levels are others now: train anew.
        """
        kept = json.loads(text)
        shape = {name: len(levels) for name, levels in kept["levels"].items()}
        if shape != {comparison.name: len(comparison.levels) for comparison in COMPARISONS}:
            raise ModelError(f"the kept model has levels {shape}, this version of onedata has other ones: train anew")
        levels = {name: tuple(Weights(m, u) for m, u in found) for name, found in kept["levels"].items()}
        return Model(levels, kept["prior"], kept["labelled_pairs"])
