"""`onedata simulate`: a simulated retailer with its ground truth."""

import sys
from pathlib import Path
from typing import Annotated

import typer

from onedata.cli.root import day_from, fail
from onedata.simulate import MEANINGS, PROFILES, DefectRates, IdentityRates, SimulationSettings
from onedata.simulate import simulate as simulate_retailer

simulate_app = typer.Typer()


@simulate_app.command(
    epilog="Kinds of defect: " + "; ".join(f"{kind} ({meaning})" for kind, meaning in MEANINGS.items()) + "."
)
def simulate(
    out: Annotated[Path, typer.Option(help="Folder to write; must not exist or be empty.")],
    customers: Annotated[int, typer.Option(help="How many customers.")] = 400,
    days: Annotated[int, typer.Option(help="How many nights of files. A longer run begins with the same nights.")] = 5,
    seed: Annotated[int, typer.Option(help="Same seed, same bytes.")] = 7,
    start: Annotated[str, typer.Option(help="First day, YYYY-MM-DD.")] = "2026-01-05",
    scale_profile: Annotated[
        str, typer.Option(help="; ".join(f"{name}: {profile.meaning}" for name, profile in PROFILES.items()) + ".")
    ] = "dense",
    defects: Annotated[
        str,
        typer.Option(
            help="none; light: defects that pass the gates; heavy: five times as many, and a few files that a gate "
            "refuses."
        ),
    ] = "light",
    defect: Annotated[
        list[str] | None, typer.Option(help="The rate of one kind, as KIND=RATE (late=0.02); repeatable.")
    ] = None,
    shared_phones: Annotated[
        float, typer.Option(help="Share of the customers whose phone is a company's, a reseller's or a hotline.")
    ] = 0.005,
) -> None:
    """Generate an omnichannel retailer's files, night by night: source/ for the pipeline, and truth/.

    The ground truth says who is behind every record and identifier, what was wanted, sold and lost and why, and lists
    each injected defect with its file, row and expected outcome. docs/simulator.md describes it.
    """
    try:
        rates = DefectRates.named(defects, dict(_rate(text) for text in defect or []))
        settings = SimulationSettings(
            customers=customers,
            days=days,
            seed=seed,
            start=day_from(start, "--start"),
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
        f"injected defects: {', '.join(f'{kind} {count:,}' for kind, count in summary.defects.items()) or 'none'}"
    )
    typer.echo(
        f"the ground truth is in {summary.truth}\nrun its nights in a separate data home: ONEDATA_HOME={out / 'home'} "
        f"onedata run --source {summary.source}"
    )


def _rate(text: str) -> tuple[str, float]:
    kind, _, rate = text.partition("=")
    try:
        return kind, float(rate)
    except ValueError:
        raise ValueError(f"--defect takes KIND=RATE, for example late=0.02, got {text!r}") from None


def show_progress(done: int, nights: int, rows: int) -> None:
    """Update one line on a terminal; otherwise print one line for every tenth of the nights."""
    if sys.stderr.isatty():
        typer.echo(f"\r{done} of {nights} nights, {rows:,} rows", err=True, nl=done == nights)
    elif done == nights or done % max(1, nights // 10) == 0:
        typer.echo(f"{done} of {nights} nights, {rows:,} rows", err=True)
