"""Dagster's own files in the home: SQLite databases of runs, events and schedules, and settings. They contain no data
of the retailer."""

import sqlite3
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import yaml

from onedata.settings import Settings

BESIDE = ("-wal", "-shm", "-journal")
DAMAGE = (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)


@dataclass(frozen=True)
class DamagedStorage:
    """A file that Dagster cannot read."""

    file: Path
    what: str

    def __str__(self) -> str:
        return (
            f"Dagster's file {self.file} is damaged ({self.what}): stop the Dagster UI, then `onedata repair` moves it "
            "aside, and the next run begins a new "
            f"one; it holds {'settings of Dagster' if self.file.suffix == '.yaml' else 'the history of runs'} and no "
            "data"
        )


def damaged_storage(settings: Settings) -> list[DamagedStorage]:
    """Every file of the home's Dagster instance that cannot be read, by name."""
    return sorted(
        [*_databases(settings.dagster_home), *damaged_settings(settings.dagster_home)], key=lambda damaged: damaged.file
    )


def _databases(folder: Path) -> Iterator[DamagedStorage]:
    for file in folder.rglob("*.db"):
        try:
            with sqlite3.connect(f"{file.absolute().as_uri()}?mode=ro", uri=True) as con:
                found = con.execute("pragma quick_check(1)").fetchone()[0]
            con.close()
        except sqlite3.DatabaseError as error:
            # Locked, or not readable by this user, which is not damage.
            if error.sqlite_errorcode & 0xFF in DAMAGE:
                yield DamagedStorage(file, str(error))
            continue
        if found != "ok":
            yield DamagedStorage(file, str(found).splitlines()[-1])


def damaged_settings(folder: Path) -> Iterator[DamagedStorage]:
    """Settings files of Dagster in this folder that are not YAML, or have a setting without a value, as a truncated
    file does."""
    for file in (folder / "dagster.yaml", folder / "workspace.yaml"):
        try:
            content = yaml.safe_load(file.read_text(encoding="utf-8")) if file.exists() else {"": ""}
        except (UnicodeDecodeError, yaml.YAMLError) as error:
            yield DamagedStorage(file, f"no YAML: {str(error).splitlines()[0]}")
            continue
        if not isinstance(content, dict) or not content:
            yield DamagedStorage(file, "no mapping of settings")
        elif empty := _without_value(content):
            yield DamagedStorage(file, f"{empty} has no value")


def _without_value(content: Mapping[str, object]) -> str | None:
    """The first setting without a value, with its sections."""
    for name, value in content.items():
        below = _without_value(value) if isinstance(value, Mapping) else None
        if value is None or below:
            return f"{name}.{below}" if below else name
    return None
