"""Judges mutants for `mutants.py`: imports every library once, then forks a child for each mutant, which imports
`onedata` anew, with one module changed, and runs the unit tests that it is given.

A process of its own, one a worker. The first line it reads names the libraries, each other one is a mutant in JSON
(file, start, end, becomes, tests, seconds); each line it writes is a verdict (verdict, test, seconds, cpu).
"""

import contextlib
import gc
import importlib
import json
import os
import resource
import signal
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import mutants_hook
import pytest

ROOT = Path(__file__).resolve().parent.parent
PAUSE = 0.02
PATIENCE = 30
"""Seconds on the clock for each second of CPU that a mutant may take: the machine may be busy with other work."""
FIRST = 4
"""So many tests run before the files of the others are even read: most mutants die by one of them."""
VERDICTS = {0: "survived", 1: "killed", 2: "killed"}
"""By exit code of pytest; a module that cannot be imported (2) is a mutant killed, too."""
SITE = "import sys\nsys.path.append({here!r})\nimport mutants_hook\nmutants_hook.install({file!r})\n"


class Chosen:
    """Runs of the collected tests those that are asked for, in that order, and writes down the one that fails."""

    def __init__(self, tests: Sequence[str], file: Path) -> None:
        self.places = {test: place for place, test in enumerate(tests)}
        self.file = file

    @pytest.hookimpl(trylast=True)
    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        items[:] = sorted(
            (item for item in items if item.nodeid in self.places), key=lambda item: self.places[item.nodeid]
        )

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if report.failed:
            self.file.write_text(report.nodeid, encoding="utf-8")


def judge(mutant: dict[str, Any]) -> dict[str, Any]:
    """What became of one mutant: killed (and by which test), timeout or survived."""
    began = time.monotonic()
    children = resource.getrusage(resource.RUSAGE_CHILDREN)
    before = children.ru_utime + children.ru_stime
    with tempfile.TemporaryDirectory(prefix="onedata-mutant-", ignore_cleanup_errors=True) as folder:
        child = os.fork()
        if child == 0:
            try:
                os._exit(_run(mutant, Path(folder)))
            finally:
                os._exit(3)
        verdict = _wait(child, began + PATIENCE * mutant["seconds"])
        failed = Path(folder) / "failed"
        test = failed.read_text(encoding="utf-8") if failed.is_file() else ""
    children = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = children.ru_utime + children.ru_stime - before
    return {"verdict": verdict, "test": test, "seconds": round(time.monotonic() - began, 2), "cpu": round(cpu, 2)}


def _wait(child: int, until: float) -> str:
    while time.monotonic() < until:
        ended, status = os.waitpid(child, os.WNOHANG)
        if ended:
            _end(child)
            return "timeout" if os.WIFSIGNALED(status) else VERDICTS.get(os.WEXITSTATUS(status), "error")
        time.sleep(PAUSE)
    _end(child)
    os.waitpid(child, 0)
    return "timeout"


def _end(group: int) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.killpg(group, signal.SIGKILL)


def _run(mutant: dict[str, Any], folder: Path) -> int:
    """In the child: the tests, with the mutant in its module's place, here and in every Python started from here."""
    os.setsid()
    seconds = int(mutant["seconds"])
    resource.setrlimit(resource.RLIMIT_CPU, (seconds, seconds + 1))
    with (folder / "out").open("w") as out:
        os.dup2(out.fileno(), 1)
        os.dup2(out.fileno(), 2)
    told, site, temporary = folder / "mutant.json", folder / "site", folder / "tmp"
    told.write_text(json.dumps(mutant), encoding="utf-8")
    site.mkdir()
    temporary.mkdir()
    (site / "sitecustomize.py").write_text(SITE.format(here=str(Path(__file__).parent), file=str(told)))
    os.environ["PYTHONPATH"], os.environ["TMPDIR"] = str(site), str(temporary)
    tempfile.tempdir = None
    mutants_hook.install(str(told))
    tests = mutant["tests"]
    return _pytest(tests[:FIRST], folder) or (_pytest(tests[FIRST:], folder) if tests[FIRST:] else 0)


def _pytest(tests: Sequence[str], folder: Path) -> int:
    # By file and not by test: pytest takes longer to find a hundred tests by name than to run one of them.
    files = list(dict.fromkeys(test.partition("::")[0] for test in tests))
    options = ["-x", "-q", "-p", "no:cacheprovider", "--tb=no"]
    return int(pytest.main([*options, *files], plugins=[Chosen(tests, folder / "failed")]))


def main() -> None:
    os.chdir(ROOT)
    for name in json.loads(sys.stdin.readline()):
        with contextlib.suppress(ImportError):
            importlib.import_module(name)
    gc.collect()
    gc.freeze()
    for line in sys.stdin:
        verdict = judge(json.loads(line))
        sys.stdout.write(json.dumps(verdict) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
