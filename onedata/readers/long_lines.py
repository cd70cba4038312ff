"""Find a text file's long lines without reading the others: most harmful input is a long line."""

from collections.abc import Iterator
from mmap import ACCESS_READ, MADV_DONTNEED, PAGESIZE, mmap
from pathlib import Path

MOST_BYTES = 64 << 20


def long_lines(path: Path, longest: int) -> Iterator[tuple[int, bytes]]:
    """Position (from 0) and size in bytes of each line of `longest` bytes or more, without its line end; of a line
    without an end, only the first `MOST_BYTES`."""
    if path.stat().st_size <= longest:
        return
    with path.open("rb") as stream, mmap(stream.fileno(), 0, access=ACCESS_READ) as content:
        start, kept = 0, 0
        while start + longest < len(content):
            # Search backwards from the furthest end of a short line: of usual lines hardly a byte is read.
            end = content.rfind(b"\n", start, start + longest)
            if end < 0:
                end = content.find(b"\n", start + longest)
                end = len(content) if end < 0 else end
                yield start, content[start : min(end, start + MOST_BYTES)]
            start = end + 1
            if start - kept >= MOST_BYTES:
                # Release the pages read so far, so that memory does not grow with the file.
                content.madvise(MADV_DONTNEED, kept, (start - kept) // PAGESIZE * PAGESIZE)
                kept += (start - kept) // PAGESIZE * PAGESIZE
