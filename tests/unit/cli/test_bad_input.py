"""Every mistake of a user ends with one line that names the mistake and the fix, exit code 2, and no traceback."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
from pathlib import Path

import duckdb
import pytest
from small_retailer import SmallRetailer
from support import another_user, let_others_pass
from typer.testing import CliRunner, Result

from onedata_assets.cli import main

HEAVY = ("dagster", "dbt", "great_expectations", "splink")
WRONG = {
    "a night that is no day": (["serve", "yesterday"], "NIGHT takes a day as YYYY-MM-DD, not 'yesterday'"),
    "a first night that is no day": (
        ["run", "--from", "05.01.2026"],
        "--from takes a day as YYYY-MM-DD, not '05.01.2026'",
    ),
    "a start that is no day": (
        ["simulate", "--out", "nowhere", "--start", "soon"],
        "--start takes a day as YYYY-MM-DD, not 'soon'",
    ),
    "two ways to say the night": (["run", "--ds", "2026-01-05", "--to", "2026-01-06"], "not both"),
    "nights in the wrong order": (["run", "--from", "2026-01-06", "--to", "2026-01-05"], "is after --to 2026-01-05"),
    "a week for a day": (["run", "--ds", "2026-W01-1"], "--ds takes a day as YYYY-MM-DD, not '2026-W01-1'"),
    "an option that is none": (["run", "--bakfill"], "No such option: --bakfill"),
    "a command that is none": (["feeed", "list"], "No such command 'feeed'"),
    "an argument that lacks": (["feed", "check"], "Missing argument 'file'; see `"),
    "a number that is none": (["demo", "--days", "many"], "'--days': Input should be a valid integer"),
    "a number too small": (["demo", "--customers", "-1"], "'--customers': Input should be greater than or equal to 1"),
    "a file that is not there": (["feed", "check", "missing.csv"], "no file missing.csv"),
    "a feed that is not there": (
        ["feed", "check", "onedata.toml", "--feed", "shop_order"],
        "did you mean shop_orders?",
    ),
    "a feed to release": (["quarantine", "release", "--feed", "shop_ordres"], "did you mean shop_orders?"),
    "a home that is not there": (["status"], "there is no data home"),
    "a home to repair": (["repair"], "there is no data home"),
    "a home to rebuild": (["rebuild"], "there is no data home"),
    "settings that are not there": (["status", "--settings", "nowhere.toml"], "nowhere.toml"),
}


def typed(arguments: list[str], home: Path, monkeypatch: pytest.MonkeyPatch) -> Result:
    monkeypatch.setenv("ONEDATA_HOME", str(home))
    monkeypatch.chdir(home.parent)
    (home.parent / "onedata.toml").write_text("", encoding="utf-8")
    return CliRunner().invoke(main, arguments)


@pytest.mark.parametrize("name", WRONG)
def test_a_wrong_argument_is_one_line(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    arguments, told = WRONG[name]
    ended = typed(arguments, tmp_path / "home", monkeypatch)
    assert ended.exit_code == 2
    assert ended.stdout == ""
    assert told in ended.stderr
    assert ended.stderr.startswith("onedata: ") and "Traceback" not in ended.stderr
    assert len(ended.stderr.splitlines()) == 1
    assert not (tmp_path / "home").exists()


@pytest.mark.parametrize("command", ["run", "status", "repair"])
def test_a_home_that_is_a_file_is_told(command: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "home").write_text("mine", encoding="utf-8")
    ended = typed([command], tmp_path / "home", monkeypatch)
    assert (ended.exit_code, ended.stdout) == (2, "")
    assert f"{tmp_path / 'home'} is a file, and the data home is a folder" in ended.stderr
    assert (tmp_path / "home").read_text(encoding="utf-8") == "mine"


def test_a_port_that_another_server_has_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        ended = typed(["dev", "--port", str(port)], tmp_path / "home", monkeypatch)
    assert (ended.exit_code, ended.stdout) == (2, "")
    assert ended.stderr == (
        f"onedata: port {port} of 127.0.0.1 is in use, perhaps by another `onedata dev`: give a free one with --port\n"
    )
    assert not (tmp_path / "home").exists()


@pytest.mark.parametrize("arguments", [["identity", "review"], ["quarantine", "show"]])
def test_a_number_of_rows_below_one_is_refused(
    arguments: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ended = typed([*arguments, "--limit", "-3"], tmp_path / "home", monkeypatch)
    assert ended.exit_code == 2
    assert "greater than or equal to 1" in ended.stderr


@pytest.mark.parametrize("command", ["list", "show"])
def test_a_feed_that_never_was_in_quarantine_is_refused(
    command: str, survey: SmallRetailer, monkeypatch: pytest.MonkeyPatch
) -> None:
    survey.con.close()
    ended = typed(["quarantine", command, "--feed", "shop_ordres"], survey.settings.home, monkeypatch)
    assert ended.exit_code == 2
    assert ended.stderr == (
        "onedata: there is no feed 'shop_ordres'; did you mean shop_orders? (`onedata contracts` lists them)\n"
    )


@pytest.mark.parametrize("arguments", [["quarantine", "list"], ["identity", "decisions"], ["verify"]])
def test_a_home_of_another_onedata_is_told(
    arguments: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    warehouse = tmp_path / "home" / "warehouse" / "onedata.duckdb"
    warehouse.parent.mkdir(parents=True)
    with duckdb.connect(str(warehouse)) as con:
        con.execute("create schema ops; create table ops.something (a integer)")
    ended = typed(arguments, tmp_path / "home", monkeypatch)
    assert ended.exit_code in (1, 2)
    assert "Traceback" not in ended.output
    assert isinstance(ended.exception, SystemExit)


def test_wrong_arguments_load_no_engine(tmp_path: Path) -> None:
    script = (
        "import json, os, sys; from typer.testing import CliRunner; from onedata_assets.cli import main\n"
        "codes = [CliRunner().invoke(main, arguments).exit_code for arguments in json.loads(sys.argv[1])]\n"
        f"print(json.dumps([codes, [name for name in {HEAVY!r} if name in sys.modules]]))"
    )
    commands = [arguments for arguments, _ in WRONG.values()]
    done = subprocess.run(
        [sys.executable, "-c", script, json.dumps([*commands, ["--help"], ["run", "--help"]])],
        cwd=tmp_path,
        env={"PATH": "/usr/bin:/bin", "ONEDATA_HOME": str(tmp_path / "home"), "PYTHONPATH": ":".join(sys.path)},
        capture_output=True,
        text=True,
        check=True,
    )
    codes, loaded = json.loads(done.stdout)
    assert codes == [2] * len(commands) + [0, 0]
    assert loaded == []


@pytest.mark.parametrize("arguments", [["run", "--ds", "2026-01-05"], ["status"], ["verify"], ["repair"]])
def test_a_home_in_a_folder_that_may_not_be_looked_into_is_told(arguments: list[str], tmp_path: Path) -> None:
    command, environment = another_user()
    let_others_pass(tmp_path)
    home = tmp_path / "private" / "home"
    home.mkdir(parents=True)
    home.parent.chmod(0)
    own = {"ONEDATA_HOME": str(home), "ONEDATA_SOURCE": str(tmp_path)}
    code = f"from onedata_assets.cli import main; main({arguments!r})"
    done = subprocess.run(
        [*command, "-c", code], env=environment | own, capture_output=True, text=True, check=False, cwd="/"
    )
    home.parent.chmod(0o700)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("onedata: ") and len(done.stderr.splitlines()) == 1
    assert f"has no right to {home}" in done.stderr
