"""Progress of a run on a terminal: one line, drawn again each second, of the step that is running and the time left.

What is left is told by the steps of the run before: a night is much like the last one.
"""

import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import TextIO

SECONDS_BETWEEN = 1.0
WAIT_SECONDS = 3.0
"""A step that ends sooner is not worth a line."""
TO_START_OF_LINE, TO_END_OF_LINE = "\r", "\x1b[K"


class Progress:
    """The steps of one run. `expected` is what each step of the last run took (seconds by the clock), `count` how many
    steps this one has."""

    def __init__(
        self, stream: TextIO, count: int, expected: Mapping[str, float], clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._stream, self._count, self._expected, self._clock = stream, count, expected, clock
        self._ended: dict[str, float] = {}
        self._running: tuple[str, float] | None = None
        self._lock = threading.RLock()
        self._stop = threading.Event()
        self._is_drawn = False
        self._drawer: threading.Thread | None = None

    def begin(self, step: str) -> None:
        with self._lock:
            self._running = step, self._clock()
        if self._drawer is None:
            self._drawer = threading.Thread(target=self._draw_on, daemon=True)
            self._drawer.start()

    def end(self, step: str) -> None:
        with self._lock, self.cleared():
            if self._running and self._running[0] == step:
                self._ended[step] = self._clock() - self._running[1]
                self._running = None

    def close(self) -> None:
        """No line is drawn after it."""
        self._stop.set()
        if self._drawer:
            self._drawer.join()
        with self.cleared():
            pass

    @contextmanager
    def cleared(self) -> Iterator[None]:
        """The terminal's line is free for a message."""
        with self._lock:
            if self._is_drawn:
                self._stream.write(TO_START_OF_LINE + TO_END_OF_LINE)
                self._is_drawn = False
            yield

    def line(self) -> str:
        """The step that is running, and what is left; empty where it began only just now."""
        with self._lock:
            if self._running is None:
                return ""
            step, began = self._running
            seconds = self._clock() - began
            if seconds < WAIT_SECONDS:
                return ""
            left = seconds_left(self._expected, self._ended, step, seconds)
            place = f"step {len(self._ended) + 1} of {self._count}"
        told = f"  {step.replace('__', ' ')}, {place}: {seconds:.0f} s"
        return told if left is None else f"{told}, about {left:.0f} s left"

    def _draw_on(self) -> None:
        while not self._stop.wait(SECONDS_BETWEEN):
            with self._lock:
                line = self.line()
                if line:
                    self._stream.write(TO_START_OF_LINE + line + TO_END_OF_LINE)
                    self._stream.flush()
                    self._is_drawn = True


def seconds_left(
    expected: Mapping[str, float], ended: Mapping[str, float], running: str, seconds: float
) -> float | None:
    """Seconds until the run ends, from what its steps took in the last run; none if no step of that run is left.

    If tonight's steps took longer so far, or less, so will those that are left.
    """
    known = sum(expected.get(step, 0) for step in ended)
    pace = sum(taken for step, taken in ended.items() if step in expected) / known if known else 1.0
    ahead = sum(taken for step, taken in expected.items() if step not in ended and step != running)
    rest = max(expected.get(running, 0) * pace - seconds, 0)
    return ahead * pace + rest if ahead or running in expected else None
