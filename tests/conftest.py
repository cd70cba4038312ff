"""Fixtures for all folders: one simulated retailer and one undisturbed sequence of nights per session."""

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import dagster as dg
import pytest
from support import NIGHTS, Simulated, Story, environment_kept, home_at, run_well, story

from onedata.retailer import Retailer, load_retailer
from onedata.simulate import SimulationSettings, simulate

TESTS = Path(__file__).parent


@pytest.fixture(scope="session", autouse=True)
def own_settings_only() -> Iterator[None]:
    """Settings of whoever runs the tests must not reach them."""
    with environment_kept():
        for name in [name for name in os.environ if name.startswith("ONEDATA_") and name != "ONEDATA_SHARED_DATA"]:
            del os.environ[name]
        os.environ.pop("DAGSTER_HOME", None)
        yield


@pytest.fixture(autouse=True)
def own_umask() -> Iterator[None]:
    """Commands and runs close what the process makes to others; the next test begins as the first did."""
    before = os.umask(0o022)
    os.umask(before)
    yield
    os.umask(before)


@pytest.fixture(scope="session")
def simulated(tmp_path_factory: pytest.TempPathFactory) -> Simulated:
    """200 customers, three nights: small, and with broken, late and repeated rows."""
    out = tmp_path_factory.mktemp("retailer") / "out"
    simulate(SimulationSettings(customers=200, days=len(NIGHTS), start=NIGHTS[0]), out)
    return Simulated(
        out / "source",
        json.loads((out / "truth" / "totals.json").read_text(encoding="utf-8")),
        out / "truth" / "records",
    )


@pytest.fixture(scope="session")
def one_by_one(simulated: Simulated, tmp_path_factory: pytest.TempPathFactory) -> Story:
    """Three nights, one run each, nothing in their way: what every other way must come to."""
    settings = home_at(tmp_path_factory.mktemp("one_by_one"), simulated.source)
    return story(settings, "nights", run_well(settings, NIGHTS))


@pytest.fixture(scope="session")
def retailer(simulated: Simulated, tmp_path_factory: pytest.TempPathFactory) -> Retailer:
    """The built-in retailer with a home of its own, in development."""
    return load_retailer(home_at(tmp_path_factory.mktemp("graph"), simulated.source))


@pytest.fixture(scope="session")
def graph(retailer: Retailer) -> dg.Definitions:
    """Its Dagster definitions, as a deployment loads them."""
    from onedata_assets.definitions import build_definitions

    with environment_kept():
        return build_definitions(retailer)


@pytest.fixture(scope="session")
def manifest(request: pytest.FixtureRequest, retailer: Retailer) -> dict[str, Any]:
    """dbt's manifest of the project, which loading the graph writes."""
    request.getfixturevalue("graph")
    return dict(json.loads((retailer.settings.dbt_target / "target" / "manifest.json").read_text(encoding="utf-8")))


@pytest.hookimpl(tryfirst=True)  # before xdist's own, which reads the groups
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Tests that share what takes long to make run on one worker: of whole nights all of a folder, else of a file."""
    for item in items:
        parts = item.path.relative_to(TESTS).parts
        of_folder = parts[0] != "unit" or parts[1] in ("simulate", "sources")
        item.add_marker(pytest.mark.xdist_group("/".join(parts[:-1] if of_folder else parts)))


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """What was skipped, once more and loudly."""
    skipped = terminalreporter.stats.get("skipped", [])
    reasons = {str(report.longrepr[2]).removeprefix("Skipped: ") for report in skipped if report.longrepr}
    if reasons:
        terminalreporter.write_sep(
            "!", "REAL DATA, OR A RIGHT ON THIS MACHINE, IS MISSING: these tests did not run", red=True, bold=True
        )
        for text in sorted(reasons):
            terminalreporter.write_line(text, red=True)
