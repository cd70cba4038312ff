"""JSON documents: a file with one document, several, or a nested array of them, split into JSON lines for the JSON
lines reader.

Method: a scan for strings and brackets finds where each document begins and ends, and copies its bytes unchanged
(except line breaks, which JSON strings cannot contain: they become blanks, or within a string another byte that is
invalid there, so that the document stays invalid). The JSON lines reader decides whether a document is valid. Memory
use is one block and one string, whatever the size of the file or document.
"""

import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO

BLOCK = 1 << 20
MAX_STRING = 64 << 20
MAX_NAMED = 12
_BOM = b"\xef\xbb\xbf"
_TOKEN = re.compile(rb'"[^"\\\r\n]*(?:\\[^\r\n][^"\\\r\n]*)*"|["{}\[\]]')
_STRING = re.compile(rb'"[^"\\]*(?:\\.[^"\\]*)*"', re.DOTALL)
_BLANK = re.compile(rb"[ \t\r\n]*")
_PLAIN = re.compile(rb"[^ \t\r\n,:{}\[\]\"]*")
_SEPARATOR = re.compile(rb"[ \t\r\n]*,[ \t\r\n]*(?=[{\[])")
_BREAKS = bytes.maketrans(b"\r\n", b"  ")
_BROKEN_STRING = bytes.maketrans(b"\r\n", b"\x02\x02")
Sink = Callable[[bytes], object]


class NotDocuments(ValueError):
    """The file is not JSON to its end, or has no documents at the contract's place; the message says what is there."""


def to_lines(source: Path, target: Path, documents: str | None) -> None:
    """Write each document of a file as one line.

    Args:
        source: The file.
        target: The JSON lines to write.
        documents: Path of the documents, as names with dots and `[]` for each member of an array: `orders`,
            `data.orders.edges[].node`; `orders|order` accepts either. None: at the top level. If it is an array, each
            member is a document; anything else is one document.

    Raises:
        NotDocuments: the file is truncated, or there is nothing at `documents`.
    """
    steps = re.findall(r"\[\]|[^.\[\]]+", documents) if documents else []
    with source.open("rb") as stream, target.open("wb") as lines:
        cutter = _Cutter(stream, lines.write)
        if not cutter.peek():
            raise NotDocuments(
                "the file is empty: not even []. Ask for it again; a day without rows is an empty array."
            )
        while cutter.peek():
            cutter.documents(steps)
        if steps and not cutter.found:
            raise NotDocuments(
                f"there is nothing at {documents!r}; the file has {', '.join(map(repr, cutter.seen)) or 'no members'}. "
                "Check `documents` in the contract."
            )


class _Cutter:
    """Scans one file; anything off the path to the documents is skipped without parsing."""

    def __init__(self, stream: IO[bytes], write: Sink) -> None:
        self._stream, self._write = stream, write
        self._buffer, self._at, self._before = b"", 0, 0
        self.found = False
        self.seen: dict[str, None] = {}
        self._fill()
        if self._buffer.startswith((b"\xff\xfe", b"\xfe\xff")) or b"\x00" in self._buffer[:4]:
            raise NotDocuments("the file is not UTF-8, the one encoding of JSON. Ask for UTF-8.")
        if self._buffer.startswith(_BOM):
            self._at = len(_BOM)

    def documents(self, steps: list[str]) -> None:
        """Consume the value at the current position, which is `steps` above its documents."""
        first = self.peek()
        if not steps:
            self.found = True
            if first == b"[":
                for _ in self._items(b"]"):
                    if not self._row_of_documents():
                        self._document()
            else:
                self._document()
        elif steps[0] == "[]" and first == b"[":
            self.found = self.found or len(steps) > 1
            for _ in self._items(b"]"):
                self._each(steps[1:])
        elif steps[0] != "[]" and first == b"{":
            for _ in self._items(b"}"):
                name = self._name()
                self.seen |= {name: None} if len(self.seen) < MAX_NAMED else {}
                if name in steps[0].split("|"):
                    self.documents(steps[1:])
                else:
                    self._value(None)
        else:
            self._value(None)

    def _each(self, steps: list[str]) -> None:
        """Visit a member of an array on the path; at the end of the path the member itself is the document, even if it
        is an array."""
        if steps:
            self.documents(steps)
        else:
            self.found = True
            self._document()

    def peek(self) -> bytes:
        """The next non-blank byte, or nothing at the end of the file."""
        while True:
            match = _BLANK.match(self._buffer, self._at)
            assert match is not None
            self._at = match.end()
            if self._at < len(self._buffer):
                return self._buffer[self._at : self._at + 1]
            if not self._fill():
                return b""

    def _items(self, end: bytes) -> Iterator[None]:
        """Yield once for each member of the array or object at the current position; the caller must consume the
        member."""
        self._at += 1
        if self.peek() == end:
            self._at += 1
            return
        while True:
            yield
            mark = self.peek()
            if mark not in (end, b","):
                raise self._broken(mark)
            self._at += 1
            if mark == end:
                return
            if self.peek() == end:
                raise self._broken(end)

    def _name(self) -> str:
        if self.peek() != b'"':
            raise self._broken(self.peek())
        held = bytearray()
        self._value(held.extend)
        if self.peek() != b":":
            raise self._broken(self.peek())
        self._at += 1
        return held[1:-1].decode("utf-8", "backslashreplace")

    def _document(self) -> None:
        self._value(lambda part: self._write(part.translate(_BREAKS)))
        self._write(b"\n")

    def _row_of_documents(self) -> bool:
        """Copy the consecutive complete documents within the block in one pass; False if there is none."""
        self.peek()
        start, end, depth, found = self._at, self._at, 0, []
        for match in _TOKEN.finditer(self._buffer, start):
            token = self._buffer[match.start()]
            if token == 0x22:
                if match.end() == match.start() + 1:
                    break
                continue
            if depth == 0 and (match.start() != start or token in b"}]"):
                break
            depth += 1 if token in b"{[" else -1
            if depth == 0:
                end = match.end()
                found.append(self._buffer[start:end])
                separator = _SEPARATOR.match(self._buffer, end)
                if not separator:
                    break
                start = separator.end()
        self._at = end
        if found:
            self._write(b"\n".join(part.translate(_BREAKS) for part in found) + b"\n")
        return bool(found)

    def _value(self, sink: Sink | None) -> None:
        """Consume the value at the current position; its bytes go to `sink`."""
        first = self.peek()
        if first in (b"{", b"["):
            self._nested(sink)
        elif first == b'"':
            self._give(sink, self._string_end())
        elif first and first not in b",:}]":
            self._plain(sink)
        else:
            raise self._broken(first)

    def _nested(self, sink: Sink | None) -> None:
        depth, position = 0, self._at
        while True:
            for match in _TOKEN.finditer(self._buffer, position):
                position = match.end()
                token = self._buffer[match.start()]
                if token == 0x22:
                    if position == match.start() + 1:  # a string that continues in the next block, or has a line break
                        position = match.start()
                        break
                    continue
                depth += 1 if token in b"{[" else -1
                if depth == 0:
                    self._give(sink, position)
                    return
            else:
                position = len(self._buffer)
            self._give(sink, position)
            if self._broken_string(sink):
                position = self._at
                continue
            if len(self._buffer) - self._at > MAX_STRING or not self._fill():
                raise self._broken(b"")
            position = self._at

    def _broken_string(self, sink: Sink | None) -> bool:
        """Copy a whole string that contains a line break, if there is one at the current position."""
        match = _STRING.match(self._buffer, self._at)
        if match and sink is not None:
            sink(match[0].translate(_BROKEN_STRING))
        if match:
            self._at = match.end()
        return match is not None

    def _string_end(self) -> int:
        while True:
            match = _STRING.match(self._buffer, self._at)
            if match:
                return match.end()
            if len(self._buffer) - self._at > MAX_STRING or not self._fill():
                raise self._broken(b"")

    def _plain(self, sink: Sink | None) -> None:
        """A number, true, false or null, or an invalid token in its place."""
        while True:
            match = _PLAIN.match(self._buffer, self._at)
            assert match is not None
            if match.end() < len(self._buffer) or not self._fill():
                break
            if len(self._buffer) - self._at > MAX_STRING:
                raise self._broken(b"")
        self._give(sink, match.end())

    def _give(self, sink: Sink | None, end: int) -> None:
        if sink is not None:
            sink(self._buffer[self._at : end])
        self._at = end

    def _fill(self) -> bool:
        """Append one more block to the unconsumed bytes; False at the end of the file."""
        # A string longer than the block makes the buffer grow: doubling it each time keeps that linear.
        block = self._stream.read(max(BLOCK, len(self._buffer) - self._at))
        self._before += self._at
        self._buffer, self._at = self._buffer[self._at :] + block, 0
        return bool(block)

    def _broken(self, found: bytes) -> NotDocuments:
        where = f"byte {self._before + self._at:,}"
        if not found:
            return NotDocuments(f"the JSON breaks off at {where} (truncated?). Ask for it again.")
        return NotDocuments(f"the file is not JSON: {found.decode('latin-1')!r} at {where}. Ask for it again.")
