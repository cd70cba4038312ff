"""Which unit test runs which line of `onedata`: measured once and kept, and measured again for what has changed."""

import hashlib
import json
import subprocess
import sys
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
TRACE = Path(__file__).with_name("mutants_trace.py")
FOLDERS: dict[str, tuple[str, ...]] = {"landing": ("landing", "ledger")}
"""By folder of `onedata`: the folders of tests/unit whose tests judge its mutants; of others, the one of its name."""


@dataclass
class Map:
    """What is known of the tests of each file, and the top-level modules that they import."""

    file: Path
    files: dict[str, Any] = field(default_factory=dict)
    modules: list[str] = field(default_factory=list)

    @classmethod
    def read(cls, file: Path) -> "Map":
        known = json.loads(file.read_text(encoding="utf-8")) if file.is_file() else {}
        return cls(file, known.get("files", {}), known.get("modules", []))

    def write(self) -> None:
        self.file.write_text(json.dumps({"files": self.files, "modules": self.modules}), encoding="utf-8")

    def measure(self, modules: Sequence[str], say: Any) -> None:
        """Run the tests that judge these modules, where they or what they run have changed since.

        Args:
            modules: Files below the repository.
            say: Told what is run.
        """
        stale = [file for file in files_of_tests(modules) if not self._holds(file, modules)]
        for folder in sorted({str(Path(file).parent) for file in stale}):
            self._run([file for file in stale if str(Path(file).parent) == folder], say)

    def _holds(self, file: str, modules: Sequence[str]) -> bool:
        known = self.files.get(file)
        return known is not None and all(
            known["digests"].get(name, digest(name)) == digest(name) for name in (file, *modules) if name
        )

    def _run(self, files: Sequence[str], say: Any) -> None:
        say(f"which lines the tests of {len(files)} files in {Path(files[0]).parent} run")
        out = self.file.with_name("trace.json")
        out.unlink(missing_ok=True)
        with self.file.with_name("trace.log").open("w", encoding="utf-8") as log:
            subprocess.run(
                [sys.executable, str(TRACE), str(out), *files], cwd=ROOT, check=False, stdout=log, stderr=log
            )
        traced = json.loads(out.read_text(encoding="utf-8"))
        self.take(files, traced)
        for test in traced["failed"]:
            say(f"fails or is skipped with nothing changed, and judges nothing: {test}")

    def take(self, files: Sequence[str], traced: dict[str, Any]) -> None:
        """Keep what a run of these files told."""
        for file in files:
            tests = {name: test for name, test in traced["tests"].items() if name.partition("::")[0] == file}
            names = {file, *(name for test in tests.values() for name in test["lines"])}
            self.files[file] = {"digests": {name: digest(name) for name in sorted(names)}, "tests": tests}
        self.modules = sorted({*self.modules, *traced["modules"]})
        self.write()

    def judges(self, module: str, lines: range) -> list[tuple[str, float]]:
        """The tests that run one of these lines of the module, with their CPU seconds: those of its own folder first,
        and quick ones before slow ones. Of a line that only imports run, all that run anything of the module."""
        chosen = {name: test for file in files_of_tests([module]) for name, test in self.files[file]["tests"].items()}
        by_line = {name: test for name, test in chosen.items() if not set(lines).isdisjoint(_lines(test, module))}
        found = by_line or {name: test for name, test in chosen.items() if _lines(test, module)}
        own = f"tests/unit/{_folders(module)[0]}/"
        # One set of parameters of each test before the others of any: what is tested otherwise is soon reached.
        variants: Counter[str] = Counter()
        places: dict[str, tuple[bool, int, float]] = {}
        for name in sorted(found, key=lambda name: (found[name]["seconds"], name)):
            places[name] = (not name.startswith(own), variants[name.partition("[")[0]], found[name]["seconds"])
            variants[name.partition("[")[0]] += 1
        return [(name, found[name]["seconds"]) for name in sorted(found, key=lambda name: places[name])]


def _lines(test: dict[str, Any], module: str) -> list[int]:
    return list(test["lines"].get(module, ()))


def _folders(module: str) -> tuple[str, ...]:
    return FOLDERS.get(Path(module).parts[1], (Path(module).parts[1],))


def files_of_tests(modules: Sequence[str]) -> list[str]:
    """The files of the tests that judge these modules, below the repository."""
    folders = sorted({folder for module in modules for folder in _folders(module)})
    found = (file for folder in folders for file in (ROOT / "tests" / "unit" / folder).glob("test_*.py"))
    return sorted(file.relative_to(ROOT).as_posix() for file in found)


def digest(name: str) -> str:
    """What a file's text is known by."""
    return hashlib.sha256((ROOT / name).read_bytes()).hexdigest()[:16]
