"""Fixtures of the unit tests: a warehouse in a temporary folder, and a retailer built from a test's contracts."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import duckdb
import pytest
from kept_home import build, copied
from small_retailer import Machine, SmallRetailer, begun, contract, prepared, settings_in, small_retailer

from onedata.masking import values_hidden
from onedata.quality.gx import Gatekeeper
from onedata.retailer import Retailer
from onedata.settings import Settings
from onedata.warehouse import open_warehouse
from onedata.warehouse.open import configure

Retail = Callable[..., SmallRetailer]


@pytest.fixture(scope="session")
def prepared_home(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    """The home that each retailer of `retail` begins with, made once; tests take a copy."""
    return prepared(tmp_path_factory.mktemp("prepared"))


@pytest.fixture
def con(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[duckdb.DuckDBPyConnection]:
    """The open warehouse of `settings_in(tmp_path)`: empty, or the prepared one where the test has a `retail`."""
    settings = settings_in(tmp_path)
    if "retail" not in request.fixturenames:
        with open_warehouse(settings) as connection:
            yield connection
        return
    shutil.copytree(request.getfixturevalue("prepared_home").home, settings.home)
    # Opened without looking for damage, which is a process of its own: the file was closed well and is this session's.
    with duckdb.connect(str(settings.warehouse)) as connection, values_hidden():
        configure(connection, settings)
        yield connection


@pytest.fixture(scope="session")
def one_gatekeeper() -> Gatekeeper:
    """Great Expectations takes a tenth of a second to set up."""
    return Gatekeeper(duckdb.connect())


@pytest.fixture
def gatekeeper(con: duckdb.DuckDBPyConnection, one_gatekeeper: Gatekeeper) -> Gatekeeper:
    """The session's, over the warehouse of the test."""
    one_gatekeeper.con = con
    return one_gatekeeper


@pytest.fixture
def retail(tmp_path: Path, con: duckdb.DuckDBPyConnection, gatekeeper: Gatekeeper) -> Retail:
    """Makes a retailer of contracts (see `small_retailer.contract`); once more with others in the same home, which is
    prepared anew as a night does."""

    def build(*contracts: dict[str, Any]) -> SmallRetailer:
        make = small_retailer if (tmp_path / "contracts").exists() else begun
        return make(tmp_path, con, gatekeeper, *contracts)

    return build


@pytest.fixture
def machine(monkeypatch: pytest.MonkeyPatch) -> Machine:
    """The clock that the ledger reads, to be put back."""
    clock = Machine()
    monkeypatch.setattr("onedata.ledger.clock.datetime", clock)
    return clock


@pytest.fixture
def survey(retail: Retail) -> SmallRetailer:
    """A retailer with one CSV feed of survey answers, a file a night, half of which may be quarantined."""
    return retail(contract(quarantineTolerance=0.5, frequency=1))


@pytest.fixture(scope="session")
def kept_template(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    """The small home of `kept_home`, made once; tests take a copy."""
    return build(tmp_path_factory.mktemp("kept") / "world")


@pytest.fixture
def kept(kept_template: Settings, tmp_path: Path) -> Retailer:
    """A copy of it for one test."""
    return copied(kept_template, tmp_path / "world")
