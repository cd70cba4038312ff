"""Simulate a retailer into a folder: build the world, simulate each night, deliver, write the ground truth."""

from __future__ import annotations

import os
import shutil
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import polars as pl

from onedata.simulate.calendar import night_of
from onedata.simulate.damage import DefectMaker
from onedata.simulate.deliver import Delivered, Desk, deliver
from onedata.simulate.model import Progress, SimulationSettings, SimulationSummary
from onedata.simulate.nights import FEEDS, crowd_of, live, opening_state
from onedata.simulate.residents import settle
from onedata.simulate.truth import write_night, write_people, write_totals
from onedata.simulate.world import World, build_world, everybody

THREADS = 2
MARKER = "made-by-onedata-simulate"
"""File in a hidden folder of a run: what is in the folder is that run's."""
BYTES_AN_ORDER = 14_000
BYTES_A_CUSTOMER = 900
BYTES_A_SESSION = 2_200
BYTES_A_SHELF = 12
"""Measured on 100,000 customers, rounded up: what is written for an order, a customer, a visit to the web shop, and a
product at a node and night."""


def simulate(settings: SimulationSettings, out: Path, progress: Progress | None = None) -> SimulationSummary:
    """Write ``out/source`` (every feed's files, night by night) and ``out/truth``; equal settings give equal bytes.

    Everything is first written to a hidden folder beside or (if it exists) in ``out`` and moved once complete;
    leftovers of a killed run are removed. Raises FileExistsError if ``out`` is not empty or another process is filling
    it, OSError if the disk has not enough space.
    """
    if out.exists() and not out.is_dir():
        raise FileExistsError(f"{out} is a file: name a folder")
    # An existing folder may be a mount point or the caller's working folder: it is filled, not replaced.
    is_there = out.is_dir()
    place = out if is_there else out.parent
    _sweep(out, place)
    if is_there and any(out.iterdir()):
        raise FileExistsError(f"{out} is not empty: name another folder, or remove it to generate again")
    _require_room(settings, next(folder for folder in (place.absolute(), *place.absolute().parents) if folder.is_dir()))
    place.mkdir(parents=True, exist_ok=True)
    scratch = place / f"{_scratch_prefix(out)}{os.getpid()}"
    scratch.mkdir()
    (scratch / MARKER).touch()
    try:
        work = scratch / "out"
        delivered, defects = _generate(settings, work, progress)
        if is_there:
            for part in (work / "source", work / "truth"):
                part.rename(out / part.name)
        else:
            work.rename(out)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
    rows = {name: count.rows for name, count in sorted(delivered.counts.items())}
    return SimulationSummary(out / "source", out / "truth", rows, dict(sorted(defects.items())), delivered.size_bytes)


def _scratch_prefix(out: Path) -> str:
    """Prefix of the hidden folders of runs into ``out``; the process number follows."""
    return f".{out.absolute().name}-"


def _sweep(out: Path, place: Path) -> None:
    """Remove the hidden folders of killed runs, recognised by their marker. Raises FileExistsError if a run is
    active."""
    for left in place.glob(f"{_scratch_prefix(out)}*"):
        process = left.name.removeprefix(_scratch_prefix(out))
        if process.isdigit() and _is_alive(int(process)):
            raise FileExistsError(f"{out} is being written by process {process}: wait for it, or name another folder")
        # A user's folder may have such a name.
        if process.isdigit() and (left / MARKER).exists():
            shutil.rmtree(left)


def _is_alive(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def expected_bytes(settings: SimulationSettings) -> int:
    """Approximate disk use of a simulation, including the ground truth."""
    orders = settings.customers * settings.rate * settings.days
    visits = settings.customers * settings.scale.sessions * settings.days
    shelves = settings.products * (settings.stores + 2) * settings.days
    return int(
        orders * BYTES_AN_ORDER
        + visits * BYTES_A_SESSION
        + settings.customers * BYTES_A_CUSTOMER
        + shelves * BYTES_A_SHELF
    )


def _require_room(settings: SimulationSettings, folder: Path) -> None:
    wanted, free = expected_bytes(settings), shutil.disk_usage(folder).free
    if wanted > free:
        raise OSError(
            f"{folder} has {free / 1e9:.1f} GB free, the simulation needs about {wanted / 1e9:.1f} GB: fewer customers "
            "or days, or another folder"
        )


def _generate(settings: SimulationSettings, work: Path, progress: Progress | None) -> tuple[Delivered, Counter[str]]:
    """Fill ``work``; returns the expected counts of each feed, and the defects by kind."""
    source, truth = work / "source", work / "truth"
    for folder in (source, truth):
        folder.mkdir(parents=True)
    # The people are freed from memory before the totals are computed.
    delivered, held = _live(settings, source, truth, progress)
    write_totals(settings, truth, delivered.counts, dict(delivered.defects), held)
    moment = night_of(settings.start, settings.days - 1).delivered
    for path in truth.glob("*.*"):
        os.utime(path, (moment, moment))
    return delivered, delivered.defects


def _founded(settings: SimulationSettings, truth: Path) -> World:
    """The world; afterwards the ground truth of its people is on disk, and freed from memory."""
    people = everybody(settings)
    write_people(people, truth, night_of(settings.start, 0))
    return build_world(settings, settle(people))


def _live(
    settings: SimulationSettings, source: Path, truth: Path, progress: Progress | None
) -> tuple[Delivered, pl.DataFrame]:
    """Simulate all nights; returns what was delivered, and the records still held back."""
    world = _founded(settings, truth)
    crowd = crowd_of(world)
    state = opening_state(world, crowd)
    delivered = Delivered()
    with ThreadPoolExecutor(THREADS) as helpers:
        desk = Desk(
            source,
            truth,
            DefectMaker(world.draws, settings.defects, FEEDS),
            settings.defects.overlap,
            world.people,
            helpers,
        )
        for number in range(settings.days):
            night = night_of(settings.start, number)
            frames, happened = live(state, crowd, night)
            write_night(happened, night, truth)
            del happened
            for feed in FEEDS:
                deliver(desk, feed, night, frames.pop(feed.name)(), delivered)
            if progress:
                progress(number + 1, settings.days, sum(count.rows for count in delivered.counts.values()))
    return delivered, desk.defects.still_held()
