"""Cost of a piece of work in this process: CPU seconds, wall seconds, peak resident memory."""

import gc
import resource
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

SAMPLE_SECONDS = 0.02
_STATM = Path("/proc/self/statm")


@dataclass
class Cost:
    """CPU seconds (all threads, and child processes that ended) and wall seconds; megabytes (10^6 bytes) resident.

    ``baseline_mb`` is the memory of the process before the work: it is part of ``peak_mb``.
    """

    cpu_s: float = 0.0
    wall_s: float = 0.0
    peak_mb: float = 0.0
    baseline_mb: float = 0.0


@contextmanager
def measured() -> Iterator[Cost]:
    """Measure the block; the cost is complete once the block has ended."""
    gc.collect()
    cost = Cost(baseline_mb=resident_mb())
    stop = threading.Event()
    sampler = threading.Thread(target=_sample, args=(cost, stop), daemon=True)
    cpu, wall = cpu_seconds(), time.perf_counter()
    sampler.start()
    try:
        yield cost
    finally:
        cost.cpu_s, cost.wall_s = cpu_seconds() - cpu, time.perf_counter() - wall
        stop.set()
        sampler.join()


def _sample(cost: Cost, stop: threading.Event) -> None:
    while not stop.wait(SAMPLE_SECONDS):
        cost.peak_mb = max(cost.peak_mb, resident_mb())


def cpu_seconds() -> float:
    """User and system time so far of this process and of its children that have ended."""
    return sum(
        usage.ru_utime + usage.ru_stime
        for usage in (resource.getrusage(resource.RUSAGE_SELF), resource.getrusage(resource.RUSAGE_CHILDREN))
    )


def child_cpu_seconds() -> float:
    """User and system time of the child processes that have ended."""
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def resident_mb() -> float:
    """Memory resident now; on a system without /proc, the maximum so far."""
    if _STATM.exists():
        return int(_STATM.read_text().split()[1]) * resource.getpagesize() / 1e6
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / 1e6 if sys.platform == "darwin" else peak / 1e3
