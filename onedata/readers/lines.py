"""Find lines of a text file without looking at the others: by their number, or long ones, as most harmful input is."""

from collections.abc import Iterator, Sequence
from mmap import ACCESS_READ, MADV_DONTNEED, PAGESIZE, mmap
from pathlib import Path

import numpy as np

MOST_BYTES = 64 << 20
BLOCK = 1 << 20
_LINE_FEED, _BLANK = 10, 32


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


def lines_at(path: Path, numbers: Sequence[int]) -> Iterator[tuple[int, bytes]]:
    """The lines with these numbers (ascending), each with its number and line end; only lines that contain more than
    white space count."""
    before, wanted = 0, 0
    with path.open("rb") as stream:
        while wanted < len(numbers) and (block := stream.read(BLOCK)):
            block += b"" if block.endswith(b"\n") else stream.readline()
            ends = np.flatnonzero(np.frombuffer(block, np.uint8) == _LINE_FEED) + 1
            starts = np.concatenate(([0], ends if len(ends) and ends[-1] < len(block) else ends[:-1]))
            ends = np.append(starts[1:], len(block))
            # A line that begins with a letter or a sign is not looked at further.
            suspects = np.flatnonzero(np.frombuffer(block, np.uint8)[starts] <= _BLANK)
            blank = [place for place in suspects if not block[starts[place] : ends[place]].strip()]
            starts, ends = np.delete(starts, blank), np.delete(ends, blank)
            while wanted < len(numbers) and numbers[wanted] - before <= len(starts):
                place = numbers[wanted] - before - 1
                yield numbers[wanted], block[starts[place] : ends[place]]
                wanted += 1
            before += len(starts)
