"""Shared by the tests of whole nights: data homes below a temporary folder, runs through the real job, and exact
comparison of tables."""

import contextlib
import fcntl
import hashlib
import io
import os
import pickle
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any, TypeVar

import duckdb
import pytest

from onedata.settings import Settings, load_settings

REPOSITORY = Path(__file__).resolve().parents[1]
FIRST = date(2026, 1, 5)
NIGHTS = [FIRST + timedelta(days=day) for day in range(3)]
LAYERS = ("dim", "dwd", "dws", "ads")
KEY = b"the key that the homes of one test session share"[:32]
PATIENCE_SECONDS = 240.0
PARSED: list[bytes] = []
MANIFESTS: dict[tuple[Any, ...], Any] = {}
T = TypeVar("T")


@dataclass(frozen=True)
class Outcome:
    """What a run came to, and what it told the person at the terminal."""

    succeeded: bool
    said: str


@dataclass(frozen=True)
class Simulated:
    """The feeds' files, the totals the simulator knows to be true of them, and the folder with the truth of each
    record."""

    source: Path
    truth: dict[str, Any]
    records: Path


@dataclass(frozen=True)
class Story:
    """A home after some runs: copies of its warehouse and of what it published then, and how the last run went."""

    settings: Settings
    warehouse: Path
    published: Path
    outcome: Outcome


@contextlib.contextmanager
def environment_kept() -> Iterator[None]:
    """Settings reach dbt through os.environ; afterwards it is as before."""
    before = dict(os.environ)
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)


@contextlib.contextmanager
def dbt_parsed_once(settings: Settings) -> Iterator[None]:
    """The shipped dbt project is parsed once for each of a retailer's settings, as by a run of several nights; a home
    without a parse takes its files from the one that was parsed, as a home that was copied would."""
    from onedata_assets import dbt

    files = [settings.dbt_target / "target" / name for name in ("partial_parse.msgpack", "manifest.json")]
    parse = dbt._manifest

    def parse_once(settings: Settings) -> tuple[Any, bool]:
        sources = [file for kind in ("*.sql", "*.yml", "*.csv") for file in settings.dbt_project.rglob(kind)]
        changed = max(file.stat().st_mtime_ns for file in sources)
        told = {name: value for name, value in os.environ.items() if name.startswith("ONEDATA_")}
        of_home = {f"ONEDATA_{name}" for name in ("HOME", "SOURCE", "CONTRACTS", "LAKE", "WAREHOUSE")}
        key = (changed, len(sources), *sorted((name, told[name]) for name in told.keys() - of_home))
        if key in MANIFESTS and all(file.exists() for file in files):
            return MANIFESTS[key], True
        manifest, is_as_written = parse(settings)
        MANIFESTS[key] = manifest
        return manifest, is_as_written

    if PARSED and not any(file.exists() for file in files):
        files[0].parent.mkdir(parents=True, exist_ok=True)
        for file, content in zip(files, PARSED, strict=True):
            file.write_bytes(content)
    with pytest.MonkeyPatch.context() as patch:
        if not settings.own_entities:
            patch.setattr(dbt, "_manifest", parse_once)
        yield
    if not PARSED and all(file.exists() for file in files):
        PARSED.extend(file.read_bytes() for file in files)


def home_at(folder: Path, source: Path, **changes: Any) -> Settings:
    """Settings of an empty data home with the session's vault key, so that equal identifiers have equal tokens in every
    home. DuckDB has one thread, as its workers share the cores and a thread that waits for another is busy."""
    settings = replace(Settings(), home=folder / "home", source=source, **{"threads": 1} | changes)
    share_key(settings)
    return settings


def home_after(template: Settings, folder: Path) -> Settings:
    """A copy of a home, which goes on from there as the home itself would."""
    settings = replace(template, home=folder / "home")
    shutil.copytree(template.home, settings.home, symlinks=True)
    return settings


def once(factory: pytest.TempPathFactory, name: str, make: Callable[[Path], T]) -> T:
    """What `make` makes in a folder of this name, made by the first of the session's workers that needs it; the others
    wait for it and read it."""
    root = factory.getbasetemp()
    root = root.parent if "PYTEST_XDIST_WORKER" in os.environ else root
    folder, made = root / name, root / f"{name}.pickle"
    with (root / f"{name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not made.exists():
            shutil.rmtree(folder, ignore_errors=True)
            folder.mkdir()
            made.write_bytes(pickle.dumps(make(folder)))
    found: T = pickle.loads(made.read_bytes())
    return found


def let_others_pass(folder: Path) -> None:
    """The way to a temporary folder opened to every user; what is open already, as the machine's own folder for
    temporary files, is left as it is."""
    for place in (folder, *folder.parents):
        if place.stat().st_mode & 0o055 != 0o055:
            place.chmod(0o755)


def share_key(settings: Settings) -> None:
    settings.vault.mkdir(parents=True, mode=0o700)
    (settings.vault / "token.key").write_bytes(KEY)


def run(
    settings: Settings,
    nights: Sequence[date],
    each_night: bool = True,
    full_refresh: bool = False,
    replace_nights: bool = False,
) -> Outcome:
    """Run the nights in this process through the Dagster job that the command line, the schedule and the UI run."""
    from onedata_assets.runner import run_nights

    said = io.StringIO()
    with environment_kept(), dbt_parsed_once(settings), contextlib.redirect_stderr(said):
        succeeded = run_nights(settings, list(nights), each_night, full_refresh, replace_nights)
    return Outcome(succeeded, said.getvalue())


def run_well(
    settings: Settings,
    nights: Sequence[date],
    each_night: bool = True,
    full_refresh: bool = False,
    replace_nights: bool = False,
) -> Outcome:
    """The same where a failure would make what follows meaningless."""
    outcome = run(settings, nights, each_night, full_refresh, replace_nights)
    assert outcome.succeeded, outcome.said
    return outcome


class CommandLine:
    """A real `onedata run`, or another command, in a process of its own, watched from outside."""

    def __init__(self, settings: Settings, *arguments: str, command: str = "run", **environment: str) -> None:
        self._home = settings.home
        self._log = settings.home.parent / f"run-{time.monotonic_ns()}.log"
        self._began = time.time_ns()
        with self._log.open("wb") as log:
            self.process = subprocess.Popen(
                [str(onedata_command()), command, *arguments],
                env=dict(os.environ) | settings.environment() | environment,
                stdout=log,
                stderr=subprocess.STDOUT,
            )

    @property
    def said(self) -> str:
        return self._log.read_text(encoding="utf-8")

    def wait_for(self, pattern: str) -> None:
        """Until a file below the home that matches has been written since the start; fails where the run ends
        before."""
        until = time.monotonic() + PATIENCE_SECONDS
        while time.monotonic() < until:
            if any(_changed_after(path, self._began) for path in self._home.glob(pattern)):
                return
            assert self.process.poll() is None, f"the run ended before {pattern} appeared:\n{self.said}"
            time.sleep(0.002)
        raise AssertionError(f"{pattern} did not appear:\n{self.said}")

    def kill(self) -> None:
        """SIGKILL: no clean-up runs."""
        self.process.send_signal(signal.SIGKILL)
        assert self.process.wait() == -signal.SIGKILL, self.said

    def finish(self) -> Outcome:
        code = self.process.wait(PATIENCE_SECONDS)
        return Outcome(code == 0, self.said)


def _changed_after(path: Path, moment: int) -> bool:
    try:
        return path.stat().st_mtime_ns > moment
    except FileNotFoundError:  # renamed between listing and looking
        return False


def onedata_command() -> Path:
    return Path(sys.executable).with_name("onedata")


def copy_source(source: Path, to: Path, pattern: str = "*") -> Path:
    """The feed files with their times, for a test that changes some of them."""
    for path in source.rglob(pattern):
        if path.is_file():
            target = to / path.relative_to(source)
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(path, target)
    return to


def story(settings: Settings, name: str, outcome: Outcome) -> Story:
    """The home as it is now, between two runs."""
    return Story(
        settings, _copied(settings.warehouse, name), _copied(settings.published_database, f"{name}-published"), outcome
    )


def _copied(database: Path, name: str) -> Path:
    target = database.parents[2] / f"{name}.duckdb"
    for suffix in ("", ".wal"):
        if Path(f"{database}{suffix}").exists():
            shutil.copy(f"{database}{suffix}", f"{target}{suffix}")
    return target


def differences(first: Path, second: Path, schemas: Sequence[str] = LAYERS) -> dict[str, str]:
    """Table to what differs, by EXCEPT ALL both ways over every column; empty where both warehouses hold the same.

    A person is compared by its identifiers, a household by its persons: which of several OneIDs survives a merge
    depends on the nights before it.
    """
    found = {}
    with duckdb.connect() as con:
        con.execute(f"attach '{first}' as a (read_only); attach '{second}' as b (read_only)")
        tables = {name: _tables(con, name, schemas) for name in ("a", "b")}
        assert tables["a"], f"{first} has no tables in {schemas}"
        for name in ("a", "b"):
            _name_persons(con, name)
        for table in sorted(tables["a"].keys() | tables["b"].keys()):
            columns = [tables[name].get(table) for name in ("a", "b")]
            if columns[0] != columns[1]:
                found[table] = f"columns {columns[0]} against {columns[1]}"
                continue
            named = {name: _by_person(f"{name}.{table}", name, columns[0] or []) for name in ("a", "b")}
            only = [
                rows(con, f"select count(*) from ({named[x]} except all {named[y]})")[0][0]
                for x, y in (("a", "b"), ("b", "a"))
            ]
            if any(only):
                found[table] = f"{only[0]} rows only in {first.name}, {only[1]} only in {second.name}"
    return found


def _name_persons(con: duckdb.DuckDBPyConnection, database: str) -> None:
    """`who_<database>` and `home_<database>`: OneIDs and household ids by the smallest identifier behind them."""
    schemas = {
        name for (name,) in rows(con, f"select schema_name from duckdb_schemas() where database_name = '{database}'")
    }
    known = "oneid" in schemas
    who = (
        f"select oneid as id, min(identity_key) as name from {database}.oneid.oneid_map where valid_to is null "
        "group by 1"
    )
    home = (
        f"select household_id as id, min(w.name) as name from {database}.oneid.household_map h join who_{database} w "
        "on w.id = h.oneid where valid_to is null group by 1"
    )
    nothing = "select null::varchar as id, null::varchar as name where false"
    con.execute(
        f"create temp table who_{database} as {who if known else nothing}; create temp table home_{database} as "
        f"{home if known else nothing}"
    )


def _by_person(table: str, database: str, columns: Sequence[str]) -> str:
    there = {column.split(" ")[0] for column in columns}
    named = [
        f"coalesce((select name from {kind}_{database} k where k.id = t.{column}), t.{column}) as {column}"
        for column, kind in (("oneid", "who"), ("household_id", "home"))
        if column in there
    ]
    return f"select * {'replace (' + ', '.join(named) + ')' if named else ''} from {table} t"


def _tables(con: duckdb.DuckDBPyConnection, database: str, schemas: Sequence[str]) -> dict[str, list[str]]:
    return dict(
        rows(
            con,
            "select schema_name || '.' || table_name, list(column_name || ' ' || data_type order by column_index) "
            "from duckdb_columns() "
            f"where database_name = '{database}' and schema_name in ({', '.join(repr(name) for name in schemas)}) "
            "group by 1",
        )
    )


def rows(con: duckdb.DuckDBPyConnection, sql: str) -> list[tuple[Any, ...]]:
    return con.execute(sql).fetchall()


def ask(database: Path, sql: str) -> list[tuple[Any, ...]]:
    """Rows of a read-only question to a database file."""
    with duckdb.connect(str(database), read_only=True) as con:
        return rows(con, sql)


def digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def counted(story: Story, column: str) -> dict[str, int]:
    """What the ledger counted of each feed: `received`, `quarantined` or `duplicate` rows."""
    return dict(ask(story.warehouse, f"select feed, sum({column})::bigint from ops.file group by feed"))


def expected(simulated: Simulated, name: str) -> dict[str, int]:
    """What the simulator knows of each feed: `rows`, `quarantined` or `duplicates`."""
    return {feed: counts[name] for feed, counts in simulated.truth["feeds"].items()}


def published_by_channel(story: Story, column: str) -> dict[str, Decimal]:
    """A column of the published ads_channel_day, summed over all days."""
    return dict(ask(story.published, f"select channel, sum({column})::decimal(18, 4) from ads_channel_day group by 1"))


MONEY = (
    "net_revenue_as_priced_base",
    "net_revenue_base",
    "gift_cards_base",
    "shipping_base",
    "shipping_refunded_base",
)


def published_money(story: Story) -> dict[tuple[str, str], tuple[Decimal, ...]]:
    """``MONEY`` by channel and day, days without money left out."""
    found = ask(story.published, f"select channel, business_date::varchar, {', '.join(MONEY)} from ads_channel_day")
    return {(channel, day): amounts for channel, day, *values in found if any(amounts := tuple(values))}


def true_money(truth: dict[str, Any]) -> dict[tuple[str, str], tuple[Decimal, ...]]:
    """The same of the simulator's truth, as far as it was delivered."""
    found = [(channel, day, tuple(map(Decimal, amounts))) for channel, day, *amounts in truth["money_delivered"]]
    return {(channel, day): amounts for channel, day, amounts in found if any(amounts)}


def unbalanced_files(database: Path) -> list[tuple[Any, ...]]:
    """Files whose received rows are not accepted + quarantined + duplicate, or that stand twice."""
    return ask(
        database,
        "select feed, path from ops.file group by all having count(*) > 1 "
        "or bool_or(received <> accepted + quarantined + duplicate)",
    )


def example_settings(name: str, source: Path, folder: Path) -> Settings:
    """Settings of an example retailer's own onedata.toml, in a home of the test's."""
    settings = replace(
        load_settings(REPOSITORY / "examples" / name / "onedata.toml", {}), home=folder / "home", source=source
    )
    share_key(settings)
    return settings


def shared_data(name: str) -> Path:
    """Folder of a real data set; skips, and has the terminal summary say so, where it is missing. ONEDATA_SHARED_DATA
    overrides ../shared/data."""
    folder = Path(os.environ.get("ONEDATA_SHARED_DATA") or REPOSITORY.parent / "shared" / "data") / name
    if folder.is_dir() and any(folder.iterdir()):
        return folder
    text = f"{name}: no data in {folder}. Set ONEDATA_SHARED_DATA to the folder that holds {name}/"
    pytest.skip(text)


NOBODY = 65_534
RUNS = "import subprocess, sys, duckdb; subprocess.run([sys.executable, '-c', 'import onedata'], check=True)"


def another_user() -> tuple[list[str], dict[str, str]]:
    """A Python that runs as a user who owns nothing, as the start of a command, and its environment. Where the tests
    run as root, whom permission does not bind, that is nobody by `setpriv`; skips, and has the terminal summary say so,
    where nobody can run none.
    """
    environment = {name: value for name, value in os.environ.items() if not name.startswith("ONEDATA_")}
    environment |= {
        "PYTHONPATH": os.pathsep.join(
            [
                str(REPOSITORY),
                str(REPOSITORY / "build" / "names"),
                *(path for path in sys.path if path.endswith("site-packages")),
            ]
        ),
        "HOME": "/",
    }
    if os.geteuid():
        return [sys.executable], environment
    become = ["setpriv", "--reuid", str(NOBODY), "--regid", str(NOBODY), "--clear-groups"]
    version = f"python{sys.version_info.major}.{sys.version_info.minor}"
    for python in (sys.executable, f"/usr/local/bin/{version}", f"/usr/bin/{version}"):
        if shutil.which("setpriv") and Path(python).exists():
            done = subprocess.run(
                [*become, python, "-c", RUNS], env=environment, cwd="/", capture_output=True, check=False
            )
            if done.returncode == 0:
                return [*become, python], environment
    text = (
        "permission does not bind root, and no other user can run this Python (setpriv is missing, or the "
        "interpreter lies in root's home)"
    )
    pytest.skip(text)


def skip_unless_root() -> None:
    """Skip, and have the terminal summary say so, where files cannot be given to another user and looked at as that
    one."""
    if os.geteuid() or not shutil.which("setpriv"):
        pytest.skip("another user's view of files needs root and setpriv")


def as_nobody(folder: Path, code: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Python code by a user who is in no group; onedata is copied to a folder where that user may read it."""
    skip_unless_root()
    if not (folder / "onedata").exists():
        shutil.copytree(REPOSITORY / "onedata", folder / "onedata")
    command = [
        "setpriv",
        "--reuid",
        str(NOBODY),
        "--regid",
        str(NOBODY),
        "--clear-groups",
        sys.executable,
        "-c",
        code,
        *arguments,
    ]
    return subprocess.run(
        command, env={"PYTHONPATH": str(folder)}, cwd=folder, capture_output=True, text=True, check=False
    )


@contextlib.contextmanager
def small_disk(folder: Path, megabytes: int) -> Iterator[Path]:
    """A disk of its own; skips, and has the terminal summary say so, where mounting is not permitted."""
    folder.mkdir()
    done = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={megabytes}m", "tmpfs", str(folder)],
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        pytest.skip(f"no small disk can be mounted: {done.stderr.strip()}")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)


def fill_disk(folder: Path, left: int) -> Path:
    """Fill the disk of the folder but for `left` bytes; the file that does."""
    filler = folder / "filler"
    found = os.statvfs(folder)
    with filler.open("wb") as stream:
        os.posix_fallocate(stream.fileno(), 0, found.f_bavail * found.f_frsize - left)
    return filler
