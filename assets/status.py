"""Draw the status page: after every gate, at the end of a run, and if a step fails."""

import os
from collections.abc import Sequence
from datetime import date

import dagster as dg
import duckdb
import typer

from onedata.pages import Run, draw_status
from onedata.settings import Settings
from onedata_assets.nights import night_of, night_of_run
from onedata_assets.resources import Warehouse


def draw(
    context: dg.AssetExecutionContext | dg.AssetCheckExecutionContext,
    warehouse: Warehouse,
    state: str = "running",
) -> None:
    """Draw the page from within the run."""
    run_id = context.run.run_id
    failed = _failed_steps(context.instance, run_id)
    run = Run(night_of(context, warehouse), run_id, "failed" if failed else state, failed)
    draw_status(warehouse.retailer.settings, run, warehouse.con, context.log.warning)


@dg.failure_hook(required_resource_keys={"warehouse"})
def draw_failure(context: dg.HookContext) -> None:
    """Draw the page after a failed step, whoever started the run."""
    warehouse: Warehouse = context.resources.warehouse
    record = context.instance.get_run_by_id(context.run_id)
    if record is not None:
        run = Run(
            night_of_run(record, warehouse),
            context.run_id,
            "failed",
            _failed_steps(context.instance, context.run_id) or [context.step_key],
        )
        draw_status(warehouse.retailer.settings, run, warehouse.con, context.log.warning)


def draw_end(settings: Settings, night: date, run_id: str, state: str, failed: Sequence[str]) -> None:
    """Draw the page after a run that ended without publishing, or could not start.

    This process no longer holds the warehouse. A missing home is not created for the page.
    """
    if not os.access(settings.home, os.F_OK):  # missing, or not accessible
        return
    run = Run(night, run_id, state, failed)
    try:
        with duckdb.connect(str(settings.warehouse), read_only=True) as con:
            draw_status(settings, run, con, _say)
    except duckdb.Error:
        draw_status(settings, run, None, _say)


def _say(text: str) -> None:
    typer.echo(text, err=True)


def _failed_steps(instance: dg.DagsterInstance, run_id: str) -> list[str]:
    """Asked after every gate: only events of failures are read, not the run's whole log."""
    failures = instance.all_logs(run_id, of_type=dg.DagsterEventType.STEP_FAILURE)
    return list(dict.fromkeys(entry.step_key for entry in failures if entry.step_key))
