"""A deterministic omnichannel retailer with ground truth.

``simulate`` writes the nightly deliveries of the retailer's systems (``source/``), and separately the ground truth that
the pipeline never reads (``truth/``): persons, demand, sales, losses and their causes, and the injected defects.

Data flow: ``world`` (places, goods, ``people`` with their ``identity``) -> each of the ``nights``: ``journeys`` ->
``selling`` from ``stock`` -> ``shop``, ``tills``, ``fulfilment``, ``voices``, ``profiles`` -> ``feeds`` (values in each
system's own format) -> ``damage`` -> ``deliver``.

Known simplifications: shop days in Europe end with Shanghai's; amounts include tax; the exchange rate is constant.
"""

from pathlib import Path

from onedata.simulate.model import PROFILES, Progress, SimulationSettings, SimulationSummary
from onedata.simulate.shares import KINDS, MEANINGS, DefectRates, IdentityRates

__all__ = [
    "KINDS",
    "MEANINGS",
    "PROFILES",
    "DefectRates",
    "IdentityRates",
    "SimulationSettings",
    "SimulationSummary",
    "simulate",
]


def simulate(settings: SimulationSettings, out: Path, progress: Progress | None = None) -> SimulationSummary:
    """`run.simulate`, whose libraries the command line's help does without."""
    from onedata.simulate.run import simulate as write_nights

    return write_nights(settings, out, progress)
