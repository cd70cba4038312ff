"""The raw text of CSV records that DuckDB could not parse, read from the file: DuckDB's rejects table has only their
beginning."""

import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import BinaryIO

MOST_SHOWN = 10_000
"""Bytes of a record that the rejects table holds at most."""
MAX_RECORD_BYTES = 16_000_000


def raw_records(
    path: Path, places: Sequence[tuple[int, int, bool]], options: Mapping[str, str]
) -> Iterator[tuple[int, str]]:
    """Each record with its position; bytes that are not UTF-8 are shown as \\x.., so that they can be decoded again.

    Args:
        path: The file, as it was read.
        places: Position of each record (from 1), the bytes of it that DuckDB showed, including blank lines before it,
            and whether there may be more.
        options: The reader's options.
    """
    quote = options.get("quote", '"')
    quotes = _Quotes(options.get("delimiter", ","), quote, options.get("escape", quote))
    with path.open("rb") as stream:
        for position, length, is_partial in places:
            stream.seek(position - 1)
            record = stream.read(length).lstrip(b"\r\n")
            if is_partial:
                record = _to_its_end(stream, record, quotes)
            yield position, record.strip(b"\r\n").decode("utf-8", "backslashreplace")


def _to_its_end(stream: BinaryIO, start: bytes, quotes: "_Quotes") -> bytes:
    """Complete a record from the stream: up to the first line end outside quotes."""
    while not start and (line := stream.readline(MAX_RECORD_BYTES)):
        start = line.lstrip(b"\r\n")
    if not start.endswith(b"\n"):
        start += stream.readline(MAX_RECORD_BYTES)
    parts, size, is_open = [start], len(start), quotes.left_open(start, False)
    while is_open and size < MAX_RECORD_BYTES and (line := stream.readline(MAX_RECORD_BYTES)):
        parts.append(line)
        size, is_open = size + len(line), quotes.left_open(line, True)
    return b"".join(parts)


class _Quotes:
    """Tracks where quotes open and close: a quote opens only at the start of a field, after blanks; anything may follow
    a closing quote."""

    def __init__(self, delimiter: str, quote: str, escape: str) -> None:
        self._quote, blanks = quote.encode(), b"" if delimiter == " " else b" *"
        self._first = re.compile(blanks + re.escape(quote).encode())
        self._opening = re.compile(re.escape(delimiter).encode() + blanks + re.escape(quote).encode())
        self._token = re.compile(
            re.escape(escape).encode()
            + (re.escape(quote).encode() if escape == quote else b".")
            + b"|"
            + re.escape(quote).encode(),
            re.DOTALL,
        )

    def left_open(self, text: bytes, is_open: bool) -> bool:
        """Whether quotes are open at the end of `text`, which starts with a record and no open quote."""
        at = 0
        if not is_open and (first := self._first.match(text)):
            at, is_open = first.end(), True
        while True:
            if not is_open:
                opening = self._opening.search(text, at)
                if opening is None:
                    return False
                at, is_open = opening.end(), True
            token = self._token.search(text, at)
            if token is None:
                return True
            at, is_open = token.end(), token[0] != self._quote
