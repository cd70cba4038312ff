"""The weights of the comparisons, as stored from night to night: numbers only, no personal value."""

import hashlib
import json
import math
from collections.abc import Mapping
from dataclasses import dataclass

from onedata.errors import OnedataError
from onedata.identity.scoring.comparisons import COMPARISONS

LINK_WEIGHT = 3.0
"""Link from this weight on. The weight is log2 of the odds that two profiles are one person's: at the limit one link in
nine is wrong, above it far fewer, and a link must also agree in a personal attribute (`veto.LINKABLE`). Between 2 and 5
the F1 of febrl3 and febrl4 changes by 0.2 points, that of fake_1000 by 1.1."""
MERGE_WEIGHT = 13.0
"""Merge a retailer's customers from this weight on: a wrong link mixes two people's orders, a missed one waits for
review. Source: docs/reference/identity.md."""
REVIEW_WEIGHT = 0.0
"""Send a pair to review from this weight on: as likely one person as not. Below, the pair is ignored."""


class ModelError(OnedataError):
    """A stored model does not match this code's comparisons."""


@dataclass(frozen=True)
class Weights:
    """Of one level: the share m of pairs of one person, and u of pairs of two, in which it holds."""

    m: float
    u: float


@dataclass(frozen=True)
class Model:
    """Weights of every comparison's levels, in the comparisons' order, and the share of all pairs that belong to one
    person.

    `labelled_pairs` is the number of pairs of one person that m was learned from; 0 if the shipped defaults are used.
    """

    levels: Mapping[str, tuple[Weights, ...]]
    prior: float
    labelled_pairs: int

    @property
    def version(self) -> str:
        """A hash of the numbers and of the names of their levels: 12 hexadecimal digits."""
        return hashlib.sha256(f"{self.to_json()}|{COMPARISONS!r}".encode()).hexdigest()[:12]

    @property
    def prior_weight(self) -> float:
        """The weight of a pair without any evidence."""
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
            ModelError: the comparisons or their levels have changed: train a new model.
        """
        kept = json.loads(text)
        shape = {name: len(levels) for name, levels in kept["levels"].items()}
        if shape != {comparison.name: len(comparison.levels) for comparison in COMPARISONS}:
            raise ModelError(
                f"the stored model has levels {shape}, this version of onedata has other ones: train a new model"
            )
        levels = {name: tuple(Weights(m, u) for m, u in found) for name, found in kept["levels"].items()}
        return Model(levels, kept["prior"], kept["labelled_pairs"])
