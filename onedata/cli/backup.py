"""`onedata backup`, `onedata restore`, `onedata verify`: back up a data home, restore it, and check its consistency."""

from pathlib import Path
from typing import Annotated

import typer

from onedata.backup.restore import restore as restore_home
from onedata.backup.take import back_up
from onedata.cli.root import SettingsOption, fail, settings_from
from onedata.faults import faults_told, version_told
from onedata.landing.vault_files import key_file
from onedata.retailer import load_retailer
from onedata.verify import told, verify_home

backup_app = typer.Typer()


@backup_app.command()
def backup(
    to: Annotated[
        Path,
        typer.Argument(
            help="Folder of the back-ups: empty or missing the first time. On another disk, readable only by you."
        ),
    ],
    settings_file: SettingsOption = None,
    key_to: Annotated[
        Path | None,
        typer.Option("--key-to", help="Write the vault's key to this file: on another disk than the back-up."),
    ] = None,
) -> None:
    """Back up the data home into a folder: what changed since the last back-up, each file verified by its SHA-256.

    It takes the warehouse's lock: it waits for a running night, and a night waits for it. It copies lake, warehouse,
    vault, published, extracts and quarantine, but not Dagster's history and what the next run rebuilds. The vault's KEY
    IS NEVER IN THE BACK-UP, and without it nothing can be restored: keep it elsewhere (--key-to).

    An interrupted back-up does not count; run the same command again to resume. Exit code 1 if the vault's key is lost.
    """
    settings = settings_from(settings_file, None)
    try:
        with faults_told(settings):
            taken = back_up(settings, to, key_to, lambda text: typer.echo(text, err=True))
    except OSError as error:
        fail(
            f"{error.filename or to}: {error.strerror}; no back-up was written. Run the same command again once that "
            "is fixed."
        )
    whole = taken.backup
    typer.echo(
        f"back-up {whole.number} in {to}: {len(whole.files):,} files, {whole.bytes:,} bytes"
        f"{f', night {whole.night}' if whole.night else ''}; copied {taken.copied:,} contents, {taken.copied_bytes:,} "
        "bytes"
    )
    if whole.key and not key_file(settings.vault).exists():
        raise typer.Exit(1)  # what cannot be restored is no success


@backup_app.command()
def restore(
    source: Annotated[Path, typer.Argument(metavar="FROM", help="Folder that `onedata backup` has written to.")],
    settings_file: SettingsOption = None,
    key: Annotated[
        Path | None,
        typer.Option(
            "--key", help="The vault's key: the file `onedata backup --key-to` wrote, or a copy of vault/token.key."
        ),
    ] = None,
    number: Annotated[int | None, typer.Option("--number", help="Which back-up. Default: the newest.")] = None,
) -> None:
    """Restore a back-up into a missing or empty data home, every file verified by its SHA-256.

    It first checks that the back-up is complete and the key belongs to the vault, and only then writes. No night runs
    on a home whose restore was interrupted; run the same command again to resume.
    """
    settings = settings_from(settings_file, None)
    try:
        whole = restore_home(settings, source, key, number, lambda text: typer.echo(text, err=True))
    except OSError as error:
        fail(
            f"{error.filename or settings.home}: {error.strerror}; the home is half restored. Run the same command "
            "again once that is fixed, it resumes."
        )
    options = f" --settings {settings_file}" if settings_file else ""
    typer.echo(
        f"{settings.home} is as it was at {whole.at:%Y-%m-%d %H:%M} "
        f"UTC{f', night {whole.night}' if whole.night else ''}.\n"
        f"Next: `onedata verify{options}` checks it, `onedata run{options}` loads what the source has since."
    )


@backup_app.command()
def verify(
    settings_file: SettingsOption = None,
    thorough: Annotated[
        bool,
        typer.Option("--thorough/--quick", help="Read every file and compare its SHA-256, or compare only sizes."),
    ] = True,
) -> None:
    """Compare ledger, lake, warehouse and published tables with one another. Nothing is changed.

    Prints one line per area and every difference; with a difference the exit code is 1. A night that starts meanwhile
    waits.
    """
    settings = settings_from(settings_file, None)
    with faults_told(settings), version_told(settings):
        areas = verify_home(load_retailer(settings), thorough)
    typer.echo(told(areas))
    if any(area.differences for area in areas):
        raise typer.Exit(1)
