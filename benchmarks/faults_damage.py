"""Damage of files at rest: a flipped bit, truncation, a lost file, a missing permission, a full disk."""

import hashlib
import os
import random
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from faults_home import Said, copy_home
from faults_moments import kill_cpu
from faults_trial import Skipped, Trial, diagnosis, finish, last_words

# Kind of file to the glob pattern of its files below the home; a killed process leaves the `wal`.
FILES = {
    "warehouse": "warehouse/onedata.duckdb",
    "wal": "warehouse/onedata.duckdb.wal",
    "vault": "vault/vault.duckdb",
    "key": "vault/token.key",
    "lake": "lake/ods/*/source=[!_]*/ds=*/*.parquet",
    "shape": "lake/ods/*/source=_schema/ds=*/*.parquet",
    "record": "lake/ods/*/source=*/ds=*/_manifest/*.record",
    "manifest": "lake/ods/*/source=*/ds=*/_manifest/*.json",
    "log": "lake/_log/decision/*.json",
    "oneid_state": "lake/_log/oneid/*/*",
    "published_database": "published/publications/*/onedata.duckdb",
    "published_parquet": "published/publications/*/parquet/*.parquet",
    "published_manifest": "published/publications/*/manifest.json",
    "dagster_database": "dagster/**/*.db",
    "dagster_settings": "dagster/*.yaml",
}
LEAVE_LOG = """
import os, sys, duckdb
con = duckdb.connect(sys.argv[1])
con.execute("set wal_autocheckpoint = '1TB'; comment on table ops.delivery is 'a committed change'")
os._exit(0)
"""
SPARE_MB = (1, 40)
WITHOUT_OVERRIDE = ("setpriv", "--inh-caps=-all", "--bounding-set=-dac_override,-dac_read_search,-fowner,-chown")
NOBODY = 65_534


def files_of(home: Path, which: str) -> list[Path]:
    """Files of a kind, by name."""
    return sorted(file for file in home.glob(FILES[which]) if file.is_file())


def every_file(home: Path) -> list[Path]:
    """Every file and link of the home, except those that dbt rewrites each night."""
    found = (path for path in home.rglob("*") if path.is_symlink() or path.is_file())
    return sorted(path for path in found if path.relative_to(home).parts[0] != "dbt")


def pick(trial: Trial, which: str) -> Path:
    """A file of the kind in the trial's home.

    Raises:
        Skipped: there is none.
    """
    if which == "wal":
        _leave_log(trial.home)
    found = files_of(trial.home, which)
    if not found:
        raise Skipped(f"the home has no file of kind {which}")
    return trial.made.choice(found)


def _leave_log(home: Path) -> None:
    """Leave a write-ahead log with a committed change beside the warehouse, as a kill does."""
    subprocess.run([sys.executable, "-c", LEAVE_LOG, str(home / "warehouse" / "onedata.duckdb")], check=True)


def flip(file: Path, made: random.Random) -> str:
    """Flip one bit of the file."""
    place, bit = made.randrange(file.stat().st_size), made.randrange(8)
    with _writable(file).open("r+b") as stream:
        stream.seek(place)
        byte = stream.read(1)[0]
        stream.seek(place)
        stream.write(bytes([byte ^ 1 << bit]))
    return f"bit {bit} of byte {place:,}"


def cut(file: Path, made: random.Random) -> str:
    """Truncate the file, or empty it."""
    left = made.choice((0, made.randrange(file.stat().st_size)))
    os.truncate(_writable(file), left)
    return f"cut to {left:,} bytes"


def lose(file: Path, _: random.Random) -> str:
    """Remove the file."""
    file.unlink()
    return "removed"


def _writable(file: Path) -> Path:
    if os.geteuid():
        file.chmod(0o600)
    return file


WAYS: dict[str, Callable[[Path, random.Random], str]] = {"flip": flip, "cut": cut, "lost": lose}


def harm(trial: Trial, file: Path, way: str) -> None:
    """Damage a file of the trial's home, and record how to undo it."""
    kept = trial.folder / "kept"
    shutil.copy2(file, kept, follow_symlinks=False)
    if file.stat().st_size == 0 and way != "lost":
        raise Skipped(f"{file} is empty")
    did = WAYS[way](file, trial.made)
    trial.damaged = file
    trial.what = f"{file.relative_to(trial.home)}: {did}"

    def undo() -> None:
        file.unlink(missing_ok=True)
        shutil.copy2(kept, file, follow_symlinks=False)

    trial.undo = undo


def damaged_file(trial: Trial, which: str, way: str) -> None:
    """Damage a file of a kind before the second night."""
    trial.begin()
    harm(trial, pick(trial, which), way)
    _go_on(trial)


def log_of_killed(trial: Trial) -> None:
    """Kill the night, then damage or remove the log of committed rows that it left; if it left none, only the kill
    counts."""
    kill_cpu(trial)
    left = trial.home / FILES["wal"]
    if not left.exists() or not left.stat().st_size:
        trial.outcome = "no log was left"
        finish(trial, trial.world.run(trial.home))
        return
    killed = trial.what
    harm(trial, left, trial.made.choice(sorted(WAYS)))
    trial.what = f"{killed}; {trial.what}"
    _go_on(trial)


def lost_one(trial: Trial, number: int) -> None:
    """Remove the n-th file or link of the home before the second night, cycling through all of them."""
    home = trial.begin()
    found = every_file(home)
    harm(trial, found[number % len(found)], "lost")
    _go_on(trial)


def _go_on(trial: Trial) -> None:
    """Run the night on the damaged home: it must refuse and name the file, or produce the same tables; then run
    `verify`."""
    assert trial.damaged is not None
    before = _content(trial.damaged)
    said = trial.world.run(trial.home)
    if said.code:
        trial.outcome = "refused"
        trial.wrong += diagnosis(trial, said)
        if trial.wrong:
            trial.steps.append(f"said: {last_words(said)}")
        finish(trial, said)
        return
    finish(trial, said)
    if trial.lost:
        trial.outcome = "not noticed"
        trial.wrong.append("the exit code is 0")
    elif trial.damaged.name in said.text:
        trial.outcome = "mended and told"
    elif _content(trial.damaged) != before:
        trial.outcome = "made anew"
    else:
        _ask_verify(trial)


def _ask_verify(trial: Trial) -> None:
    """The night was right although the file is still damaged, so it was not needed. `onedata verify` may name it; then
    it is repaired."""
    assert trial.damaged is not None
    told = trial.world.command(trial.home, "verify")
    if told.code == 0:
        trial.outcome = "harmless, not told"
        return
    trial.outcome = "told by verify"
    trial.wrong += [f"verify {text}" for text in diagnosis(trial, told)]
    if "repair --from" in told.text:
        trial.steps.append("repair --from")
        trial.world.command(trial.home, "repair", "--from", str(trial.world.backup))
        finish(trial, trial.world.run(trial.home))


def _content(file: Path) -> str | None:
    try:
        return str(file.readlink()) if file.is_symlink() else hashlib.sha256(file.read_bytes()).hexdigest()
    except FileNotFoundError:
        return None


def permission(trial: Trial) -> None:
    """Give a file or folder to another user, whose permissions the run cannot override."""
    if os.geteuid() or not shutil.which("setpriv"):
        raise Skipped(
            "permission needs root and setpriv, to give files to another user and to run without the right to override "
            "that"
        )
    home = trial.begin()
    which = trial.made.choice([name for name in FILES if files_of(home, name) and not name.startswith("published_")])
    file = trial.made.choice(files_of(home, which))
    place = trial.made.choice((file, file.parent))
    mode = place.stat().st_mode & 0o7777
    os.chown(place, NOBODY, NOBODY)
    place.chmod(0o700 if place.is_dir() else 0o600)
    trial.damaged, trial.what = place, f"{place.relative_to(home)} belongs to another user"

    def undo() -> None:
        os.chown(place, 0, 0)
        place.chmod(mode)

    trial.undo = undo
    _expect(
        trial,
        trial.world.run(home, before=WITHOUT_OVERRIDE),
        ("has no right to", "cannot be read and written by user", "Permission denied"),
    )


def full_disk(trial: Trial) -> None:
    """Put the home on a small disk with little space left for the second night."""
    spare = trial.made.randint(*SPARE_MB)
    size = sum(
        file.stat().st_blocks * 512 for file in trial.world.one.rglob("*") if file.is_file() and not file.is_symlink()
    )
    megabytes = size // 1_048_576 + 1 + spare
    # The home is the disk itself, so the run's output is written elsewhere.
    trial.home.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", f"size={megabytes}m,mode=0710", "tmpfs", str(trial.home)]
    done = subprocess.run(mount, capture_output=True, text=True, check=False)
    if done.returncode:
        raise Skipped(f"no small disk can be mounted: {done.stderr.strip()}")
    try:
        copy_home(trial.world.one, trial.folder)
        trial.damaged, trial.what = trial.home, f"{spare} MB left on the disk"
        trial.undo = lambda: subprocess.run(["mount", "-o", "remount,size=2g", str(trial.home)], check=True)
        _expect(trial, trial.world.run(trial.home), ("no space is left", "no space left"))
    finally:
        subprocess.run(["umount", "--lazy", str(trial.home)], check=True)


def _expect(trial: Trial, said: Said, causes: tuple[str, ...]) -> None:
    """Expect a refusal with one of these causes, or a successful night; then repair by hand, and compare."""
    trial.outcome = "refused" if said.code else "ended well"
    if said.code and not any(cause in said.text for cause in causes):
        trial.wrong.append(f"does not tell the cause: {last_words(said)}")
    if said.code and "Traceback (most recent call last)" in said.text:
        trial.wrong.append("ends with a traceback")
    if said.code and trial.undo is not None:
        trial.undo()
        said = trial.world.run(trial.home)
    finish(trial, said)
