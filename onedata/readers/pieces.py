"""Split a large text file into pieces at line ends, so that threads read them in parallel with correct record numbers.

DuckDB numbers the records of a text file on one thread. If each record is one line, counting line ends gives the
numbers at a fraction of the cost. The caller must check that each piece had as many records as lines (`Piece.rows`),
and read the file whole if one did not: this detects blank lines, comments and invalid records.
"""

import io
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
from fsspec.spec import AbstractFileSystem

from onedata.sql import quote_text

PROTOCOL = "onedata-piece"
LEAST_BYTES = 1 << 25
"""A smaller piece is not worth a thread."""
BLOCK = 1 << 20
READ_AT_ONCE = 1 << 17
_LINE_FEED, _RETURN = 10, 13


@dataclass(frozen=True)
class Span:
    """A part of a file that starts and ends at line boundaries, in bytes, and its number of lines."""

    start: int
    end: int
    lines: int


def spans(path: Path, most: int, quote: str) -> Sequence[Span]:
    """At most `most` parts of a file, of about equal size; none if the file is too small for two, or if a record may
    span several lines.

    A record may span several lines if there is a line feed within quotes (an odd number of quotes in a line) or a lone
    carriage return.
    """
    size = path.stat().st_size
    count = min(most, size // LEAST_BYTES)
    if count < 2 or not quote.isascii():
        return ()
    found, start = [], 0
    with path.open("rb") as stream:
        for number in range(1, count + 1):
            end = size if number == count else _line_end(stream, max(start, math.ceil(size * number / count)))
            if end > start:
                lines = _lines(stream, start, end, ord(quote) if quote else None)
                if lines is None:
                    return ()
                found.append(Span(start, end, lines))
            start = end
    return found


@dataclass(frozen=True)
class Cut:
    """A part of a file as SQL of its name, the records before it, and its own if each is one line."""

    source: str
    before: int
    rows: int


def least_bytes() -> int:
    """The size of the smallest piece."""
    return LEAST_BYTES


def pieces(path: Path, most: int, quote: str, above: int) -> Sequence[Cut]:
    """At most `most` pieces of a file, of which the first `above` lines are not records; none if it is not cut."""
    found: list[Cut] = []
    before = 0
    for span in spans(path, most, quote):
        rows = span.lines - (0 if found else above)
        source = quote_text(f"{PROTOCOL}://{span.start}-{span.end}{path.absolute()}")
        found.append(Cut(source, before, rows))
        before += rows
    return found


def _line_end(stream: io.BufferedReader, position: int) -> int:
    """Position after the line that contains the byte before `position`."""
    stream.seek(position - 1)
    while (part := stream.readline(BLOCK)) and not part.endswith(b"\n"):
        pass
    return stream.tell()


def _lines(stream: io.BufferedReader, start: int, end: int, quote: int | None) -> int | None:
    """Number of lines from `start` to `end`; None if a record may span several."""
    count, is_open, last = 0, False, _LINE_FEED
    for buffer, size in _blocks(stream, start, end):
        block = np.frombuffer(buffer, np.uint8, size)
        feeds = block == _LINE_FEED
        count += int(np.count_nonzero(feeds))
        # The usual block has neither: to look for a byte costs a fraction of comparing each with it.
        is_marked = is_open or (quote is not None and buffer.find(quote, 0, size) >= 0)
        has_returns = last == _RETURN or buffer.find(_RETURN, 0, size) >= 0
        if has_returns:
            returns = block == _RETURN
            if (last == _RETURN and not feeds[0]) or (returns[:-1] & ~feeds[1:]).any():
                return None
        if is_marked:
            quotes = np.flatnonzero(block == quote)
            before = np.searchsorted(quotes, np.flatnonzero(feeds)) + is_open
            if (before & 1).any():
                return None
            is_open ^= bool(len(quotes) & 1)
        last = buffer[size - 1]
    return None if is_open or last == _RETURN else count + (last != _LINE_FEED)


def _blocks(stream: io.BufferedReader, start: int, end: int) -> Iterator[tuple[bytearray, int]]:
    """The bytes from `start` to `end` in blocks of a size, so that memory does not grow with the file; each block is
    valid until the next."""
    buffer = bytearray(BLOCK)
    stream.seek(start)
    while start < end and (size := stream.readinto(memoryview(buffer)[: end - start])):
        yield buffer, size
        start += size


class PieceFiles(AbstractFileSystem):  # type: ignore[misc]
    """A file system that serves parts of files to DuckDB without copying them to disk."""

    protocol = PROTOCOL
    cachable = False

    def open(self, path: str, mode: str = "rb", **_: object) -> "_PieceFile":
        """Open a part for reading."""
        assert mode == "rb"
        return _PieceFile(*_parsed(path))

    def info(self, path: str, **_: object) -> dict[str, object]:
        """Size and kind, in fsspec's format."""
        start, end = _parsed(path)[1:]
        return {"name": path, "size": end - start, "type": "file"}

    def exists(self, path: str, **_: object) -> bool:
        """Whether the underlying file exists."""
        return _parsed(path)[0].exists()

    def modified(self, path: str) -> datetime:
        """Modification time of the underlying file."""
        return datetime.fromtimestamp(_parsed(path)[0].stat().st_mtime, UTC)

    def glob(self, path: str, **_: object) -> list[str]:
        """The name itself: it contains no wildcards."""
        return [path]


def _parsed(name: str) -> tuple[Path, int, int]:
    place, slash, path = name.removeprefix(f"{PROTOCOL}://").partition("/")
    start, end = place.split("-")
    return Path(slash + path), int(start), int(end)


class _PieceFile(io.RawIOBase):
    """The bytes of a file from `start` to `end`."""

    def __init__(self, path: Path, start: int, end: int) -> None:
        self._stream = path.open("rb", buffering=0)
        self._start, self._size, self._position = start, end - start, 0
        self._stream.seek(start)

    def read(self, size: int = -1) -> bytes:
        """The next bytes, few at a time: DuckDB asks for the rest, and what fits the CPU cache is cheaper."""
        left = self._size - self._position
        found = self._stream.read(min(left if size < 0 else size, left, READ_AT_ONCE))
        self._position += len(found)
        return found

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        """Seek to a position in the part."""
        self._position = offset + (0, self._position, self._size)[whence]
        self._stream.seek(self._start + self._position)
        return self._position

    def tell(self) -> int:
        return self._position

    def seekable(self) -> bool:
        return True

    def readable(self) -> bool:
        return True

    def close(self) -> None:
        self._stream.close()
        super().close()
