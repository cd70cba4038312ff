"""Speed of the simulator, by feed, compared with the cost of only reading and writing the same rows with DuckDB.

``python benchmarks/simulate.py --customers 20000 --days 7`` generates a retailer as ``onedata simulate`` does, timing
the steps of ``onedata.simulate.run``, then has DuckDB read the files and write them again in the same formats, in the
same process and with as many threads. It prints a table and, as the last line, JSON; README.md explains each figure.

A feed's seconds are those of making its frame and of delivering it (defects, formatting, writing, its ground truth).
Steps that belong to no feed have separate lines and are part of every total: the world's set-up, the life of the
retailer, and its ground truth.
"""

from __future__ import annotations

import json
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, ParamSpec, TypeVar
from unittest.mock import patch

import duckdb
import polars as pl
import typer
from measure import Cost, measured

from onedata.settings import Settings
from onedata.simulate import PROFILES, SimulationSettings, SimulationSummary, run, simulate
from onedata.simulate.feeds import tills
from onedata.simulate.feeds.base import CSV, JSONL, PARQUET, POSLOG, FeedFiles
from onedata.simulate.nights import FEEDS
from onedata.tables import text_table

SET_UP, LIFE, TRUTH, REST = "(set-up)", "(life)", "(truth)", "(rest)"
FLAT = ("pos_tickets_eu", "pos_ticket_lines_eu")
STEPS = {SET_UP: "everybody write_people settle build_world crowd_of opening_state", TRUTH: "write_night write_totals"}
MEANINGS = {
    SET_UP: "people, goods, places, the eve of the first night",
    LIFE: "journeys, sales, stock, parcels: what happens",
    TRUTH: "lines, touches, demand, totals",
    REST: "folders, file times",
}

READ = {
    CSV: "read_csv($files, delim='{delimiter}', header=true, all_varchar=true, union_by_name=true, ignore_errors=true)",
    JSONL: "read_json($files, format='newline_delimited', union_by_name=true, ignore_errors=true, "
    "maximum_object_size=67108864)",
    PARQUET: "read_parquet($files, union_by_name=true)",
}
WRITE = {
    CSV: "format csv, header, delimiter '{delimiter}'",
    JSONL: "format json",
    PARQUET: "format parquet, compression zstd",
}
LOST = 0.01
P = ParamSpec("P")
R = TypeVar("R")


class NotComparable(RuntimeError):
    """The simulator has unknown steps, or DuckDB read something else: the figures would be meaningless."""


@dataclass
class Clock:
    """Wall seconds by feed, and by step that belongs to none."""

    seconds: dict[str, float] = field(default_factory=dict)

    def add(self, names: tuple[str, ...], seconds: float) -> None:
        """Distribute seconds evenly among names."""
        for name in names:
            self.seconds[name] = self.seconds.get(name, 0.0) + seconds / len(names)

    def around(self, function: Callable[P, R], names: tuple[str, ...], within: str = "") -> Callable[P, R]:
        """The function, timed by this clock. Its time is subtracted from the step ``within``, of which it is a part."""

        def timed(*args: P.args, **kwargs: P.kwargs) -> R:
            begun = time.perf_counter()
            result = function(*args, **kwargs)
            seconds = time.perf_counter() - begun
            self.add(names, seconds)
            if within:
                self.add((within,), -seconds)
            return result

        return timed


@contextmanager
def clocked() -> Iterator[Clock]:
    """Time the simulator's steps within the block.

    Raises:
        NotComparable: a step no longer exists.
    """
    steps = {name: step for step, names in STEPS.items() for name in names.split()}
    gone = [name for name in [*steps, "live", "deliver"] if name not in vars(run)]
    if gone:
        raise NotComparable(f"onedata.simulate.run has no {', '.join(gone)} any more: adapt this benchmark")
    clock = Clock()
    live, write = clock.around(vars(run)["live"], (LIFE,)), vars(run)["deliver"]

    def live_timed(*args: Any) -> tuple[dict[str, Any], Any]:
        frames, happened = live(*args)
        return {name: clock.around(make, (name,)) for name, make in frames.items()}, happened

    def deliver_timed(desk: Any, feed: FeedFiles, *rest: Any) -> None:
        clock.around(write, (feed.name,))(desk, feed, *rest)

    with ExitStack() as stack:
        for name, step in steps.items():
            stack.enter_context(patch.object(run, name, clock.around(vars(run)[name], (step,))))
        stack.enter_context(patch.object(run, "live", live_timed))
        stack.enter_context(patch.object(run, "deliver", deliver_timed))
        # Both till feeds of Europe are made at once, during the simulation of the night.
        stack.enter_context(patch.object(tills, "flat", clock.around(tills.flat, FLAT, within=LIFE)))
        yield clock


@dataclass
class Copied:
    """What DuckDB read and wrote of one feed: documents (a line of JSON, a row of a table) and wall seconds."""

    documents: int
    seconds: float


def read_and_write(summary: SimulationSummary, folder: Path, threads: int) -> dict[str, Copied]:
    """Have DuckDB read each feed, except the till's XML, and write it again, one file per feed, removed at once.

    Raises:
        NotComparable: it read fewer documents of a feed than were written, by more than the few injected defects.
    """
    folder.mkdir(parents=True)
    copied: dict[str, Copied] = {}
    with duckdb.connect() as con:
        con.execute(f"set threads = {threads}; set memory_limit = '{Settings().memory_limit}'")
        con.execute("set temp_directory = $folder", {"folder": str(folder / "tmp")})
        for feed in FEEDS:
            files = [str(path) for path in sorted(summary.source.glob(feed.path.format(ds="*", part="*")))]
            if feed.format != POSLOG and files:
                copied[feed.name] = _copy(con, feed, files, folder / feed.name)
    return copied


def _copy(con: duckdb.DuckDBPyConnection, feed: FeedFiles, files: list[str], target: Path) -> Copied:
    read, write = (texts[feed.format].format(delimiter=feed.delimiter) for texts in (READ, WRITE))
    name = str(target).replace("'", "''")
    begun = time.perf_counter()
    row = con.execute(f"copy (select * from {read}) to '{name}' ({write})", {"files": files}).fetchone()
    seconds = time.perf_counter() - begun
    target.unlink()
    assert row is not None
    return Copied(int(row[0]), seconds)


def check_documents(summary: SimulationSummary, copied: Mapping[str, Copied]) -> None:
    """Raise NotComparable if DuckDB lost more than a hundredth of a feed's documents (a few are unreadable by
    design)."""
    for name, found in copied.items():
        folder = summary.truth / "records" / name
        if folder.exists():
            written = pl.scan_parquet(folder / "*.parquet", glob=True).select(pl.len()).collect().item()
            if abs(written - found.documents) > max(5, LOST * written):
                raise NotComparable(f"{name}: {written} documents were written, DuckDB read {found.documents}")


@dataclass(frozen=True)
class Result:
    """All measurements: the simulator's cost and seconds by step, and DuckDB's."""

    summary: SimulationSummary
    cost: Cost
    clock: Clock
    copied: dict[str, Copied]
    copy_cost: Cost

    def rows(self, feed: FeedFiles) -> int:
        """Rows delivered by a feed's files, including those of the feed that reads the members of its documents."""
        return self.summary.rows.get(feed.name, 0) + self.summary.rows.get(feed.inner, 0)

    def seconds(self, name: str) -> float:
        """Wall seconds of a feed, or of a step by its name."""
        return self.clock.seconds.get(name, 0.0)

    @property
    def rest(self) -> float:
        """Seconds outside of all timed steps."""
        return self.cost.wall_s - sum(self.clock.seconds.values())

    @property
    def without_poslog(self) -> tuple[int, float, float]:
        """All feeds except the till's XML: rows; seconds of the whole run without the XML's; seconds of only these
        feeds."""
        feeds = [feed for feed in FEEDS if feed.format != POSLOG]
        own = sum(self.seconds(feed.name) for feed in feeds)
        poslog = sum(self.seconds(feed.name) for feed in FEEDS if feed.format == POSLOG)
        return sum(self.rows(feed) for feed in feeds), self.cost.wall_s - poslog, own


def measure(settings: SimulationSettings, folder: Path, with_reference: bool) -> Result:
    """Run both sides below ``folder``.

    Raises:
        NotComparable: see `clocked` and `check_documents`.
        OSError: not enough disk space.
    """
    # The first use of Polars and DuckDB in a process is not the simulator's cost.
    read_and_write(
        simulate(SimulationSettings(customers=50, days=1), folder / "warm"), folder / "warm-copy", pl.thread_pool_size()
    )
    with measured() as cost, clocked() as clock:
        summary = simulate(settings, folder / "retailer")
    typer.echo(f"simulator: {cost}", err=True)
    with measured() as copy_cost:
        copied = read_and_write(summary, folder / "copy", pl.thread_pool_size()) if with_reference else {}
    check_documents(summary, copied)
    for made in ("warm", "warm-copy", "copy"):
        shutil.rmtree(folder / made, ignore_errors=True)
    return Result(summary, cost, clock, copied, copy_cost)


def table(result: Result) -> str:
    """The printed table: one line per feed, most seconds first, then steps without a feed, then the totals."""
    cells = [
        _cells(feed.name, result.rows(feed), result.seconds(feed.name), result.copied.get(feed.name))
        for feed in sorted(FEEDS, key=lambda feed: -result.seconds(feed.name))
    ]
    outside = {name: result.seconds(name) for name in (SET_UP, LIFE, TRUTH)} | {REST: result.rest}
    cells += [(name, "", f"{seconds:.2f}", "", "", "", MEANINGS[name]) for name, seconds in outside.items()]
    rows, seconds, own = result.without_poslog
    total = Copied(0, result.copy_cost.wall_s) if result.copied else None
    cells += [
        _cells("all", sum(result.summary.rows.values()), result.cost.wall_s, None),
        _cells("all but POSLog", rows, seconds, total),
        _cells("  their own seconds", rows, own, total),
    ]
    numbers = ("rows", "seconds", "rows/s", "DuckDB s", "ratio")
    return text_table(["feed", *numbers, ""], cells, right=numbers)


def _cells(name: str, rows: int, seconds: float, copied: Copied | None) -> tuple[str, ...]:
    reference = (f"{copied.seconds:.2f}", f"{seconds / copied.seconds:.1f}") if copied else ("", "")
    return name, f"{rows:,}", f"{seconds:.2f}", f"{_rate(rows, seconds):,}", *reference, ""


def _rate(rows: int, seconds: float) -> int:
    return round(rows / seconds) if seconds > 0 else 0


def line_of(result: Result, settings: SimulationSettings) -> dict[str, object]:
    """The line of JSON as a dictionary."""
    rows, seconds, own = result.without_poslog
    total, copy = sum(result.summary.rows.values()), result.copy_cost if result.copied else None
    steps = {step.strip("()"): round(result.seconds(step), 3) for step in (SET_UP, LIFE, TRUTH)} | {
        "rest": round(result.rest, 3)
    }
    return {
        "benchmark": "simulate",
        "customers": settings.customers,
        "days": settings.days,
        "scale_profile": settings.profile,
        "threads": pl.thread_pool_size(),
        "rows": total,
        "rows_per_s": _rate(total, result.cost.wall_s),
        "rows_per_s_columnar_json": _rate(rows, seconds),
        "rows_per_s_columnar_json_own": _rate(rows, own),
        "by_feed": {
            feed.name: {"rows": result.rows(feed), "rows_per_s": _rate(result.rows(feed), result.seconds(feed.name))}
            for feed in FEEDS
        },
        "by_step_s": steps,
        "wall_s": round(result.cost.wall_s, 2),
        "cpu_s": round(result.cost.cpu_s, 2),
        "peak_memory_mb": round(result.cost.peak_mb),
        "reference_wall_s": round(copy.wall_s, 2) if copy else None,
        "reference_cpu_s": round(copy.cpu_s, 2) if copy else None,
        "ratio_wall": round(seconds / copy.wall_s, 3) if copy else None,
        "bytes": result.summary.size_bytes,
    }


def main(
    customers: Annotated[int, typer.Option(help="Number of customers.")] = 20_000,
    days: Annotated[int, typer.Option(help="Number of nights.")] = 7,
    scale_profile: Annotated[str, typer.Option(help=f"Activity of the customers: {', '.join(PROFILES)}.")] = "dense",
    seed: Annotated[int, typer.Option(help="The same seed gives the same files.")] = 7,
    with_reference: Annotated[
        bool, typer.Option("--reference/--no-reference", help="Also have DuckDB read and write the files.")
    ] = True,
    out: Annotated[
        Path | None, typer.Option(help="Working folder; must be empty or missing. Default: a temporary one.")
    ] = None,
    keep: Annotated[bool, typer.Option("--keep", help="Keep the generated retailer, and print its path.")] = False,
) -> None:
    """Measure the simulator feed by feed; the last line printed is JSON."""
    if out is not None and out.exists() and any(out.iterdir()):
        raise typer.BadParameter(f"{out} is not empty", param_hint="--out")
    try:
        settings = SimulationSettings(customers=customers, days=days, profile=scale_profile, seed=seed)
    except ValueError as error:
        raise typer.BadParameter(str(error)) from None
    with ExitStack() as stack:
        folder = out or Path(tempfile.mkdtemp(prefix="onedata-simulate-"))
        if not keep:
            stack.callback(shutil.rmtree, folder, ignore_errors=True)
        result = measure(settings, folder.resolve(), with_reference)
        if keep:
            typer.echo(f"kept: {result.summary.source.parent}", err=True)
    typer.echo(table(result))
    typer.echo(json.dumps(line_of(result, settings)))


if __name__ == "__main__":
    app = typer.Typer(pretty_exceptions_enable=False)
    app.command()(main)
    app()
