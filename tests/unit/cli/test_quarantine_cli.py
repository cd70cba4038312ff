"""The command `onedata quarantine` with its output."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from small_retailer import NIGHT, contract, settings_in, small_retailer, write_contracts
from typer.testing import CliRunner, Result

from onedata.quality.gx import Gatekeeper
from onedata.warehouse import open_warehouse


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A retailer with two rows in quarantine, and a command line that finds it."""
    with open_warehouse(settings_in(tmp_path)) as con:
        survey = small_retailer(tmp_path, con, Gatekeeper(con), contract(quarantineTolerance=1))
        survey.csv("A1,O1,5,,", "A2,O2,9,,", "A3,O3,x,,")
        survey.take()
    for name in ("home", "source", "contracts"):
        monkeypatch.setenv(f"ONEDATA_{name.upper()}", str(tmp_path / name))
    return tmp_path


def typed(*arguments: str) -> Result:
    from onedata_assets.cli import main

    return CliRunner().invoke(main, ["quarantine", *arguments])


def mend(home: Path) -> None:
    """Let scores go up to ten."""
    content: dict[str, Any] = contract(quarantineTolerance=1) | {"version": "1.1.0"}
    score = {
        "name": "satisfaction",
        "physicalName": "score",
        "logicalType": "number",
        "logicalTypeOptions": {"minimum": 1, "maximum": 10},
    }
    content["schema"][0]["properties"] = [
        score if item["name"] == "satisfaction" else item for item in content["schema"][0]["properties"]
    ]
    write_contracts(home / "contracts", content)


@pytest.mark.usefixtures("home")
def test_the_list_counts_rows_by_rule_and_file() -> None:
    told = typed("list")
    assert told.exit_code == 0
    assert f"survey/{NIGHT}.csv" in told.output
    assert "satisfaction_in_range" in told.output and "satisfaction_type" in told.output


@pytest.mark.usefixtures("home")
def test_a_row_is_shown_whole() -> None:
    told = typed("show", "--rule", "satisfaction_type")
    assert "row 3" in told.output and '"score":"x"' in told.output and "is not a" in told.output
    assert "A2" not in told.output


@pytest.mark.usefixtures("home")
def test_nothing_is_released_while_the_contract_is_as_it_was() -> None:
    told = typed("release")
    assert (told.exit_code, told.output) == (0, "survey: nothing was released, 2 rows are still invalid\n")


def test_what_the_mended_contract_takes_is_released(home: Path) -> None:
    mend(home)
    assert typed("release").output == "survey: 1 rows accepted, 0 were duplicates, 1 are still invalid\n"
    assert "satisfaction_in_range" not in typed("list").output


@pytest.mark.usefixtures("home")
def test_a_feed_that_is_not_there_is_named() -> None:
    told = typed("release", "--feed", "surveys")
    assert told.exit_code == 2
    assert "there is no feed 'surveys'" in told.output


def test_a_home_without_a_night_is_told(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ONEDATA_HOME", str(home / "elsewhere"))
    assert "no night has run yet" in typed("list").output
