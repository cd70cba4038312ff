"""Changes one operator, constant, condition or statement at a time of `onedata`, and asks whether a unit test sees it.

.venv/bin/python benchmarks/mutants.py [--modules 'onedata/ledger/*'] [--sample 300 --seed 1] [--workers 2] [--killed]

Each mutant is judged by the unit tests that run its line, in a process forked from one that has imported every library,
so that a mutant costs little more than its tests. A change that no unit test sees survives, unless
mutants_equivalent.yaml says why it changes nothing. Exit code 1 where one survives.
"""

import hashlib
import json
import random
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from fnmatch import fnmatch
from pathlib import Path
from queue import Queue
from typing import Annotated, Any

import typer
from mutants_listed import Site, Tally, reasons_in
from mutants_map import ROOT, Map, digest
from mutants_sites import changes, statement_lines, statement_of

LISTED = Path(__file__).with_name("mutants_equivalent.yaml")
SERVER = Path(__file__).with_name("mutants_server.py")
KEPT = ROOT / "build" / "mutants"
STRICT = "onedata/ledger/*,onedata/quality/gates.py,onedata/quality/re*.py,onedata/contracts/totals.py"


@dataclass(frozen=True)
class Mutant(Site):
    """One change in one file; `statement` are the lines of the statement that it is in."""

    statement: range

    @property
    def told(self) -> str:
        return f"{self.file}:{self.line}  {self.change.told}  | {self.text}"


def mutants_of(file: str) -> list[Mutant]:
    """Every mutant of a file below the repository that is Python, in the order of its text."""
    text = (ROOT / file).read_text(encoding="utf-8")
    lines, statements, seen = text.splitlines(), statement_lines(text), Counter[tuple[str, str]]()
    found = []
    for change in changes(text):
        if not _is_python(text[: change.start] + change.becomes + text[change.end :]):
            continue
        line = text.count("\n", 0, change.start) + 1
        words = lines[line - 1].strip()
        seen[words, change.told] += 1
        found.append(Mutant(file, line, words, change, seen[words, change.told], statement_of(statements, line)))
    return found


def _is_python(text: str) -> bool:
    try:
        compile(text, "", "exec")
    except SyntaxError:
        return False
    return True


class Kept:
    """Verdicts of earlier runs, so that one that was stopped goes on. A survivor is asked again once a test that judges
    it has changed, a killed one once its module has."""

    def __init__(self, file: Path) -> None:
        self.file = file
        self.verdicts: dict[str, dict[str, Any]] = {}
        for line in file.read_text(encoding="utf-8").splitlines() if file.is_file() else ():
            item = json.loads(line)
            self.verdicts[item["key"]] = item

    def of(self, mutant: Mutant, tests: str) -> dict[str, Any] | None:
        known = self.verdicts.get(_key(mutant))
        if known is None or (known["verdict"] == "survived" and known["tests"] != tests):
            return None
        return known

    def add(self, mutant: Mutant, tests: str, verdict: dict[str, Any]) -> None:
        item = {"key": _key(mutant), "told": mutant.told, "tests": tests, **verdict}
        self.verdicts[item["key"]] = item
        with self.file.open("a", encoding="utf-8") as lines:
            lines.write(json.dumps(item) + "\n")


def _key_of_tests(tests: Sequence[str]) -> str:
    told = (f"{test} {digest(test.partition('::')[0])}" for test in sorted(tests))
    return hashlib.sha256(" ".join(told).encode()).hexdigest()[:24]


def _key(mutant: Mutant) -> str:
    change = mutant.change
    said = f"{mutant.file} {digest(mutant.file)} {change.start} {change.end} {change.becomes}"
    return hashlib.sha256(said.encode()).hexdigest()[:24]


def judged(
    mutants: Sequence[Mutant], known: Map, kept: Kept, workers: int, most: float
) -> Iterator[tuple[Mutant, str]]:
    """Each mutant with its verdict, in their order: killed, timeout, survived, or error.

    Args:
        mutants: Which.
        known: Which test runs which line.
        kept: Verdicts that are known already.
        workers: How many at once.
        most: CPU seconds of tests that a mutant may cost; slower tests are left out.
    """
    servers: Queue[subprocess.Popen[str]] = Queue()
    for _ in range(workers):
        servers.put(_started(known.modules))

    killers: Counter[str] = Counter()  # what has killed one is asked first about the next

    def ask(mutant: Mutant) -> tuple[Mutant, str]:
        chosen, spent = list[str](), 0.0
        for test, seconds in known.judges(mutant.file, mutant.statement):
            if not chosen or spent + seconds <= most:
                chosen.append(test)
                spent += seconds
        tests = _key_of_tests(chosen)
        before = kept.of(mutant, tests)
        if before:
            return mutant, str(before["verdict"])
        if not chosen:
            return mutant, "survived"
        server = servers.get()
        try:
            verdict = _ask(server, mutant, sorted(chosen, key=lambda test: -killers[test]), 8 + 5 * spent)
        finally:
            servers.put(server)
        killers[verdict["test"]] += 1
        kept.add(mutant, tests, verdict)
        return mutant, str(verdict["verdict"])

    try:
        with ThreadPoolExecutor(workers) as pool:
            yield from pool.map(ask, mutants)
    finally:
        while not servers.empty():
            server = servers.get()
            assert server.stdin is not None
            server.stdin.close()
            server.wait()


def _started(libraries: Sequence[str]) -> "subprocess.Popen[str]":
    server = subprocess.Popen([sys.executable, str(SERVER)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert server.stdin is not None
    server.stdin.write(json.dumps(list(libraries)) + "\n")
    server.stdin.flush()
    return server


def _ask(server: "subprocess.Popen[str]", mutant: Mutant, tests: Sequence[str], seconds: float) -> dict[str, Any]:
    assert server.stdin is not None and server.stdout is not None
    change = mutant.change
    asked = {"file": mutant.file, "start": change.start, "end": change.end, "becomes": change.becomes}
    server.stdin.write(json.dumps(asked | {"tests": list(tests), "seconds": seconds}) + "\n")
    server.stdin.flush()
    return dict(json.loads(server.stdout.readline()))


def main(
    modules: Annotated[
        str, typer.Option(help="Files below the repository, patterns with commas: 'onedata/ledger/*,onedata/sql.py'.")
    ] = STRICT,
    sample: Annotated[int, typer.Option(help="So many mutants, drawn at random; 0 for all.", min=0)] = 0,
    seed: Annotated[int, typer.Option(help="Seed of the draw; the same seed draws the same mutants.")] = 1,
    workers: Annotated[int, typer.Option(help="How many mutants at once.", min=1)] = 1,
    seconds: Annotated[
        float, typer.Option(help="CPU seconds of tests a mutant may cost; slower tests do not judge it.", min=1)
    ] = 60,
    fresh: Annotated[bool, typer.Option("--fresh", help="Forget verdicts and map of earlier runs.")] = False,
    killed: Annotated[bool, typer.Option("--killed", help="Print killed and equivalent mutants too.")] = False,
) -> None:
    """Change one operator, constant, condition or statement at a time in the modules of onedata, the SQL in their
    strings included, and print every change that no unit test sees: file, line, change, the line.

    The first run measures which test runs which line (minutes). A run that was stopped goes on where it was: verdicts
    are kept in build/mutants, as long as the module is as it was, and a survivor's as long as its tests are. To kill a
    survivor, write the missing test. Where the change cannot change anything, list it in
    benchmarks/mutants_equivalent.yaml with the reason. The last line is JSON, with the counts by module.
    """
    files = sorted(file.relative_to(ROOT).as_posix() for file in (ROOT / "onedata").rglob("*.py"))
    files = [file for file in files if any(fnmatch(file, pattern.strip()) for pattern in modules.split(","))]
    if not files:
        raise typer.BadParameter(f"no file is called {modules}", param_hint="--modules")
    KEPT.mkdir(parents=True, exist_ok=True)
    if fresh:
        for name in ("map.json", "verdicts.jsonl"):
            (KEPT / name).unlink(missing_ok=True)
    chosen = [mutant for file in files for mutant in mutants_of(file)]
    reasons = reasons_in(LISTED, chosen)
    if sample and sample < len(chosen):
        picked = sorted(random.Random(seed).sample(range(len(chosen)), sample))
        chosen = [chosen[number] for number in picked]
    known, kept = Map.read(KEPT / "map.json"), Kept(KEPT / "verdicts.jsonl")
    known.measure(sorted({mutant.file for mutant in chosen}), typer.echo)
    tally = Tally(reasons, "timeout", killed)
    for mutant, verdict in judged(chosen, known, kept, workers, seconds):
        tally.take(mutant.file, mutant, f"{mutant.file}:{mutant.line}", verdict)
    tally.end("by_module")


if __name__ == "__main__":
    typer.run(main)
