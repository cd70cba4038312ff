"""Text of any encoding Python knows, as UTF-8, in a stream."""

import codecs
import shutil
from pathlib import Path

BLOCK = 1 << 20
_ERRORS = "onedata_mark"
_MARKED = {"utf-16": (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE), "utf-32": (codecs.BOM_UTF32_LE, codecs.BOM_UTF32_BE)}
MARK = "\udcff"
"""Becomes the byte 0xFF, which no UTF-8 text holds: a line with a byte that the encoding does not have stays a broken
line, and is not repaired."""


def is_utf8(encoding: str) -> bool:
    return codecs.lookup(encoding).name == "utf-8"


def has_mark(source: Path) -> bool:
    """The file begins with the byte order mark of UTF-8."""
    with source.open("rb") as stream:
        return stream.read(len(codecs.BOM_UTF8)) == codecs.BOM_UTF8


def without_mark(source: Path, target: Path) -> None:
    """Copy a file but for the mark it begins with."""
    with source.open("rb") as stream, target.open("wb") as file:
        stream.seek(len(codecs.BOM_UTF8))
        shutil.copyfileobj(stream, file, BLOCK)


def to_utf8(source: Path, target: Path, encoding: str) -> None:
    """Turn a file into UTF-8; a byte that is no text in `encoding` becomes 0xFF and its hexadecimal escape, `\\xNN`."""
    codecs.register_error(_ERRORS, _mark)
    name = codecs.lookup(encoding).name
    with source.open("rb") as stream, target.open("wb") as file:
        block = stream.read(BLOCK)
        if name in _MARKED and not block.startswith(_MARKED[name]):
            name = _unmarked(name, block)
        decoder = codecs.getincrementaldecoder(name)(_ERRORS)
        while block:
            file.write(decoder.decode(block).encode("utf-8", "surrogateescape"))
            block = stream.read(BLOCK)
        file.write(decoder.decode(b"", True).encode("utf-8", "surrogateescape"))


def _unmarked(name: str, start: bytes) -> str:
    """The byte order of a text without a mark: the letters that every file has (ASCII) end in zero bytes where it is
    little-endian."""
    return f"{name}-le" if start[1::2].count(0) >= start[::2].count(0) else f"{name}-be"


def _mark(error: UnicodeError) -> tuple[str, int]:
    assert isinstance(error, UnicodeDecodeError)
    escaped = "".join(f"\\x{byte:02x}" for byte in error.object[error.start : error.end])
    return MARK + escaped, error.end
