"""A large text file cut into pieces at line ends, so that each is read by a thread of its own, with its records
numbered from the right one on.

DuckDB numbers the records of a text file on one thread. Where a record is a line, its number is known by counting line
ends, which costs a fraction of the reading. Whoever reads pieces has to check that each had as many records as lines
(`Piece.rows`), and to read the file whole where one had not: that is how blank lines, comments and broken records are
seen.
"""

import io
import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
from fsspec.spec import AbstractFileSystem

from onedata.readers.base import Piece
from onedata.sql import quote_text

PROTOCOL = "onedata-piece"
LEAST_BYTES = 1 << 25
"""A smaller piece is not worth a thread."""
BLOCK = 1 << 20
READ_AT_ONCE = 1 << 17
_LINE_FEED, _RETURN = 10, 13


@dataclass(frozen=True)
class Span:
    """A part of a file from the start of a line to the end of one, in bytes, and how many lines it has."""

    start: int
    end: int
    lines: int


def spans(path: Path, most: int, quote: str) -> Sequence[Span]:
    """At most `most` parts of a file of about the same size; none where it is too small for two, or a record of it may
    have more than one line.

    That is so where a line feed stands between quotes (an odd number of them in a line), or a carriage return stands
    alone.
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


def pieces(path: Path, most: int, quote: str, above: int, query: Callable[[str, int], str]) -> Sequence[Piece]:
    """The pieces of a file as queries: `query` makes one of a source's SQL and the number of records before it; `above`
    lines of the first are no records."""
    found: list[Piece] = []
    before = 0
    for span in spans(path, most, quote):
        rows = span.lines - (0 if found else above)
        source = quote_text(f"{PROTOCOL}://{span.start}-{span.end}{path.absolute()}")
        found.append(Piece(query(source, before), rows))
        before += rows
    return found


def _line_end(stream: io.BufferedReader, position: int) -> int:
    """The first byte behind the line that holds the byte before `position`."""
    stream.seek(position - 1)
    while (part := stream.readline(BLOCK)) and not part.endswith(b"\n"):
        pass
    return stream.tell()


def _lines(stream: io.BufferedReader, start: int, end: int, quote: int | None) -> int | None:
    """Lines from `start` to `end`; None where a record may have more than one."""
    count, is_open, last = 0, False, _LINE_FEED
    for block in _blocks(stream, start, end):
        feeds = block == _LINE_FEED
        count += int(np.count_nonzero(feeds))
        returns = block == _RETURN
        if (last == _RETURN and not feeds[0]) or (returns[:-1] & ~feeds[1:]).any():
            return None
        quotes = np.flatnonzero(block == quote) if quote is not None else ()
        if len(quotes) or is_open:
            before = np.searchsorted(quotes, np.flatnonzero(feeds)) + is_open
            if (before & 1).any():
                return None
            is_open ^= bool(len(quotes) & 1)
        last = int(block[-1])
    return None if is_open or last == _RETURN else count + (last != _LINE_FEED)


def _blocks(stream: io.BufferedReader, start: int, end: int) -> Iterator[np.ndarray[Any, np.dtype[np.uint8]]]:
    """The bytes from `start` to `end`, so many at once that memory does not grow with the file; each block is gone with
    the next."""
    buffer = bytearray(BLOCK)
    stream.seek(start)
    while start < end and (size := stream.readinto(memoryview(buffer)[: end - start])):
        yield np.frombuffer(buffer, np.uint8, size)
        start += size


class PieceFiles(AbstractFileSystem):  # type: ignore[misc]
    """Parts of files as files of their own, for DuckDB: nothing is copied to disk."""

    protocol = PROTOCOL
    cachable = False

    def open(self, path: str, mode: str = "rb", **_: object) -> "_PieceFile":
        """A part, to be read."""
        assert mode == "rb"
        return _PieceFile(*_parsed(path))

    def info(self, path: str, **_: object) -> dict[str, object]:
        """Size and kind, as fsspec wants them."""
        start, end = _parsed(path)[1:]
        return {"name": path, "size": end - start, "type": "file"}

    def exists(self, path: str, **_: object) -> bool:
        """Whether the file it is of is there."""
        return _parsed(path)[0].exists()

    def modified(self, path: str) -> datetime:
        """When the file it is of was changed."""
        return datetime.fromtimestamp(_parsed(path)[0].stat().st_mtime, UTC)

    def glob(self, path: str, **_: object) -> list[str]:
        """The name itself: no letter of it is a wildcard."""
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
        """The next bytes, never many: DuckDB asks for the rest, and what fits the processor's cache costs it less."""
        left = self._size - self._position
        found = self._stream.read(min(left if size < 0 else size, left, READ_AT_ONCE))
        self._position += len(found)
        return found

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        """Go to a position in the part."""
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
