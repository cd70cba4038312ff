"""`onedata backup`, `onedata restore`, `onedata verify`: a data home kept elsewhere, given back, and held against
itself."""

from pathlib import Path
from typing import Annotated

import typer

from onedata.backup.restore import restore as restore_home
from onedata.backup.take import back_up
from onedata.cli.root import SettingsOption, fail, settings_from
from onedata.faults import faults_told, version_told
from onedata.retailer import load_retailer
from onedata.verify import told, verify_home

backup_app = typer.Typer()


@backup_app.command()
def backup(
    to: Annotated[
        Path,
        typer.Argument(
            help="Folder of the back-ups: empty or missing the first time. On another disk, readable by you alone."
        ),
    ],
    settings_file: SettingsOption = None,
    key_to: Annotated[
        Path | None,
        typer.Option("--key-to", help="Write the vault's key to this file: on another disk than the back-up."),
    ] = None,
) -> None:
    """Back the data home up into a folder: what has changed since the last time, each file verified by its SHA-256.

    It runs while no night does: it takes the warehouse's lock, waits for it as a night does, and a night waits for it.
    Kept are lake, warehouse, vault, published, extracts and quarantine; not Dagster's history and what the next run
    makes again. The vault's KEY IS NEVER IN THE BACK-UP, and without it nothing can be restored: keep it elsewhere
    (--key-to).

    A back-up that was stopped does not count; the same command again goes on from there.
    """
    settings = settings_from(settings_file, None)
    try:
        with faults_told(settings):
            taken = back_up(settings, to, key_to, lambda text: typer.echo(text, err=True))
    except OSError as error:
        fail(
            f"{error.filename or to}: {error.strerror}; no back-up was written. Give the same command again once that "
            "is mended."
        )
    whole = taken.backup
    typer.echo(
        f"back-up {whole.number} in {to}: {len(whole.files):,} files, {whole.bytes:,} bytes"
        f"{f', night {whole.night}' if whole.night else ''}; copied {taken.copied:,} contents, {taken.copied_bytes:,} "
        "bytes"
    )


@backup_app.command()
def restore(
    source: Annotated[Path, typer.Argument(metavar="FROM", help="Folder that `onedata backup` has written to.")],
    settings_file: SettingsOption = None,
    key: Annotated[
        Path | None,
        typer.Option(
            "--key", help="The vault's key: what `onedata backup --key-to` wrote, or a copy of vault/token.key."
        ),
    ] = None,
    number: Annotated[int | None, typer.Option("--number", help="Which back-up. Default: the newest.")] = None,
) -> None:
    """Give a missing or empty data home what a back-up holds, every file compared by its SHA-256 on the way.

    Nothing is written before the back-up is known to be whole and the key to be the vault's. A restore that was stopped
    leaves a home that no night runs on; the same command again goes on from there.
    """
    settings = settings_from(settings_file, None)
    try:
        whole = restore_home(settings, source, key, number, lambda text: typer.echo(text, err=True))
    except OSError as error:
        fail(
            f"{error.filename or settings.home}: {error.strerror}; the home is half restored. Give the same command "
            "again once that is mended, it goes on."
        )
    options = f" --settings {settings_file}" if settings_file else ""
    typer.echo(
        f"{settings.home} is as it was at {whole.at:%Y-%m-%d %H:%M} "
        f"UTC{f', night {whole.night}' if whole.night else ''}.\n"
        f"Next: `onedata verify{options}` holds it against itself, `onedata run{options}` takes what the source has "
        "since."
    )


@backup_app.command()
def verify(
    settings_file: SettingsOption = None,
    thorough: Annotated[
        bool,
        typer.Option("--thorough/--quick", help="Read every file and compare its SHA-256, or compare sizes alone."),
    ] = True,
) -> None:
    """Hold ledger, lake, warehouse and what is published against one another. Nothing is changed.

    One line an area; every difference is named, and then the exit code is 1. A night that comes meanwhile waits.
    """
    settings = settings_from(settings_file, None)
    with faults_told(settings), version_told(settings):
        areas = verify_home(load_retailer(settings), thorough)
    typer.echo(told(areas))
    if any(area.differences for area in areas):
        raise typer.Exit(1)
