"""One simulated retailer of the default size for the tests that only read it."""

from __future__ import annotations

import pytest

from onedata.simulate import SimulationSettings, SimulationSummary, simulate


@pytest.fixture(scope="session")
def retailer(tmp_path_factory: pytest.TempPathFactory) -> SimulationSummary:
    return simulate(SimulationSettings(), tmp_path_factory.mktemp("simulate") / "retailer")
