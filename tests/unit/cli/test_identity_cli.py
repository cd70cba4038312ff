"""The command `onedata identity` with its output."""

from __future__ import annotations

import shutil
import subprocess
import sys
from datetime import date
from pathlib import Path

import duckdb
import pytest
from small_retailer import contract, settings_in, write_contracts
from typer.testing import CliRunner, Result

from onedata.landing.vault import open_vault, token_sql
from onedata.warehouse import open_warehouse

sys.path.append(str(Path(__file__).parents[1] / "identity"))
from people import People

C1, C2 = "account:shop:C1", "account:shop:C2"
MAIL, PHONE = "ann@shop.cn", "+8613912345678"


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A retailer that knows two customers, one of them with an e-mail and a phone."""
    folder = tmp_path_factory.mktemp("retailer")
    settings = settings_in(folder)
    settings.warehouse.parent.mkdir(parents=True)
    write_contracts(settings.contracts, contract())
    people = People(settings.warehouse, vault=settings.vault)
    with open_vault(people.con, settings.vault):
        row = people.con.execute(f"select {token_sql(f'{MAIL!r}')}, {token_sql(f'{PHONE!r}')}").fetchone()
        assert row is not None
        people.con.executemany(
            "insert into vault.token values (?, ?, ?)", [(row[0], "email", MAIL), (row[1], "phone", PHONE)]
        )
    people.deliver(0, ("C1", "M1", None, *row), ("C1", "M1"), ("C2", "M2"))
    people.resolve(0)
    people.con.close()
    return folder


@pytest.fixture
def home(template: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of it that a test may change, and a command line that finds it."""
    shutil.copytree(template, tmp_path, dirs_exist_ok=True)
    for name in ("home", "source", "contracts"):
        monkeypatch.setenv(f"ONEDATA_{name.upper()}", str(tmp_path / name))
    return tmp_path


def typed(*arguments: str) -> Result:
    from onedata_assets.cli import main

    return CliRunner().invoke(main, ["identity", *arguments])


def oneid(home: Path, key: str) -> str:
    with duckdb.connect(str(settings_in(home).warehouse), read_only=True) as con:
        row = con.execute(
            "select oneid from oneid.oneid_map where identity_key = ? and valid_to is null", [key]
        ).fetchone()
    assert row is not None
    return str(row[0])


def test_a_person_is_shown_by_a_raw_value_without_telling_another(home: Path) -> None:
    told = typed("show", MAIL)
    assert told.exit_code == 0
    assert f"{oneid(home, C1)}, 4 identifiers" in told.output
    assert C1 in told.output and "loyalty:M1" in told.output
    assert MAIL not in told.output and PHONE not in told.output


def test_an_explanation_names_feed_rows_and_days(home: Path) -> None:
    told = typed("explain", C1, "139-1234-5678")
    assert told.exit_code == 0
    assert f"are one person, {oneid(home, C1)}, both since 2026-01-01" in told.output
    assert "seen together on 1 row of orders on 2026-01-01" in told.output


@pytest.mark.usefixtures("home")
def test_explaining_two_persons_points_to_why_not() -> None:
    told = typed("explain", C1, C2)
    assert told.exit_code == 1
    assert "are not one person; why: onedata identity why-not" in told.output


@pytest.mark.usefixtures("home")
def test_why_not_says_where_nothing_connects_the_two() -> None:
    told = typed("why-not", C1, "loyalty:M2")
    assert told.exit_code == 0
    assert (
        "no row connects them" in told.output and "decided: nothing" in told.output and "scored: nothing" in told.output
    )


@pytest.mark.usefixtures("home")
def test_why_not_of_one_person_points_to_explain() -> None:
    told = typed("why-not", C1, "loyalty:M1")
    assert (told.exit_code, "why: onedata identity explain" in told.output) == (1, True)


def test_a_merge_of_oneids_waits_and_is_told_and_listed(home: Path) -> None:
    told = typed("merge", oneid(home, C1), oneid(home, C2), "--reason", "wrote in", "--by", "ann")
    assert told.exit_code == 0, told.output
    assert (
        told.output
        == f"decision 1: {C1} and {C2} are to be one person; the next `onedata run` applies it. Undo: onedata "
        "identity revert 1\n"
    )
    listed = typed("decisions").output
    assert "stands, not applied yet" in listed and "wrote in" in listed and "ann" in listed
    assert "note: decision 1 is made but not applied yet" in typed("explain", C1, C2).output


def test_a_merge_can_be_carried_out_at_once_and_taken_back(home: Path) -> None:
    before = oneid(home, C1)
    assert "applied: 1 OneIDs merged" in typed("merge", C1, C2, "--reason", "wrote in", "--now").output
    assert oneid(home, C2) == before
    assert "made one person by decision 1" in typed("explain", C1, C2).output
    assert typed("revert", "1", "--now").exit_code == 0
    assert oneid(home, C1) == before != oneid(home, C2)
    assert "reverted" in typed("decisions").output


def test_a_split_and_a_block_are_carried_out(home: Path) -> None:
    assert typed("split", C1, "loyalty:M1", "--reason", "found card", "--now").exit_code == 0
    assert oneid(home, C1) != oneid(home, "loyalty:M1")
    told = typed("block", PHONE, "--reason", "our hotline", "--now")
    assert told.exit_code == 0 and PHONE not in told.output
    assert "belongs to no person: blocked" in typed("show", PHONE).output


def test_a_decision_makes_the_next_run_build_the_last_night_again(home: Path) -> None:
    from onedata_assets.selection import select_nights

    settings = settings_in(home)
    settings.source.mkdir()
    night = date(2026, 1, 1)
    applied = "update ops.delivery set status = 'applied', applied_at = now()"
    publish = f"{applied}; insert into ops.night values ('{night}', 'r', now(), now(), 0, 0, 1)"
    settings.published.mkdir()
    settings.published_database.touch()
    with open_warehouse(settings) as con:
        con.execute(publish)
    assert select_nights(settings, None, None) == []
    typed("merge", C1, C2, "--reason", "wrote in")
    assert select_nights(settings, None, None) == [night]
    typed("revert", "1")
    assert select_nights(settings, None, None) == []
    typed("split", C1, C2, "--reason", "twins", "--now")
    assert select_nights(settings, None, None) == [night], "carried out, but not published"
    with open_warehouse(settings) as con:
        con.execute(publish)
    assert select_nights(settings, None, None) == []


@pytest.mark.usefixtures("home")
def test_a_decision_without_a_reason_is_refused() -> None:
    assert typed("merge", C1, C2).exit_code == 2
    told = typed("merge", C1, C2, "--reason", " ")
    assert (told.exit_code, "--reason is empty" in told.output) == (2, True)
    assert typed("decisions").output == "nothing was decided by hand\n"


@pytest.mark.usefixtures("home")
def test_what_is_not_known_ends_with_how_to_write_it() -> None:
    told = typed("show", "account:C1")
    assert told.exit_code == 2
    assert "did you mean account:shop:C1?" in told.output
    assert "no standing decision 7" in typed("revert", "7").output


def test_the_review_queue_shows_what_speaks_for_a_pair(home: Path) -> None:
    with duckdb.connect(str(settings_in(home).warehouse)) as con:
        con.execute(
            "insert into oneid.prob_edge select least(a.id_int, b.id_int), greatest(a.id_int, b.id_int), 2.0, null, "
            "'review', 'v1', "
            """'{"before": -9.0, "given": {"level": "same", "weight": 7.2}}' """
            "from oneid.identifier a, oneid.identifier b "
            "where a.identity_key = ? and b.identity_key = ?",
            [C1, C2],
        )
    told = typed("review").output
    assert "80.0% likely one person" in told and "given same +7.2" in told and "1 of 1 pair that wait" in told
    typed("split", C1, C2, "--reason", "twins")
    assert typed("review").output == "no pair waits for a decision\n"


@pytest.mark.usefixtures("home")
def test_help_has_an_example_of_each_command() -> None:
    for command in ("show", "explain", "why-not", "merge", "split", "block"):
        assert f"For example: onedata identity {command} " in " ".join(typed(command, "--help").output.split())
    assert "An account is written with the source system" in " ".join(typed("--help").output.split())


def test_a_home_without_a_night_is_told(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ONEDATA_HOME", str(home / "elsewhere"))
    for arguments in (("show", C1), ("merge", C1, C2, "--reason", "x")):
        assert "no night has run yet" in typed(*arguments).output


def test_a_night_that_holds_the_warehouse_is_told(home: Path) -> None:
    holder = (
        f"import duckdb, sys; con = duckdb.connect({str(settings_in(home).warehouse)!r}); con.execute('begin'); "
        "print('held', flush=True); sys.stdin.read()"
    )
    with subprocess.Popen([sys.executable, "-c", holder], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None and process.stdin is not None
        assert process.stdout.readline() == b"held\n"
        told = typed("show", C1)
        process.stdin.close()
        process.wait()
    assert told.exit_code == 2
    assert told.output.startswith(
        f"onedata: the warehouse {settings_in(home).warehouse} is being written by process {process.pid}. Wait for it "
        "to end"
    )


@pytest.mark.parametrize("arguments", [("show", MAIL), ("merge", C1, C2, "--reason", "they said so")])
def test_a_lost_vault_is_told_and_not_replaced(home: Path, arguments: tuple[str, ...]) -> None:
    vault = settings_in(home).vault
    (vault / "vault.duckdb").unlink()
    told = typed(*arguments)
    assert told.exit_code == 2
    assert f"onedata: {vault / 'vault.duckdb'} is missing. Nothing else holds the raw values" in told.output
    assert [path.name for path in vault.iterdir()] == ["token.key"]
