"""What a command loads: a command that runs no night starts without the libraries of a night."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

LIBRARIES = ("dagster", "dbt", "great_expectations", "igraph", "polars", "splink")
COMMANDS = {
    "help": ["--help"],
    "version": ["--version"],
    "help of a group": ["feed", "--help"],
    "help of a night": ["run", "--help"],
    "status": ["status"],
    "contracts": ["contracts"],
}
LOADED = f"""
import sys
from onedata_assets.cli import main
try:
    main(sys.argv[1:])
finally:
    print("LOADED", *sorted({{*{LIBRARIES}}} & sys.modules.keys()))
"""


@pytest.mark.parametrize("arguments", COMMANDS.values(), ids=COMMANDS.keys())
def test_a_command_that_runs_no_night_loads_none_of_its_libraries(arguments: list[str], tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    done = subprocess.run(
        [sys.executable, "-c", LOADED, *arguments],
        env=dict(os.environ) | {"ONEDATA_HOME": str(tmp_path / "data")},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert "Traceback" not in done.stderr
    assert done.stdout.splitlines()[-1].split() == ["LOADED"], done.stderr
