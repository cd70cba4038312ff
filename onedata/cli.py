"""Commands that need no Dagster. The entry point is assets/cli.py, which adds run, demo and dev."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date
from importlib.metadata import version
from pathlib import Path
from typing import Annotated, NoReturn

import duckdb
import typer

from onedata.contracts import ContractError, load_entities, load_feeds
from onedata.contracts.derive import write_derived
from onedata.contracts.history import changes
from onedata.contracts.identifiers import load_identifier_policy
from onedata.contracts.pages import write_pages
from onedata.faults import explain_error
from onedata.home import private_umask
from onedata.landing.vault_files import VaultError
from onedata.ledger import create_ledger
from onedata.ledger.log import LogDamaged
from onedata.ledger.manifest import ManifestError
from onedata.ledger.migrations import HomeFormatError
from onedata.ledger.recover import ForeignLedger, LakeDamaged
from onedata.masking import mask_error
from onedata.quality.data_docs import rebuild_live_docs
from onedata.report import status_report
from onedata.retailer import load_retailer
from onedata.settings import REPOSITORY, Settings, SettingsError, load_settings
from onedata.simulate import MEANINGS, PROFILES, DefectRates, IdentityRates, SimulationSettings
from onedata.simulate import simulate as simulate_retailer
from onedata.warehouse import WarehouseBusy, WarehouseError, WarehouseMissing, open_warehouse, read_warehouse
from onedata.warehouse.publications import PublishError, serve_night


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"onedata {version('onedata')}")
        raise typer.Exit


app = typer.Typer(
    name="onedata",
    no_args_is_help=True,
    pretty_exceptions_show_locals=False,
)
quality = typer.Typer(no_args_is_help=True, help="What the gates found.")
app.add_typer(quality, name="quality")


@app.callback()
def about(
    show: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Show the version and end.")
    ] = False,
) -> None:
    """An open data middle platform for omnichannel retail.

    Feeds by contract -> gated layers -> OneID -> metrics -> one published DuckDB database.
    """


SettingsOption = Annotated[
    Path | None,
    typer.Option(
        "--settings", help="onedata.toml of the retailer. Default: $ONEDATA_SETTINGS, else the built-in retailer."
    ),
]
SourceOption = Annotated[
    Path | None, typer.Option("--source", help="Folder the feeds' files lie in; overrides the settings.")
]


def fail(message: str) -> NoReturn:
    """End with a message, values of people masked in it, and exit code 2."""
    typer.echo(f"onedata: {mask_error(message)}", err=True)
    raise typer.Exit(2)


def settings_from(file: Path | None, source: Path | None) -> Settings:
    """Settings of the options, or a clear end. What the command writes from here on only its user may read."""
    import os

    private_umask()
    try:
        environment = dict(os.environ) | ({"ONEDATA_SOURCE": str(source)} if source else {})
        settings = load_settings(file, environment)
        load_retailer(settings)
    except (SettingsError, ContractError) as error:
        fail(str(error))
    return settings


SAID = (ForeignLedger, LakeDamaged, HomeFormatError, ManifestError, LogDamaged, VaultError)
"""Errors whose own text names the file, the cause and the way out."""


@contextmanager
def reading(settings: Settings) -> Iterator[duckdb.DuckDBPyConnection]:
    """The warehouse for reading only, or a clear end."""
    with clear_end(settings), read_warehouse(settings) as con:
        yield con


@contextmanager
def writing(settings: Settings) -> Iterator[duckdb.DuckDBPyConnection]:
    """The warehouse of a retailer that has had a night, as its one writer, or a clear end."""
    with clear_end(settings), open_warehouse(settings, typer.echo, begin=False) as con:
        yield con


@contextmanager
def clear_end(settings: Settings) -> Iterator[None]:
    """What comes of a file ends with one sentence and exit code 2: the file, the cause and the way out. Any other error
    stays what it is."""
    try:
        yield
    except SAID as error:
        fail(str(error))
    except (WarehouseError, duckdb.Error, OSError) as error:
        told = explain_error(settings, error)
        if told is None:
            raise
        fail(told)


@app.command(epilog="Kinds of defect: " + "; ".join(f"{kind} ({meaning})" for kind, meaning in MEANINGS.items()) + ".")
def simulate(
    out: Annotated[Path, typer.Option(help="Folder to write; must not exist or be empty.")],
    customers: Annotated[int, typer.Option(help="How many customers.")] = 400,
    days: Annotated[int, typer.Option(help="How many nights of files. More nights begin with the same ones.")] = 5,
    seed: Annotated[int, typer.Option(help="Same seed, same bytes.")] = 7,
    start: Annotated[str, typer.Option(help="First day, YYYY-MM-DD.")] = "2026-01-05",
    scale_profile: Annotated[
        str, typer.Option(help="; ".join(f"{name}: {profile.meaning}" for name, profile in PROFILES.items()) + ".")
    ] = "dense",
    defects: Annotated[
        str,
        typer.Option(
            help="none; light: what a night goes on with; heavy: five times as much, and a few files that a gate "
            "refuses."
        ),
    ] = "light",
    defect: Annotated[
        list[str] | None, typer.Option(help="The rate of one kind, as KIND=RATE (late=0.02); again for others.")
    ] = None,
    shared_phones: Annotated[
        float, typer.Option(help="Share of the customers whose phone is a company's, a reseller's or a hotline.")
    ] = 0.005,
) -> None:
    """Write an omnichannel retailer's files, night by night: source/ for the pipeline, truth/ beside it.

    The truth is who is behind every record and identifier, what was wanted, sold and lost and why, and each defect with
    its file, row and what should come of it. docs/simulator.md tells what is in it.
    """
    try:
        rates = DefectRates.named(defects, dict(_rate(text) for text in defect or []))
        settings = SimulationSettings(
            customers=customers,
            days=days,
            seed=seed,
            start=_first_day(start),
            profile=scale_profile,
            defects=rates,
            identity=IdentityRates(shared_phone=shared_phones),
        )
        summary = simulate_retailer(settings, out, show_progress)
    except (ValueError, OSError) as error:
        fail(str(error))
    typer.echo(
        f"{sum(summary.rows.values()):,} rows in {len(summary.rows)} feeds, {summary.size_bytes / 1e6:,.0f} MB, below "
        f"{summary.source}"
    )
    typer.echo(
        f"broken on purpose: {', '.join(f'{kind} {count:,}' for kind, count in summary.defects.items()) or 'nothing'}"
    )
    typer.echo(
        f"the truth is in {summary.truth}\nrun its nights in a data home of their own: ONEDATA_HOME={out / 'home'} "
        f"onedata run --source {summary.source}"
    )


def _first_day(text: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise ValueError(f"--start takes a day as YYYY-MM-DD, got {text!r}") from None


def _rate(text: str) -> tuple[str, float]:
    kind, _, rate = text.partition("=")
    try:
        return kind, float(rate)
    except ValueError:
        raise ValueError(f"--defect takes KIND=RATE, for example late=0.02, got {text!r}") from None


def show_progress(done: int, nights: int, rows: int) -> None:
    """One line on the terminal that counts up; into a file a line for every tenth of the nights."""
    if sys.stderr.isatty():
        typer.echo(f"\r{done} of {nights} nights, {rows:,} rows", err=True, nl=done == nights)
    elif done == nights or done % max(1, nights // 10) == 0:
        typer.echo(f"{done} of {nights} nights, {rows:,} rows", err=True)


@app.command()
def status(settings_file: SettingsOption = None) -> None:
    """What is published, what was received and quarantined, what waits, and which gates are closed (then the exit code
    is 1)."""
    typed = f" --settings {settings_file}" if settings_file else ""
    text, well = status_report(settings_from(settings_file, None), typed)
    typer.echo(text)
    if not well:
        raise typer.Exit(1)


@app.command()
def serve(
    night: Annotated[str, typer.Argument(help="A night that is kept in published/publications, YYYY-MM-DD.")],
    settings_file: SettingsOption = None,
) -> None:
    """Serve a kept night's newest publication: database, Parquet and quality pages; to go back, or forward again."""
    settings = settings_from(settings_file, None)
    try:
        found = serve_night(settings, date.fromisoformat(night), typer.echo)
    except (PublishError, ValueError) as error:
        fail(str(error))
    typer.echo(f"{settings.published_database} is night {night} now, publication {found.number}")


@app.command()
def contracts(settings_file: SettingsOption = None) -> None:
    """Check every contract and list its feeds, with what has changed since rows last landed by it; exit code 1 where a
    night would refuse it."""
    settings = settings_from(settings_file, None)
    retailer = load_retailer(settings)
    for feed in retailer.feeds:
        typer.echo(
            f"{feed.name:28} {feed.entity.name:20} {feed.location.format:8} {feed.location.path:44} "
            f"{feed.contract.name}"
        )
    try:
        with read_warehouse(settings) as con:
            waiting = changes(con, retailer.feeds)
    except WarehouseMissing:
        return
    except WarehouseBusy:
        typer.echo(
            "a night holds the warehouse, so the contracts were not compared with those that rows landed by", err=True
        )
        return
    except WarehouseError as error:
        fail(str(error))
    for name, change in waiting.items():
        typer.echo(f"\n{'REFUSED' if change.refused else 'CHANGED'} {name}\n{change.message}")
    if any(change.refused for change in waiting.values()):
        raise typer.Exit(1)


@quality.command("docs")
def quality_docs(settings_file: SettingsOption = None) -> None:
    """Write the pages of the last nights anew, also of one whose gate closed: published/status/quality/index.html.

    The pages in a publication (published/quality) tell of its night as it was published, and never change.
    """
    settings = settings_from(settings_file, None)
    with writing(settings) as con:
        create_ledger(con)
        typer.echo(rebuild_live_docs(con, settings))


@app.command()
def derive() -> None:
    """Write what is derived from data_contracts: the ODS models of the dbt project, and the pages of the feeds in
    docs/feeds."""
    settings = Settings()
    policy = load_identifier_policy(REPOSITORY / "data_contracts" / "identifiers.yaml")
    entities = load_entities(settings.canonical)
    changed = write_derived(settings.dbt_project, entities, policy)
    changed += write_pages(REPOSITORY / "docs" / "feeds", load_feeds(settings.contracts, entities))
    typer.echo("\n".join(str(file.relative_to(REPOSITORY)) for file in changed) or "everything is current")
