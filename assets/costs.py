"""Measure the steps of a run and note what they took in `ops.cost`."""

import functools
import inspect
import time
from collections.abc import Callable, Iterator
from typing import Any, TypeVar

import dagster as dg

from onedata.warehouse.costs import START, StepCost, note_costs
from onedata_assets.nights import night_of
from onedata_assets.resources import Warehouse

READ, WRITTEN, ROWS, SECONDS = "read in this run", "accepted in this run", "dagster/row_count", "Execution Duration"
Step = TypeVar("Step", bound=Callable[..., Any])


class _Lap:
    """The clocks at the start of a step, and the tables that it made so far."""

    def __init__(self, context: Any) -> None:
        self._context = context
        self._name = getattr(context, "op_execution_context", context).op.name
        self._cpu, self._wall = time.process_time(), time.monotonic()
        self._tables: list[StepCost] = []

    def add(self, event: Any) -> None:
        """Take the rows and seconds of a table that the step made, from its metadata."""
        if not isinstance(event, dg.Output | dg.MaterializeResult):
            return
        found: dict[str, Any] = {name: getattr(value, "value", value) for name, value in (event.metadata or {}).items()}
        if ROWS in found:
            table = event.output_name.replace("__", ".") if isinstance(event, dg.Output) else ""
            written = found.get(WRITTEN, found[ROWS])
            self._tables.append(StepCost(self._name, table, None, found.get(SECONDS), found.get(READ), written))

    def note(self) -> None:
        """A step that fails notes nothing: the next run does it again."""
        warehouse: Warehouse = self._context.resources.warehouse
        whole = StepCost(
            self._name,
            "",
            time.process_time() - self._cpu,
            time.monotonic() - self._wall,
            _total(table.rows_read for table in self._tables),
            _total(table.rows_written for table in self._tables),
        )
        timed = [table for table in self._tables if table.wall_seconds is not None]
        start = StepCost(START, "", warehouse.start_cpu_seconds)
        night = night_of(self._context, warehouse)
        note_costs(warehouse.con, self._context.run.run_id, night, start, [whole, *timed])


def _total(rows: Iterator[int | None]) -> int | None:
    known = [count for count in rows if count is not None]
    return sum(known) if known else None


def measured(step: Step) -> Step:
    """Note what a step took, in `ops.cost`. The step, a function or a generator, has its context as first argument and
    requires the warehouse."""
    if inspect.isgeneratorfunction(step):

        @functools.wraps(step)
        def steps(context: Any) -> Iterator[Any]:
            lap = _Lap(context)
            for event in step(context):
                lap.add(event)
                yield event
            lap.note()

        return steps  # type: ignore[return-value]

    @functools.wraps(step)
    def call(context: Any) -> Any:
        lap = _Lap(context)
        result = step(context)
        lap.add(result)
        lap.note()
        return result

    return call  # type: ignore[return-value]
