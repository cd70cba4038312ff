"""A deterministic omnichannel retailer that knows the truth about itself.

``simulate`` writes what the systems of the retailer deliver night by night (``source/``), and beside it what the
pipeline never reads (``truth/``): who is who, what was wanted, sold and lost and why, and which records are broken on
purpose.

The data's way: ``world`` (places, goods, ``people`` with their ``identity``) -> each of the ``nights``: ``journeys`` ->
``selling`` from ``stock`` -> ``shop``, ``tills``, ``fulfilment``, ``voices``, ``profiles`` -> ``feeds`` (values in each
system's own format) -> ``damage`` -> ``deliver``.

Known simplifications: a European's shop day ends with Shanghai's; amounts include tax; the exchange rate does not move.
"""

from onedata.simulate.defects import KINDS, MEANINGS, DefectRates
from onedata.simulate.identity import IdentityRates
from onedata.simulate.model import PROFILES, SimulationSettings, SimulationSummary
from onedata.simulate.run import simulate

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
