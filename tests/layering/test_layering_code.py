"""Allowed imports between packages, checked on the source."""

import ast
from collections.abc import Iterator
from pathlib import Path

from support import REPOSITORY

MOST_LINES = 365

# A stage imports stages of its own or a lower number. Written down from the design: settings and contracts stand alone,
# readers know contracts, landing knows readers, quality judges what landed, identity and warehouse stand on contracts,
# and what drives them all comes last.
ORDER = {
    "errors": -1,
    "shipped": -1,
    "settings": 0,
    "durable": 0,
    "disk": 0,
    "sealed": 0,
    "sql": 0,
    "tables": 0,
    "simulate": 0,
    "masking": 1,
    "normalise": 1,
    "home": 1,
    "contracts": 2,
    "sources": 3,
    "readers": 3,
    "ledger": 3,
    "landing": 4,
    "quality": 5,
    "identity": 5,
    "warehouse": 5,
    "retailer": 6,
    "report": 7,
    "pages": 7,
    "faults": 7,
    "rebuild": 7,
    "onboarding": 7,
    "verify": 7,
    "backup": 8,
    "cli": 9,
}
MODULES = sorted((REPOSITORY / "onedata").rglob("*.py"))
ALL = sorted([*MODULES, *(REPOSITORY / "assets").rglob("*.py")])


def test_onedata_knows_no_dagster() -> None:
    assert _importers(MODULES, "dagster") == _importers(MODULES, "dagster_dbt") == []


def test_onedata_does_not_know_the_assets() -> None:
    # cli.py is onedata's face; its entry point in assets imports it, not the other way round.
    assert _importers(MODULES, "onedata_assets") == []


def test_great_expectations_is_imported_in_one_place() -> None:
    assert _importers(ALL, "great_expectations") == ["onedata/quality/gx.py"]


def test_every_stage_of_onedata_has_its_place_in_the_order() -> None:
    stages = {_stage(path) for path in MODULES} - {"__init__"}
    assert stages == ORDER.keys()


def test_a_stage_imports_only_earlier_ones() -> None:
    backwards = [
        f"{_name(path)} imports {module}"
        for path in MODULES
        for module in _imports(path)
        if module.startswith("onedata.") and ORDER.get(module.split(".")[1], 99) > ORDER.get(_stage(path), 0)
    ]
    assert backwards == []


def test_stages_side_by_side_do_not_know_each_other() -> None:
    sideways = [
        f"{_name(path)} imports {module}"
        for path in MODULES
        for module in _imports(path)
        if module.startswith("onedata.")
        and module.split(".")[1] != _stage(path)
        and ORDER.get(module.split(".")[1]) == ORDER.get(_stage(path))
    ]
    assert sideways == []


def test_no_module_is_too_long() -> None:
    lines = {_name(path): len(path.read_text(encoding="utf-8").splitlines()) for path in ALL}
    assert {name: count for name, count in lines.items() if count > MOST_LINES} == {}


def test_no_handler_swallows_everything() -> None:
    broad = [
        f"{_name(path)}:{node.lineno}"
        for path in ALL
        for node in ast.walk(_tree(path))
        if isinstance(node, ast.ExceptHandler)
        and _is_broad(node)
        and not any(isinstance(inner, ast.Raise) for inner in ast.walk(node))
    ]
    assert broad == []


def test_no_handler_catches_exception_by_that_name() -> None:
    handlers = [(path, node) for path in ALL for node in ast.walk(_tree(path)) if isinstance(node, ast.ExceptHandler)]
    assert [f"{_name(path)}:{node.lineno}" for path, node in handlers if "Exception" in _names(node)] == []


def test_the_examples_are_contracts_and_settings_only() -> None:
    files = [path for path in (REPOSITORY / "examples").glob("*/**/*") if path.is_file()]
    assert files
    assert [_name(path) for path in files if path.suffix not in {".yaml", ".toml", ".md"}] == []


def _is_broad(node: ast.ExceptHandler) -> bool:
    return node.type is None or bool(_names(node) & {"Exception", "BaseException"})


def _names(node: ast.ExceptHandler) -> set[str]:
    return {inner.id for inner in ast.walk(node.type) if isinstance(inner, ast.Name)} if node.type else set()


def _importers(paths: list[Path], package: str) -> list[str]:
    return [
        _name(path)
        for path in paths
        if any(module == package or module.startswith(f"{package}.") for module in _imports(path))
    ]


def _imports(path: Path) -> Iterator[str]:
    for node in ast.walk(_tree(path)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def _tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"), str(path))


def _stage(path: Path) -> str:
    return path.relative_to(REPOSITORY / "onedata").parts[0].removesuffix(".py")


def _name(path: Path) -> str:
    return path.relative_to(REPOSITORY).as_posix()


def test_only_the_command_line_knows_the_simulator() -> None:
    importers = {_name(path) for path in ALL if any(m.startswith("onedata.simulate") for m in _imports(path))}
    assert {name for name in importers if not name.startswith("onedata/simulate/")} == {
        "onedata/cli/simulate.py",
        "assets/cli.py",
    }


def test_every_test_file_has_a_test() -> None:
    """A merge once left one empty, and nothing said so."""
    files = sorted((REPOSITORY / "tests").rglob("test_*.py"))
    assert len(files) > 100
    assert [_name(path) for path in files if "\ndef test_" not in path.read_text(encoding="utf-8")] == []
