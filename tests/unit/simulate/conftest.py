"""Simulated retailers for read-only tests.

``retailer`` is large and long enough for shares and rates, with a peak day (18 June) inside; ``small`` has many of
every defect that leaves its files intact, for comparisons record by record; ``broken`` has far too many defects of
every kind.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date

import duckdb
import pytest
from read_back import truth

from onedata.simulate import KINDS, DefectRates, SimulationSettings, SimulationSummary, simulate

BROKEN_RATE = 0.05
WHOLE = {kind: 0.01 for kind in KINDS if kind not in ("truncated", "dropped_column")}


def _simulated(factory: pytest.TempPathFactory, settings: SimulationSettings) -> SimulationSummary:
    return simulate(settings, factory.mktemp("simulate") / "retailer")


@pytest.fixture(scope="session")
def retailer(tmp_path_factory: pytest.TempPathFactory) -> SimulationSummary:
    return _simulated(tmp_path_factory, SimulationSettings(customers=3_000, days=28, start=date(2026, 5, 25)))


@pytest.fixture(scope="session")
def small(tmp_path_factory: pytest.TempPathFactory) -> SimulationSummary:
    rates = DefectRates.named("light", WHOLE)
    return _simulated(
        tmp_path_factory, SimulationSettings(customers=800, days=12, start=date(2026, 5, 30), defects=rates)
    )


@pytest.fixture(scope="session")
def broken(tmp_path_factory: pytest.TempPathFactory) -> SimulationSummary:
    # Only about one file in four can lack a column.
    rates = DefectRates(**dict.fromkeys(KINDS, BROKEN_RATE) | {"dropped_column": 0.2})
    return _simulated(tmp_path_factory, SimulationSettings(customers=1_000, days=8, defects=rates))


@pytest.fixture(scope="session")
def known(retailer: SimulationSummary) -> Iterator[duckdb.DuckDBPyConnection]:
    """The truth of ``retailer``."""
    with truth(retailer.truth) as con:
        yield con


@pytest.fixture(scope="session")
def known_small(small: SimulationSummary) -> Iterator[duckdb.DuckDBPyConnection]:
    """The truth of ``small``."""
    with truth(small.truth) as con:
        yield con


@pytest.fixture(scope="session")
def known_broken(broken: SimulationSummary) -> Iterator[duckdb.DuckDBPyConnection]:
    """The truth of ``broken``."""
    with truth(broken.truth) as con:
        yield con
