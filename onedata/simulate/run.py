"""From settings to a folder of files: build the world, let it trade, deliver, break, tell the truth."""

from __future__ import annotations

import os
import shutil
import tempfile
from datetime import UTC, date, datetime
from pathlib import Path

import duckdb

from onedata.simulate.defects import break_rows, stock_night
from onedata.simulate.feeds import deliver
from onedata.simulate.model import Defect, SimulationSettings, SimulationSummary
from onedata.simulate.trade import run_trade
from onedata.simulate.truth import write_truth
from onedata.simulate.world import build_world


def simulate(settings: SimulationSettings, out: Path) -> SimulationSummary:
    """Write ``out/source`` (every feed's files, night by night) and ``out/truth``; equal settings give equal bytes.

    All is written beside ``out`` first and moved there when complete. Raises FileExistsError where ``out`` holds
    anything.
    """
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise FileExistsError(f"{out} is not empty: name another folder, or remove it to generate again")
    out.parent.mkdir(parents=True, exist_ok=True)
    # mkdtemp gives a folder only its owner may read; the folder inside it gets the usual rights and becomes `out`.
    scratch = Path(tempfile.mkdtemp(prefix=f".{out.name}-", dir=out.parent))
    try:
        work = scratch / "out"
        rows, defects = _generate(settings, work, scratch / "spill")
        if out.exists():
            out.rmdir()
        work.rename(out)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
    totals = {feed: sum(nights) for feed, nights in sorted(rows.items())}
    return SimulationSummary(source=out / "source", truth=out / "truth", rows=totals, defects=defects)


def _generate(settings: SimulationSettings, work: Path, spill: Path) -> tuple[dict[str, list[int]], tuple[Defect, ...]]:
    """Fill ``work``; each feed's rows by night and the defects."""
    source = work / "source"
    source.mkdir(parents=True)
    with duckdb.connect(config={"threads": 2, "memory_limit": "1200MB", "temp_directory": str(spill)}) as connection:
        build_world(connection, settings)
        run_trade(connection)
        connection.execute("set variable negative_night = ?", [stock_night(settings)])
        rows = deliver(connection, settings, source)
        defects = break_rows(connection, settings, source, rows)
        write_truth(connection, settings, work / "truth", rows, defects)
    _date_files(work, settings)
    return rows, defects


def _date_files(work: Path, settings: SimulationSettings) -> None:
    """Set every file's time of change to 02:00 (Asia/Shanghai) after its night, the truth's to the last one's."""
    for path in work.rglob("*.*"):
        named = [night for night in settings.nights if str(night) in path.name]
        moment = _delivered(named[0] if named else settings.nights[-1])
        os.utime(path, (moment, moment))


def _delivered(night: date) -> float:
    # 18:00 UTC is 02:00 of the next day in Shanghai.
    return datetime(night.year, night.month, night.day, 18, tzinfo=UTC).timestamp()
