"""`onedata init` and `onedata schema`: a new retailer's folder, and what an editor knows of its files."""

import os
from pathlib import Path
from typing import Annotated

import typer

from onedata.cli.root import SettingsOption
from onedata.onboarding.new_retailer import Schema, new_retailer, schema_text
from onedata.settings import FILE, Settings, load_settings

init_app = typer.Typer()


@init_app.command()
def init(folder: Annotated[Path, typer.Argument(help="Folder to write; must be new or empty.")]) -> None:
    """Make the folder of a new retailer: settings, one contract, two nights of sample files. It runs as it is.

    Several retailers on one machine are several folders; nothing is shared between them.
    """
    for file in new_retailer(folder):
        typer.echo(f"  {folder / file}")
    typer.echo(f"\nRun it:\n  cd {folder} && onedata run")


@init_app.command()
def schema(what: Annotated[Schema, typer.Argument(help="Whose schema.")], settings_file: SettingsOption = None) -> None:
    """Print the JSON schema of a file that you write, for an editor that completes and checks it.

    `onedata init` writes both below schemas/. That of a contract names the entities, with the retailer's own if there
    are settings."""
    has_settings = settings_file or os.environ.get("ONEDATA_SETTINGS") or Path(FILE).exists()
    settings = load_settings(settings_file) if has_settings else Settings()
    typer.echo(schema_text(what, settings.own_entities), nl=False)
