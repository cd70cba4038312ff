"""Inject faults into a data home, let the platform continue, and check each trial: no lost data, no partial state, the
right cause reported.

.venv/bin/python benchmarks/faults.py --trials 200 --seed 1 [--kinds kill_cpu,flip_warehouse] [--home-of FOLDER]
"""

import json
import random
import resource
import shutil
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Annotated

import typer
from faults_clock import clock
from faults_damage import FILES, WAYS, damaged_file, every_file, full_disk, log_of_killed, lost_one, permission
from faults_home import Said, World, prepared
from faults_moments import beside_ui, frozen, kill_call, kill_cpu, readers, two_writers, undisturbed
from faults_trial import Skipped, Trial, finish

Kind = Callable[[Trial], None]


def kinds() -> dict[str, Kind]:
    """Every kind of trial by name."""
    moments = (undisturbed, kill_cpu, kill_call, frozen, readers, two_writers, beside_ui)
    found: dict[str, Kind] = {moment.__name__: _and_finish(moment) for moment in moments} | {
        "full_disk": full_disk,
        "permission": permission,
        "clock": clock,
        "log_of_killed": log_of_killed,
        "lost_one": lambda trial: lost_one(trial, trial.made.randrange(1 << 30)),
    }
    return found | {f"{way}_{which}": _damage(which, way) for which in FILES for way in WAYS}


def _and_finish(disturb: Callable[[Trial], Said | None]) -> Kind:
    """Inject the fault, then run the next night (unless the fault was a night) and compare."""

    def whole(trial: Trial) -> None:
        said = disturb(trial)
        finish(trial, said or trial.world.run(trial.home))

    return whole


def _damage(which: str, way: str) -> Kind:
    return lambda trial: damaged_file(trial, which, way)


def one_trial(world: World, folder: Path, name: str, seed: int, number: int | None = None) -> Trial:
    """Run one trial in this new folder, and remove the folder.

    The same world, kind and seed inject the same fault; the moment of a kill depends on the machine. With a number, the
    file of that number is removed.

    Raises:
        Skipped: this machine does not support the trial.
    """
    trial = Trial(world, name, folder, random.Random(f"{seed}/{name}"))
    folder.mkdir(parents=True)
    began = time.monotonic()
    try:
        lost_one(trial, number) if number is not None else kinds()[name](trial)
    finally:
        trial.seconds = time.monotonic() - began
        if not trial.failed():
            shutil.rmtree(folder, ignore_errors=True)
    return trial


def main(
    trials: Annotated[int, typer.Option(help="Number of trials.")] = 20,
    seed: Annotated[int, typer.Option(help="The same seed gives the same kinds, files, bits and system calls.")] = 1,
    only: Annotated[
        str,
        typer.Option(
            "--kinds", help="Only these kinds, separated by commas; a prefix selects all kinds that start with it."
        ),
    ] = "",
    walk: Annotated[
        bool,
        typer.Option("--every-file", help="Instead: remove every file and link of the home in turn, one per trial."),
    ] = False,
    home_of: Annotated[
        Path | None,
        typer.Option(
            "--home-of", help="Folder in which to prepare the homes, or that has them. Default: a temporary one."
        ),
    ] = None,
) -> None:
    """Run the trials one after the other; one line of JSON each, and a final one for all."""
    chosen = [name for name in kinds() if not only or any(name.startswith(begin) for begin in only.split(","))]
    if not chosen:
        raise typer.BadParameter(f"no kind begins with {only!r}; there are {', '.join(kinds())}")
    began = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="onedata-faults-") as scratch:
        world = prepared(home_of.absolute() if home_of else Path(scratch) / "world")
        planned = [(chosen[number % len(chosen)], seed + number // len(chosen), None) for number in range(trials)]
        walked = [("lost_one", seed, number) for number in range(len(every_file(world.one)))]
        made = [
            found
            for name, of, number in (walked if walk else planned)
            if (found := _told_trial(world, name, of, number))
        ]
    by_kind = {
        name: dict(Counter(trial.outcome for trial in made if trial.kind == name))
        for name in sorted({trial.kind for trial in made})
    }
    peak = max(resource.getrusage(who).ru_maxrss for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    result = {
        "trials": len(made),
        "lost": sum(bool(trial.lost) for trial in made),
        "half": sum(bool(trial.half) for trial in made),
        "wrong_diagnosis": sum(bool(trial.wrong) for trial in made),
        "by_kind": by_kind,
        "seconds": round(time.monotonic() - began, 1),
        "peak_mb": round(peak / (1e6 if sys.platform == "darwin" else 1e3)),
    }
    typer.echo(json.dumps(result))
    if any(trial.failed() for trial in made):
        raise typer.Exit(1)


def _told_trial(world: World, name: str, seed: int, number: int | None = None) -> Trial | None:
    """The trial as a line; None if this machine does not support it, which is printed."""
    folder = Path(tempfile.mkdtemp(prefix="onedata-fault-")) / name
    try:
        trial = one_trial(world, folder, name, seed, number)
    except Skipped as reason:
        typer.echo(f"SKIPPED {name}: {reason}", err=True)
        shutil.rmtree(folder.parent, ignore_errors=True)
        return None
    again = (
        {"again": f"benchmarks/faults.py --trials 1 --seed {seed} --kinds {name}", "kept": str(folder)}
        if trial.failed()
        else {}
    )
    if not trial.failed():
        shutil.rmtree(folder.parent, ignore_errors=True)
    typer.echo(json.dumps(trial.told() | again))
    return trial


if __name__ == "__main__":
    typer.run(main)
