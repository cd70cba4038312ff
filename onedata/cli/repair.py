"""`onedata repair`: check a whole data home and repair what is safe to repair."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import duckdb
import typer

from onedata.backup.repair import restore_lake_files
from onedata.cli.root import SettingsOption, fail, settings_from
from onedata.faults.repair import repair
from onedata.settings import Settings
from onedata.warehouse import WarehouseDamaged, WarehouseMissing, open_warehouse

repair_app = typer.Typer()


@repair_app.command("repair")
def repair_command(
    settings_file: SettingsOption = None,
    backup: Annotated[
        Path | None, typer.Option("--from", help="Folder of back-ups: first restore lost lake files from it.")
    ] = None,
) -> None:
    """Read disk, Dagster's files, warehouse, lake and published completely, and repair what is safe.

    Damaged Dagster files are moved to <home>/aside/<time>, and the next run creates new ones: they hold the run history
    and no data. Stop the Dagster UI first. What only you can decide is reported with its fix and left unchanged: a
    damaged warehouse (`onedata rebuild`), missing or damaged lake files (a back-up, or `onedata run --ds NIGHT
    --replace`), a full disk, a missing permission. Nothing is ever deleted. Exit code 0 if the home is sound
    afterwards, 1 if something needs you.
    """
    settings, left = settings_from(settings_file, None), False
    if not settings.home.exists():
        fail(f"there is no data home {settings.home} to repair; `onedata run` creates one")
    if backup:
        for text in _put_back(settings, backup):
            typer.echo(f"           {text}")
    for step in repair(settings, datetime.now(UTC)):
        typer.echo(("NEEDS YOU  " if step.needs_person else "           ") + step.text)
        left = left or step.needs_person
    typer.echo("something needs you" if left else "the home is sound")
    if left:
        raise typer.Exit(1)


def _put_back(settings: Settings, backup: Path) -> list[str]:
    """Restore lost lake files from a back-up while no night runs; by the lake's own manifests if the warehouse is lost
    too."""
    try:
        with open_warehouse(settings, typer.echo, begin=False) as con:
            return restore_lake_files(settings, backup, con)
    except (WarehouseMissing, WarehouseDamaged, duckdb.CatalogException):
        return restore_lake_files(settings, backup)
