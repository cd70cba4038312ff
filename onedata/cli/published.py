"""`onedata status`, `serve` and `quality`: what is published, what waits, and what the gates found."""

from typing import Annotated

import typer

from onedata.cli.root import SettingsOption, day_from, fail, settings_from, writing
from onedata.faults.repair import seen_at_once
from onedata.ledger import create_ledger
from onedata.pages.data_docs import rebuild_live_docs
from onedata.report import status_report
from onedata.warehouse import read_warehouse
from onedata.warehouse.costs import cost_report
from onedata.warehouse.publications import serve_night

published_app = typer.Typer()
quality = typer.Typer(no_args_is_help=True, help="What the gates found.")
published_app.add_typer(quality, name="quality")


@published_app.command()
def status(
    settings_file: SettingsOption = None,
    cost: Annotated[
        bool, typer.Option("--cost", help="Show instead what each stage of the last run took, and its slowest tables.")
    ] = False,
) -> None:
    """Show what is published, what was received and quarantined, what waits, and which gates are closed.

    Exit code 1 if a gate is closed, a delivery waits, or a file is damaged or missing, as far as names and sizes tell
    (`onedata verify` reads them)."""
    typed = f" --settings {settings_file}" if settings_file else ""
    settings = settings_from(settings_file, None)
    if not settings.home.exists():
        fail(f"there is no data home {settings.home}; `onedata run{typed}` creates one")
    if cost:
        with read_warehouse(settings) as con:
            typer.echo(cost_report(con))
        return
    text, well = status_report(settings, typed)
    lost = seen_at_once(settings)
    if lost:
        typer.echo("\n  ".join(["DAMAGED OR MISSING; `onedata repair` tells more", *lost]) + "\n")
    typer.echo(text)
    if lost or not well:
        raise typer.Exit(1)


@published_app.command()
def serve(
    night: Annotated[str, typer.Argument(help="A night that is kept in published/publications, YYYY-MM-DD.")],
    settings_file: SettingsOption = None,
) -> None:
    """Serve a kept night's newest publication (database, Parquet, quality pages), to roll back or forward again."""
    settings = settings_from(settings_file, None)
    found = serve_night(settings, day_from(night, "NIGHT"), typer.echo)
    typer.echo(f"{settings.published_database} is night {night} now, publication {found.number}")


@quality.command("docs")
def quality_docs(settings_file: SettingsOption = None) -> None:
    """Rewrite the pages of the last nights, also of one whose gate closed: published/status/quality/index.html.

    The pages in a publication (published/quality) show its night as published, and never change.
    """
    settings = settings_from(settings_file, None)
    with writing(settings) as con:
        create_ledger(con)
        typer.echo(rebuild_live_docs(con, settings))
