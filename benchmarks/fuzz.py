"""Land mutated files of every format through the real landing and contract gate, and check each: no crash, no hang,
every row accounted for.

.venv/bin/python benchmarks/fuzz.py --inputs 100000 [--seed 1] [--seconds 3600] [--only csv/123] [--failures FOLDER]
"""

import faulthandler
import json
import multiprocessing
import os
import shutil
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Annotated

import typer
from checkout import REPOSITORY
from fuzz_landing import Input, Verdict, arena, make_inputs
from fuzz_samples import Target, made_targets, real_targets
from measure import child_cpu_seconds

AT_ONCE = 100
HANG_SECONDS = 120
KEPT = Path(tempfile.gettempdir()) / "onedata-fuzz-failures"
SHARED = Path(os.environ.get("ONEDATA_SHARED_DATA") or REPOSITORY.parent / "shared" / "data")


def _targets(seed: int) -> list[Target]:
    return [*made_targets(seed), *real_targets(SHARED)]


def _work(asked: Connection, folder: Path, seed: int) -> None:
    """Judge the requested landings; any exception, including one of a C library, ends the process and is written to
    said.txt."""
    said = (folder / "said.txt").open("w")
    os.dup2(said.fileno(), 2)
    faulthandler.enable(said)
    targets = {target.name: target for target in _targets(seed)}
    home = folder / "world"
    home.mkdir()
    with arena(home, list(targets.values())) as judge, suppress(EOFError):
        while True:
            name, inputs = asked.recv()
            faulthandler.dump_traceback_later(HANG_SECONDS - 5, file=said)
            verdict = judge.judge(targets[name], inputs)
            faulthandler.cancel_dump_traceback_later()
            verdict.faults += [("", f"left behind outside of the data home: {stray}") for stray in judge.strays()]
            asked.send(verdict)


class Worker:
    """A process that lands; after a crash or a hang it is replaced."""

    def __init__(self, folder: Path, seed: int) -> None:
        self._folder, self._seed = folder, seed
        self._process: multiprocessing.process.BaseProcess | None = None
        self._pipe: Connection | None = None

    def ask(self, target: str, inputs: Sequence[Input]) -> Verdict | str:
        """The verdict on one landing, or how the process ended."""
        if self._process is None:
            self._start()
        assert self._pipe is not None and self._process is not None
        try:
            self._pipe.send((target, inputs))
            # The first answer of a process includes its start.
            if self._pipe.poll(HANG_SECONDS):
                verdict = self._pipe.recv()
                assert isinstance(verdict, Verdict)
                return verdict
        except (EOFError, ConnectionError):
            self._process.join()
        code = self._process.exitcode
        self.stop()
        said = (self._folder / "said.txt").read_text(encoding="utf-8", errors="backslashreplace")[-6000:]
        return (
            f"hang: no answer in {HANG_SECONDS} s\n{said}"
            if code is None
            else f"crash: the process ended with {code}\n{said}"
        )

    def _start(self) -> None:
        shutil.rmtree(self._folder, ignore_errors=True)
        self._folder.mkdir(parents=True)
        context = multiprocessing.get_context("spawn")
        self._pipe, theirs = context.Pipe()
        self._process = context.Process(target=_work, args=(theirs, self._folder, self._seed), daemon=True)
        self._process.start()
        theirs.close()

    def stop(self) -> None:
        if self._process is not None and self._pipe is not None:
            self._pipe.close()
            self._process.join(5)
            if self._process.is_alive():
                self._process.kill()
                self._process.join()
        self._process = None


@dataclass
class Report:
    """Results of all inputs."""

    failures: Path
    inputs: int = 0
    failed: int = 0
    outcomes: Counter[str] = field(default_factory=Counter)
    by_format: Counter[str] = field(default_factory=Counter)

    def fail(self, seed: int, target: Target, inputs: Sequence[Input], why: str) -> None:
        """Print a failure, and keep the files that reproduce it."""
        self.failed += 1
        folder = self.failures / f"{seed}-{target.name.replace(':', '-')}-{self.failed}"
        folder.mkdir(parents=True, exist_ok=True)
        for item in inputs:
            (folder / Path(item.name).name).write_bytes(item.content)
        (folder / "why.txt").write_text(why, encoding="utf-8", errors="backslashreplace")
        number = int(Path(inputs[0].name).name.split("_")[1].split(".")[0])
        again = f"--seed {seed} --only {target.name}/{number}" if len(inputs) == 1 else f"{len(inputs)} inputs together"
        typer.echo(f"FAILURE {target.name} ({again}), kept in {folder}: {why[-600:]}")


def _narrow(worker: Worker, seed: int, target: Target, inputs: Sequence[Input], report: Report) -> None:
    """Land the inputs; on a failure land halves of them, down to the one that causes it."""
    answer = worker.ask(target.name, inputs)
    if isinstance(answer, Verdict):
        report.outcomes += answer.outcomes
        by_name = {item.name: item for item in inputs}
        for name, fault in answer.faults:
            report.fail(seed, target, [by_name[name]] if name in by_name else inputs, fault)
        return
    if len(inputs) == 1:
        report.outcomes["crash or hang"] += 1
        report.fail(seed, target, inputs, answer)
        return
    failed = report.failed
    half = len(inputs) // 2
    for part in (inputs[:half], inputs[half:]):
        _narrow(worker, seed, target, part, report)
    if report.failed == failed:
        report.fail(seed, target, inputs, f"only together: {answer}")


def _landings(targets: Sequence[Target], total: int) -> Iterator[tuple[Target, int, int]]:
    """Target, first input and count, in turns, until there are `total` inputs."""
    first, left = 0, total
    at_once = max(1, min(AT_ONCE, total // len(targets)))
    while left > 0:
        for target in targets:
            count = min(at_once, left)
            if count:
                yield target, first, count
            left -= count
        first += at_once


def main(
    inputs: Annotated[int, typer.Option(help="Number of mutated files.", min=1)] = 100_000,
    seed: Annotated[int, typer.Option(help="The same seed gives the same files.")] = 1,
    seconds: Annotated[float, typer.Option(help="Stop after this many seconds.")] = 7200,
    only: Annotated[
        str | None, typer.Option(help="One target, or one of its inputs as target/number, to reproduce it.")
    ] = None,
    failures: Annotated[Path, typer.Option(help="Folder for inputs that fail.")] = KEPT,
) -> None:
    """Mutate, land, check. The last line is JSON; exit code 1 if anything failed."""
    began, report = time.monotonic(), Report(failures)
    targets = _targets(seed)
    name, _, number = (only or "").partition("/")
    chosen = [target for target in targets if name in ("", target.name)]
    if not chosen:
        raise typer.BadParameter(
            f"{name!r} is none of {', '.join(target.name for target in targets)}", param_hint="--only"
        )
    landings = iter([(chosen[0], int(number), 1)]) if number else _landings(chosen, inputs)
    with tempfile.TemporaryDirectory(prefix="onedata-fuzz-") as folder:
        worker, told = Worker(Path(folder) / "worker", seed), began
        for target, first, count in landings:
            if time.monotonic() - began > seconds:
                typer.echo(f"stopped after {seconds:.0f} s")
                break
            _narrow(worker, seed, target, make_inputs(target, seed, first, count), report)
            report.inputs += count
            report.by_format[target.suffix] += count
            if time.monotonic() - told > 30:
                told = time.monotonic()
                typer.echo(
                    f"{report.inputs:,} inputs, {report.inputs / (told - began):.0f} a second, {report.failed} failures"
                )
        worker.stop()
    taken = time.monotonic() - began
    result = {
        "inputs": report.inputs,
        "seed": seed,
        "formats": dict(sorted(report.by_format.items())),
        "seconds": round(taken, 1),
        "cpu_s": round(child_cpu_seconds(), 1),
        "inputs_per_s": round(report.inputs / taken, 1),
        "failures": report.failed,
        "by_outcome": dict(report.outcomes.most_common()),
    }
    typer.echo(json.dumps(result))
    raise typer.Exit(1 if report.failed else 0)


if __name__ == "__main__":
    typer.run(main)
