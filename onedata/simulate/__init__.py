"""A small, deterministic retailer that knows the truth about itself.

``simulate`` writes what the systems of a four-channel retailer would deliver night by night (``source/``), and beside
it what the pipeline never reads: who is who, what was really sold and which rows are broken on purpose (``truth/``).

Known simplifications: one country, one currency and one time zone (Asia/Shanghai); stock does not follow from sales;
every amount includes tax; no seasons beyond the weekday.
"""

from onedata.simulate.model import Defect, SimulationSettings, SimulationSummary
from onedata.simulate.run import simulate

__all__ = ["Defect", "SimulationSettings", "SimulationSummary", "simulate"]
