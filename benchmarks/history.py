"""What a night costs on a short and on a long history of the same retailer, and a night without files.

``python benchmarks/history.py --customers 5000 --nights 40`` generates a retailer and runs its nights: those of the
history as backfills, the nights that are measured in a process of their own each, as the schedule does. The last line
of its output is JSON; README.md explains each figure.
"""

import json
import shutil
import tempfile
from contextlib import ExitStack
from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path
from typing import Annotated

import duckdb
import typer
from night_process import empty_night_cpu_s, imports_cpu_s, night_cpu_s

from onedata.settings import Settings, load_settings
from onedata.simulate import SimulationSettings, simulate


def main(
    customers: Annotated[int, typer.Option(help="Customers of the retailer.", min=1)] = 5_000,
    nights: Annotated[int, typer.Option(help="Nights of the long history.", min=3)] = 40,
    short: Annotated[int, typer.Option(help="Nights of the short history.", min=2)] = 6,
    home: Annotated[
        Path | None, typer.Option(help="Working folder; must be empty or missing. Default: a temporary one.")
    ] = None,
) -> None:
    """Measure a night on a short and on a long history; the last line printed is JSON."""
    if home is not None and home.exists() and any(home.iterdir()):
        raise typer.BadParameter(f"{home} is not empty", param_hint="--home")
    if short >= nights:
        raise typer.BadParameter(f"{short} is not less than --nights {nights}", param_hint="--short")
    with ExitStack() as stack:
        work = home or Path(tempfile.mkdtemp(prefix="onedata-history-"))
        stack.callback(shutil.rmtree, work, ignore_errors=True)
        asked = SimulationSettings(customers=customers, days=nights)
        typer.echo(f"generating {nights} nights of {customers} customers", err=True)
        settings = replace(load_settings(), home=work / "home", source=simulate(asked, work / "retailer").source)
        line = compare(settings, list(asked.nights), short)
    typer.echo(json.dumps({"benchmark": "history", "customers": customers, "nights": nights, "short": short} | line))


def compare(settings: Settings, nights: list[date], short: int) -> dict[str, object]:
    """The night `short` and the last one, each after all before it, and the night after the last, which has no files.

    Raises:
        subprocess.CalledProcessError: a night failed.
    """
    backfill(settings, nights[: short - 1])
    on_short = night_cpu_s(settings, "--ds", str(nights[short - 1]))
    steps = {"short_by_stage": cpu_by_stage(settings)}
    typer.echo(f"night {short}: {on_short:.1f} CPU s", err=True)
    backfill(settings, nights[short:-1])
    on_long = night_cpu_s(settings, "--ds", str(nights[-1]))
    steps["long_by_stage"] = cpu_by_stage(settings)
    typer.echo(f"night {len(nights)}: {on_long:.1f} CPU s", err=True)
    empty = empty_night_cpu_s(settings, nights[-1] + timedelta(days=1))
    steps["empty_by_stage"] = cpu_by_stage(settings)
    return {
        "order_lines": order_lines(settings),
        "short_cpu_s": round(on_short, 2),
        "long_cpu_s": round(on_long, 2),
        "ratio": round(on_long / on_short, 3),
        "empty_night_cpu_s": round(empty, 2),
        "imports_cpu_s": round(imports_cpu_s(settings), 2),
        **steps,
    }


def backfill(settings: Settings, nights: list[date]) -> None:
    """The nights in one run."""
    if nights:
        spent = night_cpu_s(settings, "--from", str(nights[0]), "--to", str(nights[-1]), "--backfill")
        typer.echo(f"history up to {nights[-1]}: {spent:.1f} CPU s", err=True)


def cpu_by_stage(settings: Settings) -> dict[str, float]:
    """CPU seconds of each stage of the last run, most first; what stands outside of them is Dagster's own work."""
    with duckdb.connect(str(settings.warehouse), read_only=True) as con:
        rows = con.execute(
            "select split_part(step, '__', 1) as stage, round(sum(cpu_seconds), 2) as cpu from ops.cost where "
            "subject = '' and run_id = (select arg_max(run_id, noted_at) from ops.cost) group by 1 order by cpu desc"
        ).fetchall()
    return dict(rows)


def order_lines(settings: Settings) -> int:
    with duckdb.connect(str(settings.warehouse), read_only=True) as con:
        row = con.execute("select count(*) from dwd.dwd_order_line").fetchone()
    assert row is not None
    return int(row[0])


if __name__ == "__main__":
    app = typer.Typer(pretty_exceptions_enable=False)
    app.command()(main)
    app()
