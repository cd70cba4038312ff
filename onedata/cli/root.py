"""Shared by all commands: the application, common options, opening the warehouse, and ending with an exit code."""

import gc
import os
import re
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from datetime import date
from importlib.metadata import version
from pathlib import Path
from typing import Annotated, Any, NoReturn

import duckdb
import typer
from typer.core import TyperGroup

from onedata import disk
from onedata.errors import OnedataError
from onedata.faults import faults_told, version_told
from onedata.home import private_umask
from onedata.masking import mask_error
from onedata.retailer import load_retailer
from onedata.settings import Settings, SettingsError, load_settings
from onedata.warehouse import open_warehouse, read_warehouse


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"onedata {version('onedata')}")
        raise typer.Exit


YOUNG_OBJECTS = 50_000
"""Python's 700 would look for cycles hundreds of times while the libraries of a night are imported, a tenth of an empty
night; memory stays the same."""


class NotADay(OnedataError):
    """A text that is not a day."""


_UsageError: type[Exception] = typer.BadParameter.__bases__[0]  # typer exports no name for it


class Commands(TyperGroup):
    """The one place where an error becomes a sentence and an exit code."""

    def main(
        self,
        args: Sequence[str] | None = None,
        prog_name: str | None = None,
        complete_var: str | None = None,
        standalone_mode: bool = True,
        windows_expand_args: bool = True,
        **extra: Any,
    ) -> Any:
        gc.set_threshold(YOUNG_OBJECTS, *gc.get_threshold()[1:])
        try:
            code = super().main(args, prog_name, complete_var, False, windows_expand_args, **extra)
        except typer.Abort:
            sys.exit(1)
        except _UsageError as error:
            _tell_usage(error)
        if not standalone_mode:
            return code
        sys.exit(code if isinstance(code, int) else 0)

    def invoke(self, ctx: typer.Context) -> Any:  # type: ignore[override]  # typer's own name for it is private
        try:
            return super().invoke(ctx)
        except OnedataError as error:
            fail(str(error), error.exit_code)
        except PermissionError as error:
            told = disk.told_of(error, Path(error.filename or "."))
            if told is None:
                raise
            fail(told)


def _tell_usage(error: Any) -> NoReturn:
    """A wrong option or argument in one line; a command without its arguments shows its help."""
    message = error.format_message()
    if "\n" in message:
        typer.echo(message, err=True)
    else:
        command = error.ctx.command_path if error.ctx else "onedata"
        typer.echo(f"onedata: {message.rstrip('.')}; see `{command} --help`", err=True)
    sys.exit(error.exit_code)


app = typer.Typer(
    name="onedata",
    cls=Commands,
    no_args_is_help=True,
    pretty_exceptions_show_locals=False,
)


@app.callback()
def about(
    show: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Show the version and exit.")
    ] = False,
) -> None:
    """An open data middle platform for omnichannel retail.

    Feeds by contract -> gated layers -> OneID -> metrics -> one published DuckDB database.
    """


SettingsOption = Annotated[
    Path | None,
    typer.Option(
        "--settings",
        help="onedata.toml of the retailer. Default: $ONEDATA_SETTINGS, else that of the working directory, else the "
        "built-in retailer.",
    ),
]
SourceOption = Annotated[
    Path | None, typer.Option("--source", help="Folder of the feeds' files; overrides the settings.")
]


def fail(message: str, exit_code: int = 2) -> NoReturn:
    """Exit with a message in which personal values are masked."""
    typer.echo(f"onedata: {mask_error(message)}", err=True)
    raise typer.Exit(exit_code)


def settings_from(file: Path | None, source: Path | None) -> Settings:
    """Settings from the options. From here on, only the user can read files that the command writes.

    Raises:
        SettingsError, ContractError: the settings or a contract are not valid.
    """
    private_umask()
    environment = dict(os.environ) | ({"ONEDATA_SOURCE": str(source)} if source else {})
    settings = load_settings(file, environment)
    with suppress(PermissionError):  # of a folder that the user may not look into each command tells
        if settings.home.is_file():
            raise SettingsError(f"home: {settings.home} is a file, and the data home is a folder: name another one")
    load_retailer(settings)
    return settings


def day_from(text: str, of: str) -> date:
    """Parse a day typed by the user; `of` names the option or argument in the message.

    Raises:
        NotADay: the text is not a day.
    """
    try:
        if not re.fullmatch(r"\d{4}-\d\d-\d\d", text):
            raise ValueError
        return date.fromisoformat(text)
    except ValueError:
        raise NotADay(f"{of} takes a day as YYYY-MM-DD, not {text!r}") from None


@contextmanager
def reading(settings: Settings) -> Iterator[duckdb.DuckDBPyConnection]:
    """The warehouse, read-only."""
    with faults_told(settings), version_told(settings), read_warehouse(settings) as con:
        yield con


@contextmanager
def writing(settings: Settings) -> Iterator[duckdb.DuckDBPyConnection]:
    """The warehouse as its only writer; fails if no night has run yet."""
    with faults_told(settings), open_warehouse(settings, typer.echo, begin=False) as con:
        yield con
