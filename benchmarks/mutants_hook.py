"""Puts a mutant in the place of its module when it is imported; nothing on the disk changes."""

import json
import sys
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec, SourceFileLoader
from importlib.util import spec_from_file_location
from pathlib import Path
from types import CodeType
from typing import Any

ROOT = Path(__file__).resolve().parent.parent


class Changed(SourceFileLoader):
    """Loads a file's text with one change."""

    def __init__(self, name: str, path: str, mutant: dict[str, Any]) -> None:
        super().__init__(name, path)
        self.mutant = mutant

    def get_code(self, fullname: str) -> CodeType:  # noqa: ARG002
        text = Path(self.path).read_text(encoding="utf-8")
        mutant = self.mutant
        return compile(text[: mutant["start"]] + mutant["becomes"] + text[mutant["end"] :], self.path, "exec")


class Finder(MetaPathFinder):
    """Finds the changed module before anybody else does."""

    def __init__(self, mutant: dict[str, Any]) -> None:
        self.mutant = mutant
        self.file = ROOT / mutant["file"]
        self.name = ".".join(Path(mutant["file"]).with_suffix("").parts).removesuffix(".__init__")

    def find_spec(
        self,
        fullname: str,
        path: object = None,  # noqa: ARG002
        target: object = None,  # noqa: ARG002
    ) -> ModuleSpec | None:
        if fullname != self.name:
            return None
        loader = Changed(fullname, str(self.file), self.mutant)
        folders = [str(self.file.parent)] if self.file.name == "__init__.py" else None
        return spec_from_file_location(fullname, self.file, loader=loader, submodule_search_locations=folders)


def install(file: str) -> None:
    """Have the mutant that `file` tells (JSON: file, start, end, becomes) imported in its module's place."""
    sys.meta_path.insert(0, Finder(json.loads(Path(file).read_text(encoding="utf-8"))))
