"""Explain an error in one sentence: file, cause, fix. The cause is found by checking disk, lake, warehouse and
Dagster's files."""

from collections.abc import Iterator
from contextlib import contextmanager

import duckdb

from onedata import disk
from onedata.errors import OnedataError
from onedata.faults.lake import all_losses, losses_named
from onedata.faults.storage import damaged_storage
from onedata.settings import Settings
from onedata.warehouse import WarehouseError, read_warehouse
from onedata.warehouse.damage import met

# Errors of libraries, by class name, because Dagster keeps nothing else of an error. Errors of onedata are plain
# sentences already.
ENGINES = frozenset(
    kind.__name__ for kind in vars(duckdb).values() if isinstance(kind, type) and issubclass(kind, duckdb.Error)
)
FILES = frozenset(
    {
        "OSError",
        "PermissionError",
        "FileNotFoundError",
        "BlockingIOError",
        "NotADirectoryError",
        "IsADirectoryError",
        "UnicodeDecodeError",
    }
)
OTHERS = frozenset(
    {
        "ArrowInvalid",
        "ArrowException",
        "ArrowIOError",
        "DbtFailed",
        "DatabaseError",
        "OperationalError",
        "ParserError",
        "ReaderError",
    }
)


class HomeFault(OnedataError):
    """A library error caused by a file of the home; the message names the file, the cause and the fix."""


@contextmanager
def faults_told(settings: Settings, kinds: tuple[type[Exception], ...] = (duckdb.Error, OSError)) -> Iterator[None]:
    """Convert a library error caused by a file of the home into one sentence; other errors pass unchanged.

    Args:
        settings: Settings of the home to check.
        kinds: Library errors that a file may have caused.

    Raises:
        HomeFault: with the sentence.
    """
    try:
        yield
    except kinds as error:
        told = explain_error(settings, error)
        if told is None:
            raise
        raise HomeFault(told) from error


@contextmanager
def version_told(settings: Settings) -> Iterator[None]:
    """Explain a missing table to a read-only command: the warehouse has another version.

    Raises:
        HomeFault: with the sentence.
    """
    try:
        yield
    except duckdb.CatalogException as error:
        words = f"{settings.warehouse} is of another onedata: {str(error).splitlines()[0]}"
        raise HomeFault(explain_error(settings, error) or f"{words} Run a night with this one first") from error


def worth_looking(class_name: str) -> bool:
    """Whether an error of this class may be caused by a file: true for library errors, which say little; false for
    onedata's own, which already name the file."""
    return class_name in ENGINES | FILES | OTHERS


def explain(settings: Settings, words: str) -> str | None:
    """The cause of an error of which only the message is left; None if nothing is found.

    The disk is checked first, since a full disk makes every other file look damaged; then the lake files that the
    message names; then the whole warehouse and lake, which takes seconds per gigabyte. Call it only after this process
    has closed the warehouse.
    """
    told = disk.told_in(words, settings.home) or disk.obstacle(settings.home)
    if told:
        return told
    named = losses_named(settings, words)
    if named:
        return "\n".join(map(str, named))
    return explain_home(settings, words)


def explain_error(settings: Settings, error: BaseException) -> str | None:
    """The same for an exception object; errors of onedata name their cause already."""
    causes = list(disk.chain(error))
    said = next((str(cause) for cause in causes if isinstance(cause, WarehouseError)), None) or disk.told_of(
        error, settings.home
    )
    if said or not any(
        isinstance(cause, duckdb.Error | OSError) or worth_looking(type(cause).__name__) for cause in causes
    ):
        return said
    return explain(settings, "\n".join(map(str, causes)))


def explain_home(settings: Settings, words: str = "") -> str | None:
    """The first fault in warehouse, Dagster's files and lake, each read completely."""
    refused = met(settings.warehouse, words)
    if refused:
        return str(refused)
    storage = damaged_storage(settings)
    if storage:
        return "\n".join(map(str, storage))
    try:
        with read_warehouse(settings) as con:
            lost = all_losses(con, settings)
    except (WarehouseError, duckdb.CatalogException):  # missing, locked, or from before the first night
        return None
    return "\n".join(map(str, lost)) or None
