"""A text file's long lines, found without reading the others: what a sender can do harm with is rarely short."""

from collections.abc import Iterator
from mmap import ACCESS_READ, MADV_DONTNEED, PAGESIZE, mmap
from pathlib import Path

MOST_BYTES = 64 << 20


def long_lines(path: Path, longest: int) -> Iterator[tuple[int, bytes]]:
    """Position (from 0) and bytes of each line of `longest` bytes or more, without its end; of a line without end only
    the first `MOST_BYTES`."""
    if path.stat().st_size <= longest:
        return
    with path.open("rb") as stream, mmap(stream.fileno(), 0, access=ACCESS_READ) as content:
        start, kept = 0, 0
        while start + longest < len(content):
            # Back from the furthest place a short line can end at: of usual lines hardly a byte is looked at.
            end = content.rfind(b"\n", start, start + longest)
            if end < 0:
                end = content.find(b"\n", start + longest)
                end = len(content) if end < 0 else end
                yield start, content[start : min(end, start + MOST_BYTES)]
            start = end + 1
            if start - kept >= MOST_BYTES:
                # What was looked at is given back, so that memory does not grow with the file.
                content.madvise(MADV_DONTNEED, kept, (start - kept) // PAGESIZE * PAGESIZE)
                kept += (start - kept) // PAGESIZE * PAGESIZE
