"""Read access to a data home after real nights: every path, and the access of a reader and of others."""

from __future__ import annotations

import grp
import json
import os
import shutil
import stat
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path

import duckdb
import pytest
from support import CommandLine, environment_kept, run_well
from typer.testing import CliRunner

from onedata.settings import Settings
from onedata.simulate import SimulationSettings, simulate

FIRST, SECOND = date(2026, 1, 5), date(2026, 1, 6)
NOBODY = "65534"
PUBLISHED = "published"
CLOSED = 0o077
FEEDS = ("shop_customers", "shop_orders", "shop_products")
"""Contracts that fill every layer, and the vault: a path's mode does not depend on how many feeds there are."""

# What a user gets to: paths come as JSON, those that could be listed or read go back, with the rows that the published
# files have.
LOOK = """
import json, os, sys
import duckdb
def opens(path):
    try:
        if os.path.isdir(path):
            os.listdir(path)
        else:
            open(path, "rb").close()
    except OSError:
        return False
    return True
asked = json.load(sys.stdin)
seen = [path for path in asked["paths"] if opens(path)]
rows = []
if asked["database"] in seen:
    con = duckdb.connect(asked["database"], read_only=True)
    rows = [con.execute("select count(*) from dws_order").fetchone()[0],
        con.execute("select count(*) from read_parquet(?)", [asked["parquet"]]).fetchone()[0]]
print(json.dumps({"seen": seen, "rows": rows}))
"""


@dataclass(frozen=True)
class Home:
    """A home where everybody may get to, its own retailer in it, and the modes that the retailer's files had before the
    first night."""

    settings: Settings
    source_modes: dict[str, int]

    def paths(self) -> list[Path]:
        """The home and all below it but the retailer's own files."""
        home = self.settings.home
        return [
            home,
            *(path for path in sorted(home.rglob("*")) if "retailer" not in path.relative_to(home).parts[:-1]),
        ]


@pytest.fixture(scope="module")
def group() -> str:
    """A group that the tests' user may give files to, another than its own where there is one."""
    own = os.getegid()
    others = [entry.gr_name for entry in grp.getgrall() if os.geteuid() == 0 and entry.gr_gid not in (own, int(NOBODY))]
    return others[0] if others else grp.getgrgid(own).gr_name


@pytest.fixture(scope="module")
def home(group: str) -> Iterator[Home]:
    """One night of a few feeds by the job, in a process that would let everybody read and write."""
    before = os.umask(0)
    # Not below pytest's own folder, which only its user may pass.
    with tempfile.TemporaryDirectory(
        dir=os.environ.get("PYTEST_DEBUG_TEMPROOT") or "/var/tmp", prefix="onedata-home-"
    ) as folder:
        Path(folder).chmod(0o755)
        home = Path(folder) / "home"
        simulate(SimulationSettings(customers=60, days=2, start=FIRST), home / "retailer")
        contracts = Path(folder) / "contracts"
        contracts.mkdir()
        for name in FEEDS:
            shutil.copy(Settings().contracts / f"{name}.odcs.yaml", contracts)
        settings = replace(
            Settings(), home=home, source=home / "retailer" / "source", contracts=contracts, reader_group=group
        )
        source_modes = modes(settings.source)
        try:
            run_well(settings, [FIRST])
            yield Home(settings, source_modes)
        finally:
            os.umask(before)


def modes(folder: Path) -> dict[str, int]:
    return {
        str(path.relative_to(folder)): stat.S_IMODE(path.stat().st_mode)
        for path in folder.rglob("*")
        if not path.is_symlink()
    }


def wrong(home: Home) -> dict[str, str]:
    """Every path whose mode or group is another than the rules say, with its mode."""
    found = {}
    group = grp.getgrnam(home.settings.reader_group).gr_gid
    for path in home.paths():
        if path.is_symlink():
            continue
        inside, is_folder = path.relative_to(home.settings.home).parts, path.is_dir()
        status = path.stat()
        is_shared = inside[:1] in ((), (PUBLISHED,))
        allowed = {(): (0o710,), (PUBLISHED,): (0o750,) if is_folder else (0o640, 0o440)}.get(
            inside[:1], (0o700,) if is_folder else (0o600,)
        )
        if stat.S_IMODE(status.st_mode) not in allowed or (is_shared and status.st_gid != group):
            found["/".join(inside)] = f"{stat.S_IMODE(status.st_mode):o}, group {status.st_gid}"
    return found


def look(home: Home, *groups: str) -> tuple[set[str], list[int]]:
    """What user nobody in these groups can list or read of the home, and how many orders it reads from the published
    database and Parquet."""
    if os.geteuid() != 0 or not shutil.which("setpriv"):
        pytest.skip("NOT TESTED: what other users can read; run the tests as root, with setpriv")
    member = ["--groups", ",".join(groups)] if groups else ["--clear-groups"]
    files = [str(path) for path in (*home.paths(), *home.settings.source.rglob("*"))]
    asked = {
        "paths": files,
        "database": str(home.settings.published_database),
        "parquet": str(home.settings.published / "parquet" / "dws_order.parquet"),
    }
    command = ["setpriv", "--reuid", NOBODY, "--regid", NOBODY, *member, sys.executable, "-c", LOOK]
    done = subprocess.run(
        command, input=json.dumps(asked), env={}, cwd="/", capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    return {str(Path(path).relative_to(home.settings.home)) for path in found["seen"]}, found["rows"]


def test_every_path_below_the_home_is_closed_but_what_is_published(home: Home) -> None:
    kinds = {path.relative_to(home.settings.home).parts[0] for path in home.paths()[1:]}
    assert kinds >= {"lake", "warehouse", "vault", "dagster", "dbt", PUBLISHED}
    assert any(path.suffix == ".db" for path in home.paths()) and any(path.suffix == ".log" for path in home.paths())
    assert wrong(home) == {}
    # The retailer's own files stay as they were, open to all by the umask they were made under.
    assert modes(home.settings.source) == home.source_modes
    assert set(home.source_modes.values()) <= {0o777, 0o666}


def test_a_reader_reads_what_is_published_and_nothing_else(home: Home, group: str) -> None:
    seen, rows = look(home, str(grp.getgrnam(group).gr_gid))
    published = {
        str(path.relative_to(home.settings.home))
        for path in home.paths()
        if path.is_relative_to(home.settings.published)
    }
    assert seen == published
    with duckdb.connect(str(home.settings.published_database), read_only=True) as con:
        orders = con.execute("select count(*) from dws_order").fetchone()
    assert orders is not None and orders[0] > 0
    assert rows == [orders[0], orders[0]]


def test_a_stranger_reads_nothing(home: Home) -> None:
    assert look(home) == (set(), [])


def test_a_dry_run_leaves_nothing_that_others_may_read_while_it_runs(
    home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    from onedata.onboarding import dry_run
    from onedata_assets.cli import main

    found: dict[str, int] = {}
    real = dry_run.land

    def landed(con: duckdb.DuckDBPyConnection, settings: Settings, *rest: object) -> object:
        outcome = real(con, settings, *rest)  # type: ignore[arg-type]
        found.update(modes(settings.home) | {".": stat.S_IMODE(settings.home.stat().st_mode)})
        return outcome

    monkeypatch.setattr(dry_run, "land", landed)
    os.umask(0)
    file = next((home.settings.source / "shop" / "customers").rglob("*"))
    for name in ("home", "source", "contracts"):
        monkeypatch.setenv(f"ONEDATA_{name.upper()}", str(getattr(home.settings, name)))
    told = CliRunner().invoke(main, ["feed", "check", str(file), "--feed", "shop_customers"])
    assert "received" in told.output, told.output
    assert "vault/vault.duckdb" in found and any(name.startswith("staged/shop_customers/") for name in found)
    assert {name: oct(mode) for name, mode in found.items() if mode & CLOSED} == {}


def test_a_deployment_that_loads_the_graph_closes_what_it_makes(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    from onedata_assets.definitions import defs

    for name in ("home", "source", "contracts"):
        monkeypatch.setenv(f"ONEDATA_{name.upper()}", str(getattr(home.settings, name)))
    os.umask(0)
    with environment_kept():
        defs()
    assert os.umask(0) == CLOSED
    assert wrong(home) == {}


def test_a_home_of_before_is_closed_by_the_next_run_which_says_so(home: Home) -> None:
    opened = [path for path in home.paths() if not path.is_symlink()]
    files = {path.stat().st_ino for path in opened}
    for path in opened:
        path.chmod(0o755 if path.is_dir() else 0o644)
        os.chown(path, -1, os.getegid())
    (home.settings.home / ".permissions").unlink()
    os.umask(0o022)
    outcome = CommandLine(home.settings, "--ds", str(SECOND)).finish()
    assert outcome.succeeded, outcome.said
    # A file with two names is one; the marker is gone, and was none of them.
    count = len(files) - 1
    text = f"{count:,} files and folders of {home.settings.home} could be read by others than user"
    assert outcome.said.count(text) == 1, outcome.said
    assert outcome.said.count("could be read by others") == 1
    assert wrong(home) == {}
    assert modes(home.settings.source) == home.source_modes


def test_a_lost_vault_ends_the_next_run_and_leaves_what_is_published(home: Home) -> None:
    before = home.settings.published_database.read_bytes()
    vault = home.settings.vault / "vault.duckdb"
    vault.rename(vault.with_name("aside"))
    outcome = CommandLine(home.settings, "--ds", str(SECOND)).finish()
    vault.with_name("aside").rename(vault)
    assert not outcome.succeeded
    assert f"{vault} is missing. Nothing else holds the raw values" in outcome.said
    assert home.settings.published_database.read_bytes() == before
    assert sorted(path.name for path in home.settings.vault.iterdir()) == ["token.key", "vault.duckdb"]
