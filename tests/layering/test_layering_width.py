"""Lines are at most 120 columns wide in files that ruff does not check: contracts, models, pages and scripts."""

from pathlib import Path

from support import REPOSITORY

WIDTH = 120
NAMES = ("*.yaml", "*.yml", "*.html", "*.j2", "*.sql", "*.toml", "*.sh")
FOLDERS = sorted(
    path for path in REPOSITORY.iterdir() if path.is_dir() and not path.name.startswith(".") and path.name != "data"
)
GENERATED = {"target", "logs", "dbt_packages"}


def _files() -> list[Path]:
    below = [path for folder in FOLDERS for name in NAMES for path in folder.rglob(name)]
    own = [path for name in (*NAMES, ".*.yaml") for path in REPOSITORY.glob(name)]
    files = [*below, *own, REPOSITORY / "Makefile", REPOSITORY / ".ci" / "run"]
    return [path for path in files if not GENERATED & set(path.relative_to(REPOSITORY).parts)]


def test_no_line_is_wider_than_the_limit() -> None:
    files = _files()
    assert {path.name for path in files} >= {"identifiers.yaml", "dbt_project.yml", "pyproject.toml"}
    wide = [
        f"{path.relative_to(REPOSITORY)}:{number}"
        for path in files
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1)
        if len(line) > WIDTH
    ]
    assert wide == []
