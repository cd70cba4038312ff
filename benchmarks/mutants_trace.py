"""Runs unit tests once and writes which lines of `onedata` each of them runs: `mutants.py` chooses tests by that.

A process of its own, started by `mutants.py`, so that coverage is on before anything of `onedata` is imported:

    .venv/bin/python benchmarks/mutants_trace.py MAP.json tests/unit/ledger/test_ledger_moves.py ...
"""

import json
import sys
import time
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import coverage
import pytest

ROOT = Path(__file__).resolve().parent.parent
IMPORT = "(import)"


class Trace:
    """Tells coverage which test runs. What a fixture of a session or module runs counts for every test that uses it."""

    def __init__(self, cov: coverage.Coverage) -> None:
        self.cov = cov
        self.context = IMPORT
        self.seconds: dict[str, float] = {}
        self.fixtures: dict[str, list[str]] = {}
        self.failed: list[str] = []

    def _switch(self, context: str) -> str:
        before, self.context = self.context, context
        self.cov.switch_context(context)
        return before

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_protocol(self, item: pytest.Item) -> Iterator[None]:
        before, began = self._switch(item.nodeid), time.process_time()
        self.fixtures[item.nodeid] = list(getattr(item, "fixturenames", []))
        yield
        self.seconds[item.nodeid] = round(time.process_time() - began, 3)
        self._switch(before)

    @pytest.hookimpl(wrapper=True)
    def pytest_fixture_setup(self, fixturedef: Any) -> Iterator[None]:
        if fixturedef.scope == "function":
            yield
            return
        before = self._switch(f"fixture {fixturedef.argname}")
        try:
            yield
        finally:
            self._switch(before)

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if report.failed or report.skipped:
            self.failed.append(report.nodeid)


def lines_by_test(trace: Trace) -> dict[str, Any]:
    """By test: `seconds` of CPU and `lines` it runs, by file below the repository. Tests that fail or are skipped say
    nothing of a mutant and are left out."""
    data = trace.cov.get_data()
    by_context: dict[str, dict[str, set[int]]] = defaultdict(lambda: defaultdict(set))
    for name in data.measured_files():
        file = Path(name).relative_to(ROOT).as_posix()
        for line, contexts in data.contexts_by_lineno(name).items():
            for context in contexts:
                by_context[context][file].add(line)
    found: dict[str, Any] = {}
    for test, fixtures in trace.fixtures.items():
        if test in trace.failed:
            continue
        lines: dict[str, set[int]] = defaultdict(set)
        for context in (test, *(f"fixture {name}" for name in fixtures)):
            for file, numbers in by_context.get(context, {}).items():
                lines[file] |= numbers
        found[test] = {
            "seconds": trace.seconds[test],
            "lines": {file: sorted(numbers) for file, numbers in lines.items()},
        }
    return found


def libraries() -> list[str]:
    """The modules that have been imported from site-packages."""
    files = {name: getattr(module, "__file__", None) or "" for name, module in list(sys.modules.items())}
    return sorted(name for name, file in files.items() if "site-packages" in file and not name.startswith("_"))


def main() -> int:
    out, files = Path(sys.argv[1]), sys.argv[2:]
    cov = coverage.Coverage(data_file=None, config_file=False, include=[str(ROOT / "onedata" / "*")])
    trace = Trace(cov)
    cov.start()
    code = pytest.main(["-q", "-p", "no:cacheprovider", *files], plugins=[trace])
    cov.stop()
    told = {"tests": lines_by_test(trace), "failed": trace.failed, "modules": libraries()}
    out.write_text(json.dumps(told), encoding="utf-8")
    return int(code)


if __name__ == "__main__":
    sys.exit(main())
