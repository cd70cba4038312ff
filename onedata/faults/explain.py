"""An error in one sentence: the file, the cause, the way out. The cause is found by looking at disk, lake, warehouse
and Dagster's files."""

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

# Errors of libraries, by class name, since Dagster keeps no more of an error. What onedata raises itself is a sentence
# already.
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
    """What a library raised comes of a file of the home; the text names it with the cause and the way out."""


@contextmanager
def faults_told(settings: Settings, kinds: tuple[type[Exception], ...] = (duckdb.Error, OSError)) -> Iterator[None]:
    """What a library raises because of a file of the home, as one sentence; anything else stays what it is.

    Args:
        settings: Whose home is looked at.
        kinds: The errors of libraries that may come of a file.

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
    """A table that is not there, told to who only reads as what it means: the warehouse is of another version.

    Raises:
        HomeFault: with the sentence.
    """
    try:
        yield
    except duckdb.CatalogException as error:
        words = f"{settings.warehouse} is of another onedata: {str(error).splitlines()[0]}"
        raise HomeFault(explain_error(settings, error) or f"{words} Run a night with this one first") from error


def worth_looking(class_name: str) -> bool:
    """Whether an error of this class may come of a file: the libraries' errors, which say little; not onedata's own,
    which say it already."""
    return class_name in ENGINES | FILES | OTHERS


def explain(settings: Settings, words: str) -> str | None:
    """What is the matter, for an error of which only the words are left; None where nothing is found.

    The disk comes first, since a full one makes every other file look wrong; then the lake files that the words name;
    then all of the warehouse and the lake is read, which takes seconds a gigabyte. To be called where this process has
    closed the warehouse.
    """
    told = disk.told_in(words, settings.home) or disk.obstacle(settings.home)
    if told:
        return told
    named = losses_named(settings, words)
    if named:
        return "\n".join(map(str, named))
    return explain_home(settings, words)


def explain_error(settings: Settings, error: BaseException) -> str | None:
    """The same for an error at hand; what onedata raised itself says it already."""
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
    """The first thing that is wrong with warehouse, Dagster's files and lake, read whole."""
    refused = met(settings.warehouse, words)
    if refused:
        return str(refused)
    storage = damaged_storage(settings)
    if storage:
        return "\n".join(map(str, storage))
    try:
        with read_warehouse(settings) as con:
            lost = all_losses(con, settings)
    except (WarehouseError, duckdb.CatalogException):  # none yet, held by another, or from before the first night
        return None
    return "\n".join(map(str, lost)) or None
