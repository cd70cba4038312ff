"""Fixtures for all folders: one simulated retailer and one undisturbed sequence of nights per session."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import duckdb
import pytest
from support import NIGHTS, Simulated, Story, environment_kept, home_after, home_at, once, run_well, story

from onedata.retailer import Retailer, load_retailer
from onedata.settings import Settings
from onedata.simulate import SimulationSettings, simulate

if TYPE_CHECKING:  # a worker without a test of the graph need not load Dagster
    import dagster as dg

TESTS = Path(__file__).parent
SHARED_HOMES = ("nights", "gates", "graph", "layering", "unit/simulate", "unit/sources")
"""Folders whose files share a home, a simulated retailer, a server or the graph."""
OWN_HOMES = tuple(
    f"nights/test_nights_{name}.py"
    for name in (
        *("documented", "exchange_rates", "installed", "order_matches", "permissions", "reconciled", "sizes"),
        "truth",
    )
)
"""Files of them that make a home of their own."""
LONGEST_FIRST = (
    "nights",
    "examples/test_example_online_retail.py",
    "gates",
    "nights/test_nights_permissions.py",
    "nights/test_nights_sizes.py",
    "nights/test_nights_installed.py",
    "nights/test_nights_reconciled.py",
    "nights/test_nights_truth.py",
    "nights/test_nights_documented.py",
    "graph",
    "layering",
    "examples/test_example_olist.py",
    "examples/test_example_look_alike.py",
    "unit/simulate",
    "unit/sources",
)
"""Groups of whole nights and other long ones, by what they took when measured."""
NOT_IN_CHECK = (
    *("examples", "faults", "gates", "graph", "nights"),
    *("layering/test_layering_built.py", "layering/test_layering_models.py"),
    *(f"unit/{name}" for name in ("backup", "cli", "faults", "fuzz", "landing", "simulate", "sources", "verify")),
    *("unit/mutants", "unit/warehouse", "unit/contracts/test_lake_shape.py", "unit/readers/test_csv_comments.py"),
    *(f"unit/onboarding/test_{name}.py" for name in ("drafted_forms", "encodings", "feed_new")),
    *(
        f"unit/readers/test_read_{name}.py"
        for name in (
            *("csv_dialects", "json_strict", "json_values", "jsonl", "parquet_nested", "xml_hostile", "xml_pieces"),
        )
    ),
    *(
        f"unit/identity/test_{name}.py"
        for name in (
            *("decisions", "explain", "identity_measures", "identity_truth", "resolve", "scoring"),
            *("scoring_clusters", "verify", "weekly_check"),
        )
    ),
    *(
        f"unit/ledger/test_{name}.py"
        for name in ("belongings", "durable_order", "lake_held_against_ledger", "ledger_clock", "rebuild")
    ),
)
"""What the quick lane `make check` leaves out: whole nights, processes, servers, simulated retailers, and files of unit
tests that take longest."""


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--check", action="store_true", help="the quick unit tests and the layers only (make check)")


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    if not config.getoption("check"):
        return None
    inside = collection_path.relative_to(TESTS)
    return True if {inside.as_posix(), *(folder.as_posix() for folder in inside.parents)} & {*NOT_IN_CHECK} else None


@pytest.fixture(scope="session", autouse=True)
def own_settings_only() -> Iterator[None]:
    """Settings of whoever runs the tests must not reach them."""
    with environment_kept():
        for name in [name for name in os.environ if name.startswith("ONEDATA_") and name != "ONEDATA_SHARED_DATA"]:
            del os.environ[name]
        os.environ.pop("DAGSTER_HOME", None)
        yield


@pytest.fixture(scope="session", autouse=True)
def one_thread() -> Iterator[None]:
    """DuckDB has one thread where a test does not say how many: with the few rows of a test a second one finds nothing
    to do, and while it looks for work it uses a third of the CPU time. The workers of the session share the cores."""
    connect = duckdb.connect

    def with_one_thread(
        database: str | Path = ":memory:", read_only: bool = False, config: dict[str, Any] | None = None
    ) -> duckdb.DuckDBPyConnection:
        return connect(database, read_only, {"threads": 1} | (config or {}))

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(duckdb, "connect", with_one_thread)
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
    """200 customers, three nights: small, and with broken, late and repeated rows. The same files for every worker."""

    def make(folder: Path) -> Simulated:
        out = folder / "out"
        simulate(SimulationSettings(customers=200, days=len(NIGHTS), start=NIGHTS[0]), out)
        return Simulated(
            out / "source",
            json.loads((out / "truth" / "totals.json").read_text(encoding="utf-8")),
            out / "truth" / "records",
        )

    return once(tmp_path_factory, "retailer", make)


@pytest.fixture(scope="session")
def after_first_night(simulated: Simulated, tmp_path_factory: pytest.TempPathFactory) -> Settings:
    """A home after its first night, which no test changes: stories that begin with it go on in a copy
    (`home_after`)."""

    def make(folder: Path) -> Settings:
        settings = home_at(folder, simulated.source)
        run_well(settings, NIGHTS[:1])
        return settings

    return once(tmp_path_factory, "first_night", make)


@pytest.fixture(scope="session")
def one_by_one(after_first_night: Settings, tmp_path_factory: pytest.TempPathFactory) -> Story:
    """Three nights, one run each, nothing in their way: what every other way must come to. The home is this worker's
    own."""

    def make(folder: Path) -> Story:
        settings = home_after(after_first_night, folder)
        return story(settings, "nights", run_well(settings, NIGHTS[1:]))

    made = once(tmp_path_factory, "three_nights", make)
    return replace(made, settings=home_after(made.settings, tmp_path_factory.mktemp("one_by_one")))


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


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """What takes longest begins first: with `--no-loadscope-reorder` xdist hands the groups out in this order, and no
    worker ends long after the others."""
    items.sort(key=lambda item: _rank(item.path.relative_to(TESTS)))


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """Tests that share what takes long to make run on one worker. `--dist loadgroup` no longer groups: it writes a node
    id that pytest 9.2 does not read (pytest-xdist issue 1386)."""
    from xdist.scheduler import LoadScopeScheduling

    class ByGroup(LoadScopeScheduling):
        def _split_scope(self, nodeid: str) -> str:
            return _group((config.rootpath / nodeid.partition("::")[0]).relative_to(TESTS))

    return ByGroup(config, log)


def _group(file: Path) -> str:
    """A folder where its files share a session's homes, else a file."""
    if file.as_posix() in OWN_HOMES:
        return file.as_posix()
    folder = file.parent.as_posix()
    return folder if folder in SHARED_HOMES else file.as_posix()


def _rank(file: Path) -> int:
    """Place of the file's group among those that take longest; the others follow as they were collected."""
    group = _group(file)
    return LONGEST_FIRST.index(group) if group in LONGEST_FIRST else len(LONGEST_FIRST)


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
