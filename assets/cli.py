"""The command line `onedata`: onedata's own commands, and those that need Dagster: run, rebuild, demo, dev."""

import os
import socket
import sys
from datetime import date
from pathlib import Path
from typing import Annotated

import typer

from onedata.cli.backup import backup_app
from onedata.cli.contracts import contracts_app
from onedata.cli.feed import feed_app
from onedata.cli.identity import identity_app
from onedata.cli.init import init_app
from onedata.cli.published import published_app
from onedata.cli.quarantine import quarantine_app
from onedata.cli.repair import repair_app
from onedata.cli.root import SettingsOption, SourceOption, app, day_from, fail, settings_from
from onedata.cli.simulate import show_progress, simulate_app
from onedata.errors import OnedataError
from onedata.faults import faults_told
from onedata.faults.storage import damaged_storage
from onedata.rebuild import rebuild as rebuild_warehouse
from onedata.report import night_report
from onedata.retailer import load_retailer
from onedata.settings import FILE, home_folder
from onedata.simulate import SimulationSettings
from onedata.simulate import simulate as simulate_retailer

main = app
for group in (
    init_app, simulate_app, published_app, contracts_app, feed_app,
    quarantine_app, identity_app, backup_app, repair_app,
):  # fmt: skip
    app.add_typer(group)


@app.command()
def run(
    settings_file: SettingsOption = None,
    source: SourceOption = None,
    first: Annotated[
        str,
        typer.Option(
            "--from", help="First night, YYYY-MM-DD. Default: the first with files that have not been published."
        ),
    ] = "",
    last: Annotated[str, typer.Option("--to", help="Last night, YYYY-MM-DD. Default: the last with files.")] = "",
    ds: Annotated[str, typer.Option("--ds", help="One night, as both --from and --to.")] = "",
    each_night: Annotated[
        bool, typer.Option("--each-night/--backfill", help="One run per night, or one run for all nights.")
    ] = True,
    replace: Annotated[
        bool,
        typer.Option(
            "--replace",
            help="Load the nights' files again, including known ones; their rows replace the existing ones.",
        ),
    ] = False,
    full_refresh: Annotated[
        bool, typer.Option("--full-refresh", help="Rebuild DIM and DWD from the whole lake, then all after them.")
    ] = False,
) -> None:
    """Run nights through the Dagster job: land new files, pass every gate, publish.

    Running again is always safe: known files are not loaded twice, and a killed night resumes from the ledger's state.
    A closed gate stops the night, leaves published data unchanged, and is printed with feed, file, row and rule.
    On a terminal, a line tells the step that is running and the seconds that are left, as the last run took them.
    """
    if ds and (first or last):
        fail("give --ds, or --from and --to, not both")
    if replace and not (ds or (first and last)):
        fail("--replace takes nights anew: say which with --ds, or with --from and --to")
    from_day, to_day = (_day(ds, "--ds"),) * 2 if ds else (_day(first, "--from"), _day(last, "--to"))
    if from_day and to_day and from_day > to_day:
        fail(f"--from {from_day} is after --to {to_day}")
    settings = settings_from(settings_file, source)
    from onedata_assets.runner import LIBRARY_ERRORS, run_nights
    from onedata_assets.selection import NoSuchNight, select_nights
    from onedata_assets.status import draw_end

    options = _options(settings_file, source)
    try:
        with faults_told(settings, LIBRARY_ERRORS):
            nights = select_nights(settings, from_day, to_day)
    except NoSuchNight:
        raise
    except OnedataError as error:
        draw_end(settings, to_day or settings.today(), "", "not started", [type(error).__name__])
        raise
    if not nights and settings.published_database.exists():
        typer.echo(
            f"nothing new below {settings.source}; every file of a night up to {settings.today()} is "
            f"published\n\n{night_report(settings, options)}"
        )
        return
    if not nights:
        fail(
            f"no night to run: no file below {settings.source} matches a contract of {settings.contracts}. Check "
            "`source`, or give --ds."
        )
    span = (
        f"night {nights[0]}"
        if len(nights) == 1
        else f"{len(nights)} nights from {nights[0]} to {nights[-1]}, {'one run each' if each_night else 'in one run'}"
    )
    typer.echo(f"{span}; data home {settings.home}")
    if not run_nights(settings, nights, each_night, full_refresh, replace):
        raise typer.Exit(1)
    typer.echo(night_report(settings, options))


@app.command()
def rebuild(
    settings_file: SettingsOption = None,
    leave_out: Annotated[
        bool,
        typer.Option(
            "--leave-out",
            help="Continue without deliveries whose files are incomplete (moved aside to lake/.orphans), and without "
            "the state of OneID if it is lost.",
        ),
    ] = False,
) -> None:
    """Rebuild the warehouse from the lake, its manifests, its log and the vault, and publish it.

    For a warehouse that is lost, damaged, or older than the lake. The existing one is moved aside, nothing is deleted.
    OneIDs stay the same. The source is not read: a later run loads new files. Records of earlier runs (gates, balances
    and times of previous nights) are not rebuilt.
    """
    settings = settings_from(settings_file, None)
    if not settings.home.exists():
        fail(f"there is no data home {settings.home} to rebuild; `onedata run` creates one")
    from onedata_assets.definitions import REBUILD
    from onedata_assets.runner import run_nights

    with faults_told(settings):
        night = rebuild_warehouse(load_retailer(settings), leave_out, lambda text: typer.echo(text, err=True))
    if not run_nights(settings, [night], True, False, job_name=REBUILD):
        raise typer.Exit(1)
    typer.echo(night_report(settings, _options(settings_file, None)))


@app.command()
def demo(
    customers: Annotated[int, typer.Option(help="Number of customers.", min=1)] = 400,
    days: Annotated[int, typer.Option(help="Number of nights.", min=1)] = 5,
) -> None:
    """Generate the built-in omnichannel retailer (if it does not exist yet) and run its nights."""
    if os.environ.get("ONEDATA_SETTINGS") or Path(FILE).exists():
        fail("demo is for the built-in retailer, and the settings here are of another: use `onedata run`")
    (home_folder() / "data").mkdir(exist_ok=True)
    settings = settings_from(None, None)
    if not settings.source.exists():
        typer.echo(
            f"generating a retailer of {customers} customers and {days} nights below {settings.source.parent}", err=True
        )
        simulate_retailer(SimulationSettings(customers=customers, days=days), settings.source.parent, show_progress)
    run()


@app.command()
def dev(
    settings_file: SettingsOption = None,
    source: SourceOption = None,
    port: Annotated[int, typer.Option(help="Port of the UI, on 127.0.0.1.", min=1, max=65535)] = 3000,
) -> None:
    """Open the Dagster UI of a retailer; stop it with Ctrl-C."""
    settings = settings_from(settings_file, source)
    if _is_taken(port):
        fail(f"port {port} of 127.0.0.1 is in use, perhaps by another `onedata dev`: give a free one with --port")
    from onedata_assets.runner import prepare_instance

    with faults_told(settings):
        prepare_instance(settings)
    damaged = damaged_storage(settings)
    if damaged:
        fail("\n".join(map(str, damaged)))
    typer.echo(f"Dagster UI on http://127.0.0.1:{port}, data home {settings.home}", err=True)
    dagster = str(Path(sys.executable).with_name("dagster"))
    os.environ.pop("ONEDATA_SETTINGS", None)  # may be relative to the working directory; the settings are all set below
    os.environ.update(settings.environment() | {"PYTHONWARNINGS": "ignore"})
    workspace = str(settings.dagster_home / "workspace.yaml")
    os.chdir(settings.home)
    os.execv(dagster, [dagster, "dev", "--workspace", workspace, "--host", "127.0.0.1", "--port", str(port)])


def _is_taken(port: int) -> bool:
    """Whether a server listens there."""
    with socket.socket() as asked:
        return asked.connect_ex(("127.0.0.1", port)) == 0


def _options(settings_file: Path | None, source: Path | None) -> str:
    """The retailer's options as the user typed them, for suggested commands."""
    return (f" --settings {settings_file}" if settings_file else "") + (f" --source {source}" if source else "")


def _day(text: str, of: str) -> date | None:
    return day_from(text, of) if text else None
