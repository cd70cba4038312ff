"""`onedata repair`: look at a data home from end to end and mend what is safe to mend."""

from datetime import UTC, datetime

import typer

from onedata.cli import SettingsOption, settings_from
from onedata.faults.repair import repair

repair_app = typer.Typer()


@repair_app.command("repair")
def repair_command(settings_file: SettingsOption = None) -> None:
    """Look at disk, Dagster's files, warehouse, lake and published database, all read whole, and do what has a safe way out.

    Dagster's damaged files are moved aside, below <home>/aside/<time>, and the next run begins new ones: they hold the history of runs and no
    data. Stop the Dagster UI first. What only you can decide is told with its ways out and left as it is: a damaged warehouse (`onedata
    rebuild`), lake files that are gone or damaged (a back-up, or `onedata run --ds NIGHT --replace`), a full disk, a missing right. Nothing is
    ever removed. Exit code 0 where the home is sound afterwards, 1 where something needs you.
    """
    left = False
    for step in repair(settings_from(settings_file, None), datetime.now(UTC)):
        typer.echo(("NEEDS YOU  " if step.needs_person else "           ") + step.text)
        left = left or step.needs_person
    typer.echo("something needs you" if left else "the home is sound")
    if left:
        raise typer.Exit(1)
