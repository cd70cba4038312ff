"""Disturbances of a running night: killed, stopped and copied, read from, and run beside a second writer."""

import json
import os
import shutil
import signal
import socket
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import duckdb
from faults_calls import killing
from faults_home import Said, copy_home, log_of
from faults_trial import BUSY, Skipped, Trial, last_words, said_by

from onedata.sql import quote_name, quote_text

TICKS = os.sysconf("SC_CLK_TCK")
POLL_SECONDS = 0.005
BETWEEN_READS_SECONDS = 0.02
SETTLE_SECONDS = 0.2
UI_SECONDS = 120.0
NIGHT_CPU_SECONDS = 25.0
"""Of an undisturbed second night on the machine it was measured on; a moment after the end disturbs nothing, and is
counted as such."""
TABLES_READ = ("ads_kpi", "ads_channel_day", "dws_order", "ops_file")


def cpu_seconds(process: int) -> float | None:
    """User and system CPU seconds of a process so far; None once it has ended."""
    try:
        fields = Path(f"/proc/{process}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return None
    return None if fields[0] == "Z" else (int(fields[11]) + int(fields[12])) / TICKS


def _at_cpu(process: "subprocess.Popen[bytes]", seconds: float) -> bool:
    """Wait until the process has used this many CPU seconds; False if it ended before."""
    while process.poll() is None:
        used = cpu_seconds(process.pid)
        if used is not None and used >= seconds:
            return True
        time.sleep(POLL_SECONDS)
    return False


def _moment(trial: Trial) -> float:
    return round(trial.made.uniform(1.0, NIGHT_CPU_SECONDS), 2)


def kill_cpu(trial: Trial, moment: float | None = None) -> None:
    """SIGKILL after a number of CPU seconds."""
    home, moment = trial.begin(), moment or _moment(trial)
    trial.what = f"killed after {moment} CPU seconds"
    process = trial.world.start(home, "run")
    killed = _at_cpu(process, moment)
    process.kill()
    process.wait()
    trial.outcome = "killed" if killed else "ended before"


def kill_call(trial: Trial, number: int | None = None) -> None:
    """SIGKILL just before the n-th rename, link, unlink or fsync below the home, of those that the undisturbed night
    made."""
    calls = trial.world.calls()
    if not calls:
        raise Skipped(
            "killing before a system call needs a C compiler (cc), for a library that is loaded before libc's"
        )
    number = number or trial.made.randint(1, calls)
    trial.what = f"killed before call {number} of {calls}"
    home = trial.begin()
    said = trial.world.run(home, environment=killing(trial.world.folder, home, number))
    trial.outcome = {0: "ended before", -signal.SIGKILL: "killed"}.get(said.code, f"ended with {said.code}")


def frozen(trial: Trial, moment: float | None = None) -> None:
    """Stop the whole session at some moment, copy the home in that state, and continue on the copy."""
    home, moment = trial.begin(), moment or _moment(trial)
    trial.what = f"copied after {moment} CPU seconds"
    process = trial.world.start(home, "run")
    stopped = _at_cpu(process, moment)
    if stopped:
        os.killpg(process.pid, signal.SIGSTOP)
        time.sleep(SETTLE_SECONDS)
    copy = copy_home(home, trial.folder / "copy")
    if process.poll() is None:
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    shutil.rmtree(home)
    copy.rename(home)
    trial.outcome = "copied" if stopped else "ended before"


def two_writers(trial: Trial, moment: float | None = None, patience: float | None = None) -> None:
    """Start a second run at some moment of the first: it waits, or refuses and names the writer. Published data is read
    meanwhile."""
    home, moment = trial.begin(), moment or _moment(trial)
    patience = patience or trial.made.choice((0.5, 600.0))
    first = trial.world.start(home, "run")
    first_log = log_of(home).rename(home.parent / "first.txt")
    _at_cpu(first, moment)
    second = trial.world.run(home, lock_wait_seconds=patience)
    reads = _read_beside(trial, first)
    trial.what = f"a second run after {moment:.1f} CPU seconds, which waits {patience} s; {reads}"
    code = first.wait()
    text = first_log.read_text(encoding="utf-8", errors="backslashreplace")
    if code and second.code:
        trial.wrong.append("neither run ends well")
    for said in (Said(code, text), second):
        if said.code and BUSY not in said.text:
            trial.wrong.append(f"a run that was refused does not say who writes: {last_words(said)}")
    trial.outcome = {(True, True): "both ended well", (True, False): "the second refused"}.get(
        (code == 0, second.code == 0), "the first refused"
    )


def beside_ui(trial: Trial) -> Said:
    """Run the night beside an open Dagster UI of the same home, which must show it in the end."""
    home = trial.begin()
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    ui = trial.world.start(home, "dev", "--port", str(port))
    log = log_of(home).rename(home.parent / "ui.txt")
    try:
        until = time.monotonic() + UI_SECONDS
        while (shown := _shown_by_ui(port)) is None:
            if ui.poll() is not None or time.monotonic() > until:
                trial.wrong.append(
                    f"the UI does not open: {log.read_text(encoding='utf-8', errors='backslashreplace')[-300:]}"
                )
                break
            time.sleep(0.5)
        said = trial.world.run(home)
        if shown is not None and (after := _shown_by_ui(port)) != "SUCCESS":
            trial.half.append(f"the UI shows the night as {after}")
    finally:
        os.killpg(ui.pid, signal.SIGTERM)
        with suppress(subprocess.TimeoutExpired):
            ui.wait(UI_SECONDS / 6)
        with suppress(ProcessLookupError):
            os.killpg(ui.pid, signal.SIGKILL)
        ui.wait()
    trial.outcome = "run beside the UI"
    return said


def _shown_by_ui(port: int) -> str | None:
    """Status of the newest run in the UI; None if the UI does not answer."""
    query = {"query": "{ runsOrError(limit: 1) { ... on Runs { results { status } } } }"}
    request = urllib.request.Request(
        f"http://127.0.0.1:{port}/graphql", json.dumps(query).encode(), {"Content-Type": "application/json"}
    )
    try:
        with urllib.request.urlopen(request, timeout=UI_SECONDS / 6) as answer:
            runs = json.load(answer)["data"]["runsOrError"]["results"]
    except (OSError, urllib.error.URLError):
        return None
    return str(runs[0]["status"]) if runs else "no run"


def readers(trial: Trial) -> Said:
    """Read published data in a loop beside the night, in the three ways of an analyst: through `current`, by its name,
    as Parquet."""
    home = trial.begin()
    process = trial.world.start(home, "run")
    trial.what = _read_beside(trial, process)
    trial.outcome = "read"
    return Said(process.wait(), said_by(home))


def _read_beside(trial: Trial, process: "subprocess.Popen[bytes]") -> str:
    """Read until the process has ended; returns a summary."""
    reads, nights = 0, set()
    while process.poll() is None:
        found, half = read_once(trial.home / "published")
        trial.half += half
        nights.add(found)
        reads += 1
        time.sleep(BETWEEN_READS_SECONDS)
    return f"{reads} reads, of nights {', '.join(sorted(nights))}"


def read_once(published: Path) -> tuple[str, list[str]]:
    """The served night, and its inconsistencies: database, Parquet and manifest must have the same night and row
    counts."""
    folder = (published / "current").resolve()
    told = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))
    half: list[str] = []
    with duckdb.connect() as con:
        con.execute(f"attach {quote_text(str(folder / 'onedata.duckdb'))} as d (read_only)")
        of_night = {
            str(told["night"]),
            *(str(night) for sql in _nights(folder) for (night,) in con.execute(sql).fetchall()),
        }
        if len(of_night) != 1:
            half.append(f"{folder.name} tells of nights {sorted(of_night)}")
        for table in TABLES_READ:
            counts = {con.execute(sql).fetchall()[0][0] for sql in _counts(folder, table)} | {told["tables"][table]}
            if len(counts) != 1:
                half.append(f"{table} of {folder.name} has {sorted(counts)} rows")
    with duckdb.connect(str(published / "onedata.duckdb"), read_only=True) as con:
        if len(con.execute("select night from published_night").fetchall()) != 1:
            half.append("published/onedata.duckdb tells of no one night")
    return str(told["night"]), half


def _nights(folder: Path) -> Iterator[str]:
    yield "select night from d.published_night"
    yield f"select night from {quote_text(str(folder / 'parquet' / 'published_night.parquet'))}"


def _counts(folder: Path, table: str) -> Iterator[str]:
    yield f"select count(*) from d.{quote_name(table)}"
    yield f"select count(*) from {quote_text(str(folder / 'parquet' / f'{table}.parquet'))}"


def undisturbed(trial: Trial) -> None:
    """No fault: any difference is an error of the comparison itself."""
    trial.begin()
    trial.outcome = "undisturbed"
